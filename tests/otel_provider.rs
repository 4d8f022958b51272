//! Spans of servers by a provider of our own: they are what the SDK would have made.
#![cfg(feature = "otel")]

mod support;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use belvedere::{
    exchange::{Annotations, HandlerError, Peer},
    otel::{BaggageAttributes, OtelLayer},
    trace::Scope,
};
use http::{HeaderName, HeaderValue, Request, Response, Version};
use http_body_util::BodyExt as _;
use opentelemetry::{
    Context, KeyValue,
    trace::{
        SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
        Tracer as _, TracerProvider as _, get_active_span,
    },
};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_sdk::trace::{SpanData, SpanLimits};
use proptest::{collection::vec, option, prelude::*, sample::select};
use support::{Script, provided::Provided};
use tokio::{runtime, time::timeout};
use tower::{Layer as _, ServiceExt as _, service_fn};

/// One exchange.
#[derive(Clone, Debug)]
struct Case {
    method: &'static str,
    uri: String,
    version: Version,
    headers: Vec<(&'static str, String)>,
    peer: Option<&'static str>,
    early: Vec<Act>,
    answer: Answer,
    late: Vec<Act>,
}

/// What code inside of an exchange tells.
#[derive(Clone, Copy, Debug)]
enum Act {
    Attribute(&'static str),
    Event,
    Link,
    Status,
    Ok,
    Name,
    Annotate(&'static str),
    End,
}

#[derive(Clone, Debug)]
enum Answer {
    Whole(u16),
    Blamed(u16),
    Broken(u16),
    Left(u16),
    Call { head: Option<&'static str>, trailers: Option<&'static str> },
    Refused,
    Hung,
    Panicked,
}

/// What a layer is told to add.
#[derive(Clone, Copy, Debug)]
struct Options {
    request: bool,
    response: bool,
    name: bool,
    route: bool,
    old: bool,
    hops: usize,
}

// ===== impl Case =====

impl Case {
    fn request(&self) -> Request<()> {
        let mut request = Request::builder().method(self.method).uri(&self.uri).version(self.version);
        for (name, value) in &self.headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request = request.header(HeaderName::from_static(name), value);
        }
        let mut request = request.body(()).unwrap();
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(Peer(peer.parse::<SocketAddr>().unwrap()));
        }
        request
    }

