//! What people write, in the shapes that the API has for it.

use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};
use uuid::Uuid;

use crate::user::User;

/// Words that somebody wrote.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Message {
    pub(crate) uuid: Uuid,
    pub(crate) display_name: &'static str,
    pub(crate) handle: &'static str,
    pub(crate) message: String,
    #[serde(with = "rfc3339")]
    pub(crate) created_at: OffsetDateTime,
}

/// Words for everybody, for a while.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Crud {
    #[serde(flatten)]
    pub(crate) message: Message,
    #[serde(with = "rfc3339")]
    pub(crate) expires_at: OffsetDateTime,
}

/// Words below other words.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Reply {
    #[serde(flatten)]
    pub(crate) message: Message,
    pub(crate) reply_to_activity_uuid: Uuid,
}

/// Something, and what people made of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Counted<T> {
    #[serde(flatten)]
    pub(crate) of: T,
    pub(crate) likes_count: usize,
    pub(crate) replies_count: usize,
    pub(crate) reposts_count: usize,
}

/// A crud as the feed shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Activity {
    #[serde(flatten)]
    pub(crate) crud: Counted<Crud>,
    pub(crate) replies: Vec<Counted<Reply>>,
}

// ===== impl Message =====

impl Message {
    pub(crate) fn new(by: User, message: String) -> Self {
        let User { handle, display_name } = by;
        Self { uuid: Uuid::new_v4(), display_name, handle, message, created_at: OffsetDateTime::now_utc() }
    }
}

// ===== impl Counted =====

impl<T> Counted<T> {
    pub(crate) fn new(of: T) -> Self {
        Self { of, likes_count: 0, replies_count: 0, reposts_count: 0 }
    }
}

// ===== impl Activity =====

impl Activity {
    pub(crate) fn new(crud: Counted<Crud>, replies: Vec<Counted<Reply>>) -> Self {
        Self { crud: Counted { replies_count: replies.len(), ..crud }, replies }
    }

    pub(crate) fn crud(&self) -> &Crud {
        &self.crud.of
    }

    pub(crate) fn message(&self) -> &Message {
        &self.crud.of.message
    }
}
