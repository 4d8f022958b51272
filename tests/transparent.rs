//! Can the client, or the service, tell that a layer is there?

mod support;

use std::{
    cell::Cell,
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use belvedere::observe::{Body, Observe, ObserveLayer, Observer};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use proptest::prelude::*;
use support::{Recorder, Script, Server, body::Broken, client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::{BoxError, Layer as _, Service, ServiceBuilder, ServiceExt as _, service_fn};

type Recording = <Recorder as Observer>::Observation;

// ===== over sockets: the bytes =====

/// Answers of every shape, by path.
async fn shapes<B>(request: Request<B>) -> Result<Response<Script>, Infallible> {
    let head = Response::builder().header("x-kept", "yes");
    let response = match request.uri().path() {
        "/length-by-the-body" => head.body(Script::new().data("hello").last().exact(5)),
        "/length-by-the-head" => {
            head.header("content-length", "10").body(Script::new().data("hello").data("world"))
        }
        HANGS => head.header("content-length", "5").body(Script::new().data("hello").hang()),
        "/length-cut-short" => head.header("content-length", "10").body(Script::new().data("hello")),
        "/no-length" => head.body(Script::new().data("hello").wait(20).data("world")),
        "/no-length-but-an-end" => head.body(Script::new().data("hello").data("world").last()),
        "/trailers" => head
            .header("trailer", "x-checksum")
            .body(Script::new().data("hello").trailers(&[("x-checksum", "1"), ("grpc-status", "0")])),
        "/trailers-and-an-end" => head
            .header("trailer", "x-checksum")
            .body(Script::new().data("hello").trailers(&[("x-checksum", "1")]).last()),
        "/trailers-alone" => {
            head.header("trailer", "x-checksum").body(Script::new().trailers(&[("x-checksum", "1")]))
        }
        "/empty" => head.body(Script::new()),
        "/empty-and-knows-it" => head.body(Script::new().last()),
        "/empty-frames" => head.body(Script::new().data("").data("hello").data("").last()),
        "/no-content" => head.status(204).body(Script::new().last()),
        "/not-modified" => head.status(304).header("etag", "\"1\"").body(Script::new().last()),
        "/refused" => head.status(418).body(Script::new().data("short and stout").last()),
        "/fails" => head.body(Script::new().data("hello").wait(20).fail("the disk is gone")),
        "/fails-at-once" => head.body(Script::new().fail("the disk is gone")),
        path => panic!("no shape for {path}"),
    };
    Ok(response.unwrap())
}

/// HTTP/1 alone stops at a length that is reached.
const HANGS: &str = "/length-that-hangs";

const SHAPES: [&str; 16] = [
    "/length-by-the-body",
    "/length-by-the-head",
    "/length-cut-short",
    "/no-length",
    "/no-length-but-an-end",
    "/trailers",
    "/trailers-and-an-end",
    "/trailers-alone",
    "/empty",
    "/empty-and-knows-it",
    "/empty-frames",
    "/no-content",
    "/not-modified",
    "/refused",
    "/fails",
    "/fails-at-once",
];

/// Every shape by `GET` and by `HEAD`, from a bare server and from one with a layer, as the bytes on the wire.
macro_rules! same_bytes {
    ($server:ident, $raw:ident, $shapes:expr, $layer:expr) => {
        let bare = Server::$server(service_fn(shapes)).await;
        let layered = Server::$server($layer.layer(service_fn(shapes))).await;
        for path in $shapes {
            for method in ["GET", "HEAD"] {
                let bytes = client::$raw(bare.address, method, path).await;
                let through = client::$raw(layered.address, method, path).await;
                assert_eq!(through, bytes, "{method} {path}");
            }
        }
    };
}

#[tokio::test]
async fn over_http1_every_byte_is_the_same() {
    same_bytes!(hyper1, raw1, SHAPES.into_iter().chain([HANGS]), ObserveLayer::new(Recorder::new()));
}

#[tokio::test]
async fn over_http2_every_frame_is_the_same() {
    same_bytes!(hyper2, raw2, SHAPES, ObserveLayer::new(Recorder::new()));
}

#[tokio::test]
async fn a_length_is_kept_and_nothing_becomes_chunked() {
    let server = Server::hyper1(ObserveLayer::new(Recorder::new()).layer(service_fn(shapes))).await;
    for path in ["/length-by-the-body", "/length-by-the-head", HANGS] {
        let answer = String::from_utf8(client::raw1(server.address, "GET", path).await).unwrap();
        assert!(answer.contains("content-length: "), "{answer}");
        assert!(!answer.contains("transfer-encoding"), "{answer}");
    }
    let answer = String::from_utf8(client::raw1(server.address, "GET", "/trailers").await).unwrap();
    assert!(answer.ends_with("0\r\nx-checksum: 1\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn over_http2_trailers_arrive() {
    let server = Server::hyper2(ObserveLayer::new(Recorder::new()).layer(service_fn(shapes))).await;
    let mut sender = client::connect2(server.address).await;
    let request = client::request2(server.address, "GET", "/trailers");
    let (body, trailers) = client::read(sender.send_request(request).await.unwrap()).await.unwrap();
    assert_eq!(
        (&body[..], &trailers.unwrap()["x-checksum"]),
        (&b"hello"[..], &HeaderValue::from_static("1"))
    );
}

/// Switches protocols, and then says back what it hears.
async fn echo(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut stream = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
        let mut heard = [0; 64];
        while let Ok(count @ 1..) = stream.read(&mut heard).await {
            stream.write_all(&heard[..count]).await.unwrap();
        }
    });
    let head = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    Ok(head.header("connection", "upgrade").header("upgrade", "echo").body(Empty::new()).unwrap())
}

#[tokio::test]
async fn a_connection_that_is_upgraded_carries_bytes_both_ways() {
    let recorder = Recorder::new();
    let bare = Server::hyper1(service_fn(echo)).await;
    let layered = Server::hyper1(ObserveLayer::new(recorder.clone()).layer(service_fn(echo))).await;
    let through = client::upgrade1(layered.address, b"is anybody there?").await;
    assert_eq!(through.1, b"is anybody there?");
    assert_eq!(through, client::upgrade1(bare.address, b"is anybody there?").await);
    assert_eq!(recorder.only().end, "complete");
}

// ===== in process: the body =====

/// All that can be seen of a body at one moment.
#[derive(Debug, PartialEq)]
struct Moment {
    frame: Option<Result<Result<Bytes, HeaderMap>, String>>,
    is_end_stream: bool,
    exact: Option<u64>,
    lower: u64,
    upper: Option<u64>,
}

/// Polls a body some polls past what it has, and tells what was seen before each and after the last.
fn moments<B>(mut body: B, polls: usize) -> Vec<Moment>
where
    B: http_body::Body<Data = Bytes, Error = Broken> + Unpin,
{
    let mut task = Context::from_waker(Waker::noop());
    let mut moments = Vec::new();
    for _ in 0..polls {
        let (is_end_stream, hint) = (body.is_end_stream(), body.size_hint());
        let Poll::Ready(frame) = Pin::new(&mut body).poll_frame(&mut task) else {
            panic!("a script is ready")
        };
        let frame = frame.map(|frame| match frame {
            Ok(frame) => Ok(frame.into_data().map_err(|frame| frame.into_trailers().unwrap())),
            Err(Broken(message)) => Err(message.to_owned()),
        });
        let (exact, lower, upper) = (hint.exact(), hint.lower(), hint.upper());
        moments.push(Moment { frame, is_end_stream, exact, lower, upper });
    }
    moments
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Data(&'static str),
    Trailers,
    Fail,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let data = prop::sample::select(vec!["", "a", "hello", "a longer piece of a longer text"]);
    let step = prop_oneof![6 => data.prop_map(Step::Data), 1 => Just(Step::Trailers), 1 => Just(Step::Fail)];
    prop::collection::vec(step, 0..8)
}

fn script(steps: &[Step], last: bool, exact: Option<u64>) -> Script {
    let script = steps.iter().fold(Script::new(), |script, step| match step {
        Step::Data(data) => script.data(data),
        Step::Trailers => script.trailers(&[("x-checksum", "1")]),
        Step::Fail => script.fail("the disk is gone"),
    });
    let script = if last { script.last() } else { script };
    if let Some(bytes) = exact { script.exact(bytes) } else { script }
}

proptest! {
    #[test]
    fn a_body_gives_the_same_frames_and_says_the_same_of_itself(
        steps in steps(),
        last in any::<bool>(),
        exact in prop::option::of(0_u64..40),
        length in prop::option::of(0_u64..40),
        status in prop::sample::select(vec![200_u16, 204, 206, 304, 404, 500]),
        method in prop::sample::select(vec!["GET", "HEAD", "POST", "CONNECT"]),
        grpc in any::<bool>(),
    ) {
        let recorder = Recorder::new();
        let answer = || {
            let mut head = Response::builder().status(status).header("x-kept", "yes");
            if let Some(length) = length {
                head = head.header("content-length", length);
            }
            if grpc {
                head = head.header("content-type", "application/grpc");
            }
            head.body(script(&steps, last, exact)).unwrap()
        };
        let request = Request::builder().method(method).body(()).unwrap();
        let mut service = Observe::new(service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(answer()))), recorder.clone());
        let mut task = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(response)) = Pin::new(&mut service.call(request)).poll(&mut task) else { panic!() };
        let ((head, body), (bare, bare_body)) = (response.into_parts(), answer().into_parts());
        prop_assert_eq!((head.status, head.version, head.headers), (bare.status, bare.version, bare.headers));
        prop_assert_eq!(moments(body, steps.len() + 2), moments(bare_body, steps.len() + 2));
        prop_assert_eq!(recorder.seen().len(), 1, "and it ends once");
    }
}

