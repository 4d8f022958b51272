use std::sync::{Arc, Mutex, PoisonError};

use http::{StatusCode, request, response};
use tracing::Level;

use super::{
    CloudWatchLayer, Outcome,
    meter::Measured,
    noted::{Asked, Noted, Said},
    options::Options,
};
use crate::{
    exchange::{Annotations, Code, End, HandlerError, Tally, is_grpc, may_be_grpc},
    observe::{Observation, Observer, quietly},
    trace::{Identity, Scope},
};

/// An exchange on its way into the log.
#[derive(Debug)]
pub struct LoggedExchange {
    options: Arc<Options>,
    asked: Logged,
    identity: Identity,
    annotations: Annotations,
    may_be_grpc: bool,
    status: Option<StatusCode>,
    code: Option<Code>,
    /// What the head says of a call that ended with it.
    said: Option<String>,
    error: Option<HandlerError>,
}

/// What was asked, and that it is logged: a second layer may know the route.
#[derive(Clone, Debug)]
struct Logged(Arc<Mutex<Option<Asked>>>);

// ===== impl CloudWatchLayer =====

impl Observer for CloudWatchLayer {
    type Observation = LoggedExchange;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<LoggedExchange> {
        let options = self.options();
        if options.skips(request) {
            return None;
        }
        scope.serve();
        if let Some(logged) = scope.get::<Logged>() {
            logged.learn_route(request);
            return None;
        }
        let surrounding = scope.surrounding().cloned();
        let begin = || options.propagation.identify(&request.headers, surrounding.as_ref());
        let identity = scope.identify(begin).clone();
        let asked = Logged(Arc::new(Mutex::new(Some(Asked::take(request, options)))));
        scope.insert(asked.clone());
        Some(LoggedExchange {
            options: options.clone(),
            asked,
            identity,
            annotations: scope.annotations().clone(),
            may_be_grpc: may_be_grpc(request),
            status: None,
            code: None,
            said: None,
            error: None,
        })
    }
}

// ===== impl Logged =====

impl Logged {
    fn learn_route(&self, request: &request::Parts) {
        if let Some(asked) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            asked.learn_route(request);
        }
    }

    fn take(&self) -> Option<Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

// ===== impl LoggedExchange =====

impl LoggedExchange {
    fn code(&self, end: End<'_>) -> Option<Code> {
        let status = self.status.filter(|_| self.may_be_grpc)?;
        match end.of_call(self.status, self.code) {
            End::Complete { trailers } => Some(Code::of(status, self.code, trailers)),
            _ => None,
        }
    }

    fn level(&self, end: End<'_>, code: Option<Code>) -> Level {
        match (end, code, self.status) {
            (End::Failed { .. } | End::Panicked { .. }, ..) => Level::ERROR,
            (_, Some(Code::OK), _) => Level::INFO,
            (_, Some(code), _) => {
                if code.is_server_error() {
                    Level::ERROR
                } else {
                    Level::WARN
                }
            }
            // What had failed by then has failed.
            (End::Canceled, None, Some(status)) => (self.options.levels)(status).min(Level::WARN),
            (End::Canceled, None, None) => Level::WARN,
            (_, None, Some(status)) => (self.options.levels)(status),
            (_, None, None) => Level::INFO,
        }
    }

    /// Whether it is a failure, however bad somebody calls it.
    fn has_failed(&self, end: End<'_>, code: Option<Code>) -> bool {
        let status = || self.status.is_some_and(|status| status.is_server_error());
        matches!(end, End::Failed { .. } | End::Panicked { .. })
            || code.map_or_else(status, Code::is_server_error)
    }

    fn measure(&self, asked: &Asked, end: End<'_>, code: Option<Code>, tally: &Tally) {
        if let Some(metrics) = &self.options.metrics {
            let Self { status, .. } = *self;
            let operation = asked.operation(self.may_be_grpc);
            let measured = Measured { operation, end, status, code, duration: tally.duration };
            metrics.meter().record(&measured, &self.options.lane);
        }
    }

    fn said(&mut self, end: End<'_>, level: Level) -> Option<Said> {
        match end {
            // What an error says is the user's code; should it panic, the line says no more than that it failed.
            End::Failed { error } => Said::text(&quietly(|| error.messages()).unwrap_or_default()),
            End::Panicked { message } => Said::text(message),
            End::Complete { .. } | End::Canceled if level > Level::WARN => None,
            End::Complete { trailers } => {
                let of_call = || self.said.clone().or_else(|| Code::message(trailers?));
                let error = self.error.take().map(Said::Error);
                error.or_else(|| Said::text(&of_call()?))
            }
            End::Canceled => self.error.take().map(Said::Error),
        }
    }
}

impl Observation for LoggedExchange {
    fn on_response(&mut self, response: &mut response::Parts) {
        self.status = Some(response.status);
        self.code = Code::read(&response.headers);
        self.may_be_grpc &= self.code.is_some() || is_grpc(&response.headers);
        self.said = self.code.filter(|_| self.may_be_grpc).and_then(|_| Code::message(&response.headers));
        self.error = response.extensions.get().cloned();
    }

    fn on_end(mut self, end: End<'_>, tally: &Tally) {
        let code = self.code(end);
        let end = if code.is_some() { end.of_call(self.status, self.code) } else { end };
        let level = self.level(end, code);
        let is_good = level > Level::WARN;
        let trace_id = self.identity.trace_id();
        let Some(asked) = self.asked.take() else { return };
        self.measure(&asked, end, code, tally);
        let may_decide = self.options.propagation.passes_on();
        if is_good && !self.options.share.keeps(&self.identity, may_decide) {
            return;
        }
        let error = self.said(end, level);
        let noted = Arc::new(Noted {
            asked,
            trace_id,
            span_id: self.identity.span_id(),
            ended: tally.ended(),
            duration: tally.duration,
            bytes: tally.bytes,
            level,
            outcome: Outcome::from(end),
            status: self.status,
            code,
            error,
            report: self.annotations.report_id().filter(|_| self.has_failed(end, code)),
            sample_rate: self.options.share.rate().filter(|_| is_good),
            annotations: self.annotations.pairs(),
            options: self.options,
        });
        noted.options.lane.share(noted.clone());
    }
}
