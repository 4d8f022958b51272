//! What handlers add, and what goes along with them: identity, span and annotations, wherever their work runs.
#![cfg(feature = "full")]

mod support;

use std::{
    cell::Cell,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use belvedere::{
    exchange::{Annotations, Value},
    observe::{ObserveLayer, Observer},
    trace::{InScope as _, Scope},
};
use futures_util::{StreamExt as _, stream};
use http::{Request, Response, request};
use http_body_util::BodyExt as _;
use opentelemetry::{
    Context,
    trace::{SpanKind, TraceContextExt as _},
};
use opentelemetry_sdk::trace::SpanData;
use support::{
    Recorder, Script, Spans,
    layers::{lasted, text},
    observer::Bystander,
    spans::attributes,
};
use tokio::time::{Instant, sleep};
use tower::{Layer as _, ServiceBuilder, ServiceExt as _, service_fn};
use tracing::{Instrument as _, info_span};
use tracing_subscriber::layer::SubscriberExt as _;

/// Where some code finds itself.
#[derive(Debug, PartialEq)]
struct Here {
    trace_id: Option<String>,
    span_id: Option<String>,
}

// ===== impl Here =====

impl Here {
    /// Looks around, and leaves a mark in the annotations.
    fn mark(name: &'static str) -> Self {
        Annotations::current().insert(name, true);
        let identity = |scope: Scope| scope.identity().map(|identity| identity.trace_id().to_string());
        let (trace_id, context) = (Scope::current().and_then(identity), Context::current());
        let span_id = context.has_active_span().then(|| context.span().span_context().span_id().to_string());
        Self { trace_id, span_id }
    }

    const fn nowhere() -> Self {
        Self { trace_id: None, span_id: None }
    }

    fn of(span: &SpanData) -> Self {
        let (trace_id, span_id) = (span.span_context.trace_id(), span.span_context.span_id());
        Self { trace_id: Some(trace_id.to_string()), span_id: Some(span_id.to_string()) }
    }
}

/// Runs some work as a handler: what came of it, and the exchange's span.
async fn inside<T, F>(work: impl FnOnce() -> F) -> (T, SpanData)
where
    F: Future<Output = T>,
{
    let spans = Spans::new();
    let result = inside_of(&spans, work).await;
    (result, spans.of_kind(&SpanKind::Server))
}

async fn inside_of<T, F>(spans: &Spans, work: impl FnOnce() -> F) -> T
where
    F: Future<Output = T>,
{
    let (mut work, result) = (Some(work), Cell::new(None));
    let service = service_fn(|_: Request<()>| {
        let (work, result) = (work.take().unwrap(), &result);
        async move {
            result.set(Some(work().await));
            Ok::<_, Infallible>(Response::new(Script::new().last()))
        }
    });
    spans.layer().layer(service).oneshot(Request::new(())).await.unwrap();
    assert_eq!(Here::mark("afterwards"), Here::nowhere(), "nothing stays behind");
    result.take().unwrap()
}

async fn send(app: Router, path: &str) -> String {
    let response = app.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn has(span: &SpanData, key: &str) -> bool {
    span.attributes.iter().any(|pair| pair.key.as_str() == key)
}

// ===== annotations =====

#[tokio::test(start_paused = true)]
async fn annotations_from_the_extractor_are_typed_attributes_of_the_span() {
    async fn cart(annotations: Annotations) -> &'static str {
        annotations.insert("cart", 17_u8);
        annotations.insert("cart.owner", "worf");
        annotations.insert("cart.total", 9.5);
        sleep(Duration::from_millis(10)).await;
        annotations.insert("cart.gift", true);
        annotations.insert("cart", 18_u8);
        "a cart"
    }
    let spans = Spans::new();
    let app = Router::new().route("/carts/{id}", get(cart)).layer(spans.layer());
    assert_eq!(send(app, "/carts/17").await, "a cart");
    let span = spans.only();
    let value =
        |key: &str| span.attributes.iter().find(|pair| pair.key.as_str() == key).unwrap().value.clone();
    assert_eq!(value("cart"), opentelemetry::Value::I64(18));
    assert_eq!(value("cart.owner"), opentelemetry::Value::from("worf"));
    assert_eq!(value("cart.total"), opentelemetry::Value::F64(9.5));
    assert_eq!(value("cart.gift"), opentelemetry::Value::Bool(true));
}

#[tokio::test(start_paused = true)]
async fn annotations_from_anywhere_in_scope_are_the_extractors_own() {
    async fn deep() {
        sleep(Duration::from_millis(10)).await;
        Annotations::current().insert("deep", "down");
    }
    async fn cart(annotations: Annotations) {
        deep().await;
        assert_eq!(annotations.get("deep"), Some(Value::from("down")));
    }
    let (spans, recorder) = (Spans::new(), Recorder::new());
    let app = Router::new().route("/", get(cart));
    let app = app.layer(ObserveLayer::new(recorder.clone())).layer(spans.layer());
    send(app, "/").await;
    assert_eq!(text(&spans.only(), "deep"), "down");
    assert_eq!(
        recorder.only().annotations,
        [("deep".to_owned(), "down".to_owned())],
        "every backend gets it"
    );
}

#[tokio::test]
async fn without_a_layer_the_extractor_gives_a_list_that_nobody_reads() {
    async fn cart(annotations: Annotations) -> &'static str {
        annotations.insert("cart", 17);
        "a cart"
    }
    assert_eq!(send(Router::new().route("/", get(cart)), "/").await, "a cart");
}

