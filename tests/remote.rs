//! Outgoing calls as remote subsegments, on every client, over sockets: what they say, whose ids they have, and what the
//! callee is told.
#![cfg(feature = "full")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/segments.rs"]
mod segments;
mod support;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use belvedere::{
    adapter::ReqwestClient,
    observe::ObserveLayer,
    trace::{Propagation, Propagator},
    xray::{self, Sampler, Subsegment, XRayClientLayer},
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry::trace::{FutureExt as _, TraceContextExt as _, Tracer as _, TracerProvider as _};
use segments::{Traced, exceptions, json, outline};
use support::{
    Server, Spans,
    greeter::{GreeterClient, SAY_HELLO},
};
use tonic::transport::Channel;
use tower::{
    BoxError, Layer, Service, ServiceBuilder, ServiceExt as _,
    retry::{Policy, RetryLayer},
    service_fn,
};

type Hyper = Client<HttpConnector, Empty<Bytes>>;

fn hyper() -> Hyper {
    Client::builder(TokioExecutor::new()).build_http()
}

fn get(uri: impl AsRef<str>) -> Request<Empty<Bytes>> {
    Request::get(uri.as_ref()).body(Empty::new()).unwrap()
}

fn incoming(header: &str) -> Request<Body> {
    Request::get("/").header("x-amzn-trace-id", header).body(Body::empty()).unwrap()
}

/// Who is called: it answers with the status in the path, and keeps the headers that it got.
#[derive(Clone, Debug, Default)]
struct Callee {
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

// ===== impl Callee =====

impl Callee {
    async fn listen(&self) -> Server {
        let callee = self.clone();
        Server::hyper1(service_fn(move |request: Request<Incoming>| {
            callee.seen.lock().unwrap().push(request.headers().clone());
            let status = request.uri().path().trim_start_matches('/').parse().unwrap_or(200_u16);
            let answer = Response::builder().status(status).body("hello".to_owned());
            async move { Ok::<_, Infallible>(answer.unwrap()) }
        }))
        .await
    }

    /// The header of the last call, if it had one.
    fn header(&self, name: &str) -> Option<String> {
        let seen = self.seen.lock().unwrap();
        Some(seen.last()?.get(name)?.to_str().unwrap().to_owned())
    }

