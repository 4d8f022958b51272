use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{activity::Activity, user::User};

/// Which order is asked for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Timeline {
    /// Everything, newest first.
    Home,
    /// The newest of somebody else.
    Notifications,
}

/// What there is to put into an order, and for whom.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Ask {
    reader: String,
    candidates: Vec<Candidate>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Candidate {
    uuid: Uuid,
    author: String,
    created_at: i64,
}

// ===== impl Timeline =====

impl Timeline {
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Home => "/timelines/home",
            Self::Notifications => "/timelines/notifications",
        }
    }

    pub(crate) fn rank(self, ask: Ask) -> Vec<Uuid> {
        let Ask { reader, mut candidates } = ask;
        candidates.sort_by_key(|candidate| Reverse(candidate.created_at));
        if let Self::Notifications = self {
            candidates.retain(|candidate| candidate.author != reader);
            candidates.truncate(1);
        }
        candidates.into_iter().map(|candidate| candidate.uuid).collect()
    }
}

// ===== impl Ask =====

impl Ask {
    pub(crate) fn new(reader: User, activities: &[Activity]) -> Self {
        let candidates = activities.iter().map(Candidate::of).collect();
        Self { reader: reader.handle.to_owned(), candidates }
    }

    pub(super) fn candidates(&self) -> usize {
        self.candidates.len()
    }
}

// ===== impl Candidate =====

impl Candidate {
    fn of(activity: &Activity) -> Self {
        let message = activity.message();
        let created_at = message.created_at.unix_timestamp();
        Self { uuid: message.uuid, author: message.handle.to_owned(), created_at }
    }
}
