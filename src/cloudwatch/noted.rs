use std::{
    borrow::Cow,
    mem::size_of_val,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::StatusCode;
use tracing::Level;

use super::{
    AccessRecord, Outcome, access::PlainTexts, draft::Draft, message::Message, options::Options,
    table::Operation,
};
use crate::{
    exchange::{
        self, Code, Forwarded, HandlerError, Head, Host, Methods, Plain, PlainHost, Route, SharedPairs, Value,
    },
    outbox::Price,
    scrub::{Scrubber, beginning},
    trace::{Known, SpanId, TraceId},
};

/// What is noted of an exchange on its own thread: what costs little. What it takes to show it is done on the outbox's.
#[derive(Clone)]
pub(super) struct Noted {
    pub(super) options: Arc<Options>,
    /// Where the request is, and who the exchange is.
    pub(super) known: Known,
    pub(super) forwarded: Option<Box<Forwarded>>,
    /// The socket's other end, where it is not that of the request's head.
    pub(super) peer: Option<Box<IpAddr>>,
    pub(super) duration: Duration,
    pub(super) bytes: u64,
    pub(super) level: Level,
    pub(super) outcome: Outcome,
    pub(super) status: Option<StatusCode>,
    pub(super) code: Option<Code>,
    pub(super) error: Option<Box<Said>>,
    pub(super) has_failed: bool,
    pub(super) annotations: SharedPairs,
}

/// What went wrong.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Text(Box<str>),
    Error(HandlerError),
}

/// What is measured apart: a route, or a call of gRPC.
pub(super) fn operation(head: &Head, is_call: bool) -> Option<Operation<'_>> {
    if is_call {
        return Some(Operation { method: "", path: head.path() });
    }
    let path = head.route()?.pattern();
    let Some(Cow::Borrowed(method)) = Methods::default().name(head.method()) else {
        return Some(Operation { method: OTHER, path });
    };
    Some(Operation { method, path })
}

fn shown_path<'a>(head: &'a Head, scrubber: &Scrubber) -> Cow<'a, str> {
    let path = head.path();
    match head.route().and_then(|route| route.redact(path, |name| scrubber.is_secret(name))) {
        Some(hidden) => Cow::Owned(scrubber.url(&hidden).into_owned()),
        None => scrubber.url(path),
    }
}

fn shown_agent<'a>(head: &'a Head, scrubber: &Scrubber) -> Option<Cow<'a, str>> {
    Some(match head.any_user_agent()? {
        Cow::Borrowed(agent) => scrubber.text(beginning(agent, LONGEST)),
        Cow::Owned(agent) => Cow::Owned(scrubber.text(beginning(&agent, LONGEST)).into_owned()),
    })
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
    /// The request; the layer has asked for it.
    fn head(&self) -> &Head {
        self.known.head().expect("it was noted when the request arrived")
    }

    fn ids(&self) -> (TraceId, SpanId) {
        let identity = self.known.identity().expect("it was decided when the request arrived");
        (identity.trace_id(), identity.span_id())
    }

    fn is_good(&self) -> bool {
        self.level > Level::WARN
    }

    fn client(&self, head: &Head) -> Option<IpAddr> {
        let forwarded = self.forwarded.as_ref().and_then(|forwarded| forwarded.client);
        let peer = || self.peer.as_deref().copied().or_else(|| head.peer().map(|peer| peer.ip()));
        forwarded.or_else(peer).and_then(|client| self.options.addresses.apply(client))
    }

    fn record<'a>(&'a self) -> AccessRecord<'a> {
        let Self { options, annotations, .. } = self;
        let (trace_id, span_id) = self.ids();
        let (head, scrubber, forwarded) = (self.head(), &options.scrubber, self.forwarded.as_deref());
        let query = if options.query { head.query() } else { None };
        let Plain { path, user_agent, host } = head.plain(scrubber);
        let path = path.filter(|path| path.len() <= LONGEST).and_then(text);
        let agent = user_agent.filter(|agent| agent.len() <= LONGEST).and_then(text);
        let is_told = forwarded.is_some_and(|forwarded| forwarded.host.is_some());
        let host = host.filter(|_| !is_told).and_then(plain_host);
        let are_plain = annotations.are_plain(scrubber);
        let show = |key: &str, value: &'a Value| {
            if are_plain { Cow::Borrowed(value) } else { shown(scrubber, key, value) }
        };
        let plain = PlainTexts {
            host: host.is_some(),
            path: path.is_some(),
            user_agent: agent.is_some(),
            annotations: are_plain,
        };
        AccessRecord {
            timestamp: self.at(),
            level: self.level,
            outcome: self.outcome,
            client: self.client(head),
            method: Cow::Borrowed(cut(head.method().as_str(), LONGEST_METHOD)),
            scheme: head.scheme(forwarded),
            host: host.or_else(|| head.host(forwarded).map(|host| Cow::Owned(written(host)))),
            route: head.route().map(|route| Cow::Borrowed(route.pattern())),
            path: path.map_or_else(|| shortened(shown_path(head, scrubber)), Cow::Borrowed),
            query: query.map(|query| shortened(scrubber.query(query))),
            status: self.status,
            grpc_status: self.code,
            duration: self.duration,
            bytes: self.bytes,
            user_agent: agent.map(Cow::Borrowed).or_else(|| shown_agent(head, scrubber)),
            error: self.error.as_ref().map(|error| Cow::Owned(error.show(scrubber))),
            rollbar_uuid: self.known.report().filter(|_| self.has_failed),
            sample_rate: options.share.rate().filter(|_| self.is_good()),
            annotations: annotations
                .iter()
                .map(|(key, value)| (Cow::Borrowed(&**key), show(key, value)))
                .collect(),
            trace_id,
            span_id,
            xray_trace_id: trace_id.amzn(),
            plain,
        }
    }
}