#[tokio::test(start_paused = true)]
async fn what_is_added_while_the_body_is_streamed_still_lands() {
    async fn ticks(annotations: Annotations) -> Body {
        let ticks = stream::iter(0..3).then(move |tick| {
            let annotations = annotations.clone();
            async move {
                sleep(Duration::from_millis(100)).await;
                annotations.insert("ticks", tick);
                Annotations::current().insert("ticks.ambient", tick);
                Ok::<_, Infallible>("tick ")
            }
        });
        Body::from_stream(ticks)
    }
    let spans = Spans::new();
    let app = Router::new().route("/", get(ticks)).layer(spans.layer());
    assert_eq!(send(app, "/").await, "tick tick tick ");
    let span = spans.only();
    assert_eq!((text(&span, "ticks").as_str(), text(&span, "ticks.ambient").as_str()), ("2", "2"));
}

#[tokio::test(start_paused = true)]
async fn what_comes_late_changes_nothing() {
    let ((annotations, here), span) = inside(async || {
        let late = async {
            sleep(Duration::from_secs(1)).await;
            Here::mark("late")
        };
        (Annotations::current(), tokio::spawn(late.in_scope()))
    })
    .await;
    annotations.insert("later", true);
    assert_eq!(here.await.unwrap(), Here::of(&span), "it still knows where it belongs");
    assert!(!has(&span, "late") && !has(&span, "later"), "{:?}", attributes(&span));
}

// ===== work that runs elsewhere =====

/// With `in_scope` all is carried, without it nothing is.
#[track_caller]
fn assert_carried((with, without): (Here, Here), span: &SpanData) {
    assert_eq!(with, Here::of(span));
    assert_eq!(without, Here::nowhere());
    assert!(has(span, "with"), "{:?}", attributes(span));
    assert!(!has(span, "without"), "{:?}", attributes(span));
}

#[tokio::test]
async fn a_spawned_task_is_in_scope_if_it_is_told() {
    let work = |name| async move {
        tokio::task::yield_now().await;
        Here::mark(name)
    };
    let (here, span) = inside(async || {
        let (with, without) = (tokio::spawn(work("with").in_scope()), tokio::spawn(work("without")));
        (with.await.unwrap(), without.await.unwrap())
    })
    .await;
    assert_carried(here, &span);
}

#[tokio::test]
async fn blocking_work_is_in_scope_if_it_is_told() {
    use tokio::task::spawn_blocking;
    let (here, span) = inside(async || {
        let with = spawn_blocking((|| Here::mark("with")).in_scope()).await.unwrap();
        (with, spawn_blocking(|| Here::mark("without")).await.unwrap())
    })
    .await;
    assert_carried(here, &span);
}

#[tokio::test]
async fn a_thread_is_in_scope_if_it_is_told() {
    use std::thread::spawn;
    let (here, span) = inside(async || {
        let with = spawn((|| Here::mark("with")).in_scope()).join().unwrap();
        (with, spawn(|| Here::mark("without")).join().unwrap())
    })
    .await;
    assert_carried(here, &span);
}

