use std::{net::SocketAddr, sync::Arc};

use http::request;
use tower_layer::Layer;

use super::options::Options;
use crate::{
    Error,
    exchange::{AddressPolicy, HeaderNames, Hops},
    observe::Observe,
    trace::TrustIncoming,
};

/// A layer that makes one `SERVER` span of every exchange.
///
/// It goes onto any axum, hyper or tonic service. Two of them around one service make one span, not two: the inner one
/// only adds the route that the outer one could not see, and what it was told to add from the request.
#[derive(Clone, Debug, Default)]
pub struct OtelLayer {
    options: Arc<Options>,
}

// ===== impl OtelLayer =====

impl OtelLayer {
    /// A layer with the global tracer provider, as it is when the first request arrives.
    pub fn new() -> Self {
        Self::default()
    }

    super::setters::shared_setters!(Server);

    /// What a caller may decide about the trace. Default: all, as in every tracing library.
    #[must_use]
    pub fn trust(mut self, trust: TrustIncoming) -> Self {
        let options = self.options_mut();
        options.trust = Some(trust);
        options.propagation = std::mem::take(&mut options.propagation).trust(trust);
        self
    }

    /// How many proxies may say who the client is, and by which host and scheme it came; a number stands for proxies that
    /// write `X-Forwarded-*`. Default: none; `client.address` is then the other end of the socket, where the server tells it: see [`peer`](Self::peer).
    #[must_use]
    pub fn trusted_hops(mut self, hops: impl Into<Hops>) -> Self {
        self.options_mut().hops = hops.into();
        self
    }

    /// How much of a client's address is on spans: in `client.address`, `network.peer.address` and headers that are captured.
    /// Default: all of it. Where it is less, `network.peer.port` is left out.
    #[must_use]
    pub fn addresses(mut self, policy: AddressPolicy) -> Self {
        self.options_mut().addresses = policy;
        self
    }

    /// Tells the route of a request: `http.route`. Default: axum's `MatchedPath` (feature `axum`), else none.
    ///
    /// There is room for 1,000 routes told here, each of at most 1024 bytes: further ones are `_OTHER`, so that no mistake
    /// makes a name of every path. Those of axum are as many as its router has.
    #[must_use]
    pub fn route<R>(mut self, route: impl Fn(&request::Parts) -> Option<R> + Send + Sync + 'static) -> Self
    where
        R: Into<String>,
    {
        self.options_mut().route = Some(Arc::new(move |request| route(request).map(Into::into)));
        self
    }

    /// The gRPC methods that exist here, as `package.Service/Method`; calls to others are named `grpc`, with the method
    /// `_OTHER`. Default: what the service answers with `OK` exists, up to 1,000 methods, and what it answers with
    /// `UNIMPLEMENTED` does not. Of those that it answers with other codes alone the first 100 are believed: a refusal
    /// before the router looks like the answer of a method, and strangers can ask for any.
    #[must_use]
    pub fn rpc_methods<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.options_mut().rpc_methods = Some(names.into_iter().map(|name| name.into().into()).collect());
        self
    }

    /// Tells the socket's other end, where the server keeps it in a type of its own, as tonic does. Default:
    /// [`Peer`](crate::exchange::Peer), else axum's `ConnectInfo` (feature `axum`).
    #[must_use]
    pub fn peer(
        mut self,
        peer: impl Fn(&request::Parts) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        self.options_mut().peer = Some(Arc::new(peer));
        self
    }

    /// The request headers whose values may leave the process, as `http.request.header.<name>`. Default: none.
    ///
    /// # Errors
    ///
    /// When one is no header name.
    pub fn request_headers<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        self.options_mut().request_headers = HeaderNames::new(names)?;
        Ok(self)
    }

    /// The response headers whose values may leave the process, as `http.response.header.<name>`. Default: none.
    ///
    /// # Errors
    ///
    /// When one is no header name.
    pub fn response_headers<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        self.options_mut().response_headers = HeaderNames::new(names)?;
        Ok(self)
    }

    /// Whether answers name their trace in `Server-Timing`, as `traceparent;desc="00-{trace}-{span}-{flags}"`: the header
    /// from which a page's script learns the trace that the page itself was loaded in. It is added to what the service
    /// says there. Default: no. See [browsers](crate::guide::browser).
    #[must_use]
    pub fn server_timing(mut self, server_timing: bool) -> Self {
        self.options_mut().answer.server_timing = server_timing.into();
        self
    }

    /// Whether answers name their trace in `traceresponse`, as `00-{trace}-{span}-{flags}`, the header of
    /// [a draft](https://w3c.github.io/trace-context/#traceresponse-header) of the W3C. It replaces one that the service
    /// passed on. Default: no. See [browsers](crate::guide::browser).
    #[must_use]
    pub fn traceresponse(mut self, traceresponse: bool) -> Self {
        self.options_mut().answer.traceresponse = traceresponse.into();
        self
    }

    pub(super) fn options(&self) -> &Arc<Options> {
        &self.options
    }
}

impl<S> Layer<S> for OtelLayer {
    type Service = Observe<S, Self>;

    fn layer(&self, inner: S) -> Observe<S, Self> {
        Observe::new(inner, self.clone())
    }
}
