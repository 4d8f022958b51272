//! Answers, and the headers that all of them have.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::Full;
use maud::Markup;
use tokio::sync::mpsc;

pub(super) type Reply = Response<Body>;

/// A body that is there, or one that comes bit by bit.
#[derive(Debug)]
pub(super) enum Body {
    Full(Full<Bytes>),
    Stream(mpsc::Receiver<Bytes>),
}

pub(super) fn html(status: StatusCode, page: Markup) -> Reply {
    full(status, "text/html; charset=utf-8", page.into_string())
}

pub(super) fn json(status: StatusCode, text: String) -> Reply {
    full(status, "application/json", text)
}

pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Reply {
    full(status, "text/plain; charset=utf-8", text.into() + "\n")
}

pub(super) fn full(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let body = body.into();
    let length = HeaderValue::from(body.len());
    let mut reply = bare(status, Body::Full(Full::new(body)));
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply.headers_mut().insert(header::CONTENT_LENGTH, length);
    reply
}

pub(super) fn stream(content_type: &'static str, bytes: mpsc::Receiver<Bytes>) -> Reply {
    let mut reply = bare(StatusCode::OK, Body::Stream(bytes));
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

pub(super) fn redirect(location: &str) -> Reply {
    let mut reply = text(StatusCode::SEE_OTHER, "See the location.");
    let location = HeaderValue::from_str(location).unwrap_or(HeaderValue::from_static("/"));
    reply.headers_mut().insert(header::LOCATION, location);
    reply
}

pub(super) fn not_allowed(methods: &'static str) -> Reply {
    let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, format!("Use {methods} here."));
    reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    reply
}

fn bare(status: StatusCode, body: Body) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    for (name, value) in HEADERS {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}

// ===== impl Body =====

impl Body {
    pub(super) fn empty() -> Self {
        Self::Full(Full::default())
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Full(full) => Pin::new(full).poll_frame(context),
            Self::Stream(bytes) => {
                bytes.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(full) if full.is_end_stream())
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Self::Full(full) => full.size_hint(),
            Self::Stream(_) => http_body::SizeHint::default(),
        }
    }
}

/// Telemetry is text of strangers: even if some of it came through unescaped, a browser is to run none of it.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];
