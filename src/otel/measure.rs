use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, StatusCode, Version, header};
use opentelemetry::{Context, KeyValue, Value};

use super::{
    attributes::{self, ERROR_TYPE, HTTP_ROUTE, HTTP_STATUS, RPC_METHOD},
    metrics::Instruments,
};
use crate::exchange::{self, Code, End, Tally};

/// One exchange, being measured. While it lives, the request is active.
#[derive(Debug)]
pub(super) struct Measure {
    instruments: Arc<Instruments>,
    /// Where the span is: current at each measurement, for exemplars.
    context: Context,
    /// First those of an active request, then those of its end.
    attributes: Vec<KeyValue>,
    /// How many an active request has.
    active: usize,
    /// How many of these a call of gRPC has not.
    plain: usize,
    route: Route,
    version: Option<&'static str>,
    /// What `content-length` says of the request.
    asked: Option<u64>,
}

/// The route of a server's request, as it becomes known.
#[derive(Clone, Debug)]
pub(super) enum Route {
    /// From the start, or never.
    Known(Option<Arc<str>>),
    /// Perhaps from a layer further in.
    Later(InnerRoute),
}

/// Where a layer further in leaves the route.
#[derive(Clone, Debug, Default)]
pub(super) struct InnerRoute(Arc<Mutex<Option<Arc<str>>>>);

/// How an exchange ended, as the metrics have it.
pub(super) struct Ended<'a> {
    pub(super) end: End<'a>,
    pub(super) tally: &'a Tally,
    /// The same as on the span.
    pub(super) error: Option<Cow<'static, str>>,
}

// ===== impl Measure =====

impl Measure {
    /// A server's request has arrived.
    pub(super) fn server(
        instruments: &Arc<Instruments>,
        context: &Context,
        method: Cow<'static, str>,
        scheme: Cow<'static, str>,
        headers: &HeaderMap,
    ) -> Self {
        let both =
            [KeyValue::new(attributes::HTTP_METHOD, method), KeyValue::new(attributes::SCHEME, scheme)];
        Self::begin(instruments, context, both, 2, headers)
    }

    /// A client's request is about to leave, for a server that these attributes tell of.
    pub(super) fn client(
        instruments: &Arc<Instruments>,
        context: &Context,
        method: Cow<'static, str>,
        server: impl IntoIterator<Item = KeyValue>,
        headers: &HeaderMap,
    ) -> Self {
        let method = [KeyValue::new(attributes::HTTP_METHOD, method)];
        Self::begin(instruments, context, method.into_iter().chain(server), 1, headers)
    }

    fn begin(
        instruments: &Arc<Instruments>,
        context: &Context,
        first: impl IntoIterator<Item = KeyValue>,
        plain: usize,
        headers: &HeaderMap,
    ) -> Self {
        let mut attributes = Vec::with_capacity(MOST);
        attributes.extend(first);
        if let Some(active) = &instruments.active {
            let _current = context.clone().attach();
            active.add(1, &attributes);
        }
        let asked = instruments.bodies.as_ref().and_then(|_| length(headers));
        let (instruments, context, active) = (instruments.clone(), context.clone(), attributes.len());
        Self {
            instruments,
            context,
            active,
            plain,
            attributes,
            route: Route::Known(None),
            version: None,
            asked,
        }
    }

    pub(super) fn routed(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// The protocol's version, which a client knows with the response's head.
    pub(super) fn version(&mut self, version: Version) {
        self.version = exchange::version(version);
    }

    /// It was plain HTTP, and is over.
    pub(super) fn http(mut self, status: Option<StatusCode>, ended: Ended<'_>) {
        let _current = self.context.clone().attach();
        let Ended { end, tally, error } = ended;
        // What is no status of HTTP is on the span alone: the other end chooses among nine hundred.
        let status =
            status.map(|status| i64::from(status.as_u16())).filter(|status| (100..600).contains(status));
        self.maybe(HTTP_ROUTE, self.route.known());
        self.maybe(attributes::VERSION, self.version);
        self.maybe(HTTP_STATUS, status);
        self.maybe(ERROR_TYPE, error);
        self.instruments.requests.record(tally.duration.as_secs_f64(), &self.attributes);
        self.bodies(end, tally);
    }

    /// It was a call of gRPC, and is over.
    pub(super) fn grpc(mut self, method: Value, code: Code, ended: Ended<'_>) {
        let _current = self.context.clone().attach();
        let Ended { end: _, tally, error } = ended;
        self.push(attributes::RPC_SYSTEM, attributes::GRPC);
        self.push(RPC_METHOD, method);
        for key in attributes::RPC_STATUS {
            self.push(key, code.name());
        }
        self.maybe(ERROR_TYPE, error);
        self.instruments.calls.record(tally.duration.as_secs_f64(), &self.attributes[self.plain..]);
    }

    fn bodies(&self, end: End<'_>, tally: &Tally) {
        let Some(bodies) = &self.instruments.bodies else { return };
        if let Some(asked) = self.asked {
            bodies.request.record(asked as f64, &self.attributes);
        }
        if matches!(end, End::Complete { .. }) {
            bodies.response.record(tally.bytes as f64, &self.attributes);
        }
    }

    fn push(&mut self, key: &'static str, value: impl Into<Value>) {
        self.attributes.push(KeyValue::new(key, value));
    }

    fn maybe(&mut self, key: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.push(key, value);
        }
    }
}

impl Drop for Measure {
    fn drop(&mut self) {
        let Some(active) = &self.instruments.active else { return };
        let end = || {
            let _current = self.context.clone().attach();
            active.add(-1, &self.attributes[..self.active]);
        };
        // If a meter has just panicked, a second panic of it would abort the process.
        drop(catch_unwind(AssertUnwindSafe(end)));
    }
}

// ===== impl Route =====

impl Route {
    fn known(&self) -> Option<Arc<str>> {
        match self {
            Self::Known(route) => route.clone(),
            Self::Later(route) => route.0.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

// ===== impl InnerRoute =====

impl InnerRoute {
    pub(super) fn set(&self, route: Arc<str>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(route);
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// As many attributes as a measurement has.
const MOST: usize = 8;
