//! The layer that keeps bodies: neither the handler nor the client can tell that it is there.
#![cfg(all(feature = "rollbar", feature = "axum"))]

mod support;

use std::convert::Infallible;

use axum::{Router, body::Body, extract::DefaultBodyLimit, routing::post};
use belvedere::rollbar::RequestBodyLayer;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version, header};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use support::Server;
use tower::Layer as _;

/// What handlers do with bodies, each at a path of its own.
fn router() -> Router {
    Router::new()
        .route("/all", post(|body: Bytes| async { body }))
        .route("/limited", post(|body: Bytes| async { body }).layer(DefaultBodyLimit::max(8)))
        .route("/half", post(half))
        .route("/nothing", post(|| async { "nothing" }))
        .route("/stream", post(|body: Body| async { body }))
        .route("/hint", post(hint))
}

/// Reads one frame, and no more.
async fn half(mut body: Body) -> String {
    let frame = body.frame().await.map(|frame| frame.map(|frame| frame.data_ref().map(Bytes::len)));
    format!("{}", matches!(frame, Some(Ok(Some(length))) if length > 0))
}

/// What a handler sees of a body besides its bytes.
async fn hint(body: Body) -> String {
    let (hint, is_over) = (body.size_hint(), body.is_end_stream());
    let collected = body.collect().await;
    let trailers = collected.as_ref().ok().and_then(|collected| collected.trailers().cloned());
    let bytes = collected.map(|collected| collected.to_bytes());
    format!("{hint:?} {is_over} {trailers:?} {bytes:?}")
}

/// Bodies as clients send them: with a length, in chunks, with trailers.
#[derive(Clone, Copy, Debug)]
enum Sent {
    Empty,
    Whole,
    Chunks,
    Trailers,
}

// ===== impl Sent =====

impl Sent {
    fn body(self) -> Body {
        let chunk =
            |text: &'static str| Ok::<_, Infallible>(Frame::data(Bytes::from_static(text.as_bytes())));
        let chunks = || vec![chunk("{\"password\":"), chunk("\"canary\","), chunk("\"page\":2}")];
        match self {
            Self::Empty => Body::empty(),
            Self::Whole => Body::new(Full::new(Bytes::from_static(b"{\"password\":\"canary\"}"))),
            Self::Chunks => Body::new(StreamBody::new(futures_util::stream::iter(chunks()))),
            Self::Trailers => {
                let trailers = HeaderMap::from_iter([(header::ETAG, "x".parse().unwrap())]);
                let frames = chunks().into_iter().chain([Ok(Frame::trailers(trailers))]);
                Body::new(StreamBody::new(futures_util::stream::iter(frames.collect::<Vec<_>>())))
            }
        }
    }
}

async fn ask(
    server: &Server,
    version: Version,
    path: &str,
    sent: Sent,
    media: &str,
) -> (StatusCode, HeaderMap, Bytes) {
    let client = Client::builder(TokioExecutor::new()).http2_only(version == Version::HTTP_2).build_http();
    let request = Request::post(format!("http://{}{path}", server.address))
        .header(header::CONTENT_TYPE, media)
        .header(header::TRAILER, "etag")
        .body(sent.body());
    let response: Response<_> = client.request(request.unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn neither_the_client_nor_the_handler_can_tell() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (bare, kept) =
            (serve(router(), version).await, serve(router().layer(RequestBodyLayer::new()), version).await);
        for path in ["/all", "/limited", "/half", "/nothing", "/stream", "/hint", "/absent"] {
            for sent in [Sent::Empty, Sent::Whole, Sent::Chunks, Sent::Trailers] {
                for media in ["application/json", "application/x-www-form-urlencoded", "text/plain"] {
                    let bare = ask(&bare, version, path, sent, media).await;
                    let kept = ask(&kept, version, path, sent, media).await;
                    assert_eq!(kept, bare, "{version:?} {path} {sent:?} {media}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_body_is_read_when_the_handler_reads_it_and_not_before() {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, Infallible>>(1);
    let body = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
    let service = tower::service_fn(|request: Request<Body>| async move { Ok::<_, Infallible>(request) });
    let mut service = RequestBodyLayer::new().limit(4).layer(service);
    let request = Request::post("/").header(header::CONTENT_TYPE, "application/json").body(body).unwrap();
    let request = tower::Service::call(&mut service, request).await.unwrap();
    assert!(sender.try_send(Ok(Bytes::from_static(b"[1, 2, 3]"))).is_ok());
    assert!(sender.try_send(Ok(Bytes::new())).is_err(), "nobody has read the first");
    drop(sender);
    let read: Vec<_> = futures_util::StreamExt::collect(request.into_body().into_data_stream()).await;
    assert_eq!(read.into_iter().map(Result::unwrap).collect::<Vec<_>>(), ["[1, 2, 3]"]);
}

#[tokio::test]
async fn an_error_of_a_body_is_the_same_error() {
    let message = |with_layer: bool| async move {
        let failing = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("the line is cut"))]);
        let request = Request::post("/").header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from_stream(failing)).unwrap();
        let service = tower::service_fn(|request: Request<Body>| async move { Ok::<_, Infallible>(request) });
        let request = match with_layer {
            true => tower::Service::call(&mut RequestBodyLayer::new().layer(service), request).await.unwrap(),
            false => request,
        };
        format!("{:?}", request.into_body().collect().await.unwrap_err())
    };
    assert_eq!(message(true).await, message(false).await);
}

async fn serve(router: Router, version: Version) -> Server {
    let service = tower::ServiceBuilder::new()
        .map_request(|request: Request<hyper::body::Incoming>| request.map(Body::new));
    let service = service.service(router);
    match version {
        Version::HTTP_2 => Server::hyper2(service).await,
        _ => Server::hyper1(service).await,
    }
}
