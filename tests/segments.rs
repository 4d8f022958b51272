//! Segments of exchanges: what they say, whose ids they have, and that they reach a daemon. Over real sockets.
#![cfg(feature = "full")]

#[path = "support/daemon.rs"]
mod daemon;
mod support;

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use belvedere::{
    exchange::{Annotations, Peer},
    observe::ObserveLayer,
    outbox::Outbox,
    trace::{Propagation, Propagator, TrustIncoming},
    xray::{Sampler, Segment, SegmentLane, XRayLayer},
};
use daemon::Daemon;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use opentelemetry::trace::TraceId;
use support::{Script, Spans};
use tokio::time::timeout;
use tower::{Layer, Service, ServiceExt as _, layer::util::Stack, service_fn, util::MapResponseLayer};

/// A daemon, and a layer whose segments it gets.
struct Shop {
    daemon: Daemon,
    outbox: Outbox,
    layer: XRayLayer,
}

// ===== impl Shop =====

impl Shop {
    async fn open() -> Self {
        let (daemon, outbox) = (Daemon::large().await, Outbox::builder().start().unwrap());
        let address = daemon.address.to_string().parse().unwrap();
        let lane = SegmentLane::daemon(&outbox, belvedere::xray::Daemon::new(address));
        let layer = XRayLayer::on("shop", lane).sample(Sampler::all());
        Self { daemon, outbox, layer }
    }

