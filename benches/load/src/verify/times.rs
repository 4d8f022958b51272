use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::record::text;
use crate::backend::Backend;

/// When a span began and ended, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Times {
    start: i128,
    end: i128,
}

/// Whether the records of one exchange tell the same time, each as exactly as it can.
pub(super) fn check<'a>(record: impl Fn(Backend) -> Option<&'a Value>) -> Result<()> {
    let times = record(Backend::Otlp).map(Times::of_span).transpose()?;
    let line = record(Backend::CloudWatch).map(line).transpose()?;
    let Some(times) = times else { return Ok(()) };
    if let Some((ended, lasted)) = line {
        times.agree("line", times.end, ended, MILLI)?;
        times.agree("line's duration", times.end - times.start, lasted, MICRO)?;
    }
    if let Some(segment) = record(Backend::XRay) {
        times.agree("segment's start", times.start, seconds(segment, "/start_time")?, MICRO)?;
        times.agree("segment's end", times.end, seconds(segment, "/end_time")?, MICRO)?;
    }
    if let Some(item) = record(Backend::Rollbar) {
        times.agree("item", times.end, seconds(item, "/data/timestamp")?, SECOND)?;
    }
    Ok(())
}

// ===== impl Times =====

impl Times {
    fn of_span(span: &Value) -> Result<Self> {
        let nanos = |pointer| Ok::<i128, anyhow::Error>(text(span, pointer)?.parse()?);
        let times = Self { start: nanos("/span/startTimeUnixNano")?, end: nanos("/span/endTimeUnixNano")? };
        ensure!(times.start <= times.end, "it ended before it began: {times:?}");
        Ok(times)
    }

    fn agree(self, what: &str, expected: i128, told: i128, exactness: i128) -> Result<()> {
        ensure!((expected - told).abs() <= exactness, "the {what} tells {told}, and the span {self:?}");
        Ok(())
    }
}

/// When it ended and how long it took, in nanoseconds. It tells the first twice.
fn line(line: &Value) -> Result<(i128, i128)> {
    let millis = i128::from(line["timestamp"].as_i64().context("a line without a time")?);
    let told = OffsetDateTime::parse(text(line, "/message/timestamp")?, &Rfc3339)?;
    ensure!(told.unix_timestamp_nanos() == millis * MILLI, "a line tells {millis} and {told}");
    let lasted = number(line, "/message/duration_ms")?;
    Ok((millis * MILLI, (lasted * MILLI as f64) as i128))
}

fn seconds(record: &Value, pointer: &str) -> Result<i128> {
    Ok((number(record, pointer)? * SECOND as f64) as i128)
}

fn number(record: &Value, pointer: &str) -> Result<f64> {
    let number = record.pointer(pointer).and_then(Value::as_f64);
    number.with_context(|| format!("there is no number at {pointer}"))
}

const SECOND: i128 = 1_000_000_000;
const MILLI: i128 = 1_000_000;
const MICRO: i128 = 1_000;