#[tokio::test]
async fn a_stream_that_is_read_elsewhere_is_in_scope_if_it_is_told() {
    let marks = |name| stream::repeat_with(move || Here::mark(name)).take(2);
    let last = |mut here: Vec<Here>| here.pop().unwrap();
    let (here, span) = inside(async || {
        let with = tokio::spawn(marks("with").in_scope().collect()).await.unwrap();
        (last(with), last(tokio::spawn(marks("without").collect()).await.unwrap()))
    })
    .await;
    assert_carried(here, &span);
}

#[tokio::test]
async fn futures_that_are_joined_elsewhere_are_in_scope_if_they_are_told() {
    let work = |name| async move {
        tokio::task::yield_now().await;
        Here::mark(name)
    };
    let (here, span) = inside(async || {
        assert_ne!(
            tokio::join!(work("joined"), work("here")).0,
            Here::nowhere(),
            "here it is in scope anyway"
        );
        let (with, without) = (work("with").in_scope(), work("without"));
        tokio::spawn(async { tokio::join!(with, without) }).await.unwrap()
    })
    .await;
    assert_carried(here, &span);
    assert!(has(&span, "joined") && has(&span, "here"));
}

#[tokio::test]
async fn a_body_is_polled_in_scope_and_need_not_be_told() {
    let spans = Spans::new();
    let service = service_fn(async |_: Request<()>| {
        let mark = stream::repeat_with(|| Ok::<_, Infallible>(format!("{:?}", Here::mark("body")))).take(1);
        Ok::<_, Infallible>(Response::new(Body::from_stream(mark)))
    });
    let body = spans.layer().layer(service).oneshot(Request::new(())).await.unwrap().into_body();
    // As a server does it: in a task of its own.
    let here = tokio::spawn(body.collect()).await.unwrap().unwrap().to_bytes();
    let span = spans.only();
    assert_eq!(here, format!("{:?}", Here::of(&span)));
    assert!(has(&span, "body"));
}

#[tokio::test]
async fn a_task_that_panics_in_scope_leaves_no_scope_behind() {
    let ((), _) = inside(async || {
        tokio::spawn(async { panic!("in scope") }.in_scope()).await.unwrap_err();
    })
    .await;
    assert_eq!(Here::mark("afterwards"), Here::nowhere());
}

#[tokio::test]
async fn outside_of_an_exchange_nothing_is_carried_and_nothing_breaks() {
    let here = tokio::spawn(async { Here::mark("nowhere") }.in_scope()).await.unwrap();
    assert_eq!(here, Here::nowhere());
}

#[tokio::test(start_paused = true)]
async fn two_exchanges_on_one_thread_never_mix() {
    let spans = Spans::new();
    let service = service_fn(async |request: Request<()>| {
        let name = request.uri().path().trim_start_matches('/').to_owned();
        let (mine, first) = (Annotations::current(), Here::mark("seen"));
        for step in 0..20_u64 {
            sleep(Duration::from_millis(1 + step % 3)).await;
            assert_eq!(Here::mark("seen"), first);
            Annotations::current().insert(format!("{name}.{step}"), step);
        }
        assert_eq!(mine.get(&format!("{name}.19")), Some(Value::Int(19)));
        Ok::<_, Infallible>(Response::new(Script::new().wait(5).data("done")))
    });
    let service = spans.layer().layer(service);
    let visit = |name: &str| {
        let call = service.clone().oneshot(Request::get(format!("/{name}")).body(()).unwrap());
        async move { call.await.unwrap().into_body().collect().await.unwrap() }
    };
    tokio::join!(visit("a"), visit("b"), visit("c"));
    let all = spans.all();
    assert_eq!(all.len(), 3);
    for span in all {
        let name = text(&span, "url.path").trim_start_matches('/').to_owned();
        let marks: Vec<_> = span.attributes.iter().filter(|pair| pair.key.as_str().contains(".1")).collect();
        assert_eq!(marks.len(), 11, "steps 1 and 10 to 19");
        assert!(marks.iter().all(|pair| pair.key.as_str().starts_with(&name)), "{:?}", attributes(&span));
    }
}

