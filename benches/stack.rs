//! What a request pays for being seen: the same service bare and layered, in process.
//!
//! `cargo bench --all-features --bench stack` times both, interleaved by criterion's groups, counts allocations, and
//! prints the ratio. For instructions, run the binary under `valgrind --tool=callgrind --separate-threads=yes` with the name
//! of a case in `CASE` and two counts in `EXCHANGES`, and divide the difference of the first thread's.

use std::{convert::Infallible, env, hint::black_box, sync::OnceLock, time::Duration};

use aws_credential_types::Credentials;
use belvedere::{
    aws::{Client, Service as Of},
    cloudwatch::{self, CloudWatchLayer, LogLane},
    exchange::HandlerError,
    observe::ObserveLayer,
    otel::{Ids, Metrics, OtelLayer, Otlp, SpanLane, TracerProvider},
    outbox::{Batch, Destination, Limits, Outbox, SendError},
    rollbar::{self, Api, ItemLane, RollbarLayer},
    xray::{self, Daemon, Sampler, SegmentLane, XRayLayer},
};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use opentelemetry_sdk::{
    metrics::{InMemoryMetricExporter, SdkMeterProvider},
    trace::{SdkTracerProvider, SpanData},
};
use tokio::runtime::Runtime;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

type Body = Full<Bytes>;

async fn handle(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    black_box(request);
    Ok(Response::new(Full::from("hello")))
}

/// The same in a subsegment.
async fn capture(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    xray::capture("load", handle(request)).await
}

/// The same with three facts.
async fn annotate(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    xray::annotate("cart", 17);
    xray::annotate("is_gift", true);
    xray::annotate("owner", "worf");
    handle(request).await
}

/// A failed response, and nothing else.
async fn refuse(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    black_box(request);
    let mut response = Response::new(Full::from("broken"));
    *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
    Ok(response)
}

/// A panic that is caught.
async fn burn(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let caught = std::panic::catch_unwind(|| panic!("the disk is on fire"));
    black_box(caught).map_or_else(|_| (), |never: Infallible| match never {});
    refuse(request).await
}

/// An error with a cause in a failed response.
async fn fail(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    black_box(request);
    let mut response = Response::new(Full::from("broken"));
    *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
    response.extensions_mut().insert(HandlerError::new(std::io::Error::other("the disk is gone")));
    Ok(response)
}

/// An error reported by hand, with the stack.
async fn report(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    rollbar::report_error(&std::io::Error::other("the disk is gone"));
    handle(request).await
}

/// A request as a browser behind a proxy makes it: six headers.
fn request() -> Request<Body> {
    Request::get("http://shop.example/carts/17?page=2")
        .header("host", "shop.example")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")
        .header("accept", "text/html,application/xhtml+xml")
        .header("accept-encoding", "gzip, deflate, br, zstd")
        .header("cookie", "session=0123456789abcdef")
        .header("x-forwarded-for", "192.0.2.1")
        .body(Full::default())
        .unwrap()
}

