use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use bytes::Buf;
use http::{Method, Response, StatusCode, Version, header, request, response};
use http_body::Frame;
use opentelemetry::Context;
use tokio::time::Instant;

use super::{
    Body, Observation,
    quiet::{message, quietly},
    upgrade::Upgrade,
};
use crate::{
    exchange::{End, Failure, Tally},
    trace::{Scope, attach},
};

/// An observation and what it takes to end it exactly once.
///
/// Ending takes the state out, so that it can happen only once; dropping what was not ended ends it as canceled.
///
/// It is boxed, because it is moved often: with the future, and with the body into whatever wraps that.
pub(super) struct Watch<O: Observation>(Option<Box<Live<O>>>);

struct Live<O> {
    /// It stays where it is until its end.
    observation: Option<O>,
    context: Context,
    began: Instant,
    tally: Tally,
    method: Bodies,
    /// Whether a body may be over when its length is reached, as in HTTP/1.
    counted: bool,
    /// How many bytes the body will have, where that is known and nothing can follow them.
    length: Option<u64>,
}

/// What the method of a request says about the body of its response.
#[derive(Clone, Copy)]
enum Bodies {
    Allowed,
    Never,
    UnlessSuccess,
}

// ===== impl Watch =====

impl<O: Observation> Watch<O> {
    pub(super) fn new(observation: Option<O>, mut scope: Scope, request: &mut request::Parts) -> Self {
        let (began, tally) = (scope.began(), Tally::new(scope.started()));
        let (method, length) = (Bodies::of(&request.method), None);
        let counted = request.version < Version::HTTP_2;
        Upgrade::offer(request, &mut scope);
        let context = scope.finish(&mut request.extensions);
        Self(Some(Box::new(Live { observation, context, began, tally, method, counted, length })))
    }

    pub(super) const fn none() -> Self {
        Self(None)
    }

    pub(super) const fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// Runs a call or a poll in scope, and ends the exchange if it unwinds.
    pub(super) fn run<T>(&mut self, inner: impl FnOnce() -> T) -> T {
        let Some(live) = &self.0 else { return inner() };
        within(live.context.clone(), inner, |end| self.end(end))
    }

    /// Tells the observers about the head and goes on into the body.
    pub(super) fn respond<B>(mut self, response: Response<B>) -> Response<Body<B, O>>
    where
        B: http_body::Body,
    {
        let (mut parts, body) = response.into_parts();
        if self.head(&mut parts, &body) {
            self.hand_over(parts.status);
            self.end(End::Complete { trailers: None });
        }
        Response::from_parts(parts, Body::new(body, self))
    }

    /// Notes the head; whether it is all of the response.
    fn head<B: http_body::Body>(&mut self, parts: &mut response::Parts, body: &B) -> bool {
        let Some(live) = &mut self.0 else { return false };
        live.tally.head = Some(live.began.elapsed());
        if let Some(observation) = &mut live.observation {
            quietly(|| observation.on_response(parts));
        }
        live.length =
            (live.counted && parts.version < Version::HTTP_2).then(|| length(parts, body)).flatten();
        live.length == Some(0) || body.is_end_stream() || live.method.forbids(parts.status)
    }

    /// Leaves an exchange that becomes a connection to whoever has taken that.
    fn hand_over(&mut self, status: StatusCode) {
        let Some(live) = self.0.as_ref().filter(|live| live.method.upgrades(status)) else { return };
        if let Some(upgrade) = Upgrade::of(&live.context).cloned() {
            upgrade.hold(self);
        }
    }

    /// Notes what a poll of the body gave, and ends the exchange with its last frame.
    pub(super) fn frame<D: Buf, E>(&mut self, frame: Option<Result<&Frame<D>, &E>>, last: bool)
    where
        E: fmt::Debug + fmt::Display + 'static,
    {
        let Some(live) = &mut self.0 else { return };
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return self.end(End::Failed { error: Failure::new(error) }),
            None => return self.end(End::Complete { trailers: None }),
        };
        if let Some(trailers) = frame.trailers_ref() {
            return self.end(End::Complete { trailers: Some(trailers) });
        }
        live.tally.bytes += frame.data_ref().map_or(0, |data| data.remaining() as u64);
        // Over HTTP/1 hyper stops polling once an exact length is sent; end here or never.
        if last || live.length.is_some_and(|length| live.tally.bytes >= length) {
            self.end(End::Complete { trailers: None });
        }
    }

    pub(super) fn end(&mut self, end: End<'_>) {
        let Some(mut live) = self.0.take() else { return };
        let Live { observation, tally, began, .. } = &mut *live;
        tally.duration = began.elapsed();
        quietly(|| O::end_at(observation, end, tally));
    }
}

impl<O: Observation> Drop for Watch<O> {
    fn drop(&mut self) {
        self.end(End::Canceled);
    }
}

impl<O: Observation> fmt::Debug for Watch<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.0.as_ref().map(|live| &live.tally)).finish()
    }
}

// ===== impl Bodies =====

impl Bodies {
    fn of(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Never,
            Method::CONNECT => Self::UnlessSuccess,
            _ => Self::Allowed,
        }
    }

    fn forbids(self, status: StatusCode) -> bool {
        let never = status.is_informational() || matches!(status.as_u16(), 204 | 304);
        never
            || match self {
                Self::Allowed => false,
                Self::Never => true,
                Self::UnlessSuccess => status.is_success(),
            }
    }

    /// Whether another protocol follows the head.
    fn upgrades(self, status: StatusCode) -> bool {
        status == StatusCode::SWITCHING_PROTOCOLS
            || matches!(self, Self::UnlessSuccess) && status.is_success()
    }
}

/// Runs a call, a poll or a drop in this context. When it unwinds, `unwound` is told, and the panic goes on.
pub(super) fn within<T>(context: Context, inner: impl FnOnce() -> T, unwound: impl FnOnce(End<'_>)) -> T {
    let guard = attach(context);
    let result = catch_unwind(AssertUnwindSafe(|| belvedere_exchange(inner)));
    drop(guard);
    result.unwrap_or_else(|payload| {
        // Told here and not by a drop: a drop cannot always tell a panic from a client that left.
        unwound(End::Panicked { message: message(&*payload) });
        resume_unwind(payload)
    })
}

/// Where an exchange begins in a stack: what is further out is the server's. It is looked for by its name.
#[inline(never)]
fn belvedere_exchange<T>(inner: impl FnOnce() -> T) -> T {
    let value = inner();
    // So that the call is none that a compiler makes a jump of.
    std::hint::black_box(());
    value
}

/// The length that the head promises, by its header or by what the body knows.
fn length<B: http_body::Body>(parts: &response::Parts, body: &B) -> Option<u64> {
    let header =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    header.or_else(|| body.size_hint().exact())
}
