use std::sync::Arc;

use http::{StatusCode, request, response};

use super::{Case, Report, RollbarLayer, case::Facts, options::Options, snapshot::Snapshot};
use crate::{
    exchange::{Code, End, HandlerError, Tally, is_grpc, may_be_grpc},
    observe::{Observation, Observer},
    trace::Scope,
};

/// An exchange that may have to be reported.
#[derive(Debug)]
pub struct WatchedExchange {
    options: Arc<Options>,
    case: Case,
    may_be_grpc: bool,
    status: Option<StatusCode>,
    code: Option<Code>,
    /// What the head says of a call that ended with it.
    said: Option<String>,
    error: Option<HandlerError>,
}

/// Tells a second layer that the exchange is watched.
struct Watched(Case);

// ===== impl RollbarLayer =====

impl Observer for RollbarLayer {
    type Observation = WatchedExchange;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<WatchedExchange> {
        let options = self.options();
        if options.skips(request) {
            return None;
        }
        scope.serve();
        if let Some(watched) = scope.get::<Watched>() {
            watched.0.facts().snapshot.learn_route(request);
            return None;
        }
        let case = case(options, request, scope);
        scope.annotations().report_as(case.report_id());
        scope.insert(Watched(case.clone()));
        scope.activate(case.context(scope.context()));
        Some(WatchedExchange {
            options: options.clone(),
            case,
            may_be_grpc: may_be_grpc(request),
            status: None,
            code: None,
            said: None,
            error: None,
        })
    }
}

fn case(options: &Options, request: &request::Parts, scope: &mut Scope) -> Case {
    let surrounding = scope.surrounding().cloned();
    let begin = || options.propagation.identify(&request.headers, surrounding.as_ref());
    let identity = scope.identify(begin).clone();
    let snapshot = Snapshot::take(request, options);
    Case::new(options.reporter.clone(), identity, snapshot, scope.annotations().clone())
}

// ===== impl WatchedExchange =====

impl WatchedExchange {
    /// What failed, if something did: the nearest to the cause comes first.
    fn failure(&self, end: End<'_>) -> Option<Report> {
        if let Some(panic) = self.case.end() {
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
        let trailers = match end.of_call(self.status, self.code) {
            End::Complete { trailers } if self.may_be_grpc => trailers,
            _ => return None,
        };
        Some(Code::of(status, self.code, trailers))
    }

    /// A method of gRPC that went well exists.
    fn learn_call(&self, end: End<'_>) {
        let Facts { reporter, snapshot, .. } = &**self.case.facts();
        if let (Some(call), Some(status)) = (snapshot.call(), self.status)
            && self.grpc_code(status, end) == Some(Code::OK)
        {
            reporter.settings().calls.answered(call, Code::OK);
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
        self.case.answered(response.status);
        self.error = response.extensions.get().cloned();
        self.code = Code::read(&response.headers);
        self.said = self.code.and_then(|_| Code::message(&response.headers));
        self.may_be_grpc &= self.code.is_some() || is_grpc(&response.headers);
        if !self.may_be_grpc || self.code == Some(Code::UNIMPLEMENTED) {
            self.case.called_nothing();
        }
    }

    fn on_end(self, end: End<'_>, _tally: &Tally) {
        self.learn_call(end);
        if let Some(report) = self.failure(end)
            && let Some(uuid) = self.case.report()
        {
            report.send_in(&self.case, uuid);
        }
    }
}
