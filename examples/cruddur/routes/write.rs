use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use belvedere::exchange::Annotations;
use serde::Deserialize;
use time::Duration;
use uuid::Uuid;

use crate::{
    activity::{Crud, Message, Reply},
    app::App,
    error::Error,
    extract::{Path, Payload},
    user::User,
    validate::{Codes, is_blank},
};

#[derive(Deserialize)]
pub(crate) struct NewCrud {
    message: Option<String>,
    ttl: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct NewReply {
    message: Option<String>,
}

/// Writes a crud.
///
/// Demonstrates that a 422 is the caller's error and not the server's: the span has the status and is no error. How
/// long the crud lives is an annotation, `app.ttl`.
pub(crate) async fn crud(
    State(app): State<Arc<App>>,
    Extension(user): Extension<User>,
    annotations: Annotations,
    Payload(NewCrud { message, ttl }): Payload<NewCrud>,
) -> Result<Json<Crud>, Error> {
    let (message, ttl) = (message.unwrap_or_default(), ttl.unwrap_or_default());
    let lives = lifetime(&ttl);
    Codes::default()
        .message(&message, 280)
        .check(is_blank(&ttl), "ttl_blank")
        .check(!is_blank(&ttl) && lives.is_none(), "ttl_unknown")
        .finish()?;
    annotations.insert("app.ttl", ttl);

    let message = Message::new(user, message);
    let expires_at = message.created_at + lives.unwrap_or_default();
    let crud = Crud { message, expires_at };
    app.store.add_crud(crud.clone());
    Ok(Json(crud))
}

/// Writes below a crud.
///
/// Demonstrates a route that can fail in every way that is not the server's fault: 400, 404, 415, 422.
pub(crate) async fn reply(
    State(app): State<Arc<App>>,
    Extension(user): Extension<User>,
    Path(uuid): Path<String>,
    Payload(NewReply { message }): Payload<NewReply>,
) -> Result<Json<Reply>, Error> {
    let message = message.unwrap_or_default();
    Codes::default().message(&message, 1024).finish()?;
    let uuid: Option<Uuid> = uuid.parse().ok();
    let activity = uuid.and_then(|uuid| app.store.find(uuid)).ok_or_else(|| Error::not_found("activity"))?;

    let reply =
        Reply { message: Message::new(user, message), reply_to_activity_uuid: activity.message().uuid };
    app.store.add_reply(reply.clone());
    Ok(Json(reply))
}

fn lifetime(ttl: &str) -> Option<Duration> {
    match ttl {
        "30-days" => Some(Duration::days(30)),
        "7-days" => Some(Duration::days(7)),
        "3-days" => Some(Duration::days(3)),
        "1-day" => Some(Duration::days(1)),
        "12-hours" => Some(Duration::hours(12)),
        "3-hours" => Some(Duration::hours(3)),
        "1-hour" => Some(Duration::hours(1)),
        _ => None,
    }
}
