use tracing::field::display;

use super::{
    endpoint,
    env::Env,
    format::{FORMAT, format},
    given::Given,
    running::Running,
};
use crate::{
    Error,
    aws::{Client, Service},
    cloudwatch::{Api, CloudWatchLayer, Format, GroupName, LogLane, Retention, StreamName},
    setup::start::Start,
};

/// What is to be started. Whatever may be refused has been looked at.
#[derive(Debug)]
pub(in crate::setup) struct Plan {
    /// None where nothing goes to AWS.
    group: Option<GroupName>,
    /// AWS comes first.
    apis: Vec<Api>,
    is_printed: bool,
    stream: StreamName,
    format: Format,
}

// ===== impl Plan =====

impl Plan {
    pub(super) fn new(given: Given, env: &Env, service: &str) -> Result<Self, Error> {
        let Given { group: by_code, client, api: set, also } = given;
        let (group, is_printed) = (group(env, by_code)?, env.switch(STDOUT)?.unwrap_or(false));
        if group.is_none() && also.is_empty() {
            warn_of_what_is_not_read(env, is_printed);
            let format = if is_printed { format(env)? } else { Format::default() };
            return Ok(Self { group, apis: Vec::new(), is_printed, stream: StreamName::default(), format });
        }
        let mut apis = Vec::new();
        if let Some(group) = &group {
            let client = client.map_or_else(|| Client::lookup(Service::LOGS, env.lookup()), Ok)?;
            let api = set(Api::new(client, group.clone()).lookup(env.lookup())?);
            apis.push(retention(env)?.into_iter().fold(api, Api::retention));
        }
        for url in &also {
            let group = group.clone().unwrap_or_else(|| endpoint::group(service));
            apis.push(Api::new(endpoint::client(env, url)?, group).lookup(env.lookup())?);
        }
        Ok(Self { group, apis, is_printed, stream: stream(env)?, format: format(env)? })
    }

    /// Where in AWS the lines of a trace are.
    pub(in crate::setup) fn group(&self) -> Option<String> {
        self.group.as_ref().map(ToString::to_string)
    }

    /// Opens the lanes, and makes the layer.
    pub(in crate::setup) fn start(self, start: &Start<'_>) -> Result<Running, Error> {
        let Self { group: _, apis, is_printed, stream, format } = self;
        let into = (!apis.is_empty()).then(|| display(&stream));
        let mut lanes: Vec<_> = apis.into_iter().map(|api| LogLane::new(start.outbox, api)).collect();
        if is_printed {
            lanes.push(LogLane::stdout(start.outbox));
        }
        let Some(lane) = lanes.into_iter().reduce(LogLane::and) else {
            tracing::info!(target: TARGET, "lines: off; {GROUP} turns them on");
            return Ok(Running::new(None));
        };
        tracing::info!(target: TARGET, to = %lane, stream = into, "lines: on");
        let layer = CloudWatchLayer::on(lane.stream(stream)).format(format);
        let layer = layer.scrubber(start.scrubber.clone()).addresses(start.addresses);
        Ok(Running::new(Some(layer.propagation(start.propagation.clone()))))
    }
}

fn group(env: &Env, by_code: Option<String>) -> Result<Option<GroupName>, Error> {
    if let Some(text) = env.text(GROUP) {
        return text.parse().map(Some).map_err(|error: Error| error.named(GROUP));
    }
    by_code.map(|name| name.parse()).transpose()
}

fn stream(env: &Env) -> Result<StreamName, Error> {
    let Some(text) = env.text(STREAM) else { return Ok(StreamName::default()) };
    text.parse().map_err(|error: Error| error.named(STREAM))
}

fn retention(env: &Env) -> Result<Option<Retention>, Error> {
    let Some(text) = env.text(RETENTION) else { return Ok(None) };
    text.parse().map(Some).map_err(|error: Error| error.named(RETENTION))
}

/// What is printed has a format all the same.
fn warn_of_what_is_not_read(env: &Env, is_printed: bool) {
    let names = [STREAM, RETENTION].into_iter().chain((!is_printed).then_some(FORMAT));
    for name in names.filter(|name| env.text(name).is_some()) {
        env.note(format!("{name} is not used, because there is no {GROUP}"));
    }
}

pub(super) const GROUP: &str = "CLOUDWATCH_LOG_GROUP";
const STREAM: &str = "CLOUDWATCH_LOG_STREAM";
const RETENTION: &str = "BELVEDERE_CLOUDWATCH_RETENTION_DAYS";
const STDOUT: &str = "BELVEDERE_CLOUDWATCH_STDOUT";
const TARGET: &str = "belvedere::setup";
