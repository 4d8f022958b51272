use std::{net::IpAddr, sync::Arc};

use http::{StatusCode, request, response};
use tracing::Level;

use super::{
    CloudWatchLayer, Outcome,
    meter::Measured,
    noted::{Noted, Said, operation},
    options::Options,
};
use crate::{
    exchange::{Annotations, Code, End, Forwarded, HandlerError, Tally, is_grpc},
    observe::{Observation, Observer, quietly},
    trace::{Known, Mark, Scope},
};

/// An exchange on its way into the log.
#[derive(Debug)]
pub struct LoggedExchange {
    options: Arc<Options>,
    known: Known,
    forwarded: Option<Box<Forwarded>>,
    /// The socket's other end, where the layer was told how to find it.
    peer: Option<Box<IpAddr>>,
    may_be_grpc: bool,
    status: Option<StatusCode>,
    code: Option<Code>,
    said: Option<String>,
    error: Option<HandlerError>,
}

// ===== impl CloudWatchLayer =====

impl Observer for CloudWatchLayer {
    type Observation = LoggedExchange;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<LoggedExchange> {
        let options = self.options();
        if options.skips(request) {
            return None;
        }
        scope.take_server_side();
        if scope.marks().has(Mark::LOGGED) {
            scope.head(request).learn_route(request);
            return None;
        }
        if scope.identity().is_none() {
            scope.arrive_by(&options.propagation, request);
        }
        scope.mark(Mark::LOGGED);
        let may_be_grpc = scope.head(request).may_be_grpc();
        Some(LoggedExchange {
            options: options.clone(),
            known: scope.keep(),
            forwarded: Forwarded::read(options.hops, &request.headers),
            peer: options.peer.as_ref().and_then(|peer| peer(request)).map(|peer| peer.ip().into()),
            may_be_grpc,
            status: None,
            code: None,
            said: None,
            error: None,
        })
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

    fn measure(&self, end: End<'_>, code: Option<Code>, tally: &Tally) {
        if let Some(metrics) = &self.options.metrics {
            let Self { status, .. } = *self;
            let operation = self.known.head().and_then(|head| operation(head, self.may_be_grpc));
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
        if self.may_be_grpc {
            self.code = Code::read(&response.headers);
            self.may_be_grpc = self.code.is_some() || is_grpc(&response.headers);
            self.said = self.code.and_then(|_| Code::message(&response.headers));
        }
        self.error = response.extensions.get().cloned();
    }

    fn on_end(mut self, end: End<'_>, tally: &Tally) {
        let code = self.code(end);
        let end = if code.is_some() { end.of_call(self.status, self.code) } else { end };
        let level = self.level(end, code);
        let is_good = level > Level::WARN;
        self.measure(end, code, tally);
        let has_failed = self.has_failed(end, code);
        let Some(identity) = self.known.identity() else { return };
        if is_good && !self.options.share.keeps(identity, self.options.propagation.passes_on()) {
            return;
        }
        let error = self.said(end, level).map(Box::new);
        let Self { options, known, forwarded, peer, status, .. } = self;
        options.clone().lane.note(Noted {
            duration: tally.duration,
            bytes: tally.bytes,
            level,
            outcome: Outcome::from(end),
            status,
            code,
            error,
            has_failed,
            annotations: known.annotations().map(Annotations::pairs).unwrap_or_default(),
            options,
            known,
            forwarded,
            peer,
        });
    }
}