    /// The segments of all that was served.
    async fn close(self) -> Vec<Segment> {
        let report = self.outbox.shutdown(Duration::from_secs(10)).await;
        assert_eq!(report.lost(), 0, "{report}");
        let expected = usize::try_from(report.lanes[0].delivered).unwrap();
        for _ in 0..500 {
            if self.daemon.documents().len() >= expected {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let documents = self.daemon.documents();
        documents.iter().map(|document| serde_json::from_str(document).unwrap()).collect()
    }

    /// The one segment of one exchange.
    async fn segment_of(
        self,
        set: impl FnOnce(XRayLayer) -> XRayLayer,
        request: Request<()>,
        answer: Response<Script>,
    ) -> Segment {
        serve(&set(self.layer.clone()), request, answer).await;
        let mut segments = self.close().await;
        assert_eq!(segments.len(), 1, "{segments:#?}");
        segments.remove(0)
    }
}

/// Serves one request to the end of its answer, and gives the headers of that.
async fn serve<L, S, B>(layer: &L, request: Request<()>, answer: Response<Script>) -> HeaderMap
where
    L: Layer<Answers, Service = S>,
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body,
{
    let answers = Answers(Some(answer));
    let (head, body) = layer.layer(answers).oneshot(request).await.unwrap().into_parts();
    drop(body.collect().await);
    head.headers
}

/// A service that gives one answer.
struct Answers(Option<Response<Script>>);

impl Service<Request<()>> for Answers {
    type Response = Response<Script>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Script>, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        std::future::ready(Ok(self.0.take().unwrap()))
    }
}

fn answer(status: u16) -> Response<Script> {
    Response::builder().status(status).body(Script::new().data("hello").last()).unwrap()
}

fn get(uri: &str) -> Request<()> {
    Request::get(uri).header("host", "shop.example").body(()).unwrap()
}

fn caused(segment: &Segment) -> Option<(String, String)> {
    let belvedere::xray::Cause::Exceptions(cause) = segment.entity.cause.as_ref()? else { return None };
    let exception = cause.exceptions.first()?;
    let text = |text: &Option<belvedere::xray::Text>| text.as_ref().unwrap().as_str().to_owned();
    Some((text(&exception.type_name), text(&exception.message)))
}

// ===== what a segment says =====

#[tokio::test]
async fn a_segment_has_what_was_asked_and_answered_and_no_query() {
    let mut request = get("/carts/17?token=canary");
    request.headers_mut().insert("user-agent", "curl/8".parse().unwrap());
    request.extensions_mut().insert(Peer("192.0.2.7:4711".parse::<SocketAddr>().unwrap()));
    let segment = Shop::open().await.segment_of(|layer| layer, request, answer(200)).await;
    let json = serde_json::to_value(&segment).unwrap();
    assert_eq!(json["name"], "shop");
    assert_eq!(
        json["http"],
        serde_json::json!({
            "request": {
                "method": "GET",
                "url": "http://shop.example/carts/17",
                "user_agent": "curl/8",
                "client_ip": "192.0.2.7",
            },
            "response": { "status": 200, "content_length": 5 },
        })
    );
    assert_eq!(json["aws"]["xray"]["sdk"], "belvedere");
    assert!(json.get("fault").is_none() && json.get("error").is_none() && json.get("cause").is_none());
    assert!(json["end_time"].as_f64() >= json["start_time"].as_f64());
}

#[tokio::test]
async fn statuses_are_errors_throttles_and_faults() {
    for (status, error, throttle, fault) in [
        (200, false, false, false),
        (302, false, false, false),
        (404, true, false, false),
        (429, true, true, false),
        (503, false, false, true),
    ] {
        let segment = Shop::open().await.segment_of(|layer| layer, get("/"), answer(status)).await;
        let is = segment.entity.status;
        assert_eq!((is.error, is.throttle, is.fault), (error, throttle, fault), "{status}");
    }
}

#[tokio::test]
async fn a_calls_code_counts_and_not_its_status() {
    for (code, error, fault) in [("0", false, false), ("5", true, false), ("13", false, true)] {
        let request = Request::post("/a.B/C")
            .version(http::Version::HTTP_2)
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        let trailers: &[(&'static str, &'static str)] = Vec::leak(vec![("grpc-status", code)]);
        let body = Script::new().data("x").trailers(trailers);
        let answer = Response::builder().header("content-type", "application/grpc").body(body).unwrap();
        let segment = Shop::open().await.segment_of(|layer| layer, request, answer).await;
        assert_eq!((segment.entity.status.error, segment.entity.status.fault), (error, fault), "{code}");
    }
}

#[tokio::test]
async fn a_body_that_fails_is_a_fault_with_its_cause_beside_its_good_status() {
    let answer = Response::new(Script::new().data("a").fail("the disk is gone"));
    let segment = Shop::open().await.segment_of(|layer| layer, get("/"), answer).await;
    assert!(segment.entity.status.fault);
    assert_eq!(caused(&segment).unwrap().1, "the disk is gone");
    assert_eq!(segment.entity.http.unwrap().response.unwrap().status, Some(200));
}

#[tokio::test]
async fn a_panic_is_a_fault_with_its_message() {
    let shop = Shop::open().await;
    let service = service_fn(|_: Request<()>| async { panic!("the till is on fire") });
    let service = service.map_result(|result: Result<Response<Script>, Infallible>| result);
    tokio::spawn(shop.layer.layer(service).oneshot(get("/"))).await.unwrap_err();
    let segment = shop.close().await.remove(0);
    assert!(segment.entity.status.fault);
    assert_eq!(caused(&segment).unwrap(), ("panic".to_owned(), "the till is on fire".to_owned()));
}

#[tokio::test]
async fn a_client_that_left_is_marked_and_lasted_as_long_as_it_stayed() {
    let shop = Shop::open().await;
    let service = service_fn(|_: Request<()>| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, Infallible>(answer(200))
    });
    timeout(Duration::from_millis(100), shop.layer.layer(service).oneshot(get("/"))).await.unwrap_err();
    let segment = shop.close().await.remove(0);
    assert!(segment.entity.status.error && !segment.entity.status.fault);
    assert_eq!(caused(&segment).unwrap().0, "canceled");
    let json = serde_json::to_value(&segment).unwrap();
    let lasted = json["end_time"].as_f64().unwrap() - json["start_time"].as_f64().unwrap();
    assert!((0.09..5.0).contains(&lasted), "{lasted}");
}

#[tokio::test]
async fn what_handlers_annotate_is_indexed_and_a_user_is_the_user() {
    let shop = Shop::open().await;
    let service = service_fn(|_: Request<()>| async {
        let annotations = Annotations::current();
        annotations.insert("cart", 17);
        annotations.insert("user_id", "alice");
        Ok::<_, Infallible>(answer(200))
    });
    let response = shop.layer.layer(service).oneshot(get("/")).await.unwrap();
    drop(response.into_body().collect().await);
    let json = serde_json::to_value(&shop.close().await[0]).unwrap();
    assert_eq!(json["annotations"], serde_json::json!({ "cart": 17, "user_id": "alice" }));
    assert_eq!(json["user"], "alice");
}

