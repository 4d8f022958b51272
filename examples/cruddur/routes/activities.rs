use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use belvedere::{exchange::Annotations, xray};
use opentelemetry::{
    Context, KeyValue, global,
    trace::{TraceContextExt as _, Tracer as _},
};
use serde::Deserialize;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::{
    activity::{Activity, Crud, Message},
    app::App,
    error::{Error, chain},
    extract::{Path, Query},
    timeline::{Ask, Timeline},
    user::User,
    validate::{Codes, is_blank},
};

#[derive(Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    term: String,
}

/// The feed.
///
/// Demonstrates a call to another service, which is a span there too, and a span made by hand with the OpenTelemetry
/// API, `home-activities-mock-data`, with attributes on it. For X-Ray all of it is the subsegment `activities_home`, with
/// the call as a remote subsegment in it, by which the map has an edge from here to there. And a line in the log, which stands
/// beside the one that every request has.
pub(crate) async fn home(
    State(app): State<Arc<App>>,
    Extension(user): Extension<User>,
    annotations: Annotations,
) -> Json<Vec<Activity>> {
    tracing::info!("Hello Cloudwatch! from  /api/activities/home");
    Json(xray::capture("activities_home", feed(&app, user, &annotations)).await)
}

async fn feed(app: &App, user: User, annotations: &Annotations) -> Vec<Activity> {
    let now = OffsetDateTime::now_utc();
    let activities = app.store.current(now);
    let order = ranked(app, Timeline::Home, user, &activities, annotations).await;
    let tracer = global::tracer("home.activities");
    tracer.in_span("home-activities-mock-data", |context| {
        let activities = in_order(activities, &order);
        describe(&context, now, activities.len());
        activities
    })
}

/// The newest crud of somebody else.
///
/// Demonstrates that a trace goes on in the other service whichever route it came from.
pub(crate) async fn notifications(
    State(app): State<Arc<App>>,
    Extension(user): Extension<User>,
    annotations: Annotations,
) -> Json<Vec<Activity>> {
    let activities = app.store.current(OffsetDateTime::now_utc());
    let order = ranked(&app, Timeline::Notifications, user, &activities, &annotations).await;
    Json(in_order(activities, &order))
}

/// What one person wrote, expired or not.
///
/// Demonstrates a span inside of a span, both made by hand; and a subsegment inside of a subsegment, `activities_users` and
/// `mock-data`, the inner one with metadata, which X-Ray shows, and an annotation, by which it finds traces.
pub(crate) async fn of_user(
    State(app): State<Arc<App>>,
    Path(handle): Path<String>,
) -> Result<Json<Vec<Crud>>, Error> {
    Codes::default().check(is_blank(&handle), "blank_user_handle").finish()?;
    let user = User::find(&handle).ok_or_else(|| Error::not_found("user"))?;
    Ok(Json(xray::capture("activities_users", async { written(&app, user) }).await))
}

fn written(app: &App, by: User) -> Vec<Crud> {
    let tracer = global::tracer("user.activities");
    tracer.in_span("user-activities", |_| {
        tracer.in_span("user-activities-mock-data", |context| {
            let subsegment = xray::subsegment("mock-data");
            let now = OffsetDateTime::now_utc();
            let activities = app.store.activities(now).into_iter().map(|activity| activity.crud.of);
            let cruds: Vec<_> = activities.filter(|crud| crud.message.handle == by.handle).collect();
            describe(&context, now, cruds.len());
            subsegment.annotate("handle", by.handle);
            subsegment.metadata("namespace", "key", json!({"now": text(now), "results-size": cruds.len()}));
            cruds
        })
    })
}

/// The cruds with a word in them.
///
/// Demonstrates what a route has without any code for it: the span of the request, whose `url.query` shows the key of
/// what was asked and not the value.
pub(crate) async fn search(
    State(app): State<Arc<App>>,
    Query(Search { term }): Query<Search>,
) -> Result<Json<Vec<Message>>, Error> {
    Codes::default().check(is_blank(&term), "search_term_blank").finish()?;
    let term = term.trim().to_lowercase();
    let activities = app.store.current(OffsetDateTime::now_utc()).into_iter();
    let messages = activities.map(|activity| activity.crud.of.message);
    Ok(Json(messages.filter(|message| message.message.to_lowercase().contains(&term)).collect()))
}

/// One crud, with its replies.
///
/// Demonstrates `http.route`: however many ids there are, the span has one name. A crud that is not there is the caller's
/// error, and neither the segment nor its subsegment `activities_show` is a fault.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(uuid): Path<String>,
) -> Result<Json<[Activity; 1]>, Error> {
    let uuid: Option<Uuid> = uuid.parse().ok();
    let find = async { uuid.and_then(|uuid| app.store.find(uuid)) };
    let activity = xray::capture("activities_show", find).await;
    Ok(Json([activity.ok_or_else(|| Error::not_found("activity"))?]))
}

/// The order that the second service gives; our own where there is none or where it does not answer.
async fn ranked(
    app: &App,
    timeline: Timeline,
    user: User,
    activities: &[Activity],
    annotations: &Annotations,
) -> Vec<Uuid> {
    let ask = Ask::new(user, activities);
    let Some(client) = &app.timeline else { return timeline.rank(ask) };
    client.rank(timeline, &ask).await.unwrap_or_else(|error| {
        annotations.insert("app.timeline.error", chain(&*error));
        timeline.rank(ask)
    })
}

fn in_order(mut activities: Vec<Activity>, order: &[Uuid]) -> Vec<Activity> {
    let place = |activity: &Activity| order.iter().position(|uuid| *uuid == activity.message().uuid);
    activities.retain(|activity| place(activity).is_some());
    activities.sort_by_key(place);
    activities
}

/// The two attributes of the course.
fn describe(context: &Context, now: OffsetDateTime, length: usize) {
    let span = context.span();
    span.set_attribute(KeyValue::new("app.now", text(now)));
    span.set_attribute(KeyValue::new("app.result_length", i64::try_from(length).unwrap_or(i64::MAX)));
}

fn text(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}
