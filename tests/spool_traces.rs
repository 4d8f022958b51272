//! Spans, log records and segments that go by the disk: an outage, and the next process. Over real sockets.
#![cfg(all(feature = "otel", feature = "xray", feature = "spool"))]

#[path = "support/aws.rs"]
mod aws;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/folder.rs"]
mod folder;
mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    fs::{self, File},
    future::{Ready, ready},
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws::{Endpoint, Received, answer, refusal};
use aws_credential_types::Credentials;
use belvedere::{
    aws::{Client, Service as Aws},
    exchange::Query,
    otel::{Ids, LogLane, OtelLayer, Otlp, SpanLane},
    outbox::{Batch, Codec, Destination, Outbox, SendError, Spool},
    xray::{self, Api, Sampler, SegmentLane, XRayLayer},
};
use daemon::Daemon;
use folder::Folder;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use opentelemetry::{
    InstrumentationScope, KeyValue, StringValue, TraceFlags, Value,
    logs::{LogRecord as _, Logger as _, LoggerProvider as _},
    trace::{Link, Span as _, SpanContext, SpanKind, Status, Tracer as _, TracerProvider as _},
};
use opentelemetry_proto::tonic::{collector::logs::v1::ExportLogsServiceRequest, trace::v1::Span};
use opentelemetry_sdk::{
    Resource,
    logs::SdkLoggerProvider,
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};
use prost::Message as _;
use serde_json::Value as Any;
use support::{
    Script,
    sink::{Sink, text},
};
use tower::{Layer, Service, ServiceExt as _, service_fn, util::ServiceFn};

fn open(folder: &Folder) -> Outbox {
    Outbox::builder().spool(Spool::new(folder.path())).start().unwrap()
}

/// Ends an outbox whose backend takes nothing: all of it is on the disk, and none of it is a secret.
async fn leave(outbox: Outbox, folder: &Folder, spooled: u64) {
    let report = outbox.shutdown(Duration::from_secs(1)).await;
    let lane = &report.lanes[0];
    assert_eq!((lane.spooled, lane.delivered, lane.waiting, lane.lost()), (spooled, 0, 0, 0), "{report}");
    drop(outbox);
    released(folder).await;
    let bytes = String::from_utf8_lossy(&folder.bytes()).into_owned();
    assert!(bytes.len() > 100 && !bytes.contains(SECRET), "{bytes}");
}

