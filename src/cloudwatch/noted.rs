use std::{
    borrow::Cow,
    mem::{size_of, size_of_val},
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderValue, Method, StatusCode, Uri, header, request};
use tracing::Level;

use super::{AccessRecord, Outcome, draft::Draft, options::Options, table::Operation};
use crate::{
    exchange::{self, Code, HandlerError, Host, Methods, Route, Value},
    outbox::Price,
    scrub::{Scrubber, beginning},
    trace::{OccurrenceId, SpanId, TraceId},
};

/// What is noted of an exchange on its own thread: clones that cost little. What it takes to show it is done on the
/// outbox's.
pub(super) struct Noted {
    pub(super) options: Arc<Options>,
    pub(super) asked: Asked,
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) ended: SystemTime,
    pub(super) duration: Duration,
    pub(super) bytes: u64,
    pub(super) level: Level,
    pub(super) outcome: Outcome,
    pub(super) status: Option<StatusCode>,
    pub(super) code: Option<Code>,
    pub(super) error: Option<Said>,
    pub(super) report: Option<OccurrenceId>,
    pub(super) sample_rate: Option<f64>,
    pub(super) annotations: Vec<(Cow<'static, str>, Value)>,
}

/// What was asked.
#[derive(Debug)]
pub(super) struct Asked {
    method: Method,
    uri: Uri,
    scheme: Cow<'static, str>,
    host: Option<HeaderValue>,
    /// Of a trusted proxy.
    forwarded_host: Option<Box<str>>,
    user_agent: Option<HeaderValue>,
    client: Option<IpAddr>,
    route: Option<Route>,
}

/// What went wrong.
#[derive(Debug)]
pub(super) enum Said {
    Text(Box<str>),
    Error(HandlerError),
}

// ===== impl Asked =====

impl Asked {
    pub(super) fn take(request: &request::Parts, options: &Options) -> Self {
        let (headers, hops) = (&request.headers, options.hops);
        let peer = || options.peer(request).map(|peer| peer.ip());
        let client = hops.client(headers).map(|(address, _)| address).or_else(peer);
        Self {
            method: request.method.clone(),
            uri: request.uri.clone(),
            scheme: exchange::scheme(request, hops),
            host: headers.get(header::HOST).cloned(),
            forwarded_host: hops.host(headers).map(Box::from),
            user_agent: headers.get(header::USER_AGENT).cloned(),
            client: client.and_then(|client| options.addresses.apply(client)),
            route: Route::of(request),
        }
    }

    /// Takes the route that a layer within the router sees, unless there is one.
    pub(super) fn learn_route(&mut self, request: &request::Parts) {
        self.route = self.route.take().or_else(|| Route::of(request));
    }

    /// What it is counted as: the method of a call of gRPC, or what the router has matched, if it has.
    pub(super) fn operation(&self, is_call: bool) -> Option<Operation<'_>> {
        if is_call {
            return Some(Operation { method: "", path: self.uri.path() });
        }
        let path = self.route.as_ref()?.pattern();
        let Some(Cow::Borrowed(method)) = Methods::default().name(&self.method) else {
            return Some(Operation { method: OTHER, path });
        };
        Some(Operation { method, path })
    }

    /// The path, in which a value that the route calls a secret is none to show.
    fn path(&self, scrubber: &Scrubber) -> Cow<'_, str> {
        let path = self.uri.path();
        let hidden =
            self.route.as_ref().and_then(|route| route.redact(path, |name| scrubber.is_secret(name)));
        match hidden {
            Some(hidden) => Cow::Owned(scrubber.url(&hidden).into_owned()),
            None => scrubber.url(path),
        }
    }

    fn host(&self) -> Option<Host<'_>> {
        let authority = || self.uri.authority().map(http::uri::Authority::as_str);
        let header = || self.host.as_ref().filter(|host| !host.is_sensitive())?.to_str().ok();
        Host::read(self.forwarded_host.as_deref().or_else(authority).or_else(header)?)
    }

    fn user_agent(&self, scrubber: &Scrubber) -> Option<Cow<'_, str>> {
        let agent = self.user_agent.as_ref().filter(|agent| !agent.is_sensitive())?;
        Some(match String::from_utf8_lossy(agent.as_bytes()) {
            Cow::Borrowed(agent) => scrubber.text(beginning(agent, LONGEST)),
            Cow::Owned(agent) => Cow::Owned(scrubber.text(beginning(&agent, LONGEST)).into_owned()),
        })
    }

    fn size(&self) -> usize {
        let length = |value: &Option<HeaderValue>| value.as_ref().map_or(0, HeaderValue::len);
        let uri = self.uri.path().len() + self.uri.query().map_or(0, str::len);
        uri + length(&self.host)
            + length(&self.user_agent).min(LONGEST)
            + self.forwarded_host.as_deref().map_or(0, str::len)
            + self.route.as_ref().map_or(0, |route| route.pattern().len())
    }
}

