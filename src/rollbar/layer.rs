use std::sync::Arc;

use http::StatusCode;
use tower_layer::Layer;

use super::{Api, ItemLane, Project, Reporter, options::Options, report::watch_panics};
use crate::{
    Error,
    exchange::{AddressPolicy, Code, HeaderNames},
    observe::{Observe, server_setters},
    outbox::Outbox,
    scrub::Scrubber,
};

/// A layer that reports every exchange that fails, once.
///
/// It goes onto any axum, hyper or tonic service, alone or with other layers of this crate, in any order. Of each exchange
/// that fails one item is sent, whatever of it failed: a service's error, an error that a handler
/// [left](crate::exchange::HandlerError), a status that counts, a panic, also one that was caught further in, a body that
/// broke. Who has [reported](super::report_error()) an error by hand has reported the exchange.
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use belvedere::{outbox::Outbox, rollbar::RollbarLayer};
///
/// let outbox = Outbox::builder().start()?;
/// let app: Router = Router::new()
///     .route("/carts/{id}", get(|| async { "a cart" }))
///     .layer(RollbarLayer::new("post_server_item token", &outbox)?.environment("production"));
/// # Ok::<_, belvedere::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RollbarLayer {
    options: Arc<Options>,
}

// ===== impl RollbarLayer =====

impl RollbarLayer {
    /// A layer with a project's access token of the scope `post_server_item`, which sends to Rollbar itself.
    ///
    /// # Errors
    ///
    /// When there is no token, or the process cannot do TLS. Whether Rollbar takes the token is known when it is used.
    #[track_caller]
    pub fn new(token: impl AsRef<str>, outbox: &Outbox) -> Result<Self, Error> {
        Ok(Self::on(ItemLane::new(outbox, Api::new(token.as_ref().parse()?))?))
    }

    /// A layer that sends by this lane.
    #[track_caller]
    pub fn on(lane: ItemLane) -> Self {
        Self { options: Arc::new(Options::new(Reporter::new(lane))) }
    }

    /// The environment: `production`, `staging`. Items of different ones are never merged. Default: `production`.
    #[must_use]
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.reporter_mut().environment = environment.into();
        self
    }

    /// The version of the code: a git SHA, a semantic version, or a number, as in the deploys that Rollbar is told. Default:
    /// none.
    #[must_use]
    pub fn code_version(mut self, version: impl Into<String>) -> Self {
        self.reporter_mut().code_version = Some(version.into());
        self
    }

    /// The framework: `axum`, `tonic`. Default: none.
    #[must_use]
    pub fn framework(mut self, framework: impl Into<String>) -> Self {
        self.reporter_mut().framework = Some(framework.into());
        self
    }

    /// The machine's name. Default: as the system has it.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.reporter_mut().host = Some(host.into());
        self
    }

    /// The branch of the code. Default: none, which Rollbar takes for `master`.
    #[must_use]
    pub fn branch(mut self, branch: impl Into<String>) -> Self {
        self.reporter_mut().branch = Some(branch.into());
        self
    }

    /// Where the program's own code is, so that its frames can be told from others'. Default: in the folder that it was built
    /// in. Where the build does not tell which that was, as without debug information, files of the workspace are named by
    /// their path in it, and Rollbar takes none for the program's own.
    #[must_use]
    pub fn project(mut self, project: Project) -> Self {
        self.reporter_mut().project = project;
        self
    }

    /// What keeps secrets in. Default: [`Scrubber::default`], whose lists are wide.
    #[must_use]
    pub fn scrubber(mut self, scrubber: Scrubber) -> Self {
        self.reporter_mut().scrubber = scrubber;
        self
    }

    /// Which statuses are failures. Default: those from 500 on.
    #[must_use]
    pub fn failures(mut self, fails: impl Fn(StatusCode) -> bool + Send + Sync + 'static) -> Self {
        self.options_mut().fails = Arc::new(fails);
        self
    }

    /// Which codes of gRPC are failures. Default: those that a server counts as its own,
    /// [`Code::is_server_error`].
    #[must_use]
    pub fn grpc_failures(mut self, fails: impl Fn(Code) -> bool + Send + Sync + 'static) -> Self {
        self.options_mut().grpc_fails = Arc::new(fails);
        self
    }

    /// How much of a client's address is sent. Default: all of it.
    #[must_use]
    pub fn addresses(mut self, policy: AddressPolicy) -> Self {
        self.options_mut().addresses = policy;
        self
    }

    /// The headers of requests that are sent, besides `host`, `user-agent`, `content-type`, `content-length` and `accept`.
    /// Default: none more.
    ///
    /// # Errors
    ///
    /// When a name is none that a header can have.
    pub fn request_headers<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        self.options_mut().headers = HeaderNames::new(HEADERS.into_iter().chain(names))?;
        Ok(self)
    }

    server_setters! {
        propagation: "Which headers carry the trace. Default: `traceparent`.",
        trust: "What a caller may decide about the trace. Default: all.",
        hops: "How many proxies may say who the client is, and by which host and scheme it came. Default: none.",
        skip: "Leaves requests alone. Default: none."
    }

    /// What reports outside of requests: with the same settings, by the same lane.
    pub fn reporter(&self) -> Reporter {
        self.options.reporter.clone()
    }

    pub(super) fn options(&self) -> &Arc<Options> {
        &self.options
    }

    fn options_mut(&mut self) -> &mut Options {
        Arc::make_mut(&mut self.options)
    }

    fn reporter_mut(&mut self) -> &mut super::reporter::Settings {
        self.options_mut().reporter.settings_mut()
    }
}

impl<S> Layer<S> for RollbarLayer {
    type Service = Observe<S, Self>;

    fn layer(&self, inner: S) -> Observe<S, Self> {
        watch_panics();
        Observe::new(inner, self.clone())
    }
}

/// The headers that are sent unless somebody says otherwise.
pub(super) const HEADERS: [&str; 5] = ["host", "user-agent", "content-type", "content-length", "accept"];