    fn amzn(&self) -> Option<String> {
        self.header("x-amzn-trace-id")
    }
}

/// Sends a request and reads the answer to its end.
async fn call<S, B>(client: S, request: Request<Empty<Bytes>>) -> Result<StatusCode, BoxError>
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: http_body::Body<Error: Into<BoxError>>,
{
    let response = client.oneshot(request).await.map_err(Into::into)?;
    let status = response.status();
    response.into_body().collect().await.map_err(Into::into)?;
    Ok(status)
}

/// The one call of one exchange whose handler makes it with hyper's client.
async fn called(layer: XRayClientLayer, uri: impl Fn(SocketAddr) -> String) -> (Subsegment, Callee) {
    let (traced, callee) = (Traced::new("shop").await, Callee::default());
    let server = callee.listen().await;
    let uri = uri(server.address);
    traced.serve(move || async move { drop(call(layer.layer(hyper()), get(uri)).await) }).await;
    let segment = traced.segment().await;
    assert_eq!(segment.subsegments.len(), 1, "{segment:#?}");
    (segment.subsegments[0].clone(), callee)
}

// ===== what a call says =====

#[tokio::test]
async fn a_call_is_a_remote_subsegment_and_the_parent_of_its_callee() {
    let (call, callee) =
        called(XRayClientLayer::new(), |address| format!("http://{address}/200?token=canary")).await;
    let json = json(&call);
    assert_eq!(json["name"], "127.0.0.1");
    assert_eq!(json["namespace"], "remote");
    assert_eq!(json["http"]["request"]["method"], "GET");
    let url = json["http"]["request"]["url"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/200"), "{url}");
    assert_eq!(json["http"]["response"], serde_json::json!({ "status": 200, "content_length": 5 }));
    assert!(json.get("fault").is_none() && json.get("error").is_none() && json.get("traced").is_none());
    let header = callee.amzn().unwrap();
    assert!(
        header.contains(&format!("Parent={}", call.entity.id)) && header.ends_with("Sampled=1"),
        "{header}"
    );
    let traceparent = callee.header("traceparent").unwrap();
    assert!(
        traceparent.contains(&call.entity.id.to_string()) && traceparent.ends_with("-03"),
        "{traceparent}"
    );
    assert!(!json.to_string().contains("canary"));
}

#[tokio::test]
async fn the_status_of_an_answer_sets_the_flags() {
    for (status, expected) in [
        (200, (false, false, false)),
        (302, (false, false, false)),
        (404, (true, false, false)),
        (429, (true, true, false)),
        (503, (false, false, true)),
    ] {
        let (call, _) = called(XRayClientLayer::new(), |address| format!("http://{address}/{status}")).await;
        let flags = call.entity.status;
        assert_eq!((flags.error, flags.throttle, flags.fault), expected, "{status}");
        assert!(call.entity.cause.is_none(), "{status}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_a_fault_with_its_causes_and_no_response() {
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = taken.local_addr().unwrap();
    let (call, _) = called(XRayClientLayer::new(), |_| format!("http://{nobody}/")).await;
    assert!(call.entity.status.fault);
    assert!(call.entity.http.as_ref().unwrap().response.is_none());
    let told = exceptions(&call.entity);
    assert!(told.len() > 1 && told.iter().any(|(_, message)| message.contains("refused")), "{told:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_read_on_is_no_error() {
    let (traced, callee) = (Traced::new("shop").await, Callee::default());
    let server = callee.listen().await;
    let uri = format!("http://{}/200", server.address);
    let client = XRayClientLayer::new().layer(hyper());
    traced.serve(move || async move { drop(client.oneshot(get(uri)).await.unwrap()) }).await;
    let segment = traced.segment().await;
    let call = &segment.subsegments[0];
    assert_eq!(call.entity.status, xray::Status::OK);
    assert!(call.entity.end_time.is_some());
}

#[tokio::test]
async fn a_call_belongs_to_the_subsegment_that_it_is_made_in() {
    let (traced, callee) = (Traced::new("shop").await, Callee::default());
    let server = callee.listen().await;
    let uri = format!("http://{}/200", server.address);
    let client = ServiceBuilder::new().layer(XRayClientLayer::new().name(|_| "stock")).service(hyper());
    traced
        .serve(move || async move {
            let load = xray::capture("load", call(client.clone(), get(&uri)));
            tokio::spawn(load).await.unwrap().unwrap();
            call(client, get(&uri)).await.unwrap();
        })
        .await;
    assert_eq!(outline(&traced.segment().await.subsegments), "load(stock) stock");
}

#[tokio::test]
async fn what_runs_within_a_call_is_a_part_of_it() {
    let traced = Traced::new("shop").await;
    let inner = service_fn(|_: Request<Empty<Bytes>>| async {
        xray::capture("connect", async {}).await;
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    let client = XRayClientLayer::new().layer(inner);
    traced.serve(move || async move { drop(call(client, get("http://stock.example/")).await) }).await;
    assert_eq!(outline(&traced.segment().await.subsegments), "stock.example(connect)");
}

// ===== every client =====

#[tokio::test]
async fn tonic_s_calls_are_subsegments_with_the_status_of_their_codes() {
    let server = Server::tonic(tower::layer::util::Identity::new()).await;
    for (name, flags) in
        [("worf", xray::Status::OK), ("nobody", xray::Status::ERROR), ("broken", xray::Status::FAULT)]
    {
        let traced = Traced::new("shop").await;
        let origin = format!("http://{}", server.address);
        let channel = Channel::from_shared(origin.clone()).unwrap().connect_lazy();
        let layer = XRayClientLayer::new().origin(origin.parse().unwrap());
        let channel = layer.layer(channel);
        let address = server.address;
        traced
            .serve(move || async move {
                let mut greeter = GreeterClient::new(channel, address);
                drop(greeter.hello(name).await);
            })
            .await;
        let segment = traced.segment().await;
        let call = &segment.subsegments[0];
        assert_eq!(call.entity.name.as_str(), "127.0.0.1");
        assert_eq!(call.entity.status, flags, "{name}");
        let url = json(call)["http"]["request"]["url"].as_str().unwrap().to_owned();
        assert_eq!(url, format!("{origin}/{SAY_HELLO}"));
    }
}

#[tokio::test]
async fn a_channel_whose_requests_have_no_host_is_named_by_its_origin() {
    let traced = Traced::new("shop").await;
    let channel = Channel::from_static("http://127.0.0.1:1").connect_lazy();
    let layer = XRayClientLayer::new().origin("https://greeter.example:8443".parse().unwrap());
    let channel = layer.layer(channel);
    traced
        .serve(move || async move {
            let mut client = tonic_health::pb::health_client::HealthClient::new(channel);
            client.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap_err();
        })
        .await;
    let segment = traced.segment().await;
    let call = &segment.subsegments[0];
    assert_eq!(call.entity.name.as_str(), "greeter.example");
    let url = json(call)["http"]["request"]["url"].as_str().unwrap().to_owned();
    assert_eq!(url, "https://greeter.example:8443/grpc.health.v1.Health/Check");
    assert!(call.entity.status.fault && call.entity.cause.is_some());
}

#[tokio::test]
async fn reqwest_s_calls_are_subsegments() {
    let (traced, callee) = (Traced::new("shop").await, Callee::default());
    let server = callee.listen().await;
    let url = format!("http://{}/404?token=canary", server.address);
    let client = ReqwestClient::new(reqwest::Client::new(), &XRayClientLayer::new());
    traced
        .serve(move || async move {
            let request = reqwest::Client::new().get(url);
            client.send(request).await.unwrap().bytes().await.unwrap();
        })
        .await;
    let segment = traced.segment().await;
    let call = &segment.subsegments[0];
    assert!(call.entity.status.error && !json(call).to_string().contains("canary"));
    assert!(callee.amzn().unwrap().contains(&format!("Parent={}", call.entity.id)));
}

// ===== beside spans =====

#[tokio::test]
async fn a_call_and_its_span_have_the_same_ids_whichever_layer_is_outside() {
    for order in 0..4 {
        let (traced, callee, spans) = (Traced::new("shop").await, Callee::default(), Spans::new());
        let server = callee.listen().await;
        let uri = format!("http://{}/200", server.address);
        let (otel, xray) = (spans.client_layer(), XRayClientLayer::new());
        traced
            .serve(move || async move {
                let (hyper, request) = (hyper(), get(uri));
                let status = match order {
                    0 => call(otel.layer(xray.layer(hyper)), request).await,
                    1 => call(xray.layer(otel.layer(hyper)), request).await,
                    2 => call(ObserveLayer::new((otel, xray)).layer(hyper), request).await,
                    _ => call(ObserveLayer::new((xray, otel)).layer(hyper), request).await,
                };
                assert_eq!(status.unwrap(), StatusCode::OK);
            })
            .await;
        let (segment, span) = (traced.segment().await, spans.only());
        let call = &segment.subsegments[0];
        assert_eq!(call.entity.id.to_string(), span.span_context.span_id().to_string(), "{order}");
        assert_eq!(segment.trace_id.to_string(), span.span_context.trace_id().to_string(), "{order}");
        let parent = format!("Parent={}", call.entity.id);
        assert!(callee.amzn().unwrap().contains(&parent), "{order}: {:?}", callee.amzn());
        assert!(callee.header("traceparent").unwrap().contains(&call.entity.id.to_string()), "{order}");
    }
}

#[tokio::test]
async fn what_a_call_waits_for_before_its_layer_is_no_part_of_its_time() {
    let (traced, spans) = (Traced::new("shop").await, Spans::new());
    let otel = spans.client_layer();
    traced
        .serve(move || async move {
            let inner = service_fn(|_: Request<Empty<Bytes>>| async {
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            });
            let client = XRayClientLayer::new().layer(inner);
            let signed = service_fn(move |request| {
                let client = client.clone();
                async move {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    client.oneshot(request).await
                }
            });
            call(otel.layer(signed), get("http://stock.example/")).await.unwrap()
        })
        .await;
    let segment = json(&traced.segment().await);
    let time = |of: &serde_json::Value, key: &str| of[key].as_f64().unwrap();
    let call = &segment["subsegments"][0];
    assert!(time(call, "end_time") - time(call, "start_time") < 0.2, "{call}");
    assert!(time(call, "end_time") <= time(&segment, "end_time") + 1e-3, "{segment}");
}

#[derive(Clone)]
struct Thrice(Arc<AtomicUsize>);

impl<E> Policy<Request<Empty<Bytes>>, Response<belvedere_body::Body>, E> for Thrice {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Empty<Bytes>>,
        result: &mut Result<Response<belvedere_body::Body>, E>,
    ) -> Option<Self::Future> {
        let failed = result.as_ref().is_ok_and(|response| response.status().is_server_error());
        (failed && self.0.fetch_add(1, Ordering::SeqCst) < 2).then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Empty<Bytes>>) -> Option<Request<Empty<Bytes>>> {
        Some(request.clone())
    }
}

/// One type of body for all of the retried stacks.
mod belvedere_body {
    pub(super) type Body = axum::body::Body;
}

#[tokio::test]
async fn each_attempt_of_a_retry_has_an_id_of_its_own() {
    for outside in ["nothing", "xray", "otel"] {
        let (traced, callee, spans) = (Traced::new("shop").await, Callee::default(), Spans::new());
        let server = callee.listen().await;
        let uri = format!("http://{}/503", server.address);
        let otel = spans.client_layer();
        traced
            .serve(move || async move {
                let attempts = ServiceBuilder::new()
                    .layer(RetryLayer::new(Thrice(Arc::default())))
                    .map_response(|response: Response<_>| response.map(Body::new))
                    .layer(XRayClientLayer::new())
                    .service(hyper());
                let status = match outside {
                    "xray" => call(XRayClientLayer::new().layer(attempts), get(uri)).await,
                    "otel" => call(otel.layer(attempts), get(uri)).await,
                    _ => call(attempts, get(uri)).await,
                };
                assert_eq!(status.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
            })
            .await;
        let segment = traced.segment().await;
        let calls =
            if outside == "xray" { &segment.subsegments[0].subsegments } else { &segment.subsegments };
        let mut ids: Vec<_> = calls.iter().map(|call| call.entity.id.to_string()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 3, "{outside}: {segment:#?}");
    }
}

// ===== what the callee is told =====

#[tokio::test]
async fn a_caller_that_is_not_traced_keeps_its_root_through_us_and_downstream() {
    let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
    let (traced, callee) = (Traced::new("shop").await, Callee::default());
    let server = callee.listen().await;
    let uri = format!("http://{}/200", server.address);
    let client = XRayClientLayer::new().layer(hyper());
    let header = format!("{root};Parent=53995c3f42cd8ad8;Sampled=0;Lineage=a87bd80c:1");
    let answer =
        traced.ask(incoming(&header), move || async move { call(client, get(uri)).await.unwrap() }).await;
    assert_eq!(answer.headers()["x-amzn-trace-id"], root);
    let told = callee.amzn().unwrap();
    assert!(told.starts_with(root) && told.contains(";Sampled=0"), "{told}");
    assert!(told.ends_with(";Lineage=a87bd80c:1"), "{told}");
    assert!(traced.documents().await.is_empty());
}

#[tokio::test]
async fn what_a_sampler_left_out_is_left_out_downstream() {
    let (mut traced, callee) = (Traced::new("shop").await, Callee::default());
    traced.layer = traced.layer.sample(Sampler::none());
    let server = callee.listen().await;
    let uri = format!("http://{}/200", server.address);
    let client = XRayClientLayer::new().layer(hyper());
    traced.serve(move || async move { call(client, get(uri)).await.unwrap() }).await;
    assert!(callee.amzn().unwrap().ends_with(";Sampled=0"), "{:?}", callee.amzn());
    assert!(callee.header("traceparent").unwrap().ends_with("-02"), "{:?}", callee.header("traceparent"));
}

#[tokio::test]
async fn spans_and_segments_are_decided_apart_and_each_decision_has_a_header() {
    for (sampler, segments, amzn) in [(Sampler::none(), 0, "Sampled=0"), (Sampler::all(), 1, "Sampled=1")] {
        for spans_outside in [true, false] {
            let (traced, callee) = (Traced::new("shop").await, Callee::default());
            let spans = if segments == 0 {
                Spans::new()
            } else {
                Spans::sampled(opentelemetry_sdk::trace::Sampler::AlwaysOff)
            };
            let server = callee.listen().await;
            let uri = format!("http://{}/200", server.address);
            let layer = ObserveLayer::new((spans.client_layer(), XRayClientLayer::new()));
            let handler = move || async move { call(layer.layer(hyper()), get(uri)).await.unwrap() };
            let (otel, xray) = (spans.layer(), traced.layer.clone().sample(sampler.clone()));
            let router = Router::new().fallback(handler);
            let router =
                if spans_outside { router.layer(xray).layer(otel) } else { router.layer(otel).layer(xray) };
            let request = Request::get("/").body(Body::empty()).unwrap();
            router.oneshot(request).await.unwrap().into_body().collect().await.unwrap();
            assert_eq!(traced.documents().await.len(), segments, "{spans_outside}");
            assert_eq!(spans.all().len(), if segments == 0 { 2 } else { 0 }, "{spans_outside}");
            assert!(callee.amzn().unwrap().ends_with(amzn), "{:?}", callee.amzn());
            let flag = if segments == 0 { "3" } else { "2" };
            assert!(
                callee.header("traceparent").unwrap().ends_with(flag),
                "{:?}",
                callee.header("traceparent")
            );
        }
    }
}

#[tokio::test]
async fn a_call_in_another_trace_s_span_still_tells_the_callee_the_segment_s_trace() {
    let (traced, callee, spans) = (Traced::new("shop").await, Callee::default(), Spans::new());
    let server = callee.listen().await;
    let uri = format!("http://{}/200", server.address);
    let tracer = spans.provider.tracer("own");
    traced
        .serve(move || async move {
            let span = tracer.start_with_context("apart", &opentelemetry::Context::new());
            let apart = opentelemetry::Context::current_with_span(span);
            call(XRayClientLayer::new().layer(hyper()), get(uri)).with_context(apart).await.unwrap()
        })
        .await;
    let segment = traced.segment().await;
    let told =
        format!("Root={};Parent={};Sampled=1", segment.trace_id.amzn(), segment.subsegments[0].entity.id);
    assert_eq!(callee.amzn().unwrap(), told);
}

#[tokio::test]
async fn an_excluded_host_is_told_nothing_and_still_has_its_subsegment() {
    let layer = XRayClientLayer::new().excluded_hosts(["127.0.0.1"]).unwrap();
    let (call, callee) = called(layer, |address| format!("http://{address}/200")).await;
    assert_eq!(call.entity.name.as_str(), "127.0.0.1");
    assert_eq!((callee.amzn(), callee.header("traceparent")), (None, None));
}

#[tokio::test]
async fn an_excluded_host_is_told_nothing_outside_of_a_trace_either() {
    let callee = Callee::default();
    let server = callee.listen().await;
    let layer = XRayClientLayer::new().excluded_hosts(["127.0.0.1"]).unwrap();
    let mut request = get(format!("http://{}/200", server.address));
    request
        .headers_mut()
        .insert("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793".parse().unwrap());
    call(layer.layer(hyper()), request).await.unwrap();
    assert_eq!(callee.amzn(), None);
}

#[tokio::test]
async fn a_skipped_call_is_left_alone() {
    let traced = Traced::new("shop").await;
    let callee = Callee::default();
    let server = callee.listen().await;
    let uri = format!("http://{}/200", server.address);
    let client = XRayClientLayer::new().skip(|request| request.uri.path() == "/200").layer(hyper());
    traced.serve(move || async move { call(client, get(uri)).await.unwrap() }).await;
    assert!(traced.segment().await.subsegments.is_empty());
    assert_eq!(callee.amzn(), None);
}

#[tokio::test]
async fn outside_of_a_trace_a_call_has_no_header() {
    let callee = Callee::default();
    let server = callee.listen().await;
    let uri = format!("http://{}/200", server.address);
    call(XRayClientLayer::new().layer(hyper()), get(uri)).await.unwrap();
    assert_eq!((callee.amzn(), callee.header("traceparent")), (None, None));
}

#[tokio::test]
async fn b3_tells_the_callee_what_was_decided_about_segments_where_nobody_decided_about_spans() {
    for (sampler, flag) in [(Sampler::all(), "1"), (Sampler::none(), "0")] {
        let (mut traced, callee) = (Traced::new("shop").await, Callee::default());
        traced.layer = traced.layer.sample(sampler);
        let server = callee.listen().await;
        let uri = format!("http://{}/200", server.address);
        let client =
            XRayClientLayer::new().propagation(Propagation::new([Propagator::B3Multi])).layer(hyper());
        traced.serve(move || async move { call(client, get(uri)).await.unwrap() }).await;
        assert_eq!(callee.header("x-b3-sampled").as_deref(), Some(flag));
    }
}

#[tokio::test]
async fn a_proxy_passes_on_what_it_serves_as_a_call_of_its_own() {
    let (traced, callee) = (Traced::new("proxy").await, Callee::default());
    let server = callee.listen().await;
    let client = XRayClientLayer::new().propagation(Propagation::new([Propagator::XRay])).layer(hyper());
    let uri = format!("http://{}/200", server.address);
    let proxy = service_fn(move |request: Request<Body>| {
        let (mut head, _) = request.into_parts();
        head.uri = uri.parse().unwrap();
        let client = client.clone();
        async move { client.oneshot(Request::from_parts(head, Empty::new())).await }
    });
    let request = incoming("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1");
    let answer = traced.layer.layer(proxy).oneshot(request).await.unwrap();
    answer.into_body().collect().await.unwrap();
    let segment = traced.segment().await;
    let call = &segment.subsegments[0];
    assert_eq!(segment.parent_id.unwrap().to_string(), "53995c3f42cd8ad8");
    assert!(callee.amzn().unwrap().contains(&format!("Parent={}", call.entity.id)), "{:?}", callee.amzn());
}

#[tokio::test]
async fn a_service_in_the_same_process_has_a_segment_of_its_own_below_the_call() {
    let (front, back) = (Traced::new("front").await, Traced::new("back").await);
    let inner =
        Router::new().fallback(|| async { xray::subsegment("inside").end() }).layer(back.layer.clone());
    let client = XRayClientLayer::new().layer(inner);
    front
        .serve(move || async move {
            let request = Request::get("http://back.example/").body(Body::empty()).unwrap();
            client.oneshot(request).await.unwrap().into_body().collect().await.unwrap();
        })
        .await;
    let (front, back) = (front.segment().await, back.segment().await);
    assert_eq!(outline(&front.subsegments), "back.example");
    assert_eq!(outline(&back.subsegments), "inside");
    assert_eq!(back.parent_id, Some(front.subsegments[0].entity.id));
    assert_eq!(back.trace_id, front.trace_id);
    assert_ne!(back.entity.id, front.entity.id);
}

#[tokio::test]
async fn a_service_in_the_same_process_that_is_called_by_hand_is_a_part_of_what_is_current() {
    let (front, back) = (Traced::new("front").await, Traced::new("back").await);
    let inner = Router::new().fallback(|| async {}).layer(back.layer.clone());
    front
        .serve(move || {
            xray::capture("ask", async move {
                let request = Request::get("/").body(Body::empty()).unwrap();
                inner.oneshot(request).await.unwrap().into_body().collect().await.unwrap();
            })
        })
        .await;
    let (front, back) = (front.segment().await, back.segment().await);
    assert_eq!(back.parent_id, Some(front.subsegments[0].entity.id));
    assert_eq!(back.trace_id, front.trace_id);
}
