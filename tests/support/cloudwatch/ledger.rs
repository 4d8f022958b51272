//! What CloudWatch Logs has, and what it was asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::rules::{
    self, CreateLogGroup, CreateLogStream, Event, PutLogEvents, PutRetentionPolicy, Ruling, TagResource,
    parameter, refused,
};

/// An event that is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Stored {
    pub(crate) group: String,
    pub(crate) stream: String,
    pub(crate) timestamp: i64,
    pub(crate) message: String,
    /// The number of the call that put it.
    pub(crate) call: usize,
}

/// A call, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    /// What comes after `Logs_20140328.`.
    pub(crate) target: String,
    pub(crate) at: SystemTime,
    /// The size of the body on the wire, and when it was unpacked.
    pub(crate) wire_bytes: usize,
    pub(crate) bytes: usize,
    /// How many events it puts, and how many of them were stored.
    pub(crate) events: usize,
    pub(crate) stored: usize,
    /// The status of the answer; none where the connection broke or nothing was said.
    pub(crate) status: Option<u16>,
    /// The code and the words, where it was refused.
    pub(crate) refusal: Option<(String, String)>,
    /// Whether it was a fault that was asked for, and no rule.
    pub(crate) is_fault: bool,
}

/// A log group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// In days.
    pub(crate) retention: Option<i64>,
    pub(crate) class: Option<String>,
    pub(crate) kms_key: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) streams: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) stored: Vec<Stored>,
    pub(super) calls: Vec<Called>,
    /// A call that has an event with one of these is refused.
    pub(super) poisons: Vec<String>,
}

// ===== impl Ledger =====

impl Ledger {
    /// Does what a call asks for, and gives the body of the answer.
    pub(super) fn act(
        &mut self,
        target: &str,
        body: &[u8],
        number: usize,
        now: SystemTime,
    ) -> Ruling<String> {
        match target {
            "PutLogEvents" => self.put_log_events(parse(body)?, number, now),
            "CreateLogGroup" => self.create_log_group(parse(body)?),
            "CreateLogStream" => self.create_log_stream(parse(body)?),
            "PutRetentionPolicy" => self.put_retention_policy(parse(body)?),
            "TagResource" => self.tag_resource(parse(body)?),
            _ => Err(refused("UnknownOperationException", "")),
        }
    }

    pub(super) fn vanish_stream(&mut self, group: &str, stream: &str) {
        if let Some(group) = self.groups.get_mut(group) {
            group.streams.remove(stream);
        }
    }

    pub(super) fn vanish_group(&mut self, group: &str) {
        self.groups.remove(group);
    }

    fn put_log_events(&mut self, put: PutLogEvents, call: usize, now: SystemTime) -> Ruling<String> {
        put.check()?;
        let group = self.group(&put.log_group_name)?;
        if !group.streams.contains(&put.log_stream_name) {
            return Err(refused("ResourceNotFoundException", "The specified log stream does not exist."));
        }
        let now = now.duration_since(UNIX_EPOCH).unwrap().as_millis();
        let window = put.window(i64::try_from(now).unwrap(), group.retention)?;
        let is_poison = |event: &Event| self.poisons.iter().any(|poison| event.message.contains(poison));
        if put.log_events.iter().any(is_poison) {
            return Err(parameter("Log event is not valid."));
        }
        let PutLogEvents { log_group_name, log_stream_name, log_events, .. } = put;
        let taken = log_events.into_iter().take(window.end).skip(window.begin);
        self.stored.extend(taken.map(|Event { timestamp, message }| Stored {
            group: log_group_name.clone(),
            stream: log_stream_name.clone(),
            timestamp,
            message,
            call,
        }));
        Ok(window.rejected().unwrap_or_else(|| Value::Object(serde_json::Map::new())).to_string())
    }

    fn create_log_group(&mut self, create: CreateLogGroup) -> Ruling<String> {
        create.check()?;
        let CreateLogGroup { log_group_name, kms_key_id, tags, log_group_class } = create;
        if self.groups.contains_key(&log_group_name) {
            return Err(refused("ResourceAlreadyExistsException", "The specified log group already exists"));
        }
        let class = log_group_class;
        let group = Group { class, kms_key: kms_key_id, tags, ..Group::default() };
        self.groups.insert(log_group_name, group);
        Ok(String::new())
    }

    fn create_log_stream(&mut self, create: CreateLogStream) -> Ruling<String> {
        create.check()?;
        if self.group(&create.log_group_name)?.streams.insert(create.log_stream_name) {
            return Ok(String::new());
        }
        Err(refused("ResourceAlreadyExistsException", "The specified log stream already exists"))
    }

    fn put_retention_policy(&mut self, policy: PutRetentionPolicy) -> Ruling<String> {
        policy.check()?;
        self.group(&policy.log_group_name)?.retention = Some(policy.retention_in_days);
        Ok(String::new())
    }

    fn tag_resource(&mut self, tag: TagResource) -> Ruling<String> {
        tag.check()?;
        let name = tag.resource_arn.rsplit(":log-group:").next().unwrap_or_default();
        self.group(name)?.tags.extend(tag.tags);
        Ok(String::new())
    }

    fn group(&mut self, name: &str) -> Ruling<&mut Group> {
        let group = self.groups.get_mut(name);
        group.ok_or_else(|| refused("ResourceNotFoundException", "The specified log group does not exist."))
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Ruling<T> {
    serde_json::from_slice(body).map_err(|error| rules::refused("SerializationException", error.to_string()))
}
