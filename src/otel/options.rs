use std::{borrow::Cow, fmt, net::SocketAddr, sync::Arc};

use http::{Uri, request, response};
use opentelemetry::KeyValue;

use super::{
    answer::Answer, exception::Exceptions, metrics::Instruments, old, outcome::Side, rooms::Rooms, secrets,
    span::Spans,
};
#[cfg(feature = "axum")]
use super::{attributes::cut, rooms::ROUTE};
use crate::{
    exchange::{AddressPolicy, Code, HeaderNames, Hops, Hosts, Methods, Query, Route as Matched},
    scrub::Scrubber,
    trace::{Propagation, TrustIncoming},
};

/// What a user has set. Shared by a layer and all the services it made.
#[derive(Clone, Default)]
pub(super) struct Options {
    pub(super) spans: Spans,
    pub(super) propagation: Propagation,
    pub(super) trust: Option<TrustIncoming>,
    pub(super) skip: Option<OfRequest<bool>>,
    pub(super) span_name: Option<OfRequest<Option<Cow<'static, str>>>>,
    pub(super) route: Option<OfRequest<Option<String>>>,
    pub(super) rpc_methods: Option<Arc<[Arc<str>]>>,
    pub(super) peer: Option<OfRequest<Option<SocketAddr>>>,
    pub(super) request_attributes: Option<OfRequest<Vec<KeyValue>>>,
    pub(super) response_attributes: Option<OfResponse<Vec<KeyValue>>>,
    pub(super) request_headers: HeaderNames,
    pub(super) response_headers: HeaderNames,
    pub(super) query: Query,
    pub(super) scrubber: Scrubber,
    pub(super) addresses: AddressPolicy,
    pub(super) hops: Hops,
    pub(super) methods: Methods,
    pub(super) instruments: Option<Arc<Instruments>>,
    pub(super) rooms: Arc<Rooms>,
    pub(super) exceptions: Exceptions,
    pub(super) origin: Option<Uri>,
    pub(super) excluded: Hosts,
    pub(super) answer: Answer,
    pub(super) old_http_names: bool,
}

pub(super) type OfRequest<T> = Arc<dyn Fn(&request::Parts) -> T + Send + Sync>;
pub(super) type OfResponse<T> = Arc<dyn Fn(&response::Parts) -> T + Send + Sync>;

// ===== impl Options =====

impl Options {
    pub(super) fn skips(&self, request: &request::Parts) -> bool {
        self.skip.as_ref().is_some_and(|skip| skip(request))
    }

    /// The route that a request will be served by, if that is known: it has few values, the path has many.
    pub(super) fn route(&self, request: &request::Parts) -> Option<Arc<str>> {
        if let Some(route) = &self.route {
            return Some(self.rooms.route(&route(request)?));
        }
        #[cfg(feature = "axum")]
        if let Some(route) = request.extensions.get::<axum::extract::MatchedPath>() {
            // It comes from a router, not from strangers: no room is kept for it, and no lock is shared.
            return Some(cut(route.as_str(), ROUTE).into());
        }
        None
    }

    /// Whether a router has told the route, and nobody else is asked.
    pub(super) fn is_matched(&self, request: &request::Parts) -> bool {
        self.route.is_none() && Matched::of(request).is_some()
    }

    /// Whether the user's list of gRPC methods lacks this one.
    pub(super) fn lacks(&self, method: &str) -> bool {
        self.rpc_methods.as_ref().is_some_and(|known| !known.iter().any(|name| **name == *method))
    }

    /// A gRPC method that was answered with this code, if it may name anything.
    pub(super) fn rpc_method(&self, method: &str, code: Code) -> Option<Arc<str>> {
        let Some(known) = &self.rpc_methods else { return self.rooms.answered(method, code) };
        known.iter().find(|name| ***name == *method).cloned()
    }

    pub(super) fn peer(&self, request: &request::Parts) -> Option<SocketAddr> {
        self.peer
            .as_ref()
            .and_then(|peer| peer(request))
            .or_else(|| crate::exchange::peer(&request.extensions))
    }

    pub(super) fn span_name(&self, request: &request::Parts) -> Option<Cow<'static, str>> {
        self.rooms.name(self.span_name.as_ref()?(request)?)
    }

    pub(super) fn request_attributes(&self, request: &request::Parts) -> Vec<KeyValue> {
        let attributes = self.request_attributes.as_ref().map(|attributes| attributes(request));
        self.given(attributes.unwrap_or_default())
    }

    /// These attributes of HTTP under their old names, if that is asked for.
    pub(super) fn old_names(&self, side: Side, attributes: &[KeyValue]) -> Vec<KeyValue> {
        if self.old_http_names { old::names(side, attributes) } else { Vec::new() }
    }

    pub(super) fn response_attributes(&self, response: &response::Parts) -> Vec<KeyValue> {
        let attributes = self.response_attributes.as_ref().map(|attributes| attributes(response));
        self.given(attributes.unwrap_or_default())
    }

    /// Attributes that somebody's code has made, of whatever a client said.
    fn given(&self, mut attributes: Vec<KeyValue>) -> Vec<KeyValue> {
        for KeyValue { key, value, .. } in &mut attributes {
            secrets::hide(&self.scrubber, key.as_str(), value);
        }
        attributes
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            spans,
            propagation,
            request_headers,
            response_headers,
            query,
            addresses,
            hops,
            origin,
            ..
        } = self;
        f.debug_struct("Options")
            .field("spans", spans)
            .field("propagation", propagation)
            .field("request_headers", request_headers)
            .field("response_headers", response_headers)
            .field("query", query)
            .field("addresses", addresses)
            .field("hops", hops)
            .field("origin", &origin.as_ref().and_then(Uri::host))
            .finish_non_exhaustive()
    }
}