// ===== in process: the service =====

/// A service that may be called once each time it has said that it is ready, and only then.
struct Strict {
    ready: bool,
    polls: Arc<AtomicUsize>,
}

impl Service<Request<()>> for Strict {
    type Response = Response<Empty<Bytes>>;
    type Error = Broken;
    type Future = Ready<Result<Self::Response, Broken>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match self.polls.fetch_add(1, Ordering::SeqCst) {
            0 => {
                task.waker().wake_by_ref();
                Poll::Pending
            }
            9 => Poll::Ready(Err(Broken("worn out"))),
            _ => {
                self.ready = true;
                Poll::Ready(Ok(()))
            }
        }
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without having been ready");
        ready(Ok(Response::new(Empty::new())))
    }
}

/// Not `Clone`, so that nothing but the service that was made ready can be called.
#[tokio::test]
async fn readiness_is_the_services_own_and_the_very_service_is_called() {
    let polls = Arc::new(AtomicUsize::new(0));
    let mut service = Observe::new(Strict { ready: false, polls: polls.clone() }, Recorder::new());
    let mut task = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut task).is_pending());
    for _ in 0..2 {
        service.ready().await.unwrap().call(Request::new(())).await.unwrap();
    }
    assert_eq!(polls.load(Ordering::SeqCst), 3, "no poll is made up and none is swallowed");
    polls.store(9, Ordering::SeqCst);
    assert_eq!(service.ready().await.err().unwrap().0, "worn out");
}

