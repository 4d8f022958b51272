//! Requests that become connections: their exchange ends with the handshake, or with the connection where a handler takes
//! it; once, with one layer or with several, whoever leaves when.
#![cfg(feature = "full")]

mod support;

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::ws::{WebSocket, WebSocketUpgrade},
    routing::any,
};
use belvedere::{
    exchange::Annotations,
    observe::{Connected, Connection, Observe, ObserveLayer},
    trace::Scope,
};
use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use http::{Extensions, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry::{Context, trace::SpanKind};
use opentelemetry_sdk::trace::SpanData;
use support::{
    Ended, Recorder, Script, Server, Spans, client,
    layers::{exception, lasted, text},
    observer::Bystander,
    spans::{attribute, attributes, status},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, protocol::Role},
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt as _, service_fn, util::BoxCloneService};

/// A handler of these tests.
type Handler = BoxCloneService<Request<()>, Response<Script>, Infallible>;

/// A handshake, as the handler sees it.
#[derive(Clone, Default)]
struct Shake {
    connection: Arc<Mutex<Option<Connection>>>,
    extensions: Arc<Mutex<Extensions>>,
}

// ===== impl Shake =====

impl Shake {
    /// Takes the connection, and answers with this status after a while.
    fn handler(&self, code: u16) -> Handler {
        let shake = self.clone();
        BoxCloneService::new(service_fn(move |request: Request<()>| {
            *shake.connection.lock().unwrap() = Connection::of(request.extensions());
            *shake.extensions.lock().unwrap() = request.extensions().clone();
            async move {
                sleep(HANDSHAKE).await;
                Ok::<_, Infallible>(Response::builder().status(code).body(Script::new()).unwrap())
            }
        }))
    }

    /// The connection that the handler took.
    fn connection(&self) -> Connection {
        self.connection.lock().unwrap().take().expect("the handler took it")
    }
}

/// Lets a handler take the connection and answer this request with this status, and the server send it.
async fn shaken<L, S, B>(layer: L, request: Request<()>, code: u16) -> Connection
where
    L: Layer<Handler, Service = S>,
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
{
    let shake = Shake::default();
    let response = layer.layer(shake.handler(code)).oneshot(request).await.unwrap();
    // As a server drops it once its head is out.
    drop(response);
    shake.connection()
}

fn watched(recorder: &Recorder) -> ObserveLayer<Recorder> {
    ObserveLayer::new(recorder.clone())
}

fn upgrade() -> Request<()> {
    Request::get("/feed").header("connection", "upgrade").header("upgrade", "echo").body(()).unwrap()
}

fn connect(version: Version) -> Request<()> {
    Request::builder().method(Method::CONNECT).uri("shop.example:443").version(version).body(()).unwrap()
}

fn ends(seen: &[Ended]) -> Vec<(&str, &str)> {
    seen.iter().map(|ended| (ended.observer, ended.end.as_str())).collect()
}

/// How long a handler takes for a handshake.
const HANDSHAKE: Duration = Duration::from_millis(20);

/// How long a session lasts.
const SESSION: Duration = Duration::from_secs(3600);

const fn shared<T: Send + Sync + Unpin>() {}

const _: () = {
    shared::<Connection>();
    shared::<Connected<std::future::Ready<()>>>();
};

// ===== by handshake =====

