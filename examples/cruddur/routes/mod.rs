//! The routes. Each says what it demonstrates.

mod activities;
mod failures;
mod messages;
pub(crate) mod page;
mod slow;
mod stream;
mod write;

use std::sync::Arc;

use axum::{
    Router,
    middleware::from_fn,
    routing::{get, post},
};

use crate::{app::App, user};

/// All of them.
pub(crate) fn all() -> Router<Arc<App>> {
    api().layer(from_fn(user::recognize)).merge(page::files())
}

fn api() -> Router<Arc<App>> {
    Router::new()
        .route("/api/activities", post(write::crud))
        .route("/api/activities/home", get(activities::home))
        .route("/api/activities/notifications", get(activities::notifications))
        .route("/api/activities/search", get(activities::search))
        .route("/api/activities/stream", get(stream::activities))
        .route("/api/activities/@{handle}", get(activities::of_user))
        .route("/api/activities/{uuid}", get(activities::show))
        .route("/api/activities/{uuid}/reply", post(write::reply))
        .route("/api/message_groups", get(messages::groups))
        .route("/api/messages", post(messages::send))
        .route("/api/messages/@{handle}", get(messages::with))
        .route("/api/slow", get(slow::slow))
        .route("/rollbar/test", get(failures::test))
        .route("/rollbar/error", get(failures::error))
        .route("/rollbar/panic", get(failures::panic))
}
