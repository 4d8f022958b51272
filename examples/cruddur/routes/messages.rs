use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime, serde::rfc3339};
use uuid::{Uuid, uuid};

use crate::{
    activity::Message,
    app::App,
    error::Error,
    extract::{Path, Payload},
    user::{USERS, User},
    validate::{Codes, is_blank},
};

#[derive(Deserialize)]
pub(crate) struct NewMessage {
    message: Option<String>,
    user_receiver_handle: Option<String>,
}

/// Somebody one has exchanged messages with.
#[derive(Serialize)]
pub(crate) struct Group {
    uuid: Uuid,
    display_name: &'static str,
    handle: &'static str,
    #[serde(with = "rfc3339")]
    created_at: OffsetDateTime,
}

/// The two people one talks to.
///
/// Demonstrates a request as it is mostly: one span, quick, no error.
pub(crate) async fn groups(Extension(user): Extension<User>) -> Json<Vec<Group>> {
    let created_at = OffsetDateTime::now_utc() - Duration::days(1);
    let others = USERS.into_iter().filter(|other| *other != user).zip(GROUPS);
    let group = |(User { handle, display_name }, uuid)| Group { uuid, display_name, handle, created_at };
    Json(others.map(group).collect())
}

/// What was said between the caller and somebody else.
///
/// Demonstrates `app.user_id`: the same route, and each caller has another answer.
pub(crate) async fn with(
    State(app): State<Arc<App>>,
    Extension(user): Extension<User>,
    Path(handle): Path<String>,
) -> Result<Json<Vec<Message>>, Error> {
    Codes::default().check(is_blank(&handle), "blank_user_handle").finish()?;
    let other = User::find(&handle).ok_or_else(|| Error::not_found("user"))?;
    Ok(Json(app.store.conversation(user, other)))
}

/// Says something to somebody.
///
/// Demonstrates an answer that lists everything that is wrong, not only the first.
pub(crate) async fn send(
    State(app): State<Arc<App>>,
    Extension(user): Extension<User>,
    Payload(NewMessage { message, user_receiver_handle: receiver }): Payload<NewMessage>,
) -> Result<Json<Message>, Error> {
    let (message, receiver) = (message.unwrap_or_default(), receiver.unwrap_or_default());
    Codes::default()
        .message(&message, 1024)
        .check(is_blank(&receiver), "user_receiver_handle_blank")
        .finish()?;
    let receiver = User::find(&receiver).ok_or_else(|| Error::not_found("user"))?;

    let message = Message::new(user, message);
    app.store.add_message(receiver, message.clone());
    Ok(Json(message))
}

const GROUPS: [Uuid; 2] =
    [uuid!("82feb2da-cb8a-4edf-b2d9-eb9befab0309"), uuid!("930fc3eb-dc9b-4fe0-83ea-fcacfabc140a")];