/// Waits until an outbox that is gone has made its last calls to the disk, and its folder is there to be adopted.
async fn released(folder: &Folder) {
    let locks = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path().join("lock"));
    for _ in 0..1000 {
        if locks().all(|lock| File::open(lock).unwrap().try_lock().is_ok()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the folder should be given up");
}

/// Ends an outbox whose backend is well: what was left is delivered, and nothing is lost.
async fn deliver(outbox: Outbox, delivered: u64) {
    assert!(outbox.flush(PATIENCE).await, "{}", outbox.report());
    let report = outbox.shutdown(PATIENCE).await;
    let lane = &report.lanes[0];
    assert_eq!((lane.delivered, lane.spooled, lane.lost()), (delivered, 0, 0), "{report}");
}

/// Waits until what the one before it left is this outbox's.
async fn adopted(outbox: &Outbox, records: u64) {
    for _ in 0..1000 {
        if outbox.report().lanes[0].accepted >= records {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{records} should have been adopted: {}", outbox.report());
}

/// One exchange with secrets in it.
async fn serve<L, S, B>(layer: &L)
where
    L: Layer<Answers, Service = S>,
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let answers: Answers = service_fn(|_| ready(Ok(Response::new(Script::new().data("ok").last()))));
    let request = Request::get(format!("http://shop.example/carts?page=2&token={SECRET}"));
    let request = request.header("user-agent", format!("Bearer {SECRET}")).body(()).unwrap();
    layer.layer(answers).oneshot(request).await.unwrap().into_body().collect().await.unwrap();
}

type Answers = ServiceFn<fn(Request<()>) -> Ready<Result<Response<Script>, Infallible>>>;

// ===== spans =====

fn otlp(sink: &Sink, signal: &str) -> Otlp {
    let key = (HeaderName::from_static("x-honeycomb-team"), HeaderValue::from_static(SECRET));
    Otlp::new(format!("{}/v1/{signal}", sink.base()).parse().unwrap()).header(key.0, key.1)
}

fn resource() -> Resource {
    Resource::builder_empty().with_service_name("shop").build()
}

/// A provider whose spans go to a lane, and what they were.
struct Traced {
    provider: SdkTracerProvider,
    exporter: InMemorySpanExporter,
}

// ===== impl Traced =====

impl Traced {
    fn new(lane: SpanLane) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_id_generator(Ids)
            .with_resource(resource())
            .with_span_processor(lane)
            .with_simple_exporter(exporter.clone())
            .build();
        Self { provider, exporter }
    }

    fn otlp(outbox: &Outbox, sink: &Sink) -> Self {
        Self::new(SpanLane::otlp(outbox, otlp(sink, "traces")).unwrap())
    }

    fn layer(&self) -> OtelLayer {
        OtelLayer::new().tracer_provider(&self.provider).query(Query::Conventional)
    }

    /// A span with something of everything.
    fn whole(&self) {
        let scope = InstrumentationScope::builder("shop")
            .with_version("1.0")
            .with_attributes([KeyValue::new("a", 1)]);
        let linked = SpanContext::new(1.into(), 2.into(), TraceFlags::SAMPLED, true, "a=b".parse().unwrap());
        let tracer = self.provider.tracer_with_scope(scope.build());
        let builder = tracer
            .span_builder("whole")
            .with_kind(SpanKind::Producer)
            .with_links(vec![Link::new(linked, vec![KeyValue::new("why", "because")], 0)])
            .with_attributes([
                KeyValue::new("flag", true),
                KeyValue::new("number", 0.1),
                KeyValue::new("numbers", Value::Array(vec![1, 2].into())),
                KeyValue::new("texts", Value::Array(vec![StringValue::from("a")].into())),
            ]);
        let mut span = tracer.build(builder);
        span.add_event("placed", vec![KeyValue::new("order", 7)]);
        span.set_status(Status::error("no stock"));
        span.end();
    }

    fn spans(&self) -> Vec<SpanData> {
        self.exporter.get_finished_spans().unwrap()
    }
}

#[tokio::test]
async fn spans_that_a_collector_refuses_are_sent_once_by_the_next_process_as_they_were() {
    let (folder, sink) = (Folder::new(), Sink::start());
    sink.always(503);
    let outbox = open(&folder);
    let traced = Traced::otlp(&outbox, &sink);
    traced.whole();
    for _ in 0..40 {
        serve(&traced.layer()).await;
    }
    leave(outbox, &folder, 41).await;

    sink.always(200).forget();
    let outbox = open(&folder);
    let _traced = Traced::otlp(&outbox, &sink);
    adopted(&outbox, 41).await;
    deliver(outbox, 41).await;
    let mut taken: BTreeMap<_, _> =
        sink.spans().into_iter().map(|span| (span.span_id.clone(), span)).collect();
    assert_eq!((sink.spans().len(), taken.len()), (41, 41));
    for span in traced.spans().into_iter().map(Span::from) {
        assert_eq!(taken.remove(&span.span_id), Some(span));
    }
    assert_eq!(sink.resource(), [("service.name".into(), "shop".into())]);
}

#[tokio::test]
async fn what_was_left_waits_for_the_provider_that_says_whose_it_is() {
    let (folder, sink) = (Folder::new(), Sink::start());
    sink.always(503);
    let outbox = open(&folder);
    let traced = Traced::otlp(&outbox, &sink);
    serve(&traced.layer()).await;
    leave(outbox, &folder, 1).await;

    sink.always(200).forget();
    let outbox = open(&folder);
    let lane = SpanLane::otlp(&outbox, otlp(&sink, "traces")).unwrap();
    adopted(&outbox, 1).await;
    assert!(!outbox.flush(Duration::from_millis(300)).await, "it waits");
    let _traced = Traced::new(lane);
    deliver(outbox, 1).await;
    assert_eq!(sink.resource(), [("service.name".into(), "shop".into())]);
}

/// A destination of the user's own, which refuses all or takes all.
#[derive(Clone, Debug, Default)]
struct Own {
    is_well: bool,
    taken: Arc<Mutex<Vec<SpanData>>>,
}

impl Destination for Own {
    type Record = SpanData;

    fn size(&self, _span: &SpanData) -> usize {
        1000
    }

    fn codec(&self) -> Option<Codec<SpanData>> {
        Some(SpanLane::codec())
    }

    async fn send(&self, batch: Batch<SpanData>) -> Result<(), SendError<SpanData>> {
        if !self.is_well {
            return Err(SendError::Retry { rest: batch, after: None, reason: "refused".into() });
        }
        self.taken.lock().unwrap().extend(batch);
        Ok(())
    }
}

#[tokio::test]
async fn a_destination_of_the_users_own_gets_the_spans_that_there_were() {
    let folder = Folder::new();
    let outbox = open(&folder);
    let traced = Traced::new(SpanLane::new(&outbox, "own", Own::default()));
    traced.whole();
    serve(&traced.layer()).await;
    leave(outbox, &folder, 2).await;

    let outbox = open(&folder);
    let own = Own { is_well: true, ..Own::default() };
    let _traced = Traced::new(SpanLane::new(&outbox, "own", own.clone()));
    adopted(&outbox, 2).await;
    deliver(outbox, 2).await;
    assert_eq!(*own.taken.lock().unwrap(), traced.spans());
}

// ===== log records =====

#[tokio::test]
async fn log_records_that_a_collector_refuses_are_sent_once_by_the_next_process() {
    let (folder, sink) = (Folder::new(), Sink::start());
    let provider = |outbox: &Outbox| {
        let lane = LogLane::otlp(outbox, otlp(&sink, "logs")).unwrap();
        SdkLoggerProvider::builder().with_resource(resource()).with_log_processor(lane).build()
    };
    sink.always(503);
    let outbox = open(&folder);
    let logger = provider(&outbox).logger("shop");
    for number in 0..30 {
        let mut record = logger.create_log_record();
        record.set_event_name("shop.order.placed");
        record.set_body(number.into());
        logger.emit(record);
    }
    leave(outbox, &folder, 30).await;

    sink.always(200).forget();
    let outbox = open(&folder);
    let _provider = provider(&outbox);
    adopted(&outbox, 30).await;
    deliver(outbox, 30).await;
    let logs = sink.logs();
    let bodies: BTreeSet<_> = logs.iter().map(|log| text(log.body.clone().unwrap().value)).collect();
    assert_eq!((logs.len(), bodies.len()), (30, 30));
    assert!(logs.iter().all(|log| log.event_name == "shop.order.placed"));
    let request = ExportLogsServiceRequest::decode(&*sink.received()[0].body).unwrap();
    let attributes = &request.resource_logs[0].resource.as_ref().unwrap().attributes;
    assert_eq!(attributes[0].key, "service.name");
}

// ===== segments =====

/// What an exchange with secrets becomes on its way to X-Ray, at last as sent.
async fn shop(lane: SegmentLane, exchanges: usize) {
    let layer = XRayLayer::on("shop", lane).sample(Sampler::all());
    let handler = service_fn(|_: Request<()>| async {
        xray::metadata("default", "cart", serde_json::json!({"owner": "worf", "password": SECRET}));
        xray::user(format!("Bearer {SECRET}"));
        xray::subsegment("load").annotate("note", format!("token={SECRET}"));
        Ok::<_, Infallible>(Response::new(Script::new().data("ok").last()))
    });
    for _ in 0..exchanges {
        let request = Request::get(format!("http://shop.example/carts?token={SECRET}")).body(()).unwrap();
        let answer = layer.layer(handler).oneshot(request).await.unwrap();
        answer.into_body().collect().await.unwrap();
    }
}

fn ids<'a>(documents: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let id = |document| serde_json::from_str::<Any>(document).unwrap()["id"].as_str().unwrap().to_owned();
    documents.into_iter().map(id).collect()
}

