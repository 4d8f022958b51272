use std::{borrow::Cow, time::SystemTime};

use http::StatusCode;
use opentelemetry::{
    KeyValue,
    trace::{SpanRef, Status},
};

use super::{
    attributes::ERROR_TYPE,
    exception::{Exception, Exceptions, Kind},
    secrets,
};
use crate::{
    exchange::{Code, End, Failure, Fault, HandlerError, messages},
    scrub::Scrubber,
};

/// What an end means for a span: its status, its `error.type`, and the exception that caused it. Most are good.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome(Option<Box<Bad>>);

#[derive(Clone, Debug)]
struct Bad {
    kind: Cow<'static, str>,
    description: Cow<'static, str>,
    exception: Option<Exception>,
}

/// Which side of the exchange the span is on. The conventions judge the same status differently.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    Server,
    Client,
}

// ===== impl Outcome =====

impl Outcome {
    /// By the HTTP conventions.
    pub(super) fn http(side: Side, status: Option<StatusCode>, end: End<'_>, scrubber: &Scrubber) -> Self {
        match end {
            End::Failed { error } => Self::failed(side, error, scrubber),
            End::Panicked { message } => Self::panicked(message, scrubber),
            End::Canceled => Self::canceled(side, status),
            End::Complete { .. } => status.map_or_else(Self::good, |status| Self::status(side, status)),
        }
    }

    /// By the RPC conventions; `code` is the call's, if it came to one.
    pub(super) fn grpc(side: Side, code: Option<Code>, end: End<'_>, scrubber: &Scrubber) -> Self {
        match (end, code) {
            (End::Failed { error }, _) => Self::failed(side, error, scrubber),
            (End::Panicked { message }, _) => Self::panicked(message, scrubber),
            (End::Canceled, _) if side == Side::Client => Self::good(),
            (_, Some(code)) if side.counts(code) => Self::error(code.name(), ""),
            _ => Self::good(),
        }
    }

    /// Adds the error that a handler left, where it was one and nothing else says why.
    pub(super) fn because(self, error: Option<HandlerError>, scrubber: &Scrubber) -> Self {
        match (self.0, error) {
            (Some(bad), Some(error)) if bad.exception.is_none() => {
                let message = secrets::message(scrubber, &messages(error.error()));
                let exception = Some(Exception { kind: error.type_name(), message });
                Self(Some(Box::new(Bad { exception, ..*bad })))
            }
            (bad, _) => Self(bad),
        }
    }

    /// Writes it onto the span; an exception goes where `exceptions` says.
    pub(super) fn record(self, span: &SpanRef<'_>, at: SystemTime, exceptions: &Exceptions, of: Kind) {
        let Some(bad) = self.0 else { return };
        let Bad { kind, description, exception } = *bad;
        span.set_attribute(KeyValue::new(ERROR_TYPE, kind));
        span.set_status(Status::Error { description });
        if let Some(exception) = exception {
            exceptions.tell(exception, of, span, at);
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.0.is_none()
    }

    /// The value of `error.type`, if it was an error.
    pub(super) fn error_type(&self) -> Option<Cow<'static, str>> {
        self.0.as_ref().map(|bad| bad.kind.clone())
    }

    /// The status that it gives to a span.
    pub(super) fn to_status(&self) -> Status {
        let error = |bad: &Bad| Status::Error { description: bad.description.clone() };
        self.0.as_deref().map_or(Status::Unset, error)
    }

    pub(super) fn exception(&self) -> Option<&Exception> {
        self.0.as_ref()?.exception.as_ref()
    }

    pub(super) const fn good() -> Self {
        Self(None)
    }

    fn error(kind: impl Into<Cow<'static, str>>, description: impl Into<Cow<'static, str>>) -> Self {
        Self::bad(kind, description, None)
    }

    fn bad(
        kind: impl Into<Cow<'static, str>>,
        description: impl Into<Cow<'static, str>>,
        exception: Option<Exception>,
    ) -> Self {
        Self(Some(Box::new(Bad { kind: kind.into(), description: description.into(), exception })))
    }

    fn status(side: Side, status: StatusCode) -> Self {
        let client = side == Side::Client && status.is_client_error();
        if client || status.is_server_error() {
            return Self::error(status.as_str().to_owned(), "");
        }
        Self::good()
    }

    fn failed(side: Side, error: Failure<'_>, scrubber: &Scrubber) -> Self {
        let message = secrets::message(scrubber, &error.messages());
        let exception = Some(Exception { kind: error.type_name(), message });
        let kind = side.fault(error).map_or_else(|| error.type_name(), Fault::name);
        Self::bad(kind, secrets::message(scrubber, &error.message()), exception)
    }

    fn panicked(message: &str, scrubber: &Scrubber) -> Self {
        let message = secrets::message(scrubber, message);
        let description = format!("panicked: {message}");
        Self::bad(PANIC, description, Some(Exception { kind: PANIC, message }))
    }

    /// On a server the client left, which is an error of the exchange; on a client it was our own wish. A status that is
    /// an error stays one.
    fn canceled(side: Side, status: Option<StatusCode>) -> Self {
        let judged = status.map_or_else(Self::good, |status| Self::status(side, status));
        let why = if status == Some(StatusCode::SWITCHING_PROTOCOLS) { CUT_OFF } else { LEFT };
        match (side, judged.0) {
            (Side::Server, None) => Self::error("canceled", why),
            (Side::Server, Some(bad)) => Self::error(bad.kind, why),
            (Side::Client, judged) => Self(judged),
        }
    }
}

// ===== impl Side =====

impl Side {
    fn counts(self, code: Code) -> bool {
        match self {
            Self::Server => code.is_server_error(),
            Self::Client => code.is_client_error(),
        }
    }

    /// What of the network failed, where that is why there is no answer. A server's handler may fail by it too, but that
    /// is not the exchange with its client.
    fn fault(self, error: Failure<'_>) -> Option<Fault> {
        if self == Self::Client { error.fault() } else { None }
    }
}

const PANIC: &str = "panic";
const CUT_OFF: &str = "the connection was cut off";
const LEFT: &str = "the client left before the response was over";
