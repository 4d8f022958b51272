//! The service that every variant is put onto, and what it is asked.

use std::{
    convert::Infallible,
    hint::black_box,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tower::{Service, ServiceExt as _};

pub type Body = Full<Bytes>;

/// The service: a small body at once.
pub async fn handle(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    black_box(request);
    Ok(Response::new(Full::from("hello")))
}

/// What a browser behind a proxy asks, in a trace that its caller records: seven headers.
pub fn request(traceparent: &str) -> Request<Body> {
    Request::get("http://shop.example/carts/17?page=2")
        .header("host", "shop.example")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")
        .header("accept", "text/html,application/xhtml+xml")
        .header("accept-encoding", "gzip, deflate, br, zstd")
        .header("cookie", "session=0123456789abcdef")
        .header("x-forwarded-for", "192.0.2.1")
        .header("traceparent", traceparent)
        .body(Full::default())
        .expect("a request")
}

/// A sampled trace that began now: one of another time is none to X-Ray.
pub fn traceparent() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
    format!("00-{now:08x}77b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
}

/// One request, and its response until the body is over.
pub async fn exchange<S, B>(service: &mut S, request: Request<Body>)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes>,
{
    let Ok(response) = service.ready().await;
    let Ok(response) = response.call(request).await;
    let Ok(body) = response.into_body().collect().await else { panic!("the body failed") };
    black_box(body);
}
