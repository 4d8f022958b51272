use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{body::Body, extract::State, http::header, response::IntoResponse};
use belvedere::{exchange::Annotations, trace::InScope as _};
use futures_util::{StreamExt as _, stream};
use time::OffsetDateTime;
use tokio::time::sleep;

use crate::{activity::Activity, app::App};

/// The cruds one by one, a line of JSON each, for about two seconds.
///
/// Demonstrates that the span of a request ends with its body and not with its head: it is two seconds long, and what
/// is annotated while it streams, `app.streamed`, is on it. A reader who leaves early is told from one who stays.
pub(crate) async fn activities(State(app): State<Arc<App>>) -> impl IntoResponse {
    let activities = app.store.activities(OffsetDateTime::now_utc());
    let lines =
        stream::iter(activities.into_iter().take(LINES).enumerate()).then(|(index, activity)| async move {
            sleep(PAUSE).await;
            Annotations::current().insert("app.streamed", i64::try_from(index + 1).unwrap_or(i64::MAX));
            Ok::<_, Infallible>(line(&activity))
        });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines.in_scope()))
}

fn line(activity: &Activity) -> String {
    let json = serde_json::to_string(activity).expect("an activity is JSON");
    json + "\n"
}

const LINES: usize = 5;
const PAUSE: Duration = Duration::from_millis(400);
