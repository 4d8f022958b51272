//! What a caller is told about its trace.

use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::trace::w3c::Traceparent;

/// Which headers of an answer name its trace. A layer further in may ask for more of them.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) server_timing: AtomicBool,
    pub(super) traceresponse: AtomicBool,
}

// ===== impl Answer =====

impl Answer {
    pub(super) fn is_asked(&self) -> bool {
        let Self { server_timing, traceresponse } = self;
        server_timing.load(Ordering::Relaxed) || traceresponse.load(Ordering::Relaxed)
    }

    /// What this one asks for too.
    pub(super) fn add(&self, other: &Self) {
        let Self { server_timing, traceresponse } = other;
        self.server_timing.fetch_or(server_timing.load(Ordering::Relaxed), Ordering::Relaxed);
        self.traceresponse.fetch_or(traceresponse.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    pub(super) fn write(&self, trace: &Traceparent, headers: &mut HeaderMap) {
        let Self { server_timing, traceresponse } = self;
        // A map that is full refuses; telemetry does without, rather than panic.
        if traceresponse.load(Ordering::Relaxed) {
            let _ = headers.try_insert(TRACERESPONSE, trace.to_value());
        }
        if server_timing.load(Ordering::Relaxed) {
            let _ = headers.try_append(SERVER_TIMING, timing(trace));
        }
    }
}

impl Clone for Answer {
    fn clone(&self) -> Self {
        let clone = Self::default();
        clone.add(self);
        clone
    }
}

/// A metric without a duration, as [Server Timing](https://www.w3.org/TR/server-timing/) allows it.
fn timing(trace: &Traceparent) -> HeaderValue {
    let value = trace.to_value();
    let parts = [&b"traceparent;desc=\""[..], value.as_bytes(), b"\""];
    HeaderValue::from_bytes(&parts.concat()).expect("visible ASCII")
}

/// <https://w3c.github.io/trace-context/#traceresponse-header>
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
