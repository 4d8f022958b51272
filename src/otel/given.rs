use std::{borrow::Cow, net::SocketAddr, sync::Arc};

use http::request;
use opentelemetry::KeyValue;

use super::{attributes::Attributes, options::Options};
use crate::exchange::may_be_grpc;

/// What options make of a request, which is gone when its span is made.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) name: Option<Cow<'static, str>>,
    pub(super) route: Option<Arc<str>>,
    pub(super) peer: Option<SocketAddr>,
    pub(super) headers: Vec<KeyValue>,
    /// The same as those of plain HTTP, where it may be a call.
    pub(super) http_headers: Vec<KeyValue>,
    pub(super) attributes: Vec<KeyValue>,
}

// ===== impl Given =====

impl Given {
    /// Nothing where no option looks at the request.
    pub(super) fn of(options: &Options, request: &request::Parts) -> Option<Arc<Self>> {
        let Options { span_name, route, peer, request_attributes, request_headers, .. } = options;
        let is_simple = span_name.is_none() && route.is_none() && peer.is_none();
        if is_simple && request_attributes.is_none() && request_headers.is_empty() {
            return None;
        }
        let headers = |prefix| {
            let mut attributes = Attributes::none();
            attributes.headers(prefix, request_headers, &request.headers, options);
            attributes.finish()
        };
        let may_be_grpc = may_be_grpc(request);
        Some(Arc::new(Self {
            name: options.span_name(request),
            route: route.as_ref().and_then(|_| options.route(request)),
            peer: peer.as_ref().and_then(|_| options.peer(request)),
            headers: headers(if may_be_grpc { "rpc.request.metadata." } else { HTTP }),
            http_headers: if may_be_grpc { headers(HTTP) } else { Vec::new() },
            attributes: options.request_attributes(request),
        }))
    }
}

const HTTP: &str = "http.request.header.";