// ===== `tracing` spans =====

/// A subscriber that makes spans of `tracing`'s, beside those of the layers.
fn subscribe(spans: &Spans) -> tracing::subscriber::DefaultGuard {
    use opentelemetry::trace::TracerProvider as _;
    let layer = tracing_opentelemetry::layer().with_tracer(spans.provider.tracer("handlers"));
    tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
}

#[track_caller]
fn assert_child(child: &SpanData, parent: &SpanData) {
    assert_eq!(child.span_context.trace_id(), parent.span_context.trace_id());
    assert_eq!(child.parent_span_id, parent.span_context.span_id(), "{} of {}", child.name, parent.name);
}

#[tokio::test(start_paused = true)]
async fn a_tracing_span_in_a_handler_is_a_child_of_the_servers() {
    let spans = Spans::new();
    let _guard = subscribe(&spans);
    inside_of(&spans, async || {
        info_span!("at once").in_scope(|| info_span!("nested").in_scope(|| ()));
        sleep(Duration::from_millis(10)).await;
        async {
            sleep(Duration::from_millis(10)).await;
            info_span!("deep").in_scope(|| ());
        }
        .instrument(info_span!("after a wait"))
        .await;
    })
    .await;
    let server = spans.of_kind(&SpanKind::Server);
    assert_child(&spans.named("at once"), &server);
    assert_child(&spans.named("nested"), &spans.named("at once"));
    assert_child(&spans.named("after a wait"), &server);
    assert_child(&spans.named("deep"), &spans.named("after a wait"));
}

#[tokio::test(start_paused = true)]
async fn a_tracing_span_in_a_spawned_task_is_a_child_if_the_task_is_in_scope() {
    let work = |name: &'static str| async move {
        sleep(Duration::from_millis(10)).await;
        info_span!("spawned", otel.name = name).in_scope(|| ());
    };
    let spans = Spans::new();
    let _guard = subscribe(&spans);
    inside_of(&spans, async || {
        tokio::spawn(work("with").in_scope()).await.unwrap();
        tokio::spawn(work("without")).await.unwrap();
    })
    .await;
    let (server, without) = (spans.of_kind(&SpanKind::Server), spans.named("without"));
    assert_child(&spans.named("with"), &server);
    assert_ne!(without.span_context.trace_id(), server.span_context.trace_id());
}

#[tokio::test(start_paused = true)]
async fn a_scope_taken_inside_of_a_tracing_span_goes_on_below_it() {
    let spans = Spans::new();
    let _guard = subscribe(&spans);
    inside_of(&spans, async || {
        let work = async { info_span!("spawned").in_scope(|| Here::mark("with")) };
        let task = info_span!("outer").in_scope(|| tokio::spawn(work.in_scope()));
        task.await.unwrap();
    })
    .await;
    assert_child(&spans.named("spawned"), &spans.named("outer"));
    assert!(has(&spans.of_kind(&SpanKind::Server), "with"), "annotations go along through foreign spans");
}

// ===== calls inside of handlers =====

/// What a called service was told of the trace.
async fn call(spans: &Spans) -> String {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let remote = service_fn(move |request: Request<()>| {
        sender.send(request.headers()["traceparent"].to_str().unwrap().to_owned()).unwrap();
        async { Ok::<_, Infallible>(Response::new(Script::new().last())) }
    });
    let request = Request::get("http://stock.example/items").body(()).unwrap();
    spans.client_layer().layer(remote).oneshot(request).await.unwrap();
    receiver.recv().await.unwrap()
}

#[track_caller]
fn assert_told(traceparent: &str, span: &SpanData) {
    let context = &span.span_context;
    assert_eq!(traceparent[3..52], format!("{}-{}", context.trace_id(), context.span_id()));
}

#[tokio::test]
async fn a_call_in_a_handler_is_a_child_of_the_servers_span() {
    let spans = Spans::new();
    let told = inside_of(&spans, async || call(&spans).await).await;
    let called = spans.of_kind(&SpanKind::Client);
    assert_child(&called, &spans.of_kind(&SpanKind::Server));
    assert_told(&told, &called);
}

