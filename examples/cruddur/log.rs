//! The log: a line of every request, and what handlers say.

use std::{env, time::SystemTime};

use aws_credential_types::Credentials;
use belvedere::{
    Error,
    aws::{Client, Region, Service},
    cloudwatch::{AccessRecord, Api, CloudWatchLayer, Format, GroupName, LogEvent, LogLane, StreamName},
    outbox::Outbox,
    trace::TraceId,
};
use opentelemetry::{Context, trace::TraceContextExt as _};
use serde_json::json;

/// To CloudWatch Logs where the environment names a group, and to a console where there is one.
pub(crate) fn lane(outbox: &Outbox, console: Option<&str>) -> Result<Option<LogLane>, Error> {
    let named = variable("CLOUDWATCH_LOG_GROUP").map(|group| group.parse::<GroupName>()).transpose()?;
    let stream = variable("CLOUDWATCH_LOG_STREAM").map(|name| name.parse::<StreamName>()).transpose()?;
    let aws = named.clone().map(|group| {
        let client = Client::lookup(Service::LOGS, |name| env::var(name).ok())?;
        Ok::<_, Error>(LogLane::new(outbox, Api::new(client, group)))
    });
    let console = console.map(|endpoint| {
        let group = named.map_or_else(|| GROUP.parse(), Ok)?;
        Ok::<_, Error>(LogLane::new(outbox, Api::new(client_of(endpoint)?, group)))
    });
    let lane = match (aws.transpose()?, console.transpose()?) {
        (Some(aws), Some(console)) => Some(aws.and(console)),
        (aws, console) => aws.or(console),
    };
    Ok(lane.map(|lane| stream.into_iter().fold(lane, LogLane::stream)))
}

/// A line for each request, as the course has it.
pub(crate) fn layer(lane: &LogLane) -> CloudWatchLayer {
    CloudWatchLayer::on(lane.clone()).format(Format::of(line))
}

/// Says something within a request.
pub(crate) fn info(lane: Option<&LogLane>, message: &str) {
    let context = Context::current();
    let trace_id = TraceId::from_otel(context.span().span_context().trace_id());
    let event = json!({
        "level": "INFO",
        "message": message,
        "trace_id": trace_id.map(|id| id.to_string()),
        "xray_trace_id": trace_id.map(|id| id.amzn().to_string()),
    });
    if let Some(lane) = lane {
        lane.push(LogEvent::new(SystemTime::now(), event.to_string()));
    }
}

/// The course's line, and after it the trace, in the spelling by which X-Ray finds lines.
fn line(record: &AccessRecord<'_>) -> String {
    format!("{record} {}", record.xray_trace_id)
}

/// A console looks at nobody's keys, and is in no region.
fn client_of(endpoint: &str) -> Result<Client, Error> {
    let keys = Credentials::new("none", "none", None, None, "console");
    let client = Client::builder(Service::LOGS, "us-east-1".parse::<Region>()?, keys);
    client.endpoint(endpoint.parse().expect("it is where it listens")).build()
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

const GROUP: &str = "cruddur";
