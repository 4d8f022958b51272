//! What has to be there before an event can go into it.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use serde::Serialize;
use tokio::sync::Mutex;

use super::{action::Action, advice::Advice, body::Body, failure::Failure, post::Post};
use crate::{
    cloudwatch::{Class, GroupName, Retention},
    outbox::Reason,
};

/// What a group is made with.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) retention: Option<Retention>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) class: Option<Class>,
    pub(super) kms_key: Option<Box<str>>,
}

/// Makes streams, and the group; one at a time.
#[derive(Debug)]
pub(super) struct Creation {
    group: GroupName,
    wanted: Wanted,
    gate: Mutex<()>,
    /// The group is new, or may be, and does not know yet how long it is to keep its events.
    is_retention_due: AtomicBool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateLogStream<'a> {
    log_group_name: &'a str,
    log_stream_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateLogGroup<'a> {
    log_group_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_group_class: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PutRetentionPolicy<'a> {
    log_group_name: &'a str,
    retention_in_days: u16,
}

// ===== impl Creation =====

impl Creation {
    pub(super) fn new(group: GroupName, wanted: Wanted) -> Self {
        Self { group, wanted, gate: Mutex::default(), is_retention_due: AtomicBool::new(false) }
    }

    /// Makes a stream, and the group if there is none. What has been made meanwhile is fine.
    pub(super) async fn make(&self, post: &impl Post, advice: &Advice, stream: &str) -> Result<(), Failure> {
        let _one = self.gate.lock().await;
        match self.stream(post, advice, stream).await {
            Err(Failure::Missing(_)) => {
                self.group(post, advice).await?;
                self.stream(post, advice, stream).await
            }
            made => made,
        }
    }

    /// Says again how long the group is to keep its events, if that has failed for now.
    pub(super) async fn finish(&self, post: &impl Post, advice: &Advice) {
        if self.is_retention_due.load(Ordering::Relaxed) {
            let _one = self.gate.lock().await;
            self.retention(post, advice).await;
        }
    }

    async fn stream(&self, post: &impl Post, advice: &Advice, stream: &str) -> Result<(), Failure> {
        let document = CreateLogStream { log_group_name: self.group.as_str(), log_stream_name: stream };
        ask(post, advice, Action::CreateLogStream, &document).await.map(drop)
    }

    async fn group(&self, post: &impl Post, advice: &Advice) -> Result<(), Failure> {
        let Wanted { retention, tags, class, kms_key } = &self.wanted;
        let document = CreateLogGroup {
            log_group_name: self.group.as_str(),
            kms_key_id: kms_key.as_deref(),
            log_group_class: class.map(Class::name),
            tags,
        };
        let made = ask(post, advice, Action::CreateLogGroup, &document).await;
        // Where the answer was lost there may be one now, and nothing would say later that it is new.
        if retention.is_some() && matches!(made, Ok(true) | Err(Failure::Unanswered(_))) {
            self.is_retention_due.store(true, Ordering::Relaxed);
        }
        made?;
        self.retention(post, advice).await;
        Ok(())
    }

    /// No event waits for it: what fails for now is tried again with the next batch.
    async fn retention(&self, post: &impl Post, advice: &Advice) {
        let Some(retention) = self.wanted.retention else { return };
        if !self.is_retention_due.load(Ordering::Relaxed) {
            return;
        }
        let document = PutRetentionPolicy {
            log_group_name: self.group.as_str(),
            retention_in_days: retention.as_days(),
        };
        let put = call(post, advice, Action::PutRetentionPolicy, &document).await;
        let is_for_now = matches!(
            put,
            Err(Failure::Retry(..) | Failure::Unanswered(_) | Failure::Missing(_) | Failure::Exists)
        );
        self.is_retention_due.store(is_for_now, Ordering::Relaxed);
        if let Err(
            Failure::Denied(reason)
            | Failure::Poison(reason)
            | Failure::Unreadable(reason)
            | Failure::Reject(reason),
        ) = put
        {
            advice.denied(Action::PutRetentionPolicy, &reason);
        }
    }
}

/// Whether it was made just now. What is refused is kept in mind, and never costs an event.
async fn ask(
    post: &impl Post,
    advice: &Advice,
    action: Action,
    document: &impl Serialize,
) -> Result<bool, Failure> {
    match call(post, advice, action, document).await {
        Ok(()) => Ok(true),
        Err(Failure::Exists) => Ok(false),
        Err(
            Failure::Denied(reason)
            | Failure::Poison(reason)
            | Failure::Unreadable(reason)
            | Failure::Reject(reason),
        ) => {
            advice.denied(action, &reason);
            Err(Failure::Retry(None, at(action, &reason).told()))
        }
        Err(failure) => Err(failure),
    }
}

async fn call(
    post: &impl Post,
    advice: &Advice,
    action: Action,
    document: &impl Serialize,
) -> Result<(), Failure> {
    match post.post(action, Body::json(document)).await {
        Ok(answer) => Failure::of(&answer).map_or(Ok(()), Err),
        Err(error) => {
            advice.no_answer(&error);
            Err(Failure::no_answer(&error))
        }
    }
}

fn at(action: Action, reason: &Reason) -> Reason {
    let words = reason.words().unwrap_or_default();
    Reason::new(reason.phrase().to_owned()).detail(format!("{}: {words}", action.name()))
}
