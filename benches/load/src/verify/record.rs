use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{backend::Backend, kind::Kind};

/// A record, and whose it is.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) kind: &'static Kind,
    /// 32 hex digits.
    pub(super) trace: String,
    /// 16 hex digits.
    pub(super) span: String,
    pub(super) value: Value,
}

// ===== impl Record =====

impl Record {
    /// # Errors
    ///
    /// When it does not say of which exchange it is, or no such request was made.
    pub(super) fn read(backend: Backend, value: Value) -> Result<Self> {
        let [trace, span] = match backend {
            Backend::Otlp => ["/span/traceId", "/span/spanId"],
            Backend::XRay => ["/trace_id", "/id"],
            Backend::Rollbar => ["/data/custom/trace_id", "/data/custom/span_id"],
            _ => ["/message/trace_id", "/message/span_id"],
        };
        let text = |pointer| text(&value, pointer);
        let (trace, span) = (text(trace)?, text(span)?.to_owned());
        let trace = match backend {
            Backend::XRay => trace.strip_prefix("1-").context("an id of a trace")?.replacen('-', "", 1),
            _ => trace.to_owned(),
        };
        let path = match backend {
            Backend::Otlp => attribute(&value, "url.path")?,
            Backend::XRay => path(text("/http/request/url")?)?,
            Backend::Rollbar => path(text("/data/request/url")?)?,
            _ => text("/message/path")?,
        };
        let kind = Kind::of(path).with_context(|| format!("{backend}: {value}"))?;
        Ok(Self { kind, trace, span, value })
    }
}

pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.with_context(|| format!("there is no text at {pointer}: {value}"))
}

fn attribute<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    let attributes = value.pointer("/span/attributes").and_then(Value::as_array);
    let pair = attributes.into_iter().flatten().find(|pair| pair["key"] == key);
    text(pair.with_context(|| format!("there is no {key}: {value}"))?, "/value/stringValue")
}

/// That of a URL, without its query.
fn path(url: &str) -> Result<&str> {
    let (_, rest) = url.split_once("://").with_context(|| format!("no URL: {url}"))?;
    let path = rest.find('/').map_or("", |start| &rest[start..]);
    Ok(path.split('?').next().unwrap_or_default())
}