// ===== impl Said =====

impl Said {
    /// A text that somebody else has made.
    pub(super) fn text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::Text(beginning(text, LONGEST).into()))
    }

    fn show(&self, scrubber: &Scrubber) -> String {
        match self {
            Self::Text(text) => scrubber.text(text).into_owned(),
            Self::Error(error) => {
                let text = exchange::messages(error.error());
                scrubber.text(beginning(&text, LONGEST)).into_owned()
            }
        }
    }
}

// ===== impl Noted =====

impl Noted {
    fn record(&self) -> AccessRecord<'_> {
        let Self { options, asked, annotations, .. } = self;
        let scrubber = &options.scrubber;
        let query = asked.uri.query().filter(|_| options.query);
        let shown = |(key, value): &(Cow<'static, str>, Value)| {
            let value = match value {
                Value::Text(text) => {
                    let shown = scrubber.value(key, beginning(text, LONGEST));
                    Value::Text(Cow::Owned(cut(&shown, LONGEST).to_owned()))
                }
                Value::Int(_) | Value::Float(_) if scrubber.is_secret(key) => {
                    Value::Text(Cow::Owned(scrubber.value(key, "number").into_owned()))
                }
                other => other.clone(),
            };
            (Cow::Owned(key.to_string()), Cow::Owned(value))
        };
        AccessRecord {
            timestamp: self.ended,
            level: self.level,
            outcome: self.outcome,
            client: asked.client,
            method: Cow::Borrowed(cut(asked.method.as_str(), LONGEST_METHOD)),
            scheme: &asked.scheme,
            host: asked.host().map(|host| Cow::Owned(cut(&host.to_string(), LONGEST_HOST).to_owned())),
            route: asked.route.as_ref().map(|route| Cow::Borrowed(route.pattern())),
            path: shortened(asked.path(scrubber)),
            query: query.map(|query| shortened(scrubber.query(query))),
            status: self.status,
            grpc_status: self.code,
            duration: self.duration,
            bytes: self.bytes,
            user_agent: asked.user_agent(scrubber),
            error: self.error.as_ref().map(|error| Cow::Owned(error.show(scrubber))),
            rollbar_uuid: self.report,
            sample_rate: self.sample_rate,
            annotations: annotations.iter().map(shown).collect(),
            trace_id: self.trace_id,
            span_id: self.span_id,
            xray_trace_id: self.trace_id.amzn(),
        }
    }
}

impl Draft for Noted {
    fn at(&self) -> SystemTime {
        self.ended
    }

    fn size(&self) -> usize {
        let text = |value: &Value| if let Value::Text(text) = value { text.len() } else { 16 };
        let annotations: usize =
            self.annotations.iter().map(|pair| size_of_val(pair) + pair.0.len() + text(&pair.1)).sum();
        let error = match &self.error {
            Some(Said::Text(text)) => text.len(),
            Some(Said::Error(_)) => LONGEST,
            None => 0,
        };
        size_of::<Self>() + JSON + self.asked.size() + annotations + error
    }

    fn worth(&self) -> Price {
        #[allow(clippy::cast_possible_truncation, reason = "it is the half that is random")]
        let price = Price::units(0).trace(self.trace_id.to_u128() as u64).took(self.duration);
        if self.level > Level::ERROR {
            return price;
        }
        let route = self.asked.route.as_ref().map(Route::pattern);
        let code = self.code.map(Code::number);
        price.failed((self.asked.method.as_str(), route, self.outcome, self.status, code))
    }

    fn write(&self, message: &mut String) {
        self.write_weighed(message, 1);
    }

    fn write_weighed(&self, message: &mut String, weight: u32) {
        let mut record = self.record();
        if weight > 1 {
            record.sample_rate = Some(record.sample_rate.unwrap_or(1.0) * f64::from(weight));
        }
        self.options.format.write(&record, message);
    }
}

/// As long as a path or a query may be.
fn shortened(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(cut(text, LONGEST)),
        Cow::Owned(text) => Cow::Owned(cut(&text, LONGEST).to_owned()),
    }
}

fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

/// The bytes of a header's value, a path, a query, an annotation, and of what an error says.
const LONGEST: usize = 4096;

const LONGEST_METHOD: usize = 32;

/// A name has 253 at most, <https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4>.
const LONGEST_HOST: usize = 260;

/// What conventions call a method that they do not know.
const OTHER: &str = "_OTHER";

/// About what the names of its members take.
const JSON: usize = 512;
