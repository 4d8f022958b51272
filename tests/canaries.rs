//! What leaves the process of a request that fails, and what does not: a table of secrets, each looked for in the bytes
//! that arrive. Over real sockets.
#![cfg(feature = "full")]

#[path = "support/aws.rs"]
mod aws;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/folder.rs"]
mod folder;
#[path = "support/log_sink.rs"]
mod log_sink;
#[path = "support/rollbar.rs"]
mod rollbar;
mod support;
#[path = "canaries/table.rs"]
mod table;

use std::{
    collections::{HashMap, HashSet},
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Path,
    http::{HeaderValue, Request, StatusCode},
    response::{IntoResponse as _, Response},
    routing::any,
};
use belvedere::{
    cloudwatch::{CloudWatchLayer, LogLane, subscriber},
    exchange::{AddressPolicy, Annotations, Query},
    otel::{Ids, OtelClientLayer, OtelLayer, Otlp, SpanLane},
    outbox::{Outbox, Spool},
    rollbar::{Api, Breadcrumbs, ItemLane, Level, Report, RequestBodyLayer, RollbarLayer, report_message},
    xray::{self, Sampler, SegmentLane, XRayClientLayer, XRayLayer},
};
use daemon::Daemon;
use folder::Folder;
use log_sink::LogSink;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_sdk::trace::SdkTracerProvider;
use rollbar::{Answer, Received, Rollbar, accepted, limited, refused};
use serde_json::Value;
use support::{Server, sink::Sink};
use table::{Fate, PIN, ROWS, Row, Where};
use tower::{Layer as _, ServiceExt as _};
use tracing_subscriber::prelude::*;

/// A service with all four layers, what stands in for the four backends, and a client of it.
struct Shop {
    sink: Rollbar,
    spans: Sink,
    daemon: Option<Daemon>,
    log: LogSink,
    lane: LogLane,
    outbox: Outbox,
    server: Server,
    client: reqwest::Client,
}

/// Where the four backends are.
#[derive(Clone)]
struct Backends {
    sink: Rollbar,
    spans: Sink,
    daemon: SocketAddr,
    log: LogSink,
}

/// The ways to them.
struct Lanes {
    items: ItemLane,
    tracers: SdkTracerProvider,
    segments: SegmentLane,
    events: LogLane,
}

/// What a backend got.
struct Sent {
    backend: &'static str,
    /// All bytes, decompressed, in lower case.
    all: String,
    by_row: HashMap<usize, String>,
}

// ===== impl Sent =====

impl Sent {
    fn new(backend: &'static str, bytes: Vec<u8>, by_row: HashMap<usize, String>) -> Self {
        Self { backend, all: String::from_utf8_lossy(&bytes).to_lowercase(), by_row }
    }

    /// What there is of a row, if the secret is not there, or is, and a mark in its place, as it should be.
    fn wrong(&self, fate: Fate, number: usize) -> Option<&str> {
        let Some(own) = self.by_row.get(&number) else { return Some("nothing") };
        let is_there = self.all.contains(&canary(number).to_lowercase());
        let is_right = match fate {
            // Where something stood there is a mark, so the row did what it says.
            Fate::Removed => !is_there && own.contains("REDACTED"),
            Fate::LeftOut(_) => !is_there && !own.contains("REDACTED"),
            Fate::Kept(_) => is_there && own.contains(&canary(number)),
        };
        (!is_right).then_some(own)
    }
}

// ===== impl Backends =====

impl Backends {
    fn lanes(&self, outbox: &Outbox, of_a_kind: Option<u32>) -> Lanes {
        let api = Api::new(TOKEN.parse().unwrap()).endpoint(self.sink.url().parse().unwrap());
        let daemon = xray::Daemon::new(self.daemon.to_string().parse().unwrap());
        Lanes {
            items: ItemLane::limited(outbox, api, None, of_a_kind).unwrap(),
            tracers: tracers(outbox, &self.spans),
            segments: SegmentLane::daemon(outbox, daemon.pace(20, 1_000)),
            events: LogLane::new(outbox, self.log.api()),
        }
    }
}

// ===== impl Shop =====

impl Shop {
    async fn open() -> Self {
        Self::with(Rollbar::content(), None, |layer| layer).await
    }