impl Draft for Noted {
    fn at(&self) -> SystemTime {
        self.known.started() + self.duration
    }

    fn size(&self) -> usize {
        let text = |value: &Value| if let Value::Text(text) = value { text.len() } else { 16 };
        let annotations: usize =
            self.annotations.iter().map(|pair| size_of_val(pair) + pair.0.len() + text(&pair.1)).sum();
        let error = match self.error.as_deref() {
            Some(Said::Text(text)) => text.len(),
            Some(Said::Error(_)) => LONGEST,
            None => 0,
        };
        SHARED + JSON + self.head().size() + annotations + error
    }

    fn worth(&self) -> Price {
        #[allow(clippy::cast_possible_truncation, reason = "it is the half that is random")]
        let price = Price::units(0).trace(self.ids().0.to_u128() as u64).took(self.duration);
        if self.level > Level::ERROR {
            return price;
        }
        let route = self.head().route().map(Route::pattern);
        let code = self.code.map(Code::number);
        price.failed((self.head().method().as_str(), route, self.outcome, self.status, code))
    }

    fn write(&self, message: &mut Message<'_>) {
        self.write_weighed(message, 1);
    }

    fn write_weighed(&self, message: &mut Message<'_>, weight: u32) {
        let mut record = self.record();
        if weight > 1 {
            record.sample_rate = Some(record.sample_rate.unwrap_or(1.0) * f64::from(weight));
        }
        self.options.format.write(&record, message);
    }
}

/// An annotation as it may be seen, which most are as they are.
fn shown<'a>(scrubber: &Scrubber, key: &str, value: &'a Value) -> Cow<'a, Value> {
    let text = match value {
        Value::Text(text) => &**text,
        Value::Int(_) | Value::Float(_) if scrubber.is_secret(key) => "number",
        _ => return Cow::Borrowed(value),
    };
    let shown = shortened(scrubber.value(key, beginning(text, LONGEST)));
    if *shown == *text {
        return Cow::Borrowed(value);
    }
    Cow::Owned(Value::Text(Cow::Owned(shown.into_owned())))
}

/// As long as a path or a query may be.
fn shortened(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(cut(text, LONGEST)),
        Cow::Owned(text) => Cow::Owned(cut(&text, LONGEST).to_owned()),
    }
}

/// Such a host has no name that is too long, and no brackets.
fn plain_host(PlainHost { name, port }: PlainHost<'_>) -> Option<Cow<'_, str>> {
    let name = text(name)?;
    Some(match port {
        None => Cow::Borrowed(name),
        port => Cow::Owned(written(Host { name, port })),
    })
}

fn text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok()
}

/// A host, as long as one may be.
fn written(host: Host<'_>) -> String {
    let host = Host { name: cut(host.name, LONGEST_HOST), ..host };
    let mut written = String::with_capacity(host.name.len() + PORT);
    host.push_to(&mut written);
    written.truncate(written.floor_char_boundary(LONGEST_HOST));
    written
}

fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

/// The bytes of a header's value, a path, a query, an annotation, and of what an error says.
const LONGEST: usize = 4096;

const LONGEST_METHOD: usize = 32;

/// A name has 253 at most, <https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4>.
const LONGEST_HOST: usize = 260;

/// With a colon.
const PORT: usize = 6;

/// What conventions call a method that they do not know.
const OTHER: &str = "_OTHER";

/// About what the names of its members take.
const JSON: usize = 512;

/// What all records of an exchange keep of it.
const SHARED: usize = 1280;