#[tokio::test]
async fn a_trusted_proxy_says_who_the_client_is_and_that_it_may_be_forged() {
    let mut request = get("/");
    request.headers_mut().insert("x-forwarded-for", "203.0.113.9, 10.0.0.1".parse().unwrap());
    request.extensions_mut().insert(Peer("10.0.0.2:80".parse::<SocketAddr>().unwrap()));
    let segment = Shop::open().await.segment_of(|layer| layer.trusted_hops(2), request, answer(200)).await;
    let asked = segment.entity.http.unwrap().request.unwrap();
    assert_eq!(asked.client_ip.unwrap().as_str(), "203.0.113.9");
    assert!(asked.x_forwarded_for);
}

// ===== whose ids it has =====

const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

fn with(header: &str) -> Request<()> {
    let mut request = get("/");
    request.headers_mut().insert("x-amzn-trace-id", header.parse().unwrap());
    request
}

#[tokio::test]
async fn a_caller_is_the_parent() {
    let segment = Shop::open().await.segment_of(|layer| layer, with(HEADER), answer(200)).await;
    assert_eq!(segment.trace_id.amzn().to_string(), "1-5759e988-bd862e3fe1be46a994272793");
    assert_eq!(segment.parent_id.unwrap().to_string(), "53995c3f42cd8ad8");
}

#[tokio::test]
async fn a_caller_that_asks_is_told_and_one_that_is_not_recorded_is_left_alone() {
    for (decision, sampler, told, recorded) in [
        ("?", Sampler::all(), Some("Sampled=1"), 1),
        ("?", Sampler::none(), Some("Sampled=0"), 0),
        ("0", Sampler::all(), None, 0),
        ("1", Sampler::none(), None, 1),
    ] {
        let shop = Shop::open().await;
        let request = with(&format!("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled={decision}"));
        let headers = serve(&shop.layer.clone().sample(sampler), request, answer(200)).await;
        let header = headers["x-amzn-trace-id"].to_str().unwrap();
        assert!(header.contains("Root=1-5759e988-bd862e3fe1be46a994272793"), "{decision}: {header}");
        assert_eq!(header.contains("Sampled="), told.is_some(), "{decision}: {header}");
        assert!(told.is_none_or(|told| header.contains(told)), "{decision}: {header}");
        assert_eq!(shop.close().await.len(), recorded, "{decision}");
    }
}

