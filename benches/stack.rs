//! What a request pays for being seen: the same service bare and layered, in process.
//!
//! `cargo bench --all-features --bench stack` times both, interleaved by criterion's groups, counts allocations, and
//! prints the ratio.

use std::{convert::Infallible, hint::black_box, sync::OnceLock, time::Duration};

use belvedere::{
    otel::{Ids, Metrics, OtelLayer, SpanLane},
    outbox::{Batch, Destination, Limits, Outbox, SendError},
};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
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

/// A request as a browser behind a proxy makes it: seven headers.
fn request() -> Request<Body> {
    Request::get("http://shop.example/carts/17?page=2")
        .header("host", "shop.example")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")
        .header("accept", "text/html,application/xhtml+xml")
        .header("accept-encoding", "gzip, deflate, br, zstd")
        .header("cookie", "session=0123456789abcdef")
        .header("x-forwarded-for", "192.0.2.1")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .body(Full::default())
        .unwrap()
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
    static PROVIDER: OnceLock<(Outbox, SdkTracerProvider)> = OnceLock::new();
    let make = || {
        let outbox = Outbox::builder().start().unwrap();
        let lane = SpanLane::new(&outbox, "nowhere", Nowhere);
        (outbox, SdkTracerProvider::builder().with_id_generator(Ids).with_span_processor(lane).build())
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

fn stack(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut group = criterion.benchmark_group("stack");
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    let mut bare = service_fn(handle);
    group.bench_function("bare", |bencher| {
        bencher.iter_batched(
            request,
            |request| runtime.block_on(exchange(&mut bare, request)),
            BatchSize::SmallInput,
        );
    });
    let mut skipped = layer().skip(|_| true).layer(service_fn(handle));
    group.bench_function("skipped", |bencher| {
        bencher.iter_batched(
            request,
            |request| runtime.block_on(exchange(&mut skipped, request)),
            BatchSize::SmallInput,
        );
    });
    let mut layered = layer().layer(service_fn(handle));
    group.bench_function("spans", |bencher| {
        bencher.iter_batched(
            request,
            |request| runtime.block_on(exchange(&mut layered, request)),
            BatchSize::SmallInput,
        );
    });
    let mut measured = measured().layer(service_fn(handle));
    group.bench_function("spans and metrics", |bencher| {
        bencher.iter_batched(
            request,
            |request| runtime.block_on(exchange(&mut measured, request)),
            BatchSize::SmallInput,
        );
    });
    group.finish();
    summary(&runtime);
}

/// What one exchange costs: nanoseconds, and allocations.
#[derive(Clone, Copy)]
struct Cost(u128, u64);

/// Time and allocations side by side, in alternating rounds, so that a busy machine slows all alike.
fn summary(runtime: &Runtime) {
    let mut bare = service_fn(handle);
    let mut layered = layer().layer(service_fn(handle));
    let mut measured = measured().layer(service_fn(handle));
    let mut times = [Duration::MAX; 3];
    for _ in 0..ROUNDS {
        times[0] = times[0].min(time(runtime, &mut bare));
        times[1] = times[1].min(time(runtime, &mut layered));
        times[2] = times[2].min(time(runtime, &mut measured));
    }
    let counts = [
        allocations(runtime, &mut bare),
        allocations(runtime, &mut layered),
        allocations(runtime, &mut measured),
    ];
    let cost = |index: usize| Cost(times[index].as_nanos() / u128::from(EXCHANGES), counts[index]);
    println!("\n| one exchange | ns | over bare | ratio | allocations | over bare |");
    println!("|---|--:|--:|--:|--:|--:|");
    line("bare", cost(0), cost(0));
    line("with spans", cost(1), cost(0));
    line("with spans and metrics", cost(2), cost(0));
    println!();
}

fn line(name: &str, Cost(nanos, allocations): Cost, bare: Cost) {
    let ratio = nanos as f64 / bare.0 as f64;
    let (slower, more) = (nanos.saturating_sub(bare.0), allocations - bare.1);
    println!("| {name} | {nanos} | {slower} | {ratio:.1} | {allocations} | {more} |");
}

/// How much a warm service allocates for one exchange.
fn allocations<S, B>(runtime: &Runtime, service: &mut S) -> u64
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error = Infallible>,
{
    let mut one = Some(request());
    let measured = allocation_counter::measure(|| {
        runtime.block_on(exchange(service, one.take().unwrap()));
    });
    measured.count_total
}

#[expect(clippy::disallowed_types, reason = "here the real clock is the point")]
fn time<S, B>(runtime: &Runtime, service: &mut S) -> Duration
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error = Infallible>,
{
    let requests: Vec<_> = (0..EXCHANGES).map(|_| request()).collect();
    let started = std::time::Instant::now();
    runtime.block_on(async {
        for request in requests {
            exchange(service, request).await;
        }
    });
    started.elapsed()
}

const ROUNDS: usize = 20;
const EXCHANGES: u32 = 2_000;

criterion_group!(benches, stack);
criterion_main!(benches);
