use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use http::request;
use opentelemetry::{KeyValue, trace::TraceContextExt as _};

use super::{
    answer::Answer,
    attributes::{Attributes, HTTP_ROUTE},
    facts::http_name,
    measure::InnerRoute,
    options::Options,
};
use crate::{
    exchange::may_be_grpc,
    trace::{Mark, Scope},
};

/// Tells a second layer that the exchange has its span, and what that one need not add.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Served {
    pub(super) named: bool,
    pub(super) routed: bool,
    pub(super) measured: bool,
}

/// What layers further in have to say of the exchange. It is made when one of them has something.
#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) answer: Answer,
    /// Where the metrics look for a route that only the inner layer knows.
    pub(super) route: InnerRoute,
    routed: AtomicBool,
}

// ===== impl Served =====

impl Served {
    /// What a layer further out has said, if there is one.
    pub(super) fn of(scope: &Scope) -> Option<Self> {
        let marks = scope.marks();
        let [named, routed, measured] =
            [Mark::NAMED, Mark::ROUTED, Mark::MEASURED].map(|mark| marks.has(mark));
        marks.has(Mark::SPAN).then_some(Self { named, routed, measured })
    }

    pub(super) fn mark(self) -> Mark {
        let Self { named, routed, measured } = self;
        let mark = Mark::SPAN.and(Mark::NAMED, named).and(Mark::ROUTED, routed);
        mark.and(Mark::MEASURED, measured)
    }

    /// The outer layer may stand before the router; only here the route is known. What else this one was told to add from
    /// the request goes onto the same span.
    pub(super) fn contribute(self, options: &Options, request: &request::Parts, scope: &Scope) {
        if options.answer.is_asked() {
            Inner::of(scope).answer.add(&options.answer);
        }
        if options.instruments.is_some() && !self.measured {
            warn_of_metrics();
        }
        let mut attributes = Attributes::none();
        attributes.headers("http.request.header.", &options.request_headers, &request.headers, options);
        attributes.extend(options.request_attributes(request));
        if !attributes.as_slice().is_empty() {
            scope.context().span().set_attributes(attributes.finish());
        }
        if !self.routed && !may_be_grpc(request) {
            self.route(options, request, scope);
        }
    }

    fn route(self, options: &Options, request: &request::Parts, scope: &Scope) {
        let Some(route) = options.route(request) else { return };
        let inner = Inner::of(scope);
        if inner.routed.swap(true, Relaxed) {
            return;
        }
        let span = scope.context().span();
        if !self.named {
            span.update_name(http_name(options, &request.method, Some(&route)));
        }
        inner.route.set(route.clone());
        span.set_attribute(KeyValue::new(HTTP_ROUTE, route));
    }
}

// ===== impl Inner =====

impl Inner {
    pub(super) fn of(scope: &Scope) -> Arc<Self> {
        scope.known().map(|known| known.make(Arc::default)).unwrap_or_default()
    }
}

#[cold]
fn warn_of_metrics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        tracing::warn!(
            target: "belvedere::otel",
            "an inner OtelLayer has metrics and the outer one has none, so nothing is measured: give them to the outer one"
        );
    });
}