    /// With this sink, that many items a minute of a kind, and a layer that is changed.
    async fn with(
        sink: Rollbar,
        of_a_kind: Option<u32>,
        change: impl FnOnce(RollbarLayer) -> RollbarLayer,
    ) -> Self {
        let daemon = Daemon::large().await;
        let (spans, log) = (Sink::start(), LogSink::start());
        let backends = Backends { sink, spans, daemon: daemon.address, log };
        let shop = Self::before(backends, Outbox::builder().start().unwrap(), of_a_kind, change).await;
        Self { daemon: Some(daemon), ..shop }
    }

    async fn before(
        backends: Backends,
        outbox: Outbox,
        of_a_kind: Option<u32>,
        change: impl FnOnce(RollbarLayer) -> RollbarLayer,
    ) -> Self {
        // Each test wants it, and the first installs it for all.
        let _ = tracing_subscriber::registry().with(Breadcrumbs::new()).try_init();
        let Lanes { items, tracers, segments, events: lane } = backends.lanes(&outbox, of_a_kind);
        let layer = RollbarLayer::on(items).request_headers(LISTED).unwrap();
        let otel = OtelLayer::new().tracer_provider(&tracers).query(Query::Conventional);
        let otel = otel.request_headers(LISTED).unwrap().response_headers(["set-cookie"]).unwrap();
        let app = Router::new()
            .route("/rows/{row}", any(answer))
            .route("/rows/{row}/carts/{cart}", any(answer))
            .route("/rows/{row}/tokens/{token}", any(answer))
            .route("/rows/{row}/secrets/{*secret}", any(answer))
            .route("/same/{error}", any(same))
            .route("/large/{error}", any(large))
            .route("/crumbs/{user}", any(crumbs))
            .route("/chatter", any(chatter))
            .route("/flood/{token}", any(flood))
            .layer(RequestBodyLayer::new())
            .layer(change(layer))
            .layer(CloudWatchLayer::on(lane.clone()).query(true))
            .layer(XRayLayer::on("shop", segments).sample(Sampler::all()))
            .layer(otel)
            .layer(axum::middleware::map_request(quiet));
        let server = Server::axum(app).await;
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        let Backends { sink, spans, log, .. } = backends;
        Self { sink, spans, daemon: None, log, lane, outbox, server, client }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    /// Asks, and reads the answer to its end, if there is one.
    async fn get(&self, path: &str, headers: &[(&'static str, &str)]) {
        let request = self.client.get(self.url(path));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        if let Ok(response) = request.send().await {
            let _ = response.bytes().await;
        }
    }

    /// The request of a row.
    async fn ask(&self, number: usize, row: &Row) {
        let filled = |template: &str| template.replace("CANARY", &canary(number));
        let path = format!("/rows/{number}");
        let request = match row.at {
            Where::Header(name, value) => self.client.get(self.url(&path)).header(name, filled(value)),
            Where::Query(query) => self.client.get(self.url(&format!("{path}?{}", filled(query)))),
            Where::Path(rest) => self.client.get(self.url(&format!("{path}/{}", filled(rest)))),
            Where::Body(media, body) => {
                self.client.post(self.url(&path)).header("content-type", media).body(filled(body))
            }
            Where::Handler(_) => self.client.get(self.url(&path)),
        };
        if let Ok(response) = request.send().await {
            let _ = response.bytes().await;
        }
    }

    /// All that the sink got.
    async fn close(self) -> Rollbar {
        let Self { sink, outbox, server, .. } = self;
        drop(server);
        let report = outbox.shutdown(Duration::from_secs(20)).await;
        assert_eq!(report.lost(), 0, "{report}");
        sink
    }

    /// The one item of one request.
    async fn item(self, path: &str, headers: &[(&'static str, &str)]) -> Value {
        self.get(path, headers).await;
        let [item] = <[_; 1]>::try_from(self.close().await.items()).unwrap();
        item
    }
}

/// Fails as the row wants it, or with a bare 500, when it has read the body.
async fn answer(
    annotations: Annotations,
    Path(params): Path<HashMap<String, String>>,
    _body: Bytes,
) -> Response {
    let number: usize = params["row"].parse().unwrap();
    annotations.insert("row", i64::try_from(number).unwrap());
    match ROWS[number].at {
        Where::Handler(fails) => fails(&canary(number)),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn same(Path(error): Path<String>) -> StatusCode {
    let error = std::io::Error::other(format!("no {error}, password=of{error}"));
    Report::error(&error).custom("token", "a secret").send();
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn large(Path(error): Path<String>) -> StatusCode {
    let error = std::io::Error::other(format!("no {error}"));
    Report::error(&error).custom("words", vec!["a word of many"; 20_000]).send();
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn crumbs(Path(user): Path<String>) -> StatusCode {
    tracing::info!(user, step = 1, "first of {user}");
    tokio::time::sleep(Duration::from_millis(20)).await;
    let own = user.clone();
    tokio::task::spawn_blocking(|| ()).await.unwrap();
    tracing::warn!(step = 2, "second of {own}");
    tracing::debug!("a detail of {own}");
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn chatter() {
    (0..60).for_each(|index| tracing::info!("line {index}"));
    report_message(Level::Warning, "after sixty lines");
    tracing::info!("the line after it");
}

async fn flood(Path(canary): Path<String>) {
    for _ in 0..5 {
        report_message(Level::Warning, format!("refused: password={canary}"));
    }
}

/// Marks a header as one that is nobody's business.
async fn quiet<B>(mut request: Request<B>) -> Request<B> {
    if let Some(value) = request.headers_mut().get_mut("x-quiet") {
        HeaderValue::set_sensitive(value, true);
    }
    request
}

/// A provider whose spans go there.
fn tracers(outbox: &Outbox, sink: &Sink) -> SdkTracerProvider {
    let otlp = Otlp::new(format!("{}/v1/traces", sink.base()).parse().unwrap());
    let lane = SpanLane::otlp(outbox, otlp).unwrap();
    SdkTracerProvider::builder().with_id_generator(Ids).with_span_processor(lane).build()
}

/// The lines of each row's request: its access record, and the events that have its trace.
fn lines_by_row(log: &LogSink) -> HashMap<usize, String> {
    let objects = log.objects();
    let of = |trace: &Value| {
        let lines = objects.iter().filter(|object| object["trace_id"] == *trace);
        lines.map(Value::to_string).collect::<String>()
    };
    let records = objects.iter().filter_map(|object| Some((object["annotations"]["row"].as_u64()?, object)));
    records.map(|(row, record)| (usize::try_from(row).unwrap(), of(&record["trace_id"]))).collect()
}

fn spans_by_row(sink: &Sink) -> HashMap<usize, String> {
    let row = |span: &Span| {
        let pair = span.attributes.iter().find(|pair| pair.key == "row")?;
        support::sink::text(pair.value.clone()?.value).parse().ok()
    };
    sink.spans().iter().filter_map(|span| Some((row(span)?, format!("{span:?}")))).collect()
}

fn segments_by_row(documents: &[String]) -> HashMap<usize, String> {
    let documents = documents.iter().map(|text| (text, serde_json::from_str::<Value>(text).unwrap()));
    let row = |document: &Value| usize::try_from(document["annotations"]["row"].as_u64()?).ok();
    documents.filter_map(|(text, document)| Some((row(&document)?, text.clone()))).collect()
}

/// The secret of a row, in the shape that keys of AWS want. It stands in no source, whose lines are sent.
fn canary(number: usize) -> String {
    format!("CANARY{number:04}QX7ZW2")
}

fn contains(bytes: &[u8], text: &str) -> bool {
    let folded = String::from_utf8_lossy(bytes).to_lowercase();
    folded.contains(&text.to_lowercase())
}

fn items_by_row(sink: &Rollbar) -> HashMap<usize, String> {
    let number = |item: &Value| usize::try_from(item["custom"]["row"].as_u64().unwrap()).unwrap();
    let items: HashMap<_, _> = sink.items().iter().map(|item| (number(item), item.to_string())).collect();
    let uuids: HashSet<_> = sink.received().iter().map(Received::uuid).collect();
    assert_eq!(items.len(), uuids.len(), "one item of each row");
    items
}

#[tokio::test]
async fn what_is_a_secret_does_not_leave_and_what_is_none_does() {
    let shop = Shop::open().await;
    let events = subscriber(&shop.lane);
    let _heard = tracing_subscriber::registry().with(Breadcrumbs::new()).with(events).set_default();
    for (number, row) in ROWS.iter().enumerate() {
        shop.ask(number, row).await;
    }
    let (log, spans, daemon) = (shop.log.clone(), shop.spans.clone(), shop.daemon.clone().unwrap());
    let sink = shop.close().await;
    assert_fates(&sink, &spans, &daemon, &log).await;
    let removed = ROWS.iter().filter(|row| row.fates.iter().any(|fate| matches!(fate, Fate::Removed)));
    assert!(removed.count() >= 40, "so many secrets of different shapes");
}

#[tokio::test]
async fn what_is_a_secret_does_not_lie_on_the_disk_and_does_not_leave_with_the_next_process() {
    let (folder, is_well) = (Folder::new(), Arc::<AtomicBool>::default());
    let well = is_well.clone();
    let sink = Rollbar::start(move |_| {
        Some(if well.load(Ordering::Relaxed) { accepted() } else { refused(503, "away") })
    });
    let (spans, log, port) = (Sink::start(), LogSink::start(), UdpSocket::bind("127.0.0.1:0").unwrap());
    spans.always(503);
    log.away(true);
    // It hears none but itself.
    let daemon = port.local_addr().unwrap();
    port.connect(daemon).unwrap();
    let backends = Backends { sink: sink.clone(), spans: spans.clone(), daemon, log: log.clone() };
    let open = || Outbox::builder().spool(Spool::new(folder.path())).start().unwrap();

    let shop = Shop::before(backends.clone(), open(), None, |layer| layer).await;
    let events = subscriber(&shop.lane);
    let heard = tracing_subscriber::registry().with(Breadcrumbs::new()).with(events).set_default();
    for (number, row) in ROWS.iter().enumerate() {
        shop.ask(number, row).await;
    }
    drop(heard);
    let report = shop.outbox.shutdown(Duration::from_secs(2)).await;
    let are_safe = report.lanes.iter().all(|lane| lane.spooled >= ROWS.len() as u64);
    assert!(are_safe && report.lost() == 0, "{report}");
    drop(shop);
    for _ in 0..1_000 {
        if folder.is_free() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let disk = String::from_utf8_lossy(&folder.bytes()).to_lowercase();
    for (number, Row { what, fates, .. }) in ROWS.iter().enumerate() {
        let is_kept = fates.iter().any(|fate| matches!(fate, Fate::Kept(_)));
        assert_eq!(disk.contains(&canary(number).to_lowercase()), is_kept, "{what}");
    }
    assert!(!disk.contains(TOKEN) && disk.contains("redacted"));

    is_well.store(true, Ordering::Relaxed);
    spans.always(200).forget();
    log.away(false);
    drop(port);
    let daemon = Daemon::at(daemon, 100_000).await;
    let outbox = open();
    let _lanes = backends.lanes(&outbox, None);
    let left: u64 = report.lanes.iter().map(|lane| lane.spooled).sum();
    let delivered = || outbox.report().lanes.iter().map(|lane| lane.delivered).sum::<u64>();
    for _ in 0..2_000 {
        if delivered() == left {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(delivered(), left, "{}", outbox.report());
    assert_fates(&sink, &spans, &daemon, &log).await;
}

/// Of each row there is, with each backend, what should be.
async fn assert_fates(sink: &Rollbar, spans: &Sink, daemon: &Daemon, log: &LogSink) {
    let documents = daemon.arrived(ROWS.len()).await;
    let lines: String = log.objects().iter().map(Value::to_string).collect();
    let sent = [
        Sent::new("Rollbar", sink.bytes(), items_by_row(sink)),
        Sent::new("CloudWatch Logs", lines.into_bytes(), lines_by_row(log)),
        Sent::new("spans", spans.bytes(), spans_by_row(spans)),
        Sent::new("X-Ray", daemon.datagrams().concat(), segments_by_row(&documents)),
    ];
    let cells = ROWS.iter().enumerate().flat_map(|(number, row)| {
        sent.iter().zip(row.fates).map(move |(sent, fate)| (sent, fate, number, row.what))
    });
    let wrong = cells.filter_map(|(sent, fate, number, what)| {
        let wrong = sent.wrong(fate, number)?;
        Some(format!("{what}, {}: {fate:?}, but {wrong}", sent.backend))
    });
    let wrong: Vec<_> = wrong.collect();
    for Sent { backend, by_row, .. } in &sent {
        assert!(!by_row.values().any(|own| own.contains(&PIN.to_string())), "{backend}");
    }
    assert!(wrong.is_empty(), "{} cells\n\n{}", wrong.len(), wrong.join("\n\n"));
}

#[tokio::test]
async fn what_is_told_of_messages_that_were_left_out_has_no_secrets() {
    let shop = Shop::with(Rollbar::content(), Some(1), |layer| layer).await;
    shop.get(&format!("/flood/{}", canary(9_999)), &[]).await;
    // What was left out is told some seconds later, or when the outbox closes.
    let sink = shop.close().await;
    assert!(!contains(&sink.bytes(), &canary(9_999)));
    let told = sink.items().iter().any(|item| item.to_string().contains("left out"));
    assert!(told, "{:#?}", sink.items());
}

#[tokio::test]
async fn a_body_is_not_sent_unless_it_is_asked_for() {
    let (sink, outbox) = (Rollbar::content(), Outbox::builder().start().unwrap());
    let api = Api::new(TOKEN.parse().unwrap()).endpoint(sink.url().parse().unwrap());
    let layer = RollbarLayer::on(ItemLane::new(&outbox, api).unwrap());
    let fails = |_: Bytes| async { StatusCode::INTERNAL_SERVER_ERROR };
    let server = Server::axum(Router::new().route("/", any(fails)).layer(layer)).await;
    let request = reqwest::Client::new().post(format!("http://{}/", server.address));
    let body = format!(r#"{{"cart": "{}"}}"#, canary(0));
    request.header("content-type", "application/json").body(body).send().await.unwrap();
    assert_eq!(outbox.shutdown(Duration::from_secs(10)).await.lost(), 0);
    assert_eq!(sink.items().len(), 1);
    assert!(!contains(&sink.bytes(), &canary(0)));
}

#[tokio::test]
async fn a_call_tells_no_secret_of_its_url_or_its_error() {
    let (outbox, spans, daemon) = (Outbox::builder().start().unwrap(), Sink::start(), Daemon::large().await);
    let segments = xray::Daemon::new(daemon.address.to_string().parse().unwrap());
    let tracers = tracers(&outbox, &spans);
    let call = move |_: Request<Body>| {
        let layers = (OtelClientLayer::new().tracer_provider(&tracers), XRayClientLayer::new());
        let url = format!("https://me:{0}@db.example/AKIA{0}/a?token={0}&q=Bearer+{0}", canary(0));
        async move {
            let (otel, xray) = layers;
            let inner = tower::service_fn(async |_: Request<()>| {
                let message = format!("refused: password={}", canary(0));
                Err::<Response<Body>, _>(std::io::Error::other(message))
            });
            let client = otel.query(Query::Conventional).layer(xray.layer(inner));
            let called = client.oneshot(Request::get(url).body(()).unwrap()).await;
            assert!(called.is_err());
            Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
        }
    };
    let layer = XRayLayer::on("shop", SegmentLane::daemon(&outbox, segments)).sample(Sampler::all());
    layer.layer(tower::service_fn(call)).oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(outbox.shutdown(Duration::from_secs(10)).await.lost(), 0);
    let (spans, [segment]) = (spans, <[_; 1]>::try_from(daemon.arrived(1).await).unwrap());
    let [span] = <[Span; 1]>::try_from(spans.spans()).unwrap();
    let span = format!("{span:?}");
    assert!(
        !contains(&spans.bytes(), &canary(0)) && !contains(segment.as_bytes(), &canary(0)),
        "{span} {segment}"
    );
    let url = "https://REDACTED:REDACTED@db.example/REDACTED/a?token=REDACTED&q=REDACTED";
    assert!(span.contains(url) && span.contains("password=REDACTED"), "{span}");
    assert!(segment.contains("https://db.example/REDACTED/a"), "{segment}");
    assert!(segment.contains("password=REDACTED"), "{segment}");
}

#[tokio::test]
async fn a_route_that_only_an_inner_layer_sees_hides_its_secret_in_the_segment() {
    let (outbox, daemon) = (Outbox::builder().start().unwrap(), Daemon::large().await);
    let lane = SegmentLane::daemon(&outbox, xray::Daemon::new(daemon.address.to_string().parse().unwrap()));
    let layer = XRayLayer::on("shop", lane).sample(Sampler::all());
    let app = Router::new().route("/tokens/{token}", any(|| async {})).layer(layer.clone());
    let request = Request::get(format!("/tokens/{}", canary(0))).header("host", "shop.example");
    layer.layer(app).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(outbox.shutdown(Duration::from_secs(10)).await.lost(), 0);
    let [segment] = <[_; 1]>::try_from(daemon.arrived(1).await).unwrap();
    assert!(segment.contains(r#""http://shop.example/tokens/REDACTED""#), "{segment}");
}

// What other libraries get wrong.

#[tokio::test]
async fn cookies_keys_in_headers_and_tokens_in_the_query_are_not_sent_in_clear() {
    let headers = [("cookie", "sid=c4n4ry"), ("x-api-key", "c4n4ry"), ("x-access-token", "c4n4ry")];
    let item = Shop::open().await.item("/same/answer?token=c4n4ry&page=2", &headers).await;
    assert!(!item.to_string().contains("c4n4ry"), "{item:#}");
    let headers = &item["request"]["headers"];
    assert_eq!(headers["Cookie"], "sid=REDACTED");
    assert_eq!((&headers["X-Api-Key"], &headers["X-Access-Token"]), (&"REDACTED".into(), &"REDACTED".into()));
    assert_eq!(item["request"]["query_string"], "token=REDACTED&page=2");
}

#[tokio::test]
async fn an_address_that_is_anonymized_is_so_in_forwarded_headers_too() {
    let change = |layer: RollbarLayer| layer.addresses(AddressPolicy::Anonymized).trusted_hops(1);
    let shop = Shop::with(Rollbar::content(), None, change).await;
    let item = shop.item("/same/answer", &[("x-forwarded-for", "203.0.113.42")]).await;
    assert!(!item.to_string().contains("203.0.113.42"), "{item:#}");
    assert_eq!(item["request"]["user_ip"], "203.0.113.0");
    assert_eq!(item["request"]["headers"]["X-Forwarded-For"], "203.0.113.0");
}

#[tokio::test]
async fn all_values_of_a_repeated_query_parameter_are_sent() {
    let item = Shop::open().await.item("/same/answer?x=1&x=2", &[]).await;
    assert_eq!(item["request"]["GET"]["x"], serde_json::json!(["1", "2"]));
}

#[tokio::test]
async fn the_same_error_reads_the_same_each_time() {
    let shop = Shop::open().await;
    for _ in 0..3 {
        shop.get("/same/answer?token=abc", &[("cookie", "a=b"), ("host", "shop.example")]).await;
    }
    let mut items = shop.close().await.items();
    let changing = [
        "/uuid",
        "/timestamp",
        "/attributes",
        "/custom/trace_id",
        "/custom/span_id",
        "/custom/xray_trace_id",
    ];
    for item in &mut items {
        for pointer in changing {
            item.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")).take();
        }
        for telemetry in item["body"]["telemetry"].as_array_mut().into_iter().flatten() {
            telemetry["timestamp_ms"].take();
        }
    }
    assert_eq!(items.len(), 3);
    assert_eq!(items[0], items[1]);
    assert_eq!(items[1], items[2]);
}

#[tokio::test]
async fn the_token_is_sent_in_the_header_alone() {
    let shop = Shop::open().await;
    shop.get("/same/answer", &[]).await;
    let [received] = <[Received; 1]>::try_from(shop.close().await.received()).unwrap();
    assert_eq!(received.header("x-rollbar-access-token"), TOKEN);
    assert!(!contains(&received.body, TOKEN));
}

#[tokio::test]
async fn one_report_to_who_always_says_too_large_is_two_requests() {
    let sink = Rollbar::start(|_| Some(refused(413, "Request entity too large")));
    let shop = Shop::with(sink, None, |layer| layer).await;
    shop.get("/same/answer", &[]).await;
    let Shop { sink, outbox, .. } = shop;
    let report = outbox.shutdown(Duration::from_secs(10)).await;
    assert_eq!(report.lost(), 1, "{report}");
    assert!(sink.received().len() <= 2, "{}", sink.received().len());
}

#[tokio::test]
async fn what_was_too_large_is_sent_smaller_with_its_id_its_time_its_server_and_its_message() {
    let sink = Rollbar::start(|one: &Received| -> Option<Answer> {
        Some(if one.number == 0 { refused(413, "Request entity too large") } else { accepted() })
    });
    let shop = Shop::with(sink, None, |layer| layer).await;
    shop.get("/large/answer", &[]).await;
    let received = shop.close().await.received();
    let [first, second] = &*received else { panic!("{} requests", received.len()) };
    let (first, second) = (first.data(), second.data());
    for pointer in ["/uuid", "/timestamp", "/server", "/level", "/body/trace/exception/class"] {
        assert!(first.pointer(pointer).is_some(), "{pointer}");
        assert_eq!(first.pointer(pointer), second.pointer(pointer), "{pointer}");
    }
    let message = second.pointer("/body/trace/exception/message").unwrap().as_str().unwrap();
    assert!(message.starts_with("no answer"), "{message}");
    assert!(!second.pointer("/body/trace/frames").unwrap().as_array().unwrap().is_empty());
}

#[tokio::test]
async fn who_said_that_there_were_too_many_is_not_asked_at_once() {
    let started = tokio::time::Instant::now();
    let sink = Rollbar::start(move |one: &Received| {
        let is_early = started.elapsed() < Duration::from_secs(1);
        assert!(one.number == 0 || !is_early, "asked after {:?}", started.elapsed());
        Some(if one.number == 0 { limited(1) } else { accepted() })
    });
    let shop = Shop::with(sink, None, |layer| layer).await;
    shop.get("/same/answer", &[]).await;
    shop.sink.arrived(1).await;
    shop.get("/same/again", &[]).await;
    shop.sink.arrived(3).await;
    let uuids: Vec<_> = shop.close().await.received().iter().map(Received::uuid).collect();
    assert!(uuids[1..].contains(&uuids[0]), "the refused one is sent again");
}

#[tokio::test]
async fn breadcrumbs_are_those_of_the_same_request_alone() {
    let shop = Shop::open().await;
    tracing::warn!("of no request");
    let users: Vec<_> = (0..8).map(|user| format!("/crumbs/worf{user}")).collect();
    futures_util::future::join_all(users.iter().map(|path| shop.get(path, &[]))).await;
    let items = shop.close().await.items();
    assert_eq!(items.len(), users.len());
    for item in items {
        let user = item["request"]["params"]["user"].as_str().unwrap();
        let crumbs = item["body"]["telemetry"].as_array().unwrap_or_else(|| panic!("{item:#}"));
        let said = |crumb: &Value| (crumb["level"].clone(), crumb["body"]["message"].clone());
        let expected = [("info", format!("first of {user}")), ("warning", format!("second of {user}"))];
        let expected = expected.map(|(level, message)| (Value::from(level), Value::from(message)));
        assert_eq!(crumbs.iter().map(said).collect::<Vec<_>>(), expected);
        assert_eq!(crumbs[0]["body"]["user"], user);
    }
}

#[tokio::test]
async fn breadcrumbs_end_where_it_happened() {
    let item = Shop::open().await.item("/chatter", &[]).await;
    let crumbs = item["body"]["telemetry"].as_array().unwrap();
    let said: Vec<_> = crumbs.iter().map(|crumb| crumb["body"]["message"].as_str().unwrap()).collect();
    assert_eq!(said.last(), Some(&"line 59"));
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// What the layer is told to send. It says nothing of what is secret in them.
const LISTED: [&str; 14] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "referer",
    "x-access-token",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
    "x-forwarded-for",
    "x-plain",
    "x-quiet",
    "x-shop-secret",
    "x-url",
];
