use std::sync::Arc;

use tower_layer::Layer;

use super::{
    CloudWatchLogs, Daemon, DaemonAddress, Name, Sampler, SegmentLane, Text, options::Options,
    pattern::Pattern, plugins::Plugins,
};
use crate::{
    exchange::AddressPolicy,
    observe::{Observe, server_setters},
    outbox::Outbox,
    scrub::Scrubber,
};

/// A layer that makes one segment of every exchange.
///
/// It goes onto any axum, hyper or tonic service, alone or with an `OtelLayer`, in either order: the trace id is the same,
/// and the segment's id is that of the server's span. The segment lasts as long as the exchange: until the last byte of
/// the body, or until the client leaves. Two of them around one service make one segment, not two.
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use belvedere::{outbox::Outbox, xray::{Sampler, XRayLayer}};
///
/// let outbox = Outbox::builder().start()?;
/// let app: Router = Router::new()
///     .route("/carts/{id}", get(|| async { "a cart" }))
///     .layer(XRayLayer::new("checkout", &outbox).sample(Sampler::reservoir(1, 0.05)));
/// # Ok::<_, belvedere::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct XRayLayer {
    options: Arc<Options>,
}

// ===== impl XRayLayer =====

impl XRayLayer {
    /// A layer for a service of this name, which sends to the daemon at `127.0.0.1:2000`.
    pub fn new(service: impl Into<Name>, outbox: &Outbox) -> Self {
        Self::on(service, SegmentLane::daemon(outbox, Daemon::new(DaemonAddress::default())))
    }

    /// A layer for a service of this name, which sends by this lane.
    pub fn on(service: impl Into<Name>, lane: SegmentLane) -> Self {
        Self { options: Arc::new(Options::new(service.into(), lane)) }
    }

    /// Names segments after the host that was asked for, where it matches this pattern, and else after the service: what AWS
    /// calls [dynamic naming]. May be called again, for one more pattern. Default: none, all have the service's name.
    ///
    /// `*` stands for any characters, also none, and `?` for exactly one; case does not count. The host is that of the trusted
    /// proxy ([`trusted_hops`](Self::trusted_hops)), or else `:authority` or `Host`. Unlike with AWS's SDKs it is matched, and
    /// becomes the name, without its port and in lower case: `Shop.example.com:8080` is asked as `shop.example.com`.
    ///
    /// Anybody can send any host, so a pattern should be as narrow as the service's own names: `*.example.com`. The first 200
    /// hosts become names; after them, and where a host is no possible [`Name`], the service's name stays. A host that a
    /// pattern spells out, as `shop.example.com` does, always becomes one: strangers cannot use up its place.
    ///
    /// ```
    /// use belvedere::{outbox::Outbox, xray::XRayLayer};
    ///
    /// let outbox = Outbox::builder().start()?;
    /// let layer = XRayLayer::new("shops", &outbox).hosts("*.shops.example");
    /// # Ok::<_, belvedere::Error>(())
    /// ```
    ///
    /// [dynamic naming]: https://docs.aws.amazon.com/xray/latest/devguide/xray-sdk-go-handler.html
    #[must_use]
    pub fn hosts(mut self, pattern: impl Into<Box<str>>) -> Self {
        self.options_mut().naming.add(Pattern::new(pattern));
        self
    }

    /// The version of the service, such as `env!("CARGO_PKG_VERSION")`. Default: none.
    #[must_use]
    pub fn version(mut self, version: impl Into<Text>) -> Self {
        self.options_mut().service.version = Some(version.into());
        self
    }

    /// A log group of CloudWatch that the service's lines are in, by its name or its ARN: the console shows them beside the
    /// trace. May be called again, for one more. Default: those that the [plugins](Self::plugins) find.
    ///
    /// A line is found by the trace's id as X-Ray writes it, [`TraceId::amzn`](crate::trace::TraceId::amzn).
    #[must_use]
    pub fn log_group(mut self, logs: impl Into<CloudWatchLogs>) -> Self {
        self.options_mut().log_groups.push(logs.into());
        self
    }

    /// What finds out where the service runs: its origin, and the `aws` block of its segments. Default: nobody is asked.
    #[must_use]
    pub fn plugins(mut self, plugins: Plugins) -> Self {
        self.options_mut().plugins = plugins;
        self
    }

    /// Which requests are recorded that nobody has decided about. Default: one in each second, and 5 % of the others.
    #[must_use]
    pub fn sample(mut self, sampler: Sampler) -> Self {
        self.options_mut().sampler = sampler;
        self
    }

    /// Whether spans and segments are kept together. Default: no, each backend has its own sampler.
    ///
    /// A caller decides for both, as far as its headers say nothing else. Where none has decided: if not, this layer's sampler
    /// decides about the segments alone, the SDK's about the spans alone, and each decision goes on to whomever is called,
    /// `X-Amzn-Trace-Id` with the one, `traceparent` with the other. If so, the layer that is further out decides for both.
    /// [`SpanSampler`](super::sampler::SpanSampler) lets one sampler decide wherever the layers are.
    #[must_use]
    pub fn one_decision(mut self, one: bool) -> Self {
        self.options_mut().one_decision = one;
        self
    }

    /// What keeps secrets in. Default: [`Scrubber::default`], whose lists are wide.
    ///
    /// It reads what a client, an error or a handler has said: the path, the user agent, messages of errors and panics,
    /// annotations, metadata, the user, and queries to databases; of the segment and of all subsegments in it. Names are the
    /// program's own.
    #[must_use]
    pub fn scrubber(mut self, scrubber: Scrubber) -> Self {
        self.options_mut().scrubber = scrubber;
        self
    }

    /// How much of a client's address is in the segment. Default: all of it.
    #[must_use]
    pub fn addresses(mut self, policy: AddressPolicy) -> Self {
        self.options_mut().addresses = policy;
        self
    }

    server_setters! {
        propagation: "Which headers carry the trace. Default: `X-Amzn-Trace-Id`, then `traceparent`.",
        trust: "What a caller may decide about the trace. Default: all.\n\nWhere an `OtelLayer` is further out, the trace is the one that it believes in; a decision that only that one believes\ncounts for its spans alone.",
        hops: "How many proxies may say who the client is, and by which host and scheme it came. Default: none; the client's\naddress is then the other end of the socket.",
        skip: "Leaves requests alone: no segment, no decision. Default: none."
    }

    pub(super) fn options(&self) -> &Arc<Options> {
        &self.options
    }

    fn options_mut(&mut self) -> &mut Options {
        let options = Arc::make_mut(&mut self.options);
        options.constants = Default::default();
        options
    }
}

impl<S> Layer<S> for XRayLayer {
    type Service = Observe<S, Self>;

    fn layer(&self, inner: S) -> Observe<S, Self> {
        Observe::new(inner, self.clone())
    }
}