    /// Serves it, to its end.
    async fn serve(&self, layer: &OtelLayer) {
        let (seen, case) = (Arc::new(Mutex::new(None)), self.clone());
        let inside = seen.clone();
        let service = service_fn(move |_: Request<()>| {
            let (case, inside) = (case.clone(), inside.clone());
            async move {
                *inside.lock().unwrap() = Some(Context::current());
                case.early.iter().for_each(|act| act.play(&Context::current()));
                case.answer.give().await
            }
        });
        let call =
            tokio::spawn(timeout(Duration::from_millis(1), layer.layer(service).oneshot(self.request())));
        let Ok(Ok(Ok(response))) = call.await else { return };
        let context = seen.lock().unwrap().take().unwrap();
        self.late.iter().for_each(|act| act.play(&context));
        if !matches!(self.answer, Answer::Left(_)) {
            drop(response.into_body().collect().await);
        }
        // What is told after the end is too late.
        Act::Attribute("late").play(&context);
    }
}

// ===== impl Act =====

impl Act {
    fn play(self, context: &Context) {
        let span = context.span();
        match self {
            Self::Attribute(key) => span.set_attribute(KeyValue::new(key, key.len() as i64)),
            Self::Event => span.add_event_with_timestamp("seen", UNIX_EPOCH, pairs()),
            Self::Link => span.add_link(other(), pairs()),
            Self::Status => span.set_status(Status::error("odd")),
            Self::Ok => span.set_status(Status::Ok),
            Self::Name => span.update_name("mine"),
            Self::Annotate(key) => {
                let _inside = context.clone().attach();
                Annotations::current().insert(key, format!("{key} token=canary"));
            }
            Self::End => span.end_with_timestamp(UNIX_EPOCH + Duration::from_secs(1)),
        }
    }
}

// ===== impl Answer =====

impl Answer {
    async fn give(&self) -> io::Result<Response<Script>> {
        let answer = |status: &u16| Response::builder().status(*status).header("x-answer", "yes");
        let body = Script::new().data("hello");
        Ok(match self {
            Self::Whole(status) => answer(status).body(body.last()).unwrap(),
            Self::Blamed(status) => {
                let error = HandlerError::new(io::Error::other("no password=canary"));
                answer(status).extension(error).body(body.last()).unwrap()
            }
            Self::Broken(status) => answer(status).body(body.fail("it broke")).unwrap(),
            Self::Left(status) => answer(status).body(body.data("more")).unwrap(),
            Self::Call { head, trailers } => {
                let mut response = answer(&200).header("content-type", "application/grpc");
                if let Some(code) = head {
                    response = response.header("grpc-status", *code);
                }
                let body = trailers.map_or(Script::new(), |code| body.trailers(&[("grpc-status", code)]));
                response.body(body).unwrap()
            }
            Self::Refused => return Err(io::Error::other("the disk is gone")),
            Self::Hung => std::future::pending().await,
            Self::Panicked => panic!("the till is on fire"),
        })
    }
}

// ===== impl Options =====

impl Options {
    fn set(self, mut layer: OtelLayer) -> OtelLayer {
        if self.request {
            let attributes =
                |_: &http::request::Parts| vec![KeyValue::new("app", 1), KeyValue::new("SampleRate", 3)];
            layer = layer.request_attributes(attributes).request_headers(["accept", "host"]).unwrap();
        }
        if self.response {
            layer = layer.response_attributes(|_| pairs()).response_headers(["x-answer"]).unwrap();
        }
        if self.name {
            layer = layer.span_name(|_| Some("named"));
        }
        if self.route {
            layer =
                layer.route(|request| request.uri.path().starts_with("/carts").then_some("/carts/{token}"));
        }
        layer.old_http_names(self.old).trusted_hops(self.hops)
    }
}

fn pairs() -> Vec<KeyValue> {
    vec![KeyValue::new("a", "b"), KeyValue::new("c", 0.5), KeyValue::new("url.path", true)]
}

fn other() -> SpanContext {
    SpanContext::new(TraceId::from(7), SpanId::from(8), TraceFlags::SAMPLED, true, TraceState::NONE)
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = select(
        &[
            Act::Attribute("app.one"),
            Act::Attribute("http.route"),
            Act::Event,
            Act::Link,
            Act::Status,
            Act::Ok,
            Act::Name,
            Act::Annotate("cart"),
            Act::Annotate("password"),
            Act::End,
        ][..],
    );
    prop_oneof![2 => Just(Vec::new()), 1 => vec(act, 0..5)]
}

fn answers() -> impl Strategy<Value = Answer> {
    let status = || select(&[200_u16, 204, 101, 302, 404, 500, 503, 999][..]);
    let code = || option::of(select(&["0", "5", "12", "13", "99", "x"][..]));
    prop_oneof![
        6 => status().prop_map(Answer::Whole),
        1 => status().prop_map(Answer::Blamed),
        1 => status().prop_map(Answer::Broken),
        1 => status().prop_map(Answer::Left),
        3 => (code(), code()).prop_map(|(head, trailers)| Answer::Call { head, trailers }),
        1 => Just(Answer::Refused),
        1 => Just(Answer::Hung),
        1 => Just(Answer::Panicked),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let of = |name: &'static str, value: &'static [&'static str]| {
        select(value).prop_map(move |value| (name, value.to_owned()))
    };
    let header = prop_oneof![
        of("host", &["shop.example", "shop.example:8080", "[::1]:81", "", "ä", "user@shop.example"]),
        of("user-agent", &["curl/8", "", "\u{e4}", "a token=canary b"]),
        of("content-type", &["application/grpc", "application/grpc+proto", "text/plain"]),
        of("x-forwarded-for", &["192.0.2.1", "6.6.6.6, 2001:db8::1", "unknown"]),
        of("x-forwarded-proto", &["https"]),
        of("x-forwarded-host", &["front.example:444"]),
        of("accept", &["*/*", "text/html"]),
        of("tracestate", &["a=1,b=2", "ot=th:8", "ot=th:c;rv:f0000000000000,a=1"]),
        of("traceparent", &[PARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", "nonsense"]),
        of("baggage", &["tenant=7"]),
        "[ -~]{0,30}".prop_map(|value| ("user-agent", value)),
    ];
    vec(header, 0..7)
}

fn cases() -> impl Strategy<Value = Case> {
    let method = select(&["GET", "POST", "HEAD", "BREW"][..]);
    let uri = prop_oneof![
        "/[a-z0-9/]{0,12}(\\?[a-z0-9=&]{0,12})?",
        Just("http://shop.example:8080/carts/AKIAIOSFODNN7EXAMPLE?token=canary&page=2".to_owned()),
        Just("https://user:secret@shop.example/carts/17".to_owned()),
        Just("/shop.Carts/Get".to_owned()),
    ];
    let version = select(&[Version::HTTP_11, Version::HTTP_2][..]);
    let peer = option::of(select(&["192.0.2.7:4711", "[2001:db8::7]:4711", "[::ffff:192.0.2.7]:1"][..]));
    (method, uri, version, headers(), peer, acts(), answers(), acts()).prop_map(
        |(method, uri, version, headers, peer, early, answer, late)| Case {
            method,
            uri,
            version,
            headers,
            peer,
            early,
            answer,
            late,
        },
    )
}

fn calls() -> impl Strategy<Value = Case> {
    cases().prop_map(|case| {
        let mut headers = case.headers;
        headers.retain(|(name, _)| *name != "content-type");
        headers.push(("content-type", "application/grpc".to_owned()));
        Case { method: "POST", version: Version::HTTP_2, headers, ..case }
    })
}

prop_compose! {
    fn options()(request: bool, response: bool, name: bool, route: bool, old: bool, plain in 0..4, hops in 0..2_usize) -> Options {
        let is = |option| option && plain == 0;
        Options { request: is(request), response: is(response), name: is(name), route: is(route), old: is(old), hops }
    }
}

prop_compose! {
    fn limits()(few: bool, attributes in select(&[128, 24, 9, 0][..]), rest in select(&[128, 1, 0][..])) -> SpanLimits {
        let default = SpanLimits::default();
        if !few {
            return default;
        }
        SpanLimits {
            max_attributes_per_span: attributes,
            max_events_per_span: rest,
            max_links_per_span: rest,
            max_attributes_per_event: rest,
            max_attributes_per_link: rest,
        }
    }
}

/// A span but for what is never the same.
fn comparable(mut span: SpanData) -> SpanData {
    let context = &span.span_context;
    let trace_id = if span.parent_span_id == SpanId::INVALID { TraceId::from(1) } else { context.trace_id() };
    let (flags, state) = (context.trace_flags(), context.trace_state().clone());
    span.span_context = SpanContext::new(trace_id, SpanId::from(1), flags, context.is_remote(), state);
    let still = |at: &mut SystemTime| {
        if at.duration_since(UNIX_EPOCH).unwrap() > Duration::from_secs(60) {
            *at = UNIX_EPOCH;
        }
    };
    still(&mut span.start_time);
    still(&mut span.end_time);
    span.events.events.iter_mut().for_each(|event| still(&mut event.timestamp));
    span
}

/// A span as OTLP has it, each key once.
fn sent(mut span: SpanData) -> Span {
    let all = std::mem::take(&mut span.attributes);
    for (index, pair) in all.iter().enumerate() {
        if all[index + 1..].iter().all(|later| later.key != pair.key) {
            span.attributes.push(pair.clone());
        }
    }
    span.into()
}

fn by_id(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by(|one, other| one.span_id.cmp(&other.span_id));
    spans
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_span_of_our_own_is_the_one_that_the_sdk_makes(
        all in vec(prop_oneof![2 => cases(), 1 => calls()], 1..8),
        options in options(),
        limits in limits(),
    ) {
        let provided = Provided::built(|builder| builder.limits(limits));
        let (ours, theirs) = (options.set(provided.layer()), options.set(provided.sdk_layer()));
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut made = Vec::new();
        for case in &all {
            runtime.block_on(case.serve(&ours));
            let one = provided.take();
            runtime.block_on(case.serve(&theirs));
            let other = provided.take();
            made.extend(one.iter().chain(&other).cloned().map(sent));
            let alike = |spans: Vec<SpanData>| spans.into_iter().map(comparable).collect::<Vec<_>>();
            prop_assert_eq!(alike(one), alike(other), "{:?} {:?}", case, options);
        }
        prop_assert_eq!(by_id(provided.sink.spans()), by_id(made));
    }
}

/// Serves one request, in which `handler` runs.
async fn serve(layer: &OtelLayer, handler: impl FnOnce() + Clone) {
    let service = service_fn(move |_: Request<()>| {
        handler.clone()();
        std::future::ready(Ok::<_, io::Error>(Response::new(Script::new().data("hello").last())))
    });
    let request = Request::get("/").header("traceparent", PARENT).body(()).unwrap();
    drop(layer.layer(service).oneshot(request).await.unwrap().into_body().collect().await);
}

#[tokio::test]
async fn what_a_handler_tells_the_active_span_is_on_it() {
    let provided = Provided::new();
    serve(&provided.layer(), || {
        get_active_span(|span| {
            assert!(span.is_recording() && span.span_context().is_sampled());
            span.set_attribute(KeyValue::new("cart", 17));
            span.add_event("checked", vec![KeyValue::new("by", "worf")]);
            span.record_error(&io::Error::other("odd"));
            span.add_link(other(), Vec::new());
            span.set_status(Status::Ok);
            span.update_name("mine");
        });
    })
    .await;
    let span = provided.only();
    assert_eq!((span.name.as_ref(), &span.status), ("mine", &Status::Ok));
    assert!(span.attributes.contains(&KeyValue::new("cart", 17)));
    assert_eq!(
        span.events.iter().map(|event| event.name.as_ref()).collect::<Vec<_>>(),
        ["checked", "exception"]
    );
    assert_eq!(span.links.links[0].span_context, other());
}

#[tokio::test]
async fn a_span_of_the_sdk_that_a_handler_starts_is_a_child() {
    let provided = Provided::new();
    let tracer = provided.provider.tracer("app");
    serve(&provided.layer(), move || drop(tracer.start("child"))).await;
    let spans = provided.take();
    let [child, server] = &spans[..] else { panic!("{spans:#?}") };
    assert_eq!((child.name.as_ref(), &server.span_kind), ("child", &SpanKind::Server));
    assert_eq!(child.parent_span_id, server.span_context.span_id());
    assert_eq!(child.span_context.trace_id(), server.span_context.trace_id());
    assert!(!child.parent_span_is_remote && server.parent_span_is_remote);
}

#[tokio::test]
async fn spans_of_the_tracing_crate_are_children_and_say_what_they_are_told() {
    use tracing_subscriber::layer::SubscriberExt as _;
    let provided = Provided::new();
    let tracer = provided.provider.tracer("app");
    let subscriber = tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
    let _default = tracing::subscriber::set_default(subscriber);
    serve(&provided.layer(), || {
        tracing::info_span!("look", cart = 17).in_scope(|| tracing::info!("looking"))
    })
    .await;
    let spans = provided.take();
    let [child, server] = &spans[..] else { panic!("{spans:#?}") };
    assert_eq!(child.parent_span_id, server.span_context.span_id());
    assert_eq!(child.events.len(), 1);
}

#[tokio::test]
async fn what_is_not_sampled_has_ids_and_records_nothing() {
    let provided = Provided::new();
    let seen = Arc::new(Mutex::new(None));
    let inside = seen.clone();
    let service = service_fn(move |_: Request<()>| {
        let span = get_active_span(|span| (span.span_context().clone(), span.is_recording()));
        *inside.lock().unwrap() = Some((span, Scope::current().unwrap().identity().unwrap().clone()));
        std::future::ready(Ok::<_, io::Error>(Response::new(Script::new())))
    });
    let unsampled = format!("{}0", &PARENT[..PARENT.len() - 1]);
    let request = Request::get("/").header("traceparent", unsampled).body(()).unwrap();
    drop(provided.layer().layer(service).oneshot(request).await.unwrap().into_body().collect().await);
    let ((span, is_recording), identity) = seen.lock().unwrap().take().unwrap();
    assert!(!is_recording && !span.is_sampled() && !span.is_remote());
    assert_eq!(span.trace_id().to_string(), &PARENT[3..35]);
    assert_eq!(span.span_id(), SpanId::from(identity.span_id()));
    assert!(provided.take().is_empty());
}

#[tokio::test]
async fn after_the_end_nothing_is_recorded() {
    let provided = Provided::new();
    let seen = Arc::new(Mutex::new(None));
    let inside = seen.clone();
    serve(&provided.layer(), move || *inside.lock().unwrap() = Some(Context::current())).await;
    let context = seen.lock().unwrap().take().unwrap();
    assert!(!context.span().is_recording());
    context.span().set_attribute(KeyValue::new("late", true));
    assert!(!provided.only().attributes.iter().any(|pair| pair.key.as_str() == "late"));
}

#[tokio::test]
async fn a_provider_that_has_shut_down_makes_no_spans() {
    let provided = Provided::new();
    let layer = provided.layer();
    serve(&layer, || ()).await;
    provided.only();
    provided.provider.shutdown().unwrap();
    serve(&layer, || assert!(!get_active_span(|span| span.is_recording()))).await;
    assert!(provided.take().is_empty());
}

#[tokio::test]
async fn a_processor_that_asks_for_the_sdks_span_gets_it() {
    let provided = Provided::built(|builder| builder.processor(BaggageAttributes::new(["tenant"])));
    let service =
        service_fn(|_: Request<()>| std::future::ready(Ok::<_, io::Error>(Response::new(Script::new()))));
    let request = Request::get("/").header("baggage", "tenant=7").body(()).unwrap();
    drop(provided.layer().layer(service).oneshot(request).await.unwrap().into_body().collect().await);
    assert!(provided.only().attributes.contains(&KeyValue::new("tenant", "7")));
}

#[tokio::test]
async fn an_inner_layer_adds_its_route_to_a_span_of_our_own() {
    let provided = Provided::new();
    let inner = provided.layer().route(|_| Some("/carts/{id}")).layer(service_fn(|_: Request<()>| {
        std::future::ready(Ok::<_, io::Error>(Response::new(Script::new())))
    }));
    let request = Request::get("/carts/17").body(()).unwrap();
    drop(provided.layer().layer(inner).oneshot(request).await.unwrap().into_body().collect().await);
    let span = provided.only();
    assert_eq!(span.name, "GET /carts/{id}");
    assert!(span.attributes.contains(&KeyValue::new("http.route", "/carts/{id}")));
}

/// Of these the scope of the exchange has all but the two of the active span; the span of the SDK costs twice as many. Now and
/// then a batch needs room, which no single exchange has to pay for.
#[test]
fn a_span_costs_the_request_few_allocations() {
    let provided = Provided::new();
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cost = |layer: &OtelLayer| {
        let one = || runtime.block_on(serve(layer, || ()));
        let mut counts: Vec<_> = (0..9).map(|_| allocation_counter::measure(one).count_total).collect();
        counts.sort_unstable();
        counts[counts.len() / 2]
    };
    let (watched, skipped) = (cost(&provided.layer()), cost(&provided.layer().skip(|_| true)));
    assert!(watched - skipped <= 10, "{watched} {skipped}");
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