#[tokio::test]
async fn a_call_in_a_handlers_own_span_is_a_child_of_that() {
    let spans = Spans::new();
    let _guard = subscribe(&spans);
    inside_of(&spans, async || call(&spans).instrument(info_span!("stock")).await).await;
    let (called, stock) = (spans.of_kind(&SpanKind::Client), spans.named("stock"));
    assert_child(&called, &stock);
    assert_child(&stock, &spans.of_kind(&SpanKind::Server));
}

#[tokio::test]
async fn a_call_in_a_spawned_task_is_a_child_if_the_task_is_in_scope() {
    let spans = std::sync::Arc::new(Spans::new());
    let held = spans.clone();
    inside_of(&spans, async || tokio::spawn(async move { call(&held).await }.in_scope()).await.unwrap())
        .await;
    assert_child(&spans.of_kind(&SpanKind::Client), &spans.of_kind(&SpanKind::Server));
}

/// A proxy sends on what it got, with the extensions that its server's layers left in it.
#[tokio::test(start_paused = true)]
async fn a_request_that_is_passed_on_is_a_call_of_its_own() {
    let spans = Spans::new();
    let _guard = subscribe(&spans);
    let (wait, waited) = (Duration::from_millis(500), Instant::now());
    let remote = service_fn(async |_: Request<()>| {
        sleep(wait).await;
        Ok::<_, Infallible>(Response::new(Script::new().last()))
    });
    let client = spans.client_layer().layer(remote);
    let proxy = service_fn(async |request: Request<()>| {
        sleep(wait).await;
        client.clone().oneshot(request).instrument(info_span!("passing on")).await
    });
    let recorder = Recorder::new();
    let proxy =
        ServiceBuilder::new().layer(spans.layer()).layer(ObserveLayer::new(recorder.clone())).service(proxy);
    proxy.oneshot(Request::new(())).await.unwrap();
    assert_eq!(waited.elapsed(), 2 * wait);
    let (called, served) = (spans.of_kind(&SpanKind::Client), spans.of_kind(&SpanKind::Server));
    assert_eq!(lasted(&served), 2 * wait);
    assert_eq!(lasted(&called), wait, "it began when it was made");
    assert_child(&called, &spans.named("passing on"));
}

#[tokio::test]
async fn a_request_that_is_passed_on_by_a_task_of_its_own_still_belongs_to_its_trace() {
    let spans = Spans::new();
    let remote = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Script::new().last())));
    let client = spans.client_layer().layer(remote);
    let proxy = service_fn(async |request| tokio::spawn(client.clone().oneshot(request)).await.unwrap());
    spans.layer().layer(proxy).oneshot(Request::new(())).await.unwrap();
    assert_child(&spans.of_kind(&SpanKind::Client), &spans.of_kind(&SpanKind::Server));
}

/// A service may be called in the same process, with all that the caller's layers left in the request.
#[tokio::test(start_paused = true)]
async fn a_service_that_is_called_in_the_same_process_has_a_span_of_its_own() {
    let spans = Spans::new();
    let served = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Script::new().last())));
    let called = ServiceBuilder::new().layer(spans.client_layer()).layer(spans.layer()).service(served);
    called.oneshot(Request::new(())).await.unwrap();
    assert_child(&spans.of_kind(&SpanKind::Server), &spans.of_kind(&SpanKind::Client));
    let ids = |span: SpanData| span.span_context.span_id();
    assert_ne!(ids(spans.of_kind(&SpanKind::Server)), ids(spans.of_kind(&SpanKind::Client)));
}

// ===== two layers =====

#[tokio::test]
async fn two_layers_around_one_service_make_one_span_and_the_inner_adds_the_route() {
    let spans = Spans::new();
    let app = Router::new().route("/carts/{id}", get(async || "a cart")).layer(spans.layer());
    let app = Router::new().fallback_service(spans.layer().layer(app));
    assert_eq!(send(app, "/carts/17").await, "a cart");
    let span = spans.only();
    assert_eq!((span.name.as_ref(), text(&span, "http.route").as_str()), ("GET /carts/{id}", "/carts/{id}"));
}

