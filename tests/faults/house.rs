//! A service whose exchanges go to one backend, by the layer and the lane that users have: by memory alone, or by the
//! disk.

#![allow(dead_code, reason = "each test uses a part of it")]

#[path = "../support/folder.rs"]
pub(crate) mod folder;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_credential_types::Credentials;
use belvedere::{
    aws,
    cloudwatch::{self, CloudWatchLayer, Format, LogLane},
    otel::{Ids, OtelLayer, Otlp, SpanLane},
    outbox::{LaneReport, Limits, Outbox, OutboxEvent, Spool},
    rollbar::{self, ItemLane, RollbarLayer},
    xray::{self, Sampler, SegmentLane, XRayLayer},
};
use futures_util::FutureExt as _;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use opentelemetry::{KeyValue, trace::get_active_span};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};
use tower::{Layer, Service, ServiceExt as _, service_fn, util::ServiceFn};

use self::folder::Folder;
use super::backend::{
    Backend, Called,
    dialect::{Kind, ORIGIN, TOKEN},
    oracle::{Oracle, Verdict},
};

/// Where the records of a lane wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    Memory,
    Spool,
}

/// A backend, and where what it does not take waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) mode: Mode,
}

/// The service, its outbox, and the double behind it.
pub(crate) struct House {
    pub(crate) backend: Backend,
    pub(crate) outbox: Outbox,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) exchanges: Exchanges,
    /// The spool's, if there is one.
    pub(crate) folder: Option<Folder>,
    is_apart: bool,
    kind: Kind,
    told: Arc<Mutex<Vec<Told>>>,
}

/// How a lane is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) mode: Mode,
    pub(crate) limits: Limits,
    /// How long one request may take.
    pub(crate) timeout: Duration,
}

/// Serves one exchange on a path, whose handler has so many bytes to say.
#[derive(Clone)]
pub(crate) struct Exchanges(Arc<Serve>);

type Serve = dyn Fn(&str, usize) + Send + Sync;

/// What the outbox told, and when.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) at: Instant,
    pub(crate) event: OutboxEvent,
}

/// What was left of a house.
pub(crate) struct End {
    pub(crate) kind: Kind,
    pub(crate) report: LaneReport,
    pub(crate) verdict: Verdict,
    pub(crate) calls: Vec<Called>,
    /// How many records were stored whose sender was not told.
    pub(crate) unanswered: u64,
}

// ===== impl Case =====

impl Case {
    /// Each backend, with and without a disk.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::of(&Kind::ALL)
    }

    /// Each of these, with and without a disk.
    pub(crate) fn of(kinds: &[Kind]) -> impl Iterator<Item = Self> {
        let both = |kind| [Mode::Memory, Mode::Spool].map(|mode| Self { kind, mode });
        kinds.iter().copied().flat_map(both)
    }

    /// Each backend, with a disk.
    pub(crate) fn spooled() -> impl Iterator<Item = Self> {
        Self::all().filter(|case| case.mode == Mode::Spool)
    }
}

impl From<Kind> for Case {
    fn from(kind: Kind) -> Self {
        Self { kind, mode: Mode::Memory }
    }
}

// ===== impl Plan =====

impl Plan {
    /// Many small requests, room for all that is pushed here, and time for all that goes wrong.
    pub(crate) fn of(case: impl Into<Case>) -> Self {
        let Case { kind, mode } = case.into();
        let limits = Limits::default().records(25).queue_records(200_000).queue_bytes(1 << 30);
        Self { kind, mode, limits: limits.retry_for(LONG), timeout: Duration::from_secs(10) }
    }

    pub(crate) fn limits(self, limits: impl FnOnce(Limits) -> Limits) -> Self {
        Self { limits: limits(self.limits), ..self }
    }

