//! The way to CloudWatch Logs.

use http::{HeaderMap, HeaderValue, header, uri::Authority};
use serde::Serialize;

use super::{GroupName, LogEvent, event::milliseconds, lane::Entry};
use crate::{
    aws::{Client, ServiceError},
    outbox::{Batch, Destination, Limits, Reason, SendError},
};

/// Sends log events to CloudWatch Logs, by
/// [`PutLogEvents`](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html).
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    group: GroupName,
    limits: Limits,
}

/// The other end of a lane.
#[derive(Debug)]
pub(super) struct ApiDestination {
    api: Api,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PutLogEvents<'a> {
    log_group_name: &'a str,
    log_stream_name: &'a str,
    log_events: &'a [LogEvent],
}

// ===== impl Api =====

impl Api {
    /// Into a log group, by a client for [`Service::LOGS`](crate::aws::Service::LOGS).
    pub fn new(client: Client, group: GroupName) -> Self {
        Self { client, group, limits: Limits::default().records(10_000) }
    }

    /// How the lane batches, holds and retries.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Which group it sends to.
    pub fn group(&self) -> &GroupName {
        &self.group
    }

    pub(super) fn lane(&self) -> String {
        let host = self.client.endpoint().authority().map_or("", Authority::as_str);
        format!("cloudwatch {host} {}", self.group)
    }

    pub(super) fn destination(self) -> ApiDestination {
        ApiDestination { api: self }
    }
}

// ===== impl ApiDestination =====

impl Destination for ApiDestination {
    type Record = Entry;

    fn limits(&self) -> Limits {
        self.api.limits
    }

    fn size(&self, entry: &Entry) -> usize {
        entry.size()
    }

    async fn send(&self, batch: Batch<Entry>) -> Result<(), SendError<Entry>> {
        let Api { client, group, .. } = &self.api;
        let stream = batch.iter().next().map(|entry| entry.stream.at(entry.draft.at())).unwrap_or_default();
        let mut events: Vec<_> = batch.iter().map(event).collect();
        events.sort_by_key(|event| event.timestamp);
        let put =
            PutLogEvents { log_group_name: group.as_str(), log_stream_name: &stream, log_events: &events };
        let body = serde_json::to_vec(&put).expect("strings can be written as JSON");
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1")),
            ("x-amz-target".parse().expect("a name"), HeaderValue::from_static("Logs_20140328.PutLogEvents")),
        ]);
        match client.post("/", &headers, body.into()).await {
            Err(error) => {
                Err(SendError::Retry { rest: batch, after: None, reason: Reason::new(error.reason()) })
            }
            Ok(answer) => match ServiceError::of(&answer) {
                None => Ok(()),
                Some(error) => {
                    let reason = Reason::new(error.code().to_owned()).detail(error.message());
                    Err(SendError::Reject { lost: batch.len(), reason })
                }
            },
        }
    }
}

fn event(entry: &Entry) -> LogEvent {
    let mut message = String::new();
    entry.draft.write(&mut message);
    LogEvent { timestamp: milliseconds(entry.draft.at()), message }
}