#[tokio::test(start_paused = true)]
async fn nobody_takes_the_connection_and_the_exchange_ends_with_the_handshake() {
    let recorder = Recorder::new();
    let handler = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::builder().status(101).body(Script::new().hang()).unwrap())
    });
    let response = Observe::new(handler, recorder.clone()).oneshot(upgrade()).await.unwrap();
    assert_eq!(recorder.only().end, "complete");
    drop(response);
    assert_eq!(recorder.only().end, "complete");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_dropped_before_the_head_leaves_nothing_to_wait_for() {
    let recorder = Recorder::new();
    let handler = service_fn(|request: Request<()>| async move {
        drop(Connection::of(request.extensions()).unwrap());
        sleep(HANDSHAKE).await;
        Ok::<_, Infallible>(Response::builder().status(101).body(Script::new()).unwrap())
    });
    let _response = Observe::new(handler, recorder.clone()).oneshot(upgrade()).await.unwrap();
    let ended = recorder.only();
    assert_eq!((ended.end.as_str(), ended.duration), ("complete", HANDSHAKE));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_before_the_head_leaves_nothing_to_wait_for() {
    let recorder = Recorder::new();
    let handler = service_fn(|request: Request<()>| async move {
        Connection::of(request.extensions()).unwrap().run(sleep(HANDSHAKE / 2)).await;
        sleep(HANDSHAKE / 2).await;
        Ok::<_, Infallible>(Response::builder().status(101).body(Script::new()).unwrap())
    });
    let _response = Observe::new(handler, recorder.clone()).oneshot(upgrade()).await.unwrap();
    let ended = recorder.only();
    assert_eq!((ended.end.as_str(), ended.duration), ("complete", HANDSHAKE));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_taken_after_the_head_holds_nothing() {
    let recorder = Recorder::new();
    let handler = service_fn(|request: Request<()>| async move {
        let mut head = Response::builder().status(101);
        *head.extensions_mut().unwrap() = request.extensions().clone();
        Ok::<_, Infallible>(head.body(Script::new()).unwrap())
    });
    let response = Observe::new(handler, recorder.clone()).oneshot(upgrade()).await.unwrap();
    assert_eq!(recorder.only().end, "complete");
    Connection::of(response.extensions()).unwrap().run(sleep(SESSION)).await;
    recorder.only();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_upgrade_ends_as_always() {
    for code in [200, 400, 426, 500] {
        let recorder = Recorder::new();
        let handler = service_fn(move |request: Request<()>| async move {
            let connection = Connection::of(request.extensions()).unwrap();
            let body = Script::new().data("ab").wait(500).data("c");
            // It is still there when the body is over.
            tokio::spawn(connection.run(sleep(SESSION)));
            Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
        });
        let response = Observe::new(handler, recorder.clone()).oneshot(upgrade()).await.unwrap();
        response.into_body().collect().await.unwrap();
        let ended = recorder.only();
        assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 3), "{code}");
        assert_eq!(ended.duration, Duration::from_millis(500), "{code}");
        sleep(2 * SESSION).await;
        recorder.only();
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_upgrade_and_has_no_body_ends_with_its_head() {
    for code in [200, 204, 304, 426] {
        let recorder = Recorder::new();
        let handler = service_fn(move |request: Request<()>| async move {
            tokio::spawn(Connection::of(request.extensions()).unwrap().run(sleep(SESSION)));
            Ok::<_, Infallible>(Response::builder().status(code).body(Script::new().last()).unwrap())
        });
        let _response = Observe::new(handler, recorder.clone()).oneshot(upgrade()).await.unwrap();
        assert_eq!(recorder.only().end, "complete", "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_is_refused_ends_with_its_body() {
    let recorder = Recorder::new();
    let _connection = shaken(watched(&recorder), connect(Version::HTTP_11), 403).await;
    assert_eq!(recorder.only().end, "canceled", "its body was not read");
}

#[tokio::test(start_paused = true)]
async fn an_error_and_a_panic_of_the_handler_end_as_always() {
    let recorder = Recorder::new();
    let handler = service_fn(|request: Request<()>| async move {
        let _connection = Connection::of(request.extensions()).unwrap();
        Err::<Response<Script>, _>("no luck")
    });
    Observe::new(handler, recorder.clone()).oneshot(upgrade()).await.err().unwrap();
    let handler = service_fn(|request: Request<()>| async move {
        let _connection = Connection::of(request.extensions()).unwrap();
        if true {
            panic!("no luck either");
        }
        Ok::<_, Infallible>(Response::new(Script::new()))
    });
    let call = Observe::new(handler, recorder.clone()).oneshot(upgrade());
    assert!(AssertUnwindSafe(call).catch_unwind().await.is_err());
    assert_eq!(
        ends(&recorder.seen()),
        [("recorder", "failed: no luck"), ("recorder", "panicked: no luck either")]
    );
}

// ===== by connection =====

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_dropped_ends_complete_when_it_is() {
    let recorder = Recorder::new();
    let connection = shaken(watched(&recorder), upgrade(), 101).await;
    sleep(SESSION).await;
    assert!(recorder.seen().is_empty());
    drop(connection);
    let ended = recorder.only();
    assert_eq!((ended.end.as_str(), ended.status), ("complete", Some(StatusCode::SWITCHING_PROTOCOLS)));
    assert_eq!((ended.head, ended.duration), (Some(HANDSHAKE), HANDSHAKE + SESSION));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_ends_complete_and_gives_its_output() {
    let recorder = Recorder::new();
    let connection = shaken(watched(&recorder), upgrade(), 101).await;
    let session = connection.run(async {
        sleep(SESSION).await;
        "goodbye"
    });
    assert_eq!(session.await, "goodbye");
    let ended = recorder.only();
    assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 0));
    assert_eq!((ended.head, ended.duration), (Some(HANDSHAKE), HANDSHAKE + SESSION));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_begins_before_the_head_ends_when_it_is_over() {
    let recorder = Recorder::new();
    let handler = service_fn(|request: Request<()>| async move {
        tokio::spawn(Connection::of(request.extensions()).unwrap().run(sleep(SESSION)));
        sleep(HANDSHAKE).await;
        Ok::<_, Infallible>(Response::builder().status(101).body(Script::new()).unwrap())
    });
    drop(Observe::new(handler, recorder.clone()).oneshot(upgrade()).await.unwrap());
    assert!(recorder.seen().is_empty());
    sleep(SESSION).await;
    let ended = recorder.only();
    assert_eq!((ended.end.as_str(), ended.head, ended.duration), ("complete", Some(HANDSHAKE), SESSION));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_panics_ends_panicked_and_goes_on() {
    let recorder = Recorder::new();
    let connection = shaken(watched(&recorder), upgrade(), 101).await;
    let session = tokio::spawn(connection.run(async {
        sleep(SESSION).await;
        let reason = "the session";
        panic!("in {reason}");
    }));
    let panic = session.await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "in the session");
    let ended = recorder.only();
    assert_eq!(ended.end, "panicked: in the session");
    assert_eq!(ended.duration, HANDSHAKE + SESSION);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_aborted_ends_canceled() {
    let recorder = Recorder::new();
    let connection = shaken(watched(&recorder), upgrade(), 101).await;
    let session = tokio::spawn(connection.run(std::future::pending::<()>()));
    sleep(SESSION).await;
    assert!(recorder.seen().is_empty());
    session.abort();
    session.await.unwrap_err();
    let ended = recorder.only();
    assert_eq!((ended.end.as_str(), ended.duration), ("canceled", HANDSHAKE + SESSION));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_never_polled_ends_canceled() {
    let recorder = Recorder::new();
    let connection = shaken(watched(&recorder), upgrade(), 101).await;
    drop(connection.run(async {}));
    assert_eq!(recorder.only().end, "canceled");
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_a_session_is_dropped_ends_panicked() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    let recorder = Recorder::new();
    let connection = shaken(watched(&recorder), upgrade(), 101).await;
    let bomb = Bomb;
    let session = connection.run(async move {
        let _bomb = bomb;
        std::future::pending::<()>().await;
    });
    catch_unwind(AssertUnwindSafe(|| drop(session))).unwrap_err();
    assert_eq!(recorder.only().end, "panicked: in a drop");
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_succeeds_becomes_a_connection_too() {
    for (version, code) in [(Version::HTTP_11, 200), (Version::HTTP_2, 200), (Version::HTTP_2, 204)] {
        let recorder = Recorder::new();
        let connection = shaken(watched(&recorder), connect(version), code).await;
        sleep(SESSION).await;
        assert!(recorder.seen().is_empty(), "{version:?} {code}");
        connection.run(async {}).await;
        assert_eq!(recorder.only().end, "complete", "{version:?} {code}");
    }
}

// ===== who gets it =====

#[tokio::test(start_paused = true)]
async fn only_one_has_the_connection_until_it_goes_back() {
    let recorder = Recorder::new();
    let handler = service_fn(|request: Request<()>| async move {
        let first = Connection::of(request.extensions()).unwrap();
        assert!(Connection::of(request.extensions()).is_none());
        drop(first);
        let again = Connection::of(request.extensions()).unwrap();
        tokio::spawn(again.run(sleep(SESSION)));
        Ok::<_, Infallible>(Response::builder().status(101).body(Script::new()).unwrap())
    });
    drop(Observe::new(handler, recorder.clone()).oneshot(upgrade()).await.unwrap());
    assert!(recorder.seen().is_empty());
    sleep(2 * SESSION).await;
    assert_eq!(recorder.only().duration, SESSION);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_asks_for_no_upgrade_has_no_connection() {
    let h2 = Request::get("/").version(Version::HTTP_2).header("upgrade", "echo").body(()).unwrap();
    for request in [Request::new(()), h2] {
        let shake = Shake::default();
        watched(&Recorder::new()).layer(shake.handler(101)).oneshot(request).await.unwrap();
        assert!(shake.connection.lock().unwrap().is_none());
    }
    let shake = Shake::default();
    shake.handler(101).oneshot(upgrade()).await.unwrap();
    assert!(shake.connection.lock().unwrap().is_none(), "nobody watches");
}

#[test]
fn only_a_request_that_asks_for_an_upgrade_pays_for_it() {
    let allocated = |header: &'static str, version| {
        let answer = || std::future::ready(Ok::<_, Infallible>(Response::new(Script::new())));
        let mut service = Observe::new(service_fn(move |_: Request<()>| answer()), Bystander);
        let request = Request::get("/feed").version(version).header(header, "echo").body(()).unwrap();
        let serve = move || drop(service.call(request).now_or_never().unwrap().unwrap());
        allocation_counter::measure(serve).count_total
    };
    // The thread's first exchange sets up what all share.
    allocated("x-upgrade", Version::HTTP_11);
    let plain = allocated("x-upgrade", Version::HTTP_11);
    // The offer, and its place in the scope.
    assert_eq!(allocated("upgrade", Version::HTTP_11), plain + 2);
    assert_eq!(allocated("upgrade", Version::HTTP_2), plain);
}

#[tokio::test(start_paused = true)]
async fn the_default_holds_nothing_and_runs_in_the_scope_that_it_was_made_in() {
    let recorder = Recorder::new();
    let handler = service_fn(|_: Request<()>| async {
        let session = Connection::default().run(async { Annotations::current().insert("seen", true) });
        tokio::spawn(session).await.unwrap();
        Ok::<_, Infallible>(Response::new(Script::new().last()))
    });
    drop(Observe::new(handler, recorder.clone()).oneshot(Request::new(())).await.unwrap());
    assert_eq!(recorder.only().annotations, [("seen".to_owned(), "true".to_owned())]);
}

// ===== scope =====

#[tokio::test(start_paused = true)]
async fn a_session_runs_in_the_scope_of_its_exchange_to_its_last_drop() {
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            Annotations::current().insert("dropped", true);
        }
    }
    let recorder = Recorder::new();
    let connection = shaken(watched(&recorder), upgrade(), 101).await;
    let session = tokio::spawn(connection.run(async {
        let _guard = Guard;
        Annotations::current().insert("first poll", true);
        sleep(SESSION).await;
        Annotations::current().insert("second poll", true);
        std::future::pending::<()>().await;
    }));
    sleep(SESSION + HANDSHAKE).await;
    assert!(Scope::current().is_none());
    session.abort();
    session.await.unwrap_err();
    assert!(Scope::current().is_none());
    let keys: Vec<_> = recorder.only().annotations.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["first poll", "second poll", "dropped"]);
}

#[tokio::test(start_paused = true)]
async fn the_extensions_of_a_request_keep_no_exchange_alive_and_nothing_is_left_behind() {
    let (recorder, shake, mark) = (Recorder::new(), Shake::default(), Arc::new(()));
    let service = watched(&recorder).layer(shake.handler(101));
    let guard = Context::current().with_value(mark.clone()).attach();
    let response = service.oneshot(upgrade()).now_or_never();
    assert!(response.is_none(), "the handshake takes its time");
    drop(guard);
    // The call was dropped with its head not out.
    assert_eq!(recorder.only().end, "canceled");
    drop(shake);
    assert_eq!(Arc::strong_count(&mark), 1);

    let (recorder, shake) = (Recorder::new(), Shake::default());
    let guard = Context::current().with_value(mark.clone()).attach();
    let call = watched(&recorder).layer(shake.handler(101)).call(upgrade());
    drop(guard);
    drop(call.await.unwrap());
    assert!(Arc::strong_count(&mark) > 1);
    drop(shake.connection());
    assert_eq!(recorder.only().end, "complete", "although there are extensions still");
    drop(shake);
    assert_eq!(Arc::strong_count(&mark), 1);
}

// ===== several observers =====

/// Runs a session under two observers, and tells what the two have recorded.
async fn under_two<L, S, B>(outer: &Recorder, layer: L, end: impl AsyncFnOnce(Connection)) -> Vec<Ended>
where
    L: Layer<Handler, Service = S>,
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
{
    let connection = shaken(layer, upgrade(), 101).await;
    sleep(SESSION).await;
    assert!(outer.seen().is_empty());
    end(connection).await;
    outer.seen()
}

#[tokio::test(start_paused = true)]
async fn stacked_layers_and_one_pass_end_innermost_first_and_alike() {
    async fn run(names: [&'static str; 2], stacked: bool, end: impl AsyncFnOnce(Connection)) -> Vec<Ended> {
        let outer = Recorder::named(names[0]);
        let inner = outer.also(names[1]);
        if stacked {
            let layer = ServiceBuilder::new().layer(watched(&outer)).layer(watched(&inner)).into_inner();
            under_two(&outer, layer, end).await
        } else {
            under_two(&outer, ObserveLayer::new((outer.clone(), inner)), end).await
        }
    }
    async fn panics(connection: Connection) {
        tokio::spawn(connection.run(async { panic!("oh") })).await.unwrap_err();
    }
    let facts = |seen: Vec<Ended>| {
        assert_eq!(seen[0].span_id, seen[1].span_id);
        let fact = |e: Ended| (e.observer, e.end, e.status, e.bytes, e.head, e.duration, e.annotations);
        seen.into_iter().map(fact).collect::<Vec<_>>()
    };
    for names in [["a", "b"], ["b", "a"]] {
        let (stacked, fused) = (run(names, true, panics).await, run(names, false, panics).await);
        assert_eq!(ends(&stacked), [(names[1], "panicked: oh"), (names[0], "panicked: oh")]);
        assert_eq!(facts(stacked), facts(fused));
        let drops = async |connection: Connection| drop(connection);
        let (stacked, fused) = (run(names, true, drops).await, run(names, false, drops).await);
        assert_eq!(ends(&stacked), [(names[1], "complete"), (names[0], "complete")]);
        assert_eq!(facts(stacked), facts(fused));
    }
}

/// A middleware that thinks about every answer.
fn slow<S: Service<Request<()>>>(
    inner: S,
) -> impl Service<Request<()>, Response = S::Response, Error = S::Error, Future: Send>
where
    S::Future: Send + 'static,
    S::Response: Send,
    S::Error: Send,
{
    inner.map_future(|call: S::Future| async move {
        let answer = call.await;
        sleep(HANDSHAKE).await;
        answer
    })
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_over_between_two_layers_ends_each_of_them_once() {
    let (recorder, shake) = (Recorder::new(), Shake::default());
    let inner = watched(&recorder.also("inner")).layer(shake.handler(101));
    let service = watched(&recorder.also("outer")).layer(slow(inner));
    let call = tokio::spawn(service.oneshot(upgrade()));
    sleep(HANDSHAKE * 3 / 2).await;
    drop(shake.connection());
    assert_eq!(ends(&recorder.seen()), [("inner", "complete")]);
    drop(call.await.unwrap().unwrap());
    assert_eq!(ends(&recorder.seen()), [("inner", "complete"), ("outer", "complete")]);
    let durations: Vec<_> = recorder.seen().iter().map(|ended| ended.duration).collect();
    assert_eq!(durations, [HANDSHAKE * 3 / 2, HANDSHAKE * 2]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_during_the_handshake_ends_each_layer_once() {
    let (recorder, shake) = (Recorder::new(), Shake::default());
    let inner = watched(&recorder.also("inner")).layer(shake.handler(101));
    let service = watched(&recorder.also("outer")).layer(slow(inner));
    timeout(HANDSHAKE / 2, service.oneshot(upgrade())).await.err().unwrap();
    let canceled = [("inner", "canceled"), ("outer", "canceled")];
    assert_eq!(ends(&recorder.seen()), canceled);
    shake.connection().run(sleep(SESSION)).await;
    assert_eq!(ends(&recorder.seen()), canceled);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_between_two_layers_ends_each_of_them_once() {
    let (recorder, shake) = (Recorder::new(), Shake::default());
    let inner = watched(&recorder.also("inner")).layer(shake.handler(101));
    let service = watched(&recorder.also("outer")).layer(slow(inner));
    timeout(HANDSHAKE * 3 / 2, service.oneshot(upgrade())).await.err().unwrap();
    assert_eq!(ends(&recorder.seen()), [("outer", "canceled")]);
    drop(shake.connection());
    assert_eq!(ends(&recorder.seen()), [("outer", "canceled"), ("inner", "complete")]);
}

#[tokio::test]
async fn a_connection_that_ends_at_the_very_moment_of_the_head_ends_once() {
    for _ in 0..500 {
        let recorder = Recorder::new();
        let (sender, receiver) = std::sync::mpsc::channel();
        let ender = std::thread::spawn(move || drop::<Connection>(receiver.recv().unwrap()));
        let handler = service_fn(move |request: Request<()>| {
            sender.send(Connection::of(request.extensions()).unwrap()).unwrap();
            std::future::ready(Ok::<_, Infallible>(
                Response::builder().status(101).body(Script::new()).unwrap(),
            ))
        });
        let layer = ObserveLayer::new((recorder.clone(), recorder.also("inner")));
        drop(layer.layer(watched(&recorder.also("inmost")).layer(handler)).oneshot(upgrade()).await.unwrap());
        ender.join().unwrap();
        let complete = [("inmost", "complete"), ("inner", "complete"), ("recorder", "complete")];
        let mut seen = recorder.seen();
        seen.sort_by_key(|ended| ended.observer);
        assert_eq!(ends(&seen), complete);
    }
}

// ===== spans =====

/// The span of a request that becomes a connection which does this.
async fn span_of(session: impl Future<Output = ()> + Send + 'static) -> (SpanData, Spans) {
    let spans = Spans::new();
    let connection = shaken(spans.layer(), upgrade(), 101).await;
    assert!(spans.all().is_empty());
    drop(tokio::spawn(connection.run(session)).await);
    (spans.named("GET"), spans)
}

#[tokio::test(start_paused = true)]
async fn the_span_of_a_connection_is_the_parent_of_what_happens_in_it_and_ends_last() {
    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    let spans = Spans::new();
    let connection = shaken(spans.layer(), upgrade(), 101).await;
    let tracer = spans.provider.tracer("session");
    let session = connection.run(async {
        sleep(SESSION).await;
        Annotations::current().insert("feed.messages", 17);
        tracer.start("message").end();
    });
    session.await;
    let (span, message) = (spans.named("GET"), spans.named("message"));
    assert_eq!(message.parent_span_id, span.span_context.span_id());
    assert_eq!(lasted(&span), HANDSHAKE + SESSION);
    assert_eq!((status(&span).as_str(), text(&span, "http.response.status_code").as_str()), ("unset", "101"));
    assert_eq!(text(&span, "feed.messages"), "17");
    assert!(attribute(&span, "error.type").is_none(), "{:?}", attributes(&span));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_connection_makes_its_span_an_error() {
    let (span, _) = span_of(async { panic!("the feed is on fire") }).await;
    assert_eq!(status(&span), "error: panicked: the feed is on fire");
    assert_eq!(text(&span, "error.type"), "panic");
    assert_eq!(exception(&span).as_deref(), Some("the feed is on fire"));
}

#[tokio::test(start_paused = true)]
async fn a_second_layer_within_makes_no_second_span() {
    let spans = Spans::new();
    let layer = ServiceBuilder::new().layer(spans.layer()).layer(spans.layer()).into_inner();
    shaken(layer, upgrade(), 101).await.run(sleep(SESSION)).await;
    assert_eq!(lasted(&spans.only()), HANDSHAKE + SESSION);
}

#[tokio::test(start_paused = true)]
async fn the_span_of_a_client_ends_with_the_handshake() {
    let spans = Spans::new();
    // A proxy that hands on the request as it is, while it has the connection.
    let upstream = service_fn(|_: Request<()>| async {
        sleep(HANDSHAKE).await;
        Ok::<_, Infallible>(Response::builder().status(101).body(Script::new()).unwrap())
    });
    let client = spans.client_layer().layer(upstream);
    let shake = Shake::default();
    let connection = shake.connection.clone();
    let proxy = service_fn(move |request: Request<()>| {
        *connection.lock().unwrap() = Connection::of(request.extensions());
        client.clone().oneshot(request)
    });
    drop(spans.layer().layer(proxy).oneshot(upgrade()).await.unwrap());
    let call = spans.only();
    assert_eq!((&call.span_kind, lasted(&call)), (&SpanKind::Client, HANDSHAKE));
    shake.connection().run(sleep(SESSION)).await;
    assert_eq!(lasted(&spans.of_kind(&SpanKind::Server)), HANDSHAKE + SESSION);
}

// ===== sockets =====

/// How many messages a visitor sends, and how long it waits before each.
const MESSAGES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(40);

/// A shop with a feed by handshake, one by connection, and one that breaks.
async fn feeds(spans: &Spans, recorder: &Recorder) -> Server {
    let by_handshake = |upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(serve) };
    let by_connection = |upgrade: WebSocketUpgrade, connection: Connection| async {
        upgrade.on_upgrade(move |socket| connection.run(serve(socket)))
    };
    let broken = |upgrade: WebSocketUpgrade, connection: Connection| async {
        upgrade.on_upgrade(move |mut socket| {
            connection.run(async move {
                socket.recv().await;
                panic!("the feed is on fire")
            })
        })
    };
    let router = Router::new()
        .route("/by-handshake", any(by_handshake))
        .route("/by-connection", any(by_connection))
        .route("/broken", any(broken))
        .layer(watched(recorder))
        .layer(spans.layer());
    Server::axum(router).await
}

/// Says back what it hears, and counts.
async fn serve(mut socket: WebSocket) {
    let mut messages = 0;
    while let Some(Ok(message)) = socket.recv().await {
        messages += 1;
        Annotations::current().insert("feed.messages", messages);
        if socket.send(message).await.is_err() {
            break;
        }
    }
}

/// Talks for a while, says goodbye, and reads to the end.
async fn talk<S>(mut socket: WebSocketStream<S>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    for number in 0..MESSAGES {
        sleep(PAUSE).await;
        let message = Message::text(number.to_string());
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
}

async fn dial(server: &Server, path: &str) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (socket, response) = client_async(format!("ws://shop.example{path}"), stream).await.unwrap();
    assert_eq!(response.status(), 101);
    socket
}

#[tokio::test]
async fn a_websocket_by_handshake_has_a_short_span() {
    let (spans, recorder) = (Spans::new(), Recorder::new());
    let server = feeds(&spans, &recorder).await;
    let socket = dial(&server, "/by-handshake").await;
    // It is there before anything is said.
    let span = spans.ended(1).await.remove(0);
    talk(socket).await;
    assert_eq!((span.name.as_ref(), status(&span).as_str()), ("GET /by-handshake", "unset"));
    assert_eq!((spans.all().len(), recorder.only().end.as_str()), (1, "complete"));
}

#[tokio::test]
async fn a_websocket_by_connection_has_a_span_of_its_session() {
    let (spans, recorder) = (Spans::new(), Recorder::new());
    let server = feeds(&spans, &recorder).await;
    let socket = dial(&server, "/by-connection").await;
    sleep(PAUSE).await;
    assert!(spans.all().is_empty());
    talk(socket).await;
    let span = spans.ended(1).await.remove(0);
    assert_eq!((span.name.as_ref(), status(&span).as_str()), ("GET /by-connection", "unset"));
    assert!(lasted(&span) >= PAUSE * MESSAGES, "{:?}", lasted(&span));
    // The goodbye is one, too.
    assert_eq!(text(&span, "feed.messages"), (MESSAGES + 1).to_string());
    let ended = recorder.only();
    assert_eq!(ended.end, "complete");
    assert!(ended.duration - ended.head.unwrap() >= PAUSE * MESSAGES, "{ended:?}");
}

#[tokio::test]
async fn a_websocket_whose_client_is_gone_ends_when_its_handler_sees_it() {
    let (spans, recorder) = (Spans::new(), Recorder::new());
    let server = feeds(&spans, &recorder).await;
    let socket = dial(&server, "/by-connection").await;
    sleep(PAUSE).await;
    drop(socket);
    assert!(lasted(&spans.ended(1).await[0]) >= PAUSE);
    assert_eq!(recorder.only().end, "complete");
}

#[tokio::test]
async fn a_websocket_that_panics_has_a_span_that_says_so() {
    let (spans, recorder) = (Spans::new(), Recorder::new());
    let server = feeds(&spans, &recorder).await;
    let mut socket = dial(&server, "/broken").await;
    socket.send(Message::text("0")).await.unwrap();
    let span = spans.ended(1).await.remove(0);
    assert_eq!(status(&span), "error: panicked: the feed is on fire");
    assert_eq!(recorder.only().end, "panicked: the feed is on fire");
}

#[tokio::test]
async fn a_request_that_is_no_websocket_after_all_is_refused_as_always() {
    let (spans, recorder) = (Spans::new(), Recorder::new());
    let server = feeds(&spans, &recorder).await;
    let answer = client::raw1(server.address, "GET", "/by-connection").await;
    assert!(answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    spans.ended(1).await;
    assert_eq!(recorder.only().end, "complete");
}

#[tokio::test]
async fn a_websocket_over_http2_has_a_span_of_its_session() {
    let (spans, recorder) = (Spans::new(), Recorder::new());
    let server = feeds(&spans, &recorder).await;
    let stream = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    sender.ready().await.unwrap();
    // Until the server's settings allow it.
    sleep(PAUSE).await;
    let request = Request::connect("/by-connection")
        .extension(hyper::ext::Protocol::from_static("websocket"))
        .header("host", "shop.example")
        .header("sec-websocket-version", "13")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let mut response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let upgraded = TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap());
    let socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
    assert!(spans.all().is_empty());
    talk(socket).await;
    let span = spans.ended(1).await.remove(0);
    assert_eq!((span.name.as_ref(), status(&span).as_str()), ("CONNECT /by-connection", "unset"));
    assert!(lasted(&span) >= PAUSE * MESSAGES, "{:?}", lasted(&span));
    assert_eq!(recorder.only().end, "complete");
}

/// Switches protocols with hyper alone, and says back what it hears.
async fn echo(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let connection = Connection::of(request.extensions()).unwrap_or_default();
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(connection.run(async {
        let mut stream = TokioIo::new(upgrade.await.unwrap());
        let mut heard = [0; 64];
        while let Ok(count @ 1..) = stream.read(&mut heard).await {
            Annotations::current().insert("heard", count);
            stream.write_all(&heard[..count]).await.unwrap();
        }
    }));
    let head = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    Ok(head.header("connection", "upgrade").header("upgrade", "echo").body(Empty::new()).unwrap())
}

#[tokio::test]
async fn an_upgrade_by_hand_is_the_same_to_its_client_and_ends_with_the_connection() {
    let recorder = Recorder::new();
    let bare = Server::hyper1(service_fn(echo)).await;
    let layered = Server::hyper1(watched(&recorder).layer(service_fn(echo))).await;
    let said = b"is anybody there?";
    let through = client::upgrade1(layered.address, said).await;
    assert_eq!(through, client::upgrade1(bare.address, said).await);
    let ended = recorder.ended(1).await.remove(0);
    assert_eq!(ended.end, "complete");
    assert_eq!(ended.annotations, [("heard".to_owned(), said.len().to_string())]);
    recorder.only();
}
