//! The least that four records of an exchange can cost: one pass that fills them, and sends nothing.

use std::{
    cell::RefCell,
    convert::Infallible,
    hint::black_box,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Service, service_fn};

use super::Variant;
use crate::{
    exchange::{Body, handle},
    records::Records,
    running::Running,
};

pub const VARIANT: Variant = Variant {
    name: "floor",
    title: "floor: one pass that fills four records, nothing sent",
    records: Records::NONE,
    notes: "written for this table: the records lie in a pool and are filled at the end of the body. Nothing is sampled, made \
            current, kept from secrets, encoded or sent.",
    start: |_| Running::new(Floor(service_fn(handle))),
};

#[derive(Clone, Debug)]
struct Floor<S>(S);

/// What the four records are made of, and they.
#[derive(Debug, Default)]
struct Draft {
    facts: Facts,
    span: Span,
    segment: Segment,
    item: Option<String>,
    line: Line,
}

#[derive(Debug)]
struct Facts {
    start: SystemTime,
    method: Method,
    path: String,
    host: String,
    agent: String,
    client: String,
    trace: u128,
    parent: u64,
    id: u64,
}

#[derive(Debug, Default)]
struct Span {
    name: String,
    trace: u128,
    parent: u64,
    id: u64,
    path: String,
    host: String,
    agent: String,
    client: String,
    status: u16,
    took: Duration,
}

#[derive(Debug, Default)]
struct Segment {
    trace: u128,
    parent: u64,
    id: u64,
    url: String,
    agent: String,
    client: String,
    status: u16,
    bytes: u64,
    took: Duration,
}

#[derive(Debug, Default)]
struct Line {
    trace: u128,
    path: String,
    agent: String,
    client: String,
    status: u16,
    bytes: u64,
    took: Duration,
}

pin_project! {
    struct Watched<F> {
        #[pin]
        inner: F,
        draft: Option<Box<Draft>>,
    }
}

pin_project! {
    struct WatchedBody<B> {
        #[pin]
        inner: B,
        status: u16,
        bytes: u64,
        draft: Option<Box<Draft>>,
    }
}

// ===== impl Floor =====

impl<S, B> Service<Request<Body>> for Floor<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    type Response = Response<WatchedBody<B>>;
    type Error = Infallible;
    type Future = Watched<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut draft = POOL.with_borrow_mut(Vec::pop).unwrap_or_default();
        draft.facts.fill(&request);
        Watched { inner: self.0.call(request), draft: Some(draft) }
    }
}

// ===== impl Draft =====

impl Draft {
    fn end(mut self: Box<Self>, status: u16, bytes: u64) {
        let Self { facts, span, segment, item, line } = &mut *self;
        let took = facts.start.elapsed().unwrap_or_default();
        span.fill(facts, status, took);
        segment.fill(facts, status, bytes, took);
        line.fill(facts, status, bytes, took);
        *item = (status >= 500).then(|| facts.path.clone());
        black_box(&*self);
        POOL.with_borrow_mut(|pool| pool.push(self));
    }
}

// ===== impl Facts =====

impl Facts {
    fn fill(&mut self, request: &Request<Body>) {
        let headers = request.headers();
        self.start = SystemTime::now();
        self.method = request.method().clone();
        write(&mut self.path, request.uri().path());
        write(&mut self.host, text(headers, "host"));
        write(&mut self.agent, text(headers, "user-agent"));
        write(&mut self.client, text(headers, "x-forwarded-for"));
        (self.trace, self.parent) = caller(text(headers, "traceparent")).unwrap_or_default();
        self.id = ID.with_borrow_mut(next);
    }
}

impl Default for Facts {
    fn default() -> Self {
        let [path, host, agent, client] = [const { String::new() }; 4];
        let (start, method) = (SystemTime::UNIX_EPOCH, Method::GET);
        Self { start, method, path, host, agent, client, trace: 0, parent: 0, id: 0 }
    }
}

// ===== impl Span =====

impl Span {
    fn fill(&mut self, facts: &Facts, status: u16, took: Duration) {
        write(&mut self.name, facts.method.as_str());
        write(&mut self.path, &facts.path);
        write(&mut self.host, &facts.host);
        write(&mut self.agent, &facts.agent);
        write(&mut self.client, &facts.client);
        (self.trace, self.parent, self.id) = (facts.trace, facts.parent, facts.id);
        (self.status, self.took) = (status, took);
    }
}

// ===== impl Segment =====

impl Segment {
    fn fill(&mut self, facts: &Facts, status: u16, bytes: u64, took: Duration) {
        write(&mut self.url, &facts.host);
        self.url.push_str(&facts.path);
        write(&mut self.agent, &facts.agent);
        write(&mut self.client, &facts.client);
        (self.trace, self.parent, self.id) = (facts.trace, facts.parent, facts.id);
        (self.status, self.bytes, self.took) = (status, bytes, took);
    }
}

// ===== impl Line =====

impl Line {
    fn fill(&mut self, facts: &Facts, status: u16, bytes: u64, took: Duration) {
        write(&mut self.path, &facts.path);
        write(&mut self.agent, &facts.agent);
        write(&mut self.client, &facts.client);
        (self.trace, self.status, self.bytes, self.took) = (facts.trace, status, bytes, took);
    }
}

// ===== impl Watched =====

impl<F, B> Future for Watched<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<WatchedBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.inner.poll(context));
        let (status, draft) = (response.status().as_u16(), this.draft.take());
        Poll::Ready(Ok(response.map(|inner| WatchedBody { inner, status, bytes: 0, draft })))
    }
}

// ===== impl WatchedBody =====

impl<B: http_body::Body<Data = Bytes>> http_body::Body for WatchedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(context));
        match &frame {
            Some(Ok(frame)) => *this.bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
            _ => this.draft.take().into_iter().for_each(|draft| draft.end(*this.status, *this.bytes)),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.draft.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Ids need not be good here, only as cheap as good ones.
fn next(id: &mut u64) -> u64 {
    *id = id.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    *id
}

fn write(to: &mut String, text: &str) {
    to.clear();
    to.push_str(text);
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn caller(traceparent: &str) -> Option<(u128, u64)> {
    let mut parts = traceparent.split('-').skip(1);
    let trace = u128::from_str_radix(parts.next()?, 16).ok()?;
    Some((trace, u64::from_str_radix(parts.next()?, 16).ok()?))
}

thread_local! {
    #[expect(clippy::vec_box, reason = "what goes from the future to the body is a pointer")]
    static POOL: RefCell<Vec<Box<Draft>>> = const { RefCell::new(Vec::new()) };
    static ID: RefCell<u64> = const { RefCell::new(1) };
}
