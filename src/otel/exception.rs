use std::{fmt, sync::Arc, time::SystemTime};

use opentelemetry::{
    KeyValue,
    logs::{LogRecord as _, Logger, LoggerProvider, Severity},
    trace::{SpanContext, SpanRef},
};

use super::{
    attributes::{EXCEPTION_MESSAGE, EXCEPTION_TYPE},
    outcome::Side,
    span::instrumentation,
};

/// What ended an exchange by force: an error or a panic.
#[derive(Clone, Debug)]
pub(super) struct Exception {
    pub(super) kind: &'static str,
    pub(super) message: String,
}

/// Where exceptions are told: on the span, as a log record, or both.
#[derive(Clone)]
pub(super) struct Exceptions {
    pub(super) events: bool,
    logs: Option<Arc<dyn Logs>>,
}

/// Which exchange it is that has an exception.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) side: Side,
    pub(super) grpc: bool,
}

/// A logger of any type.
trait Logs: Send + Sync {
    fn emit(&self, exception: &Exception, of: Kind, span: &SpanContext, at: SystemTime);
}

// ===== impl Exception =====

impl Exception {
    /// <https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/>
    pub(super) const EVENT: &str = "exception";

    pub(super) fn attributes(self) -> Vec<KeyValue> {
        let Self { kind, message } = self;
        vec![KeyValue::new(EXCEPTION_TYPE, kind), KeyValue::new(EXCEPTION_MESSAGE, message)]
    }
}

// ===== impl Exceptions =====

impl Exceptions {
    pub(super) fn logger<P>(&mut self, provider: &P)
    where
        P: LoggerProvider,
        P::Logger: Send + Sync + 'static,
    {
        self.logs = Some(Arc::new(provider.logger_with_scope(instrumentation())));
    }

    pub(super) fn tell(&self, exception: Exception, of: Kind, span: &SpanRef<'_>, at: SystemTime) {
        self.log(&exception, of, span.span_context(), at);
        if self.events {
            span.add_event_with_timestamp(Exception::EVENT, at, exception.attributes());
        }
    }

    /// Whether exceptions are told as log records.
    pub(super) fn are_logged(&self) -> bool {
        self.logs.is_some()
    }

    pub(super) fn log(&self, exception: &Exception, of: Kind, span: &SpanContext, at: SystemTime) {
        if let Some(logs) = &self.logs {
            logs.emit(exception, of, span, at);
        }
    }
}

impl Default for Exceptions {
    fn default() -> Self {
        Self { events: true, logs: None }
    }
}

impl fmt::Debug for Exceptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exceptions")
            .field("events", &self.events)
            .field("logs", &self.logs.is_some())
            .finish()
    }
}

impl<L: Logger + Send + Sync> Logs for L {
    fn emit(&self, exception: &Exception, of: Kind, span: &SpanContext, at: SystemTime) {
        let (name, severity) = (of.event(), of.severity());
        if !self.event_enabled(severity, TARGET, Some(name)) {
            return;
        }
        let mut record = self.create_log_record();
        record.set_event_name(name);
        record.set_timestamp(at);
        record.set_observed_timestamp(at);
        record.set_severity_number(severity);
        record.set_severity_text(severity.name());
        if span.is_valid() {
            record.set_trace_context(span.trace_id(), span.span_id(), Some(span.trace_flags()));
        }
        record.add_attribute(EXCEPTION_TYPE, exception.kind);
        record.add_attribute(EXCEPTION_MESSAGE, exception.message.clone());
        Logger::emit(self, record);
    }
}

// ===== impl Kind =====

impl Kind {
    /// <https://opentelemetry.io/docs/specs/semconv/http/http-exceptions/>, and its like for RPC.
    fn event(self) -> &'static str {
        match (self.side, self.grpc) {
            (Side::Server, false) => "http.server.request.exception",
            (Side::Client, false) => "http.client.request.exception",
            (Side::Server, true) => "rpc.server.call.exception",
            (Side::Client, true) => "rpc.client.call.exception",
        }
    }

    /// A caller may try again; for who is called it is over.
    fn severity(self) -> Severity {
        match self.side {
            Side::Server => Severity::Error,
            Side::Client => Severity::Warn,
        }
    }
}

/// Whose log records these are, for those who filter.
const TARGET: &str = "belvedere";
