use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value};

use super::record::text;
use crate::backend::Backend;

/// What is found in records by its value, wherever it stands, and what it is called then.
#[derive(Debug)]
pub(super) struct Names(Vec<(String, &'static str)>);

// ===== impl Names =====

impl Names {
    /// Of an exchange with these ids, and these records.
    pub(super) fn new<'a>(
        trace: &str,
        span: &str,
        record: impl Fn(Backend) -> Option<&'a Value>,
    ) -> Result<Self> {
        let (epoch, unique) = trace.split_at_checked(8).context("an id of a trace")?;
        let mut names = vec![
            (trace.to_owned(), "{trace}"),
            (format!("1-{epoch}-{unique}"), "{xray trace}"),
            (span.to_owned(), "{span}"),
        ];
        let mut add = |backend, pointer, name| -> Result<()> {
            let Some(record) = record(backend) else { return Ok(()) };
            let value = text(record, pointer)?.to_owned();
            if !value.is_empty() {
                names.push((value, name));
            }
            Ok(())
        };
        add(Backend::Otlp, "/span/parentSpanId", "{parent}")?;
        add(Backend::Rollbar, "/data/uuid", "{uuid}")?;
        add(Backend::Rollbar, "/data/server/root", "{root}")?;
        add(Backend::Rollbar, "/data/server/host", "{host}")?;
        if let Some(segment) = record(Backend::XRay) {
            let exceptions = segment.pointer("/cause/exceptions").and_then(Value::as_array);
            for (exception, name) in exceptions.into_iter().flatten().zip(EXCEPTIONS) {
                names.push((text(exception, "/id")?.to_owned(), name));
            }
        }
        Ok(Self(names))
    }

    /// A record without ids, times, the process's own facts, and versions.
    ///
    /// # Errors
    ///
    /// When what is to be left out is not there, or an attribute is there twice.
    pub(super) fn normalize(&self, backend: Backend, record: &Value) -> Result<Value> {
        let mut record = self.renamed(record)?;
        let (always, sometimes) = facts(backend);
        for (pointer, name) in always {
            *record.pointer_mut(pointer).with_context(|| format!("there is no {pointer}"))? = (*name).into();
        }
        for (pointer, name) in sometimes {
            record.pointer_mut(pointer).into_iter().for_each(|value| *value = (*name).into());
        }
        Ok(record)
    }

    fn renamed(&self, value: &Value) -> Result<Value> {
        Ok(match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(values) if is_attributes(values) => attributes(values, |value| self.renamed(value))?,
            Value::Array(values) => values.iter().map(|value| self.renamed(value)).collect::<Result<_>>()?,
            Value::Object(members) => {
                let renamed = |(key, value): (&String, &Value)| Ok((key.clone(), self.renamed(value)?));
                Value::Object(members.iter().map(renamed).collect::<Result<_>>()?)
            }
            other => other.clone(),
        })
    }

    fn text(&self, text: &str) -> String {
        let Self(names) = self;
        names.iter().fold(text.to_owned(), |text, (value, name)| text.replace(value, name))
    }
}

fn is_attributes(values: &[Value]) -> bool {
    !values.is_empty() && values.iter().all(|value| value.get("key").is_some_and(Value::is_string))
}

/// By their keys: their order says nothing.
fn attributes(pairs: &[Value], renamed: impl Fn(&Value) -> Result<Value>) -> Result<Value> {
    let mut members = Map::new();
    for pair in pairs {
        let key = text(pair, "/key")?;
        let earlier = members.insert(key.to_owned(), renamed(&pair["value"])?);
        ensure!(earlier.is_none(), "the attribute {key} is there twice");
    }
    Ok(Value::Object(members))
}

type Facts = &'static [(&'static str, &'static str)];

/// Where what differs stands, and what it is called: what every record has, and what some have.
fn facts(backend: Backend) -> (Facts, Facts) {
    match backend {
        Backend::Otlp => (
            &[
                ("/scope/version", "{version}"),
                ("/span/startTimeUnixNano", "{start}"),
                ("/span/endTimeUnixNano", "{end}"),
                ("/span/attributes/network.peer.port/intValue", "{port}"),
            ],
            &[("/span/events/0/timeUnixNano", "{end}")],
        ),
        Backend::XRay => (
            &[("/start_time", "{start}"), ("/end_time", "{end}"), ("/aws/xray/sdk_version", "{version}")],
            &[],
        ),
        Backend::Rollbar => (
            &[
                ("/data/timestamp", "{time}"),
                ("/data/server/pid", "{pid}"),
                ("/data/notifier/version", "{version}"),
            ],
            // Where the handler has made its error, which moves with what stands above it.
            &[("/data/body/trace_chain/0/frames/1/lineno", "{line}")],
        ),
        _ => (
            &[
                ("/timestamp", "{time}"),
                ("/message/timestamp", "{time}"),
                ("/message/duration_ms", "{duration}"),
            ],
            &[],
        ),
    }
}

const EXCEPTIONS: [&str; 3] = ["{exception 1}", "{exception 2}", "{exception 3}"];
