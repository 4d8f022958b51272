use std::{env, sync::Arc};

use http::StatusCode;
use tower_layer::Layer;
use tracing::Level;

use super::{Api, Format, LogLane, Metrics, StreamName, options::Options, share::Share};
use crate::{
    Error,
    aws::{Client, Service},
    exchange::AddressPolicy,
    observe::{Observe, server_setters},
    outbox::Outbox,
    scrub::Scrubber,
};

/// A layer that logs every exchange at its end, to CloudWatch Logs.
///
/// It goes onto any axum, hyper or tonic service, alone or with other layers of this crate, in any order.
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use belvedere::{cloudwatch::CloudWatchLayer, outbox::Outbox};
///
/// let outbox = Outbox::builder().start()?;
/// let app: Router = Router::new()
///     .route("/carts/{id}", get(|| async { "a cart" }))
///     .layer(CloudWatchLayer::new("/shop/checkout", &outbox)?.skip(|request| request.uri.path() == "/healthz"));
/// # Ok::<_, belvedere::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CloudWatchLayer {
    options: Arc<Options>,
}

// ===== impl CloudWatchLayer =====

impl CloudWatchLayer {
    /// A layer that sends into a log group, which is made when there is none. Region, credentials and endpoint are those of
    /// the environment, as [`Client::lookup`] reads it; missing credentials are waited for.
    ///
    /// # Errors
    ///
    /// When the group's name is none, nothing says the region, or a variable has a value that cannot be used.
    pub fn new(group: impl AsRef<str>, outbox: &Outbox) -> Result<Self, Error> {
        let group = group.as_ref().parse()?;
        let client = Client::lookup(Service::LOGS, |name| env::var(name).ok())?;
        Ok(Self::on(LogLane::new(outbox, Api::new(client, group))))
    }

    /// A layer that sends by this lane.
    pub fn on(lane: LogLane) -> Self {
        Self { options: Arc::new(Options::new(lane)) }
    }

    /// The lane, also for events of the application's own.
    pub fn lane(&self) -> &LogLane {
        &self.options.lane
    }

    /// The stream that its records go into: a name, or a pattern as [`StreamName`] describes. Default: the lane's.
    ///
    /// # Errors
    ///
    /// When CloudWatch would not take the name, or the pattern has a word in it that is not known.
    pub fn stream(mut self, name: impl AsRef<str>) -> Result<Self, Error> {
        let stream: StreamName = name.as_ref().parse()?;
        let options = self.options_mut();
        options.lane = options.lane.clone().stream(stream);
        Ok(self)
    }

    /// How a record is written. Default: [`Format::json`].
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.options_mut().format = format;
        self
    }

    /// How bad a status is. Default: `ERROR` from 500 on, `WARN` from 400 on, else `INFO`.
    ///
    /// Of gRPC the code says it: `ERROR` where a server counts it as its own failure, `WARN` for all others but `OK`. An error
    /// of the service or of the body, and a panic, are an `ERROR`; a client that left is a `WARN`, unless its response was
    /// worse.
    #[must_use]
    pub fn levels(mut self, levels: impl Fn(StatusCode) -> Level + Send + Sync + 'static) -> Self {
        self.options_mut().levels = Arc::new(levels);
        self
    }

    /// The share of good exchanges, those below `WARN`, that are logged: from 0 to 1. Default: all.
    ///
    /// Whether one is logged follows from its trace's id, or from the randomness (`rv`) that `tracestate` has in its place
    /// where callers are [trusted](Self::trust) with all, so that of a trace all is logged or nothing, and its spans by the
    /// same rule. What is logged says in `sample_rate` how many it stands for.
    ///
    /// A stranger can make up ids that are always logged: only [`TrustIncoming::None`](crate::trace::TrustIncoming::None)
    /// leaves nothing to them.
    #[must_use]
    pub fn sample(mut self, share: f64) -> Self {
        self.options_mut().share = Share::new(share);
        self
    }

    /// Counts exchanges, and how long they took, in lines of its own that CloudWatch makes metrics of. Default: no, since
    /// CloudWatch bills them: [`Metrics`] says what they cost. They have no more series than the outbox's
    /// [budget](crate::outbox::Budget) has custom metrics for.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        if let Some(most) = self.lane().most_metrics() {
            metrics.cap(most);
        }
        self.options_mut().metrics = Some(metrics);
        self
    }

    /// Whether queries are logged, without the values that the [scrubber](Self::scrubber) takes for secrets. Default: no.
    #[must_use]
    pub fn query(mut self, is_logged: bool) -> Self {
        self.options_mut().query = is_logged;
        self
    }

    /// What keeps secrets in. Default: [`Scrubber::default`], whose lists are wide.
    #[must_use]
    pub fn scrubber(mut self, scrubber: Scrubber) -> Self {
        self.options_mut().scrubber = scrubber;
        self
    }

    /// How much of a client's address is logged. Default: all of it.
    #[must_use]
    pub fn addresses(mut self, policy: AddressPolicy) -> Self {
        self.options_mut().addresses = policy;
        self
    }

    server_setters! {
        propagation: "Which headers carry the trace. Default: `traceparent`.",
        trust: "What a caller may decide about the trace. Default: all.",
        hops: "How many proxies may say who the client is, and by which host and scheme it came. Default: none.",
        skip: "Leaves requests alone. Default: none."
    }

    pub(super) fn options(&self) -> &Arc<Options> {
        &self.options
    }

    fn options_mut(&mut self) -> &mut Options {
        Arc::make_mut(&mut self.options)
    }
}

impl<S> Layer<S> for CloudWatchLayer {
    type Service = Observe<S, Self>;

    fn layer(&self, inner: S) -> Observe<S, Self> {
        Observe::new(inner, self.clone())
    }
}