#[tokio::test]
async fn of_two_layers_that_know_the_route_one_says_it() {
    let inner = |spans: &Spans| Router::new().route("/{id}", get(async || "a cart")).layer(spans.layer());
    for service in [false, true] {
        let (spans, app) = (Spans::new(), Router::new());
        let inner = inner(&spans);
        let app = if service { app.nest_service("/carts", inner) } else { app.nest("/carts", inner) };
        assert_eq!(send(app.layer(spans.layer()), "/carts/17").await, "a cart");
        let mut told = attributes(&spans.only());
        told.retain(|pair| pair.starts_with("http.route="));
        assert_eq!(told, ["http.route=/carts/{id}"]);
        assert_eq!(spans.only().name, "GET /carts/{id}");
    }
}

#[tokio::test]
async fn of_two_layers_the_inner_one_leaves_a_name_that_was_given() {
    let spans = Spans::new();
    let app = Router::new().route("/carts/{id}", get(async || "a cart")).layer(spans.layer());
    let outer = spans.layer().span_name(|_| Some("a visit"));
    assert_eq!(send(Router::new().fallback_service(outer.layer(app)), "/carts/17").await, "a cart");
    let span = spans.only();
    assert_eq!((span.name.as_ref(), text(&span, "http.route").as_str()), ("a visit", "/carts/{id}"));
}

/// An observer that keeps what it has been given.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Option<Scope>>>);

impl Observer for Keeper {
    type Observation = Bystander;

    fn observe(&self, _: &mut request::Parts, scope: &mut Scope) -> Option<Bystander> {
        scope.serve();
        *self.0.lock().unwrap() = Some(scope.clone());
        None
    }
}

#[tokio::test(start_paused = true)]
async fn a_clone_of_a_scope_is_the_same_one_from_its_beginning() {
    let (spans, keeper) = (Spans::new(), Keeper::default());
    let service = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Script::new().data("a").wait(9).last()))
    });
    let layer = ObserveLayer::new((keeper.clone(), spans.layer()));
    let response = layer.layer(service).oneshot(Request::new(())).await.unwrap();
    let mut scope = keeper.0.lock().unwrap().take().unwrap();
    scope.annotations().insert("late", true);
    drop(response.into_body().collect().await);
    let span = spans.of_kind(&SpanKind::Server);
    let trace_id = scope.identity().unwrap().trace_id().to_string();
    assert_eq!(trace_id, span.span_context.trace_id().to_string());
    assert!(has(&span, "late"));
    assert_eq!(scope.child().surrounding().unwrap().span_id(), scope.identity().unwrap().span_id());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_aborted_is_dropped_in_scope() {
    use belvedere::trace::{InScope as _, Scope};
    struct Guard(tokio::sync::oneshot::Sender<bool>);
    let (tell, told) = tokio::sync::oneshot::channel();
    struct Tells(Option<Guard>);
    impl Drop for Tells {
        fn drop(&mut self) {
            if let Some(Guard(tell)) = self.0.take() {
                tell.send(Scope::current().is_some()).unwrap();
            }
        }
    }
    let tells = std::sync::Mutex::new(Some(Tells(Some(Guard(tell)))));
    let service = tower::service_fn(move |_: http::Request<()>| {
        let tells = tells.lock().unwrap().take();
        async move {
            let work = async move {
                let _tells = tells;
                std::future::pending::<()>().await;
            };
            let task = tokio::spawn(work.in_scope());
            tokio::task::yield_now().await;
            task.abort();
            task.await.unwrap_err();
            Ok::<_, std::convert::Infallible>(http::Response::new(support::Script::new()))
        }
    });
    let service = belvedere::observe::Observe::new(service, support::Recorder::new());
    drop(tower::ServiceExt::oneshot(service, http::Request::new(())).await);
    assert!(told.await.unwrap());
}

#[test]
fn what_is_dropped_while_its_thread_ends_is_dropped_all_the_same() {
    use std::cell::RefCell;

    use belvedere::trace::Scoped;

    type Pending = Scoped<std::future::Pending<()>>;

    thread_local! {
        static KEPT: RefCell<Option<Pending>> = const { RefCell::new(None) };
    }
    let kept = std::thread::spawn(|| {
        KEPT.with(|kept| drop(kept.borrow_mut().take()));
        // The context's own place on this thread is made later, and so gone earlier.
        let scoped = std::future::pending().in_scope();
        KEPT.with(|kept| *kept.borrow_mut() = Some(scoped));
    });
    kept.join().unwrap();
}