    /// The layer with its lane.
    pub(crate) fn exchanges(&self, outbox: &Outbox, backend: SocketAddr) -> Exchanges {
        let Self { kind, limits, timeout, .. } = *self;
        let url = |path: &str| format!("http://{backend}{path}").parse().unwrap();
        let client = |service| {
            let keys = Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI", None, None, "test");
            let client = aws::Client::builder(service, "eu-west-1".parse().unwrap(), keys);
            client.endpoint(url("")).timeout(timeout).build().unwrap()
        };
        match kind {
            Kind::Otlp => {
                let otlp = Otlp::new(url("/v1/traces")).limits(limits).timeout(timeout);
                let lane = SpanLane::otlp(outbox, otlp).unwrap();
                let provider = SdkTracerProvider::builder().with_id_generator(Ids).with_span_processor(lane);
                serve(&OtelLayer::new().tracer_provider(&provider.build()))
            }
            Kind::XRay => {
                let api = xray::Api::new(client(aws::Service::XRAY)).limits(limits);
                serve(&XRayLayer::on("shop", SegmentLane::api(outbox, api)).sample(Sampler::all()))
            }
            Kind::Rollbar => {
                let api = rollbar::Api::new(TOKEN.parse().unwrap()).endpoint(url("/api/1/item/"));
                let api = api.limits(limits).timeout(timeout);
                serve(&RollbarLayer::on(ItemLane::limited(outbox, api, None, None).unwrap()))
            }
            Kind::CloudWatch => {
                let api = cloudwatch::Api::new(client(aws::Service::LOGS), "/shop".parse().unwrap());
                let lane = LogLane::new(outbox, api.limits(limits)).stream("web-1".parse().unwrap());
                let format = Format::of(|record| record.path.to_string());
                serve(&CloudWatchLayer::on(lane).format(format))
            }
        }
    }
}

// ===== impl House =====

impl House {
    /// On the paused time of the test, with the double.
    pub(crate) async fn open(case: impl Into<Case>) -> Self {
        Self::of(Plan::of(case)).await
    }

    pub(crate) async fn of(plan: Plan) -> Self {
        let house = Self::to(plan, Backend::here().await, Outbox::builder().runtime(Handle::current()));
        Self { is_apart: false, ..house }
    }

    /// On threads of their own.
    pub(crate) async fn apart(plan: Plan) -> Self {
        Self::to(plan, Backend::start().await, Outbox::builder())
    }

    fn to(plan: Plan, backend: Backend, outbox: belvedere::outbox::Builder) -> Self {
        let folder = (plan.mode == Mode::Spool).then(Folder::new);
        let outbox = match &folder {
            Some(folder) => outbox.spool(Spool::new(folder.path()).bytes(1 << 30)),
            None => outbox,
        };
        let told = Arc::<Mutex<Vec<Told>>>::default();
        let heard = told.clone();
        let hear = move |event: &OutboxEvent| {
            heard.lock().unwrap().push(Told { at: Instant::now(), event: event.clone() });
        };
        let outbox = outbox.events(hear).start().unwrap();
        let exchanges = plan.exchanges(&outbox, backend.address);
        Self {
            backend,
            outbox,
            oracle: Arc::default(),
            exchanges,
            folder,
            is_apart: true,
            kind: plan.kind,
            told,
        }
    }

    /// Serves so many exchanges, of which each is a record.
    pub(crate) fn push(&self, count: usize) {
        (0..count).for_each(|_| self.exchanges.serve(&self.oracle.next()));
    }

    /// Serves so many, and waits until nothing of it is on its way.
    pub(crate) async fn send(&self, count: usize) {
        self.push(count);
        assert!(self.outbox.flush(LONG).await, "{:?}", self.outbox.report());
    }

    /// All that it told.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// What it told of batches that wait: when, and why.
    pub(crate) fn retries(&self) -> Vec<(Instant, String)> {
        let told = self.told();
        let retry = |Told { at, event }| match event {
            OutboxEvent::Retrying { reason, .. } => Some((at, reason.phrase().to_owned())),
            _ => None,
        };
        told.into_iter().filter_map(retry).collect()
    }

    pub(crate) fn report(&self) -> LaneReport {
        self.outbox.report().lanes.remove(0)
    }

    pub(crate) async fn close(self) -> End {
        self.close_within(LONG).await
    }