#[tokio::test]
#[should_panic = "called without having been ready"]
async fn a_call_without_readiness_is_as_wrong_as_it_was() {
    let service = Strict { ready: false, polls: Arc::default() };
    drop(Observe::new(service, Recorder::new()).call(Request::new(())).await);
}

#[tokio::test]
async fn an_error_keeps_its_type() {
    let service =
        service_fn(|_: Request<()>| async { Err::<Response<Script>, BoxError>(Broken("no luck").into()) });
    let error = Observe::new(service, Recorder::new()).oneshot(Request::new(())).await.err().unwrap();
    assert_eq!(error.downcast::<Broken>().unwrap().0, "no luck");
}

#[derive(Debug, PartialEq)]
struct Payload(u8);

#[tokio::test]
async fn a_panic_keeps_its_payload() {
    let service = service_fn(|_: Request<()>| -> Ready<Result<Response<Script>, Infallible>> {
        std::panic::panic_any(Payload(42))
    });
    let service = Observe::new(service, Recorder::new());
    let payload = tokio::spawn(service.oneshot(Request::new(()))).await.unwrap_err().into_panic();
    assert_eq!(payload.downcast_ref(), Some(&Payload(42)));
}

#[tokio::test]
async fn extensions_are_kept_in_both_directions() {
    #[derive(Clone, Debug, PartialEq)]
    struct Note(&'static str);
    let service = service_fn(|request: Request<()>| async move {
        assert_eq!(request.extensions().get(), Some(&Note("in")));
        let mut response = Response::new(Script::new());
        response.extensions_mut().insert(Note("out"));
        Ok::<_, Infallible>(response)
    });
    let mut request = Request::new(());
    request.extensions_mut().insert(Note("in"));
    let response = Observe::new(service, Recorder::new()).oneshot(request).await.unwrap();
    assert_eq!(response.extensions().get(), Some(&Note("out")));
    assert_eq!(response.extensions().len(), 1);
}

#[tokio::test]
async fn the_request_arrives_as_it_was_sent() {
    let service = service_fn(|request: Request<Script>| async move {
        let (head, body) = request.into_parts();
        assert_eq!((head.method.as_str(), head.uri.to_string()), ("PUT", "/carts/17?page=2".to_owned()));
        assert_eq!((head.version, head.headers.len()), (http::Version::HTTP_10, 1));
        assert_eq!(head.headers["x-kept"], "yes");
        assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
        Ok::<_, Infallible>(Response::new(Script::new()))
    });
    let request = Request::put("/carts/17?page=2").version(http::Version::HTTP_10).header("x-kept", "yes");
    let request = request.body(Script::new().data("hello")).unwrap();
    Observe::new(service, Recorder::new()).oneshot(request).await.unwrap();
}

/// What is on one thread alone may stay there.
#[tokio::test]
async fn a_service_that_cannot_be_sent_is_watched_too() {
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    let recorder = Recorder::new();
    let service = service_fn(move |_: Request<Rc<()>>| {
        let counted = counted.clone();
        async move {
            counted.set(counted.get() + 1);
            tokio::task::yield_now().await;
            Ok::<_, Rc<str>>(Response::new(Kept(Full::from("hello"), counted)))
        }
    });
    let service = ObserveLayer::new(recorder.clone()).layer(service);
    let response = service.oneshot(Request::new(Rc::new(()))).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert_eq!((calls.get(), recorder.only().end.as_str()), (1, "complete"));
}

/// A body that stays on its thread.
struct Kept(Full<Bytes>, #[expect(dead_code)] Rc<Cell<u32>>);

impl http_body::Body for Kept {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.0).poll_frame(task)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

// ===== at compile time =====

const fn clone<T: Clone>() {}
const fn send<T: Send>() {}
const fn sync<T: Sync>() {}
const fn unpin<T: Unpin>() {}
const fn default<T: Default>() {}
const fn error_free<S: Service<Request<Incoming>, Error = Infallible>>(_: &S) {}

/// A layer is as free as what it wraps.
const _: () = {
    type Inner = Full<Bytes>;
    clone::<ObserveLayer<Recorder>>();
    send::<ObserveLayer<Recorder>>();
    sync::<ObserveLayer<Recorder>>();
    unpin::<ObserveLayer<Recorder>>();
    clone::<Observe<Inner, Recorder>>();
    send::<Observe<Inner, Recorder>>();
    sync::<Observe<Inner, Recorder>>();
    unpin::<Observe<Inner, Recorder>>();
    send::<Body<Inner, Recording>>();
    sync::<Body<Inner, Recording>>();
    unpin::<Body<Inner, Recording>>();
    default::<Body<Inner, Recording>>();
    send::<belvedere::observe::Future<Ready<()>, Recording>>();
    sync::<belvedere::observe::Future<Ready<()>, Recording>>();
    unpin::<belvedere::observe::Future<Ready<()>, Recording>>();
};

#[test]
fn a_service_that_takes_a_servers_own_body_still_does() {
    let service = service_fn(|_: Request<Incoming>| ready(Ok::<_, Infallible>(Response::new(Script::new()))));
    error_free(&ObserveLayer::new(Recorder::new()).layer(service));
}

#[tokio::test]
async fn a_default_body_is_the_default_of_what_it_wraps_and_ends_nothing() {
    let body = Body::<Full<Bytes>, Recording>::default();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.collect().await.unwrap().to_bytes().is_empty());
}

// ===== among other layers =====

fn ok(body: &'static str) -> Response<Full<Bytes>> {
    Response::new(Full::from(body))
}

#[tokio::test]
async fn over_and_under_catch_panic() {
    use tower_http::catch_panic::CatchPanicLayer;
    let recorder = Recorder::new();
    let service = ServiceBuilder::new()
        .layer(ObserveLayer::new(recorder.also("over")))
        .layer(CatchPanicLayer::new())
        .layer(ObserveLayer::new(recorder.also("under")))
        .service(service_fn(|_: Request<()>| async {
            tokio::task::yield_now().await;
            if true {
                panic!("the till is on fire");
            }
            Ok::<_, Infallible>(ok("never"))
        }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), 500);
    response.into_body().collect().await.unwrap();
    let ends: Vec<_> = recorder.seen().into_iter().map(|ended| (ended.observer, ended.end)).collect();
    let panicked = "panicked: the till is on fire".to_owned();
    assert_eq!(ends, [("under", panicked), ("over", "complete".to_owned())]);
}

#[tokio::test]
async fn over_and_under_cors_and_trace() {
    use tower_http::{cors::CorsLayer, trace::TraceLayer};
    let recorder = Recorder::new();
    let mut service = ServiceBuilder::new()
        .layer(ObserveLayer::new(recorder.also("over")))
        .layer(TraceLayer::new_for_http())
        // It answers some requests by itself, with a body by default.
        .layer(CorsLayer::permissive())
        .layer(ObserveLayer::new(recorder.also("under")))
        .service(service_fn(|_: Request<Empty<Bytes>>| async { Ok::<_, Infallible>(ok("hello")) }));
    let preflight = Request::options("/").header("access-control-request-method", "GET");
    let preflight = preflight.body(Empty::new()).unwrap();
    let response = service.ready().await.unwrap().call(preflight).await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    response.into_body().collect().await.unwrap();
    assert_eq!(recorder.only().observer, "over", "the inner one was never asked");

    let response = service.ready().await.unwrap().call(Request::new(Empty::new())).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert_eq!(recorder.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn over_and_under_a_timeout() {
    let recorder = Recorder::new();
    let service = ServiceBuilder::new()
        .layer(ObserveLayer::new(recorder.also("over")))
        .timeout(Duration::from_millis(300))
        .layer(ObserveLayer::new(recorder.also("under")))
        .service(service_fn(|_: Request<()>| async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok::<_, Infallible>(ok("too late"))
        }));
    let error = service.oneshot(Request::new(())).await.err().unwrap();
    assert!(error.is::<tower::timeout::error::Elapsed>());
    let seen = recorder.seen();
    let ends: Vec<_> = seen.iter().map(|ended| (ended.observer, ended.end.as_str())).collect();
    assert_eq!(ends, [("under", "canceled"), ("over", "failed: request timed out")]);
    assert!(seen.iter().all(|ended| ended.duration == Duration::from_millis(300)), "{seen:#?}");
}

#[tokio::test]
async fn over_and_under_a_buffer_and_a_limit() {
    let recorder = Recorder::new();
    let service = ServiceBuilder::new()
        .layer(ObserveLayer::new(recorder.also("over")))
        .buffer(4)
        .concurrency_limit(1)
        .layer(ObserveLayer::new(recorder.also("under")))
        .service(
            Strict { ready: false, polls: Arc::default() }.map_err(|Broken(message)| BoxError::from(message)),
        );
    let calls = (0..4).map(|_| service.clone().oneshot(Request::new(())));
    for response in futures_util::future::join_all(calls).await {
        response.unwrap().into_body().collect().await.unwrap();
    }
    assert_eq!(recorder.seen().len(), 8);
    assert!(recorder.seen().iter().all(|ended| ended.end == "complete"), "{:#?}", recorder.seen());
}

/// Tries as often as it is told.
#[derive(Clone)]
struct Tries(usize);

impl<T> tower::retry::Policy<Request<()>, T, Broken> for Tries {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request<()>, result: &mut Result<T, Broken>) -> Option<Ready<()>> {
        self.0 = self.0.checked_sub(1)?;
        result.is_err().then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<()>) -> Option<Request<()>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn over_a_retry_there_is_one_exchange_and_under_it_one_for_each_try() {
    let recorder = Recorder::new();
    let tries = Arc::new(AtomicUsize::new(0));
    let service = ServiceBuilder::new()
        .layer(ObserveLayer::new(recorder.also("over")))
        .retry(Tries(2))
        .layer(ObserveLayer::new(recorder.also("under")))
        .service_fn(move |_: Request<()>| {
            let last = tries.fetch_add(1, Ordering::SeqCst) == 2;
            ready(if last { Ok(ok("hello")) } else { Err(Broken("not yet")) })
        });
    service.oneshot(Request::new(())).await.unwrap().into_body().collect().await.unwrap();
    let ends: Vec<_> = recorder.seen().into_iter().map(|ended| (ended.observer, ended.end)).collect();
    let ends: Vec<_> = ends.iter().map(|(observer, end)| (*observer, end.as_str())).collect();
    let failed = ("under", "failed: not yet");
    assert_eq!(ends, [failed, failed, ("under", "complete"), ("over", "complete")]);
}

// ===== the same of the OpenTelemetry layers =====

#[cfg(feature = "otel")]
mod otel {
    use belvedere::otel::{ClientSpan, OtelClientLayer, OtelLayer, ServerSpan};

    use super::*;
    use crate::support::Spans;

    const _: () = {
        type Inner = Full<Bytes>;
        clone::<OtelLayer>();
        send::<OtelLayer>();
        sync::<OtelLayer>();
        unpin::<OtelLayer>();
        clone::<OtelClientLayer>();
        send::<OtelClientLayer>();
        sync::<OtelClientLayer>();
        unpin::<OtelClientLayer>();
        clone::<Observe<Inner, OtelLayer>>();
        send::<Observe<Inner, OtelLayer>>();
        sync::<Observe<Inner, OtelLayer>>();
        unpin::<Observe<Inner, OtelLayer>>();
        send::<Body<Inner, ServerSpan>>();
        sync::<Body<Inner, ServerSpan>>();
        unpin::<Body<Inner, ServerSpan>>();
        default::<Body<Inner, ServerSpan>>();
        send::<Body<Inner, ClientSpan>>();
        sync::<Body<Inner, ClientSpan>>();
        unpin::<Body<Inner, ClientSpan>>();
        default::<Body<Inner, ClientSpan>>();
        send::<belvedere::observe::Future<Ready<()>, ServerSpan>>();
        unpin::<belvedere::observe::Future<Ready<()>, ServerSpan>>();
    };

    #[tokio::test]
    async fn over_http1_every_byte_is_the_same() {
        same_bytes!(hyper1, raw1, SHAPES.into_iter().chain([HANGS]), Spans::new().layer());
    }

    #[tokio::test]
    async fn over_http2_every_frame_is_the_same() {
        same_bytes!(hyper2, raw2, SHAPES, Spans::new().layer());
    }

    #[tokio::test]
    async fn a_connection_that_is_upgraded_carries_bytes_both_ways() {
        let spans = Spans::new();
        let server = Server::hyper1(spans.layer().layer(service_fn(echo))).await;
        assert_eq!(client::upgrade1(server.address, b"is anybody there?").await.1, b"is anybody there?");
        spans.only();
    }

    #[tokio::test]
    async fn a_default_provider_changes_nothing_either() {
        same_bytes!(hyper1, raw1, SHAPES.into_iter().chain([HANGS]), OtelLayer::new());
    }

    #[tokio::test]
    async fn a_client_adds_the_trace_to_the_request_and_nothing_else() {
        async fn headers(layer: Option<OtelClientLayer>) -> (Vec<String>, Response<Vec<u8>>) {
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
            let service = service_fn(move |request: Request<()>| {
                sender.send(request.headers().keys().map(ToString::to_string).collect()).unwrap();
                shapes(request)
            });
            let request = Request::get("http://shop.example/no-length-but-an-end").header("x-sent", "yes");
            let request = request.body(()).unwrap();
            let response = match layer {
                Some(layer) => collected(layer.layer(service).oneshot(request).await).await,
                None => collected(service.oneshot(request).await).await,
            };
            (receiver.recv().await.unwrap(), response)
        }
        async fn collected<B>(response: Result<Response<B>, Infallible>) -> Response<Vec<u8>>
        where
            B: http_body::Body<Data = Bytes, Error = Broken>,
        {
            let (head, body) = response.unwrap().into_parts();
            Response::from_parts(head, body.collect().await.unwrap().to_bytes().to_vec())
        }
        let (bare, bare_answer) = headers(None).await;
        let (sent, answer) = headers(Some(Spans::new().client_layer())).await;
        assert_eq!(bare, ["x-sent"]);
        assert_eq!(sent, ["x-sent", "traceparent"]);
        assert_eq!(answer.headers(), bare_answer.headers());
        assert_eq!(answer.body(), bare_answer.body());
    }

    #[tokio::test]
    async fn a_clients_own_error_keeps_its_type() {
        let service = service_fn(|_: Request<()>| ready(Err::<Response<Script>, _>(Broken("no luck"))));
        let error = Spans::new().client_layer().layer(service).oneshot(Request::new(())).await.err().unwrap();
        assert_eq!(error.0, "no luck");
    }

    #[tokio::test]
    async fn a_panic_keeps_its_payload() {
        let service = service_fn(|_: Request<()>| -> Ready<Result<Response<Script>, Infallible>> {
            std::panic::panic_any(Payload(42))
        });
        let service = Spans::new().layer().layer(service);
        let payload = tokio::spawn(service.oneshot(Request::new(()))).await.unwrap_err().into_panic();
        assert_eq!(payload.downcast_ref(), Some(&Payload(42)));
    }
}