/// One that is in a trace.
fn traced() -> Request<Body> {
    with("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
}

/// One in a trace that is not recorded.
fn untraced() -> Request<Body> {
    with("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
}

/// One that X-Ray records.
fn sampled() -> Request<Body> {
    with("x-amzn-trace-id", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1")
}

/// One that X-Ray does not record.
fn unsampled() -> Request<Body> {
    with("x-amzn-trace-id", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=0")
}

/// One that leaves it to the service, as a load balancer does.
fn undecided() -> Request<Body> {
    with("x-amzn-trace-id", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736")
}

fn with(name: &'static str, value: &'static str) -> Request<Body> {
    let mut request = request();
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

async fn exchange<S, B>(service: &mut S, request: Request<Body>)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error = Infallible>,
{
    let response = service.ready().await.unwrap().call(request).await.unwrap();
    black_box(response.into_body().collect().await.unwrap());
}

/// A layer whose spans go through a lane to a backend that takes everything at once: what is measured is the request's
/// own part.
fn layer() -> OtelLayer {
    static PROVIDER: OnceLock<(Outbox, TracerProvider)> = OnceLock::new();
    let make = || {
        let outbox = Outbox::builder().start().unwrap();
        let lane = SpanLane::new(&outbox, "nowhere", Nowhere);
        (outbox, TracerProvider::builder().processor(lane).build())
    };
    OtelLayer::new().tracer_provider(&PROVIDER.get_or_init(make).1)
}

/// The same with the SDK's own provider.
fn sdk() -> OtelLayer {
    static PROVIDER: OnceLock<(Outbox, SdkTracerProvider)> = OnceLock::new();
    let make = || {
        let outbox = Outbox::builder().start().unwrap();
        let lane = SpanLane::new(&outbox, "nowhere", Nowhere);
        (outbox, SdkTracerProvider::builder().with_id_generator(Ids).with_span_processor(lane).build())
    };
    OtelLayer::new().tracer_provider(&PROVIDER.get_or_init(make).1)
}

/// The same through OTLP, for a server that nobody reaches: what is encoded, and no more.
fn encoded() -> OtelLayer {
    static PROVIDER: OnceLock<(Outbox, TracerProvider)> = OnceLock::new();
    let make = || {
        let outbox = Outbox::builder().start().unwrap();
        let otlp = Otlp::new("http://192.0.2.1/v1/traces".parse().unwrap()).gzip(false);
        let lane = SpanLane::otlp(&outbox, otlp).unwrap();
        (outbox, TracerProvider::builder().processor(lane).build())
    };
    OtelLayer::new().tracer_provider(&PROVIDER.get_or_init(make).1)
}

/// The same, and metrics that are collected once a minute.
fn measured() -> OtelLayer {
    static PROVIDER: OnceLock<SdkMeterProvider> = OnceLock::new();
    let exporter = InMemoryMetricExporter::default();
    let make = || SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
    layer().metrics(Metrics::new(PROVIDER.get_or_init(make)).active_requests(true))
}

/// A layer whose segments wait in a lane that is full, where each makes room for the next: what is measured is the
/// request's own part, and the end of an earlier segment.
fn segments() -> XRayLayer {
    static LANE: OnceLock<(Outbox, SegmentLane)> = OnceLock::new();
    let make = || {
        let outbox = Outbox::builder().start().unwrap();
        let never = Limits::default().records(usize::MAX).bytes(usize::MAX).age(Duration::MAX);
        let daemon = Daemon::default().limits(never.queue_records(1_000));
        let lane = SegmentLane::daemon(&outbox, daemon);
        (outbox, lane)
    };
    XRayLayer::on("shop", LANE.get_or_init(make).1.clone())
}

/// A layer whose items wait in a lane that is full, for a server that nobody reaches: what is measured is the request's
/// own part, and the end of an earlier item.
fn items(limit: Option<u32>) -> RollbarLayer {
    static OUTBOX: OnceLock<Outbox> = OnceLock::new();
    let outbox = OUTBOX.get_or_init(|| Outbox::builder().start().unwrap());
    let api = Api::new("a-token".parse().unwrap()).endpoint("http://192.0.2.1/".parse().unwrap());
    RollbarLayer::on(ItemLane::limited(outbox, api, limit, limit).unwrap())
}

/// A layer whose records wait in a lane that is full, for a server that nobody reaches: what is measured is the request's
/// own part, and the end of an earlier record.
fn records() -> CloudWatchLayer {
    static LANE: OnceLock<(Outbox, LogLane)> = OnceLock::new();
    let make = || {
        let outbox = Outbox::builder().start().unwrap();
        let keys = Credentials::new("id", "secret", None, None, "bench");
        let client = Client::builder(Of::LOGS, "eu-west-1".parse().unwrap(), keys);
        let client = client.endpoint("http://192.0.2.1/".parse().unwrap()).build().unwrap();
        let never = Limits::default().records(usize::MAX).bytes(usize::MAX).age(Duration::MAX);
        let api = cloudwatch::Api::new(client, "/shop/bench".parse().unwrap());
        let lane = LogLane::new(&outbox, api.limits(never.queue_records(1_000)));
        (outbox, lane)
    };
    CloudWatchLayer::on(LANE.get_or_init(make).1.clone())
}

struct Nowhere;

impl Destination for Nowhere {
    type Record = SpanData;

    fn limits(&self) -> Limits {
        Limits::default().queue_records(1 << 20).queue_bytes(1 << 30)
    }

    fn size(&self, _: &SpanData) -> usize {
        1
    }

    async fn send(&self, _: Batch<SpanData>) -> Result<(), SendError<SpanData>> {
        Ok(())
    }
}

/// A service, and what it is asked.
struct Case {
    name: &'static str,
    request: fn() -> Request<Body>,
    serve: Box<Serve>,
}

type Requests = Vec<Request<Body>>;
type Serve = dyn FnMut(&Runtime, Requests);

// ===== impl Case =====

impl Case {
    fn new<S, B>(name: &'static str, request: fn() -> Request<Body>, mut service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + 'static,
        B: http_body::Body<Data = Bytes, Error = Infallible>,
    {
        let serve = move |runtime: &Runtime, requests: Requests| {
            runtime.block_on(async {
                for request in requests {
                    exchange(&mut service, request).await;
                }
            });
        };
        Self { name, request, serve: Box::new(serve) }
    }

    fn all() -> Vec<Self> {
        let (bare, spans) = (service_fn(handle), layer().layer(service_fn(handle)));
        let none = Sampler::none;
        vec![
            Self::new("bare", traced, bare),
            Self::new("skipped", traced, layer().skip(|_| true).layer(bare)),
            Self::new("spans", traced, spans.clone()),
            Self::new("spans, not by the caller", untraced, spans.clone()),
            Self::new("spans, encoded", traced, encoded().layer(bare)),
            Self::new("spans of the SDK", traced, sdk().layer(bare)),
            Self::new("spans and metrics", traced, measured().layer(bare)),
            Self::new("segments, skipped", sampled, segments().skip(|_| true).layer(bare)),
            Self::new("segments", sampled, segments().layer(bare)),
            Self::new("segments, not by the caller", unsampled, segments().layer(bare)),
            Self::new("segments, not by the sampler", undecided, segments().sample(none()).layer(bare)),
            Self::new("segments with a capture", sampled, segments().layer(service_fn(capture))),
            Self::new("segments with three annotations", sampled, segments().layer(service_fn(annotate))),
            Self::new("segments and spans", sampled, segments().layer(spans)),
            Self::new(
                "segments and spans in one",
                sampled,
                ObserveLayer::new((segments(), layer())).layer(bare),
            ),
            Self::new("items, none", traced, items(None).layer(bare)),
            Self::new("an item of a failure", traced, items(None).layer(service_fn(fail))),
            Self::new(
                "items, segments and spans in one, none",
                sampled,
                ObserveLayer::new((segments(), layer(), items(None))).layer(bare),
            ),
            Self::new(
                "items, segments and spans in one, a failure",
                sampled,
                ObserveLayer::new((segments(), layer(), items(None))).layer(service_fn(fail)),
            ),
            Self::new("records, skipped", traced, records().skip(|_| true).layer(bare)),
            Self::new("records, none of the good", traced, records().sample(0.0).layer(bare)),
            Self::new("records", traced, records().layer(bare)),
            Self::new("records with three annotations", traced, records().layer(service_fn(annotate))),
            Self::new(
                "records and metrics",
                traced,
                records().metrics(cloudwatch::Metrics::new("Shop").unwrap()).layer(bare),
            ),
            Self::new("a record of a failure", traced, records().layer(service_fn(fail))),
            Self::new(
                "all four in one",
                sampled,
                ObserveLayer::new((segments(), layer(), items(None), records())).layer(bare),
            ),
            Self::new(
                "all four in one, a failure",
                sampled,
                ObserveLayer::new((segments(), layer(), items(None), records())).layer(service_fn(fail)),
            ),
            Self::new("a panic, caught", traced, service_fn(burn)),
            Self::new("an item of a panic, caught", traced, items(None).layer(service_fn(burn))),
            Self::new("an item of a status", traced, items(None).layer(service_fn(refuse))),
            Self::new("an item by hand", traced, items(None).layer(service_fn(report))),
            Self::new("an item that is left out", traced, items(Some(1)).layer(service_fn(fail))),
        ]
    }

    /// How much it allocates for one exchange, once it is warm.
    fn allocations(&mut self, runtime: &Runtime) -> u64 {
        let mut one = Some(vec![(self.request)()]);
        allocation_counter::measure(|| (self.serve)(runtime, one.take().unwrap())).count_total
    }

    #[expect(clippy::disallowed_types, reason = "here the real clock is the point")]
    fn time(&mut self, runtime: &Runtime) -> Duration {
        let requests = (0..EXCHANGES).map(|_| (self.request)()).collect();
        let started = std::time::Instant::now();
        (self.serve)(runtime, requests);
        started.elapsed()
    }
}

fn stack(criterion: &mut Criterion) {
    // What it writes would cost more than what is measured.
    std::panic::set_hook(Box::new(|_| ()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut group = criterion.benchmark_group("stack");
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    for Case { name, request, mut serve } in Case::all() {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || vec![request()],
                |requests| serve(&runtime, requests),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    summary(&runtime);
}

/// Time and allocations side by side, in alternating rounds, so that a busy machine slows all alike.
fn summary(runtime: &Runtime) {
    let mut cases = Case::all();
    let mut times = vec![Duration::MAX; cases.len()];
    for _ in 0..ROUNDS {
        for (case, time) in cases.iter_mut().zip(&mut times) {
            *time = case.time(runtime).min(*time);
        }
    }
    println!("\n| one exchange | ns | over bare | ratio | allocations | over bare |");
    println!("|---|--:|--:|--:|--:|--:|");
    let mut bare = None;
    for (case, time) in cases.iter_mut().zip(times) {
        let cost = Cost(time.as_nanos() / u128::from(EXCHANGES), case.allocations(runtime));
        line(case.name, cost, *bare.get_or_insert(cost));
    }
    println!();
}

/// What one exchange costs: nanoseconds, and allocations.
#[derive(Clone, Copy)]
struct Cost(u128, u64);

fn line(name: &str, Cost(nanos, allocations): Cost, bare: Cost) {
    let ratio = nanos as f64 / bare.0 as f64;
    let (slower, more) = (nanos.saturating_sub(bare.0), allocations - bare.1);
    println!("| {name} | {nanos} | {slower} | {ratio:.1} | {allocations} | {more} |");
}

/// One case alone, for callgrind.
fn run(name: &str, exchanges: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let case = Case::all().into_iter().find(|case| case.name == name);
    let Case { request, mut serve, .. } = case.expect("a case of this name");
    serve(&runtime, (0..exchanges).map(|_| request()).collect());
}

fn main() {
    match (env::var("CASE"), env::var("EXCHANGES")) {
        (Ok(case), Ok(count)) => run(&case, count.parse().expect("a number")),
        _ => {
            benches();
            Criterion::default().configure_from_args().final_summary();
        }
    }
}

const ROUNDS: usize = 20;
const EXCHANGES: u32 = 2_000;

criterion_group!(benches, stack);
