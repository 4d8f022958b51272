use std::sync::Arc;

use http::{HeaderMap, StatusCode, request, response};

use super::{Case, Report, RollbarLayer, body::KeptBody, options::Options, snapshot::is_call};
use crate::{
    exchange::{Code, End, HandlerError, Tally, is_grpc},
    observe::{Observation, Observer},
    trace::{Known, Mark, OccurrenceId, Scope},
};

/// An exchange that may have to be reported.
#[derive(Debug)]
pub struct WatchedExchange {
    options: Arc<Options>,
    known: Known,
    may_be_grpc: bool,
    status: Option<StatusCode>,
    code: Option<Code>,
    /// What the head says of a call that ended with it.
    said: Option<String>,
    error: Option<HandlerError>,
}

// ===== impl RollbarLayer =====

impl Observer for RollbarLayer {
    type Observation = WatchedExchange;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<WatchedExchange> {
        let options = self.options();
        if options.skips(request) {
            return None;
        }
        scope.take_server_side();
        if scope.marks().has(Mark::WATCHED) {
            learn_route(request, scope);
            return None;
        }
        if scope.identity().is_none() {
            scope.arrive_by(&options.propagation, request);
        }
        let identity = scope.identity()?;
        scope.report_as(OccurrenceId::of(identity.trace_id(), identity.span_id(), 0));
        scope.share(options.clone());
        scope.mark(Mark::WATCHED);
        let head = scope.head(request);
        let (may_be_grpc, is_partial) = (head.may_be_grpc(), head.is_partial());
        if is_partial || options.notes_more() || request.extensions.get::<KeptBody>().is_some() {
            Case::noted(&scope.keep(), options, request);
        }
        Some(WatchedExchange {
            options: options.clone(),
            known: scope.keep(),
            may_be_grpc,
            status: None,
            code: None,
            said: None,
            error: None,
        })
    }
}

/// The outer layer may stand before the router; only here the route is known.
fn learn_route(request: &request::Parts, scope: &mut Scope) {
    scope.head(request).learn_route(request);
    if let Some(case) = scope.known().and_then(Case::made) {
        case.snapshot().learn_route(request);
    }
}

// ===== impl WatchedExchange =====

impl WatchedExchange {
    /// What failed, if something did: the nearest to the cause comes first.
    fn failure(&self, end: End<'_>) -> Option<Report> {
        if let Some(panic) = Case::made(&self.known).and_then(|case| case.end()) {
            return Some(Report::of_panic(panic));
        }
        if let End::Panicked { message } = end {
            return Some(Report::of_panic_message(message));
        }
        let failed = self.failed_status(end);
        match (&self.error, failed, end) {
            (Some(error), Some(_), _) => Some(Report::of_handler_error(error)),
            (_, _, End::Failed { error }) => Some(Report::of_failure(error)),
            (None, Some((_, Some(code))), _) => Some(Report::of_code(code, self.said(end).as_deref())),
            (None, Some((status, None)), _) => Some(Report::of_status(status)),
            (_, None, _) => None,
        }
    }

    /// The status that was answered, and the code of a call of gRPC, where they are a failure.
    fn failed_status(&self, end: End<'_>) -> Option<(StatusCode, Option<Code>)> {
        let status = self.status?;
        let code = self.grpc_code(status, end);
        let fails = match code {
            Some(code) => (self.options.grpc_fails)(code),
            None => (self.options.fails)(status),
        };
        fails.then_some((status, code))
    }

    /// The code of a call of gRPC that came to one.
    fn grpc_code(&self, status: StatusCode, end: End<'_>) -> Option<Code> {
        if !self.may_be_grpc {
            return None;
        }
        match end.of_call(self.status, self.code) {
            End::Complete { trailers } => Some(Code::of(status, self.code, trailers)),
            _ => None,
        }
    }

    /// A method of gRPC that went well exists.
    fn learn_call(&self, end: End<'_>) {
        if self.may_be_grpc
            && let (Some(head), Some(status)) = (self.known.head(), self.status)
            && self.grpc_code(status, end) == Some(Code::OK)
            && is_call(head.path())
        {
            self.options.reporter.settings().calls.answered(head.path(), Code::OK);
        }
    }

    /// Takes the answer to what may be a call of gRPC.
    fn called(&mut self, headers: &HeaderMap) {
        self.code = Code::read(headers);
        self.said = self.code.and_then(|_| Code::message(headers));
        self.may_be_grpc = self.code.is_some() || is_grpc(headers);
        let is_no_call = !self.may_be_grpc || self.code == Some(Code::UNIMPLEMENTED);
        if is_no_call && let Some(case) = Case::of(&self.known, &self.options) {
            case.called_nothing();
        }
    }

    /// What a call of gRPC that failed says.
    fn said(&self, end: End<'_>) -> Option<String> {
        let trailers = match end {
            End::Complete { trailers } => trailers,
            _ => None,
        };
        self.said.clone().or_else(|| Code::message(trailers?))
    }
}

impl Observation for WatchedExchange {
    fn on_response(&mut self, response: &mut response::Parts) {
        self.status = Some(response.status);
        self.known.answer(response.status);
        self.error = response.extensions.get().cloned();
        if self.may_be_grpc {
            self.called(&response.headers);
        }
    }

    fn on_end(self, end: End<'_>, _tally: &Tally) {
        self.learn_call(end);
        // Before it is asked for a case: a panic that comes later finds that it is for itself to be told.
        self.known.settle();
        if let Some(report) = self.failure(end)
            && let Some(case) = Case::of(&self.known, &self.options)
            && let Some(uuid) = case.report()
        {
            report.send_in(&case, uuid);
        }
    }
}
