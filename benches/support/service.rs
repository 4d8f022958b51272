//! What is observed: small services, and what they are asked.

use std::{convert::Infallible, fmt::Debug, hint::black_box, io, sync::LazyLock};

use axum::{Router, extract::Path, routing::get};
use belvedere::{
    exchange::{Annotations, HandlerError},
    rollbar, xray,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::runtime::Runtime;
use tower::{Service, ServiceExt as _};

pub type Body = Full<Bytes>;
pub type Answer = Result<Response<Body>, Infallible>;

/// Has a service answer requests, one after the other.
pub type Serve = Box<dyn FnMut(&Runtime, &mut dyn Iterator<Item = Request<Body>>)>;

pub fn serve<S, B>(mut service: S) -> Serve
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + 'static,
    B: http_body::Body<Data = Bytes, Error: Debug>,
{
    Box::new(move |runtime, requests| {
        runtime.block_on(async {
            for request in requests {
                let response = service.ready().await.unwrap().call(request).await.unwrap();
                black_box(response.into_body().collect().await.unwrap());
            }
        });
    })
}

/// A thread's worth of tokio.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

// ===== handlers =====

pub async fn handle(request: Request<Body>) -> Answer {
    black_box(request);
    Ok(Response::new(Full::from("hello")))
}

/// The same in a subsegment.
pub async fn capture(request: Request<Body>) -> Answer {
    xray::capture("load", handle(request)).await
}

/// The same with so many facts.
pub async fn annotate<const FACTS: i64>(request: Request<Body>) -> Answer {
    let annotations = Annotations::current();
    (0..FACTS).zip(&*NAMES).for_each(|(fact, name)| annotations.insert(*name, fact));
    handle(request).await
}

/// The same with so many events of four fields, in two spans.
pub async fn log<const EVENTS: u64>(request: Request<Body>) -> Answer {
    {
        let _outer = tracing::info_span!("request", method = "GET", path = "/carts/7").entered();
        let _inner = tracing::info_span!("checkout", cart = 7, user = "worf").entered();
        for _ in 0..EVENTS {
            tracing::info!(items = 3, currency = "EUR", total = 12.5, is_gift = true, "the cart was paid");
        }
    }
    handle(request).await
}

/// A failed response, and nothing else.
pub async fn refuse(request: Request<Body>) -> Answer {
    black_box(request);
    let mut response = Response::new(Full::from("broken"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    Ok(response)
}

/// An error with a cause in a failed response.
pub async fn fail(request: Request<Body>) -> Answer {
    let mut response = refuse(request).await?;
    response.extensions_mut().insert(HandlerError::new(io::Error::other("the disk is gone")));
    Ok(response)
}

/// A panic that is caught.
pub async fn burn(request: Request<Body>) -> Answer {
    let caught = std::panic::catch_unwind(|| panic!("the disk is on fire"));
    black_box(caught).map_or_else(|_| (), |never: Infallible| match never {});
    refuse(request).await
}

/// An error reported by hand, with the stack.
pub async fn report(request: Request<Body>) -> Answer {
    rollbar::report_error(&io::Error::other("the disk is gone"));
    handle(request).await
}

/// An application of so many routes.
pub fn router(routes: u64) -> Router {
    let cart = |Path(cart): Path<u64>| async move {
        black_box(cart);
        "hello"
    };
    (0..routes).fold(Router::new(), |app, shop| app.route(&format!("/shop-{shop}/carts/{{id}}"), get(cart)))
}

// ===== requests =====

/// A request as a browser behind a proxy makes it: six headers, and in those below the seventh.
pub fn request(uri: &str) -> Request<Body> {
    Request::get(uri)
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
pub fn traced() -> Request<Body> {
    with(request(CART), "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
}

/// One that X-Ray records.
pub fn sampled() -> Request<Body> {
    sampled_at(CART)
}

fn sampled_at(uri: &str) -> Request<Body> {
    let header = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1";
    with(request(uri), "x-amzn-trace-id", header)
}

/// One that its caller wants neither spans nor segments of.
pub fn unsampled() -> Request<Body> {
    let header = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=0";
    with(not_recorded(), "x-amzn-trace-id", header)
}

/// The same where the caller knows nothing of X-Ray.
pub fn not_recorded() -> Request<Body> {
    with(request(CART), "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
}

/// One that leaves it to the service, as a load balancer does.
pub fn undecided() -> Request<Body> {
    with(request(CART), "x-amzn-trace-id", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736")
}

/// One of ten routes out of so many, each in its turn.
pub fn routed<const ROUTES: u64>(number: u64) -> Request<Body> {
    sampled_at(&format!("/shop-{}/carts/17", number % 10 * (ROUTES / 10)))
}

fn with(mut request: Request<Body>, name: &'static str, value: &'static str) -> Request<Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

const CART: &str = "http://shop.example/carts/17?page=2";

static NAMES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| (0..100).map(|fact| &*format!("fact_{fact}").leak()).collect());