#[tokio::test]
async fn segments_that_no_daemon_takes_are_sent_once_by_the_next_process() {
    let folder = Folder::new();
    let (socket, address) = dead();
    let lane = |outbox: &Outbox| {
        SegmentLane::daemon(outbox, xray::Daemon::new(address.to_string().parse().unwrap()))
    };
    let outbox = open(&folder);
    shop(lane(&outbox), 30).await;
    leave(outbox, &folder, 30).await;

    drop(socket);
    let daemon = Daemon::at(address, 1_000).await;
    let outbox = open(&folder);
    let _lane = lane(&outbox);
    adopted(&outbox, 30).await;
    deliver(outbox, 30).await;
    let documents = daemon.arrived(30).await;
    let ids = ids(documents.iter().map(String::as_str));
    assert_eq!((ids.len(), BTreeSet::from_iter(ids).len()), (30, 30));
    assert!(documents.iter().all(|document| !document.contains(SECRET) && document.contains("load")));
}

/// An address that refuses every datagram while its socket is kept: it hears nobody but itself.
fn dead() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    socket.connect(address).unwrap();
    (socket, address)
}

#[tokio::test]
async fn segments_that_x_ray_refuses_are_sent_once_by_the_next_process_as_they_were() {
    let folder = Folder::new();
    let is_well = Arc::new(AtomicBool::new(false));
    let well = is_well.clone();
    let endpoint = Endpoint::start(move |_| match well.load(Ordering::Relaxed) {
        true => answer(200, r#"{"UnprocessedTraceSegments":[]}"#),
        false => refusal(503, "ServiceUnavailable"),
    })
    .await;
    let lane = |outbox: &Outbox| {
        let keys = Credentials::new("AKID", SECRET, Some(SECRET.to_owned()), None, "test");
        let client = Client::builder(Aws::XRAY, "eu-west-1".parse().unwrap(), keys);
        let client = client.endpoint(endpoint.url().parse().unwrap()).build().unwrap();
        SegmentLane::api(outbox, Api::new(client))
    };
    let outbox = open(&folder);
    shop(lane(&outbox), 30).await;
    // All of them were refused once at least.
    for _ in 0..1000 {
        if documents(&endpoint).len() == 30 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refused = documents(&endpoint);
    leave(outbox, &folder, 30).await;

    let before = endpoint.received().len();
    is_well.store(true, Ordering::Relaxed);
    let outbox = open(&folder);
    let _lane = lane(&outbox);
    adopted(&outbox, 30).await;
    deliver(outbox, 30).await;
    let taken: Vec<_> = endpoint.received()[before..].iter().flat_map(put).collect();
    assert_eq!(taken.len(), 30);
    assert_eq!(BTreeSet::from_iter(taken), refused);
    assert!(refused.iter().all(|document| !document.contains(SECRET)));
}

/// Each document that was sent.
fn documents(endpoint: &Endpoint) -> BTreeSet<String> {
    endpoint.received().iter().flat_map(put).collect()
}

fn put(request: &Received) -> Vec<String> {
    let body: Any = serde_json::from_slice(&request.body).unwrap();
    let documents = body["TraceSegmentDocuments"].as_array().unwrap();
    documents.iter().map(|document| document.as_str().unwrap().to_owned()).collect()
}

/// What must not lie on a disk: in requests, in what a handler says, and in the keys of backends.
const SECRET: &str = "canary-7f3a91c0d2e8";

const PATIENCE: Duration = Duration::from_secs(10);