    /// What the oracle finds and what the books say is the same, but for what the backend is not known to have.
    pub(crate) async fn close_within(self, limit: Duration) -> End {
        let Self { backend, outbox, oracle, kind, folder, is_apart, .. } = self;
        let report = outbox.shutdown(limit).await.lanes.remove(0);
        let (books, told) = (backend.books(kind), format!("{kind:?}: {report}"));
        let verdict = oracle.judge(&books);
        assert_eq!(report.accepted, oracle.issued(), "{told}");
        assert_eq!(report.accepted, report.delivered + report.lost(), "{told}");
        assert_eq!((report.waiting, report.spooled), (0, 0), "{told}");
        assert!(report.lost() >= verdict.lost.len() as u64, "{told}: {:?}", verdict.lost);
        verdict.assert_true(&told);
        drop(outbox);
        // The thread of an outbox does not wait for its last calls to the disk: the next one clears away what is left.
        if let (Some(folder), false) = (&folder, is_apart) {
            assert!(is_empty_soon(folder).await, "{told}: something is left on the disk");
        }
        let (calls, unanswered) = (backend.calls(), backend.unanswered());
        End { kind, report, verdict, calls, unanswered }
    }
}

// ===== impl Exchanges =====

impl Exchanges {
    pub(crate) fn serve(&self, path: &str) {
        (self.0)(path, 0);
    }

    pub(crate) fn serve_saying(&self, path: &str, bytes: usize) {
        (self.0)(path, bytes);
    }
}

// ===== impl End =====

impl End {
    /// All arrived once.
    #[track_caller]
    pub(crate) fn assert_exact(&self) {
        self.assert_whole();
        assert_eq!(self.verdict.doubles(), 0, "{:?}: {:?}", self.kind, self.verdict.doubled);
    }

    /// None is lost, and only what was never confirmed came again.
    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        self.assert_lost(&[]);
        let (doubles, unanswered) = (self.verdict.doubles(), self.unanswered);
        assert!(doubles <= unanswered, "{:?}: {doubles} doubled of {unanswered} in doubt", self.kind);
    }

    /// So many are lost for these reasons, as the books say and as the oracle finds.
    #[track_caller]
    pub(crate) fn assert_lost(&self, lost: &[(&str, u64)]) {
        let told: Vec<_> = self.report.lost.iter().map(|(reason, count)| (&**reason, *count)).collect();
        assert_eq!(told, lost, "{:?}: {}", self.kind, self.report);
        let found = self.verdict.lost.len() as u64;
        assert_eq!(found, self.report.lost(), "{:?}: {:?}", self.kind, self.verdict.lost.first());
    }
}

/// Waits until the last calls to the disk are over, and says whether nothing is left of the spool.
async fn is_empty_soon(folder: &Folder) -> bool {
    for _ in 0..1_000 {
        if folder.entries() == 0 {
            return true;
        }
        sleep(Duration::from_millis(5)).await;
    }
    false
}

/// A service below a layer, which fails, so that every backend has something to tell.
fn serve<L>(layer: &L) -> Exchanges
where
    L: Layer<Failing>,
    L::Service: Service<Request<Body>, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static,
{
    let service = layer.layer(service_fn(fail as _));
    Exchanges(Arc::new(move |path, bytes| {
        let mut request = Request::get(format!("{ORIGIN}{path}")).body(Body::new()).unwrap();
        request.extensions_mut().insert(Saying(bytes));
        let response = service.clone().oneshot(request).now_or_never();
        drop(response.expect("it awaits nothing").unwrap());
    }))
}

fn fail(request: Request<Body>) -> Ready<Result<Response<Body>, Infallible>> {
    if let Some(Saying(bytes @ 1..)) = request.extensions().get() {
        let said = "é".repeat(bytes / 2) + &"e".repeat(bytes % 2);
        xray::metadata("tests", "said", &said);
        get_active_span(|span| span.set_attribute(KeyValue::new("said", said.clone())));
        let error = std::io::Error::other("said");
        rollbar::Report::error(&error).custom("said", said).send();
    }
    let mut response = Response::new(Body::new());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    ready(Ok(response))
}

type Body = Empty<&'static [u8]>;
type Failing = ServiceFn<fn(Request<Body>) -> Ready<Result<Response<Body>, Infallible>>>;

#[derive(Clone)]
struct Saying(usize);

pub(crate) const LONG: Duration = Duration::from_secs(24 * 60 * 60);