#[tokio::test]
async fn a_caller_that_may_not_decide_neither_forces_a_segment_nor_prevents_one() {
    let root = "1-5759e988-bd862e3fe1be46a994272793";
    let w3c = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-0";
    for (trust, keeps_root) in [(TrustIncoming::Ids, true), (TrustIncoming::None, false)] {
        for (decision, sampler, recorded) in [(1, Sampler::none(), 0), (0, Sampler::all(), 1)] {
            for headers in [
                vec![("x-amzn-trace-id", format!("Root={root};Parent=53995c3f42cd8ad8;Sampled={decision}"))],
                vec![("x-amzn-trace-id", format!("Sampled={decision}"))],
                vec![("traceparent", format!("{w3c}{decision}"))],
                vec![
                    ("traceparent", format!("{w3c}{decision}")),
                    ("x-amzn-trace-id", format!("Root={root};Sampled={decision}")),
                ],
            ] {
                let (shop, mut request) = (Shop::open().await, get("/"));
                for (name, value) in &headers {
                    request.headers_mut().append(*name, value.parse().unwrap());
                }
                let layer = shop.layer.clone().sample(sampler.clone()).trust(trust);
                serve(&layer, request, answer(200)).await;
                let segments = shop.close().await;
                assert_eq!(segments.len(), recorded, "{trust:?} {headers:?}");
                let names_one = headers.iter().any(|(_, value)| value.len() > 20);
                for segment in segments {
                    let is_kept = segment.trace_id.amzn().to_string() == root;
                    assert_eq!(is_kept, keeps_root && names_one, "{trust:?} {headers:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_segment_and_a_span_have_the_same_ids_whichever_is_outside() {
    for spans_outside in [true, false] {
        for header in [None, Some(HEADER)] {
            let (shop, spans) = (Shop::open().await, Spans::new());
            let propagation = Propagation::new([Propagator::XRay]);
            let (otel, xray) = (spans.layer().propagation(propagation), shop.layer.clone());
            let request = header.map_or_else(|| get("/"), with);
            // The first of a stack is the inner one.
            if spans_outside {
                serve(&Stack::new(xray, otel), request, answer(200)).await;
            } else {
                serve(&Stack::new(otel, xray), request, answer(200)).await;
            }
            let (segment, span) = (shop.close().await.remove(0), spans.only());
            assert_eq!(TraceId::from(segment.trace_id), span.span_context.trace_id());
            assert_eq!(segment.entity.id.to_string(), span.span_context.span_id().to_string());
        }
    }
}

#[tokio::test]
async fn with_one_decision_what_one_layer_does_not_record_the_other_does_not_either() {
    for spans_outside in [true, false] {
        let shop = Shop::open().await;
        let (spans, sampler) = if spans_outside {
            (Spans::sampled(opentelemetry_sdk::trace::Sampler::AlwaysOff), Sampler::all())
        } else {
            (Spans::new(), Sampler::none())
        };
        let (otel, xray) = (spans.layer(), shop.layer.clone().one_decision(true).sample(sampler));
        if spans_outside {
            serve(&ObserveLayer::new((otel, xray)), get("/"), answer(200)).await;
        } else {
            serve(&ObserveLayer::new((xray, otel)), get("/"), answer(200)).await;
        }
        assert_eq!((shop.close().await.len(), spans.all().len()), (0, 0), "{spans_outside}");
    }
}

#[tokio::test]
async fn the_other_trace_that_a_request_names_is_a_link_or_at_least_noted() {
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (parent, noted) in [(";Parent=53995c3f42cd8ad8", false), ("", true)] {
        let mut request = with(&format!("Root=1-5759e988-bd862e3fe1be46a994272793{parent};Sampled=1"));
        request.headers_mut().insert("traceparent", traceparent.parse().unwrap());
        let propagation = Propagation::new([Propagator::TraceContext, Propagator::XRay]);
        let set = |layer: XRayLayer| layer.propagation(propagation);
        let segment = Shop::open().await.segment_of(set, request, answer(200)).await;
        let json = serde_json::to_value(&segment).unwrap();
        assert_eq!(json["trace_id"], "1-4bf92f35-77b34da6a3ce929d0e0e4736");
        let other = "1-5759e988-bd862e3fe1be46a994272793";
        if noted {
            assert_eq!(json["metadata"]["belvedere"]["other_trace"], other);
        } else {
            let link = serde_json::json!([{ "trace_id": other, "id": "53995c3f42cd8ad8" }]);
            assert_eq!(json["links"], link);
        }
    }
}

#[tokio::test]
async fn a_header_of_the_same_trace_is_joined_although_a_layer_further_out_does_not_read_it() {
    let (shop, spans) = (Shop::open().await, Spans::new());
    let mut request = with("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=?");
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    request.headers_mut().insert("traceparent", traceparent.parse().unwrap());
    let headers = serve(&Stack::new(shop.layer.clone(), spans.layer()), request, answer(200)).await;
    assert_eq!(headers["x-amzn-trace-id"], "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=1");
    assert_eq!((shop.close().await.len(), spans.all().len()), (1, 0), "each header decides for its own");
}

#[tokio::test]
async fn a_header_of_another_trace_is_a_link_and_answered_although_a_layer_further_out_does_not_read_it() {
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for one_pass in [true, false] {
        let (shop, spans) = (Shop::open().await, Spans::new());
        let mut request = with(HEADER);
        request.headers_mut().insert("traceparent", traceparent.parse().unwrap());
        let headers = if one_pass {
            serve(&ObserveLayer::new((spans.layer(), shop.layer.clone())), request, answer(200)).await
        } else {
            serve(&Stack::new(shop.layer.clone(), spans.layer()), request, answer(200)).await
        };
        assert_eq!(headers["x-amzn-trace-id"], "Root=1-5759e988-bd862e3fe1be46a994272793");
        let json = serde_json::to_value(shop.close().await.remove(0)).unwrap();
        assert_eq!(json["trace_id"], "1-4bf92f35-77b34da6a3ce929d0e0e4736");
        let link = serde_json::json!([{ "trace_id": "1-5759e988-bd862e3fe1be46a994272793", "id": "53995c3f42cd8ad8" }]);
        assert_eq!(json["links"], link);
    }
}

#[tokio::test]
async fn the_answer_to_a_caller_that_asks_is_that_of_the_segments_in_any_order_of_layers() {
    for order in 0..4 {
        let (shop, spans) = (Shop::open().await, Spans::new());
        let otel = spans.layer().propagation(Propagation::new([Propagator::XRay]));
        let xray = shop.layer.clone().sample(Sampler::none());
        let request = with("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?");
        let headers = match order {
            0 => serve(&Stack::new(xray, otel), request, answer(200)).await,
            1 => serve(&Stack::new(otel, xray), request, answer(200)).await,
            2 => serve(&ObserveLayer::new((otel, xray)), request, answer(200)).await,
            _ => serve(&ObserveLayer::new((xray, otel)), request, answer(200)).await,
        };
        assert!(headers["x-amzn-trace-id"].to_str().unwrap().ends_with("Sampled=0"), "{order}: {headers:?}");
    }
}

#[tokio::test]
async fn who_makes_another_response_of_ours_gets_the_answer_into_that_one() {
    let (shop, spans) = (Shop::open().await, Spans::new());
    let otel = spans.layer().propagation(Propagation::new([Propagator::XRay]));
    let again = MapResponseLayer::new(|response: Response<_>| Response::new(response.into_body()));
    let request = with("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?");
    let headers = serve(&Stack::new(Stack::new(shop.layer.clone(), again), otel), request, answer(200)).await;
    assert_eq!(headers["x-amzn-trace-id"], "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1");
}

#[tokio::test]
async fn what_another_service_has_answered_is_not_passed_on_as_ours() {
    let (shop, spans) = (Shop::open().await, Spans::new());
    let otel = spans.layer().propagation(Propagation::new([Propagator::XRay]));
    fn theirs<B>(mut response: Response<B>) -> Response<B> {
        let theirs = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=1".parse().unwrap();
        response.headers_mut().insert("x-amzn-trace-id", theirs);
        response
    }
    let inside = MapResponseLayer::new(theirs::<Script>);
    let inside = Stack::new(inside, Stack::new(shop.layer.clone(), otel.clone()));
    let between = Stack::new(Stack::new(shop.layer.clone(), MapResponseLayer::new(theirs)), otel);
    for headers in
        [serve(&inside, with(HEADER), answer(200)).await, serve(&between, with(HEADER), answer(200)).await]
    {
        assert_eq!(headers["x-amzn-trace-id"], "Root=1-5759e988-bd862e3fe1be46a994272793");
    }
}

#[tokio::test]
async fn a_caller_that_is_not_trusted_forces_no_segment_behind_a_layer_that_trusts_it() {
    for trust in [TrustIncoming::All, TrustIncoming::Ids] {
        let (shop, spans) = (Shop::open().await, Spans::new());
        let xray = shop.layer.clone().sample(Sampler::none()).trust(trust);
        let mut request = get("/");
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        request.headers_mut().insert("traceparent", traceparent.parse().unwrap());
        serve(&Stack::new(xray, spans.layer()), request, answer(200)).await;
        let expected = usize::from(trust == TrustIncoming::All);
        assert_eq!((shop.close().await.len(), spans.all().len()), (expected, 1), "{trust:?}");
    }
}

#[tokio::test]
async fn an_error_that_panics_when_it_is_to_be_shown_costs_no_segment() {
    struct Broken;
    impl std::fmt::Display for Broken {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("it cannot be shown")
        }
    }
    impl std::fmt::Debug for Broken {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("it cannot be shown")
        }
    }
    let shop = Shop::open().await;
    let service = service_fn(async |_: Request<()>| Err::<Response<Script>, _>(Broken));
    let answered = shop.layer.layer(service).oneshot(get("/")).await;
    assert!(answered.is_err());
    let segment = shop.close().await.remove(0);
    assert!(segment.entity.status.fault && segment.entity.end_time.is_some());
}

#[tokio::test]
async fn two_layers_make_one_segment_and_a_skipped_request_none() {
    let shop = Shop::open().await;
    serve(&Stack::new(shop.layer.clone(), shop.layer.clone()), get("/"), answer(200)).await;
    let skipping = shop.layer.clone().skip(|request| request.uri.path() == "/healthz");
    serve(&skipping, get("/healthz"), answer(200)).await;
    assert_eq!(shop.close().await.len(), 1);
}
