use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::StatusCode;
use opentelemetry::{
    KeyValue, Value,
    trace::{Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLimits, SpanLinks};

use super::{
    attributes::{
        Attributes, ERROR_TYPE, GRPC, HTTP_STATUS, RPC_METHOD, RPC_METHOD_ORIGINAL, RPC_STATUS,
        XRAY_TRACE_ID, known_or_other,
    },
    cut,
    exception::Exception,
    facts::Facts,
    given::Given,
    options::Options,
    outcome::{Outcome, Side},
    sampler::SAMPLE_RATE,
    secrets,
    span::instrumentation,
    written::{self, Written},
};
use crate::{
    exchange::{self, Code, Forwarded, HandlerError, Head, SharedPairs},
    observe::quietly,
    trace::{Known, OccurrenceId, Other},
};

/// A server's exchange that is over, from which its span is made.
///
/// It is moved a few times, and many of them wait: what few have lies apart.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) options: Arc<Options>,
    pub(super) known: Known,
    pub(super) arrived: Arrived,
    pub(super) kind: Kind,
    pub(super) stage: Stage,
    pub(super) status: Option<StatusCode>,
    nanos: u64,
}

/// What is known when the request has arrived.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    /// As bytes, which leave no gaps between what lies around them.
    trace_id: [u8; 16],
    span_id: SpanId,
    pub(super) parent_id: SpanId,
    flags: TraceFlags,
    pub(super) parent_is_remote: bool,
    /// Whether a router has told its route.
    pub(super) is_matched: bool,
    pub(super) forwarded: Option<Arc<Forwarded>>,
    pub(super) given: Option<Arc<Given>>,
    rest: Option<Box<Rest>>,
}

/// What few exchanges have.
#[derive(Clone, Debug, Default)]
pub(super) struct Rest {
    pub(super) state: TraceState,
    /// How many spans it stands for, if that is to be told.
    pub(super) weight: Option<i64>,
    pub(super) other: Option<Other>,
    pub(super) outcome: Outcome,
    pub(super) error: Option<HandlerError>,
    /// Under which id its failure is reported.
    pub(super) report: Option<OccurrenceId>,
    /// What options make of the response.
    pub(super) response: Option<Arc<[KeyValue]>>,
    pub(super) noted: Option<Arc<Noted>>,
    pub(super) written: Option<Arc<Written>>,
    /// The most characters that a text may have.
    pub(super) value_length: Option<usize>,
}

/// What it turned out to be.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Http,
    /// It was asked as a call of gRPC, and answered as plain HTTP.
    Demoted,
    /// A call of gRPC that came to no code.
    Uncoded,
    /// A call of gRPC, and the name of its method if that may be believed.
    Call {
        code: Code,
        method: Option<Arc<str>>,
    },
}

/// How much of it the span has, should somebody have ended that by hand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    Request,
    Response,
    All,
}

/// What handlers have told of their exchange.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) pairs: SharedPairs,
    pub(super) dropped: u64,
}

// ===== impl Recorded =====

impl Recorded {
    #[inline]
    pub(super) fn new(options: Arc<Options>, known: Known, arrived: Arrived, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let (kind, stage, status) = (Kind::Http, Stage::All, None);
        Self { options, known, arrived, kind, stage, status, nanos }
    }

    pub(super) fn has_parent(&self) -> bool {
        self.arrived.parent_id != SpanId::INVALID
    }

    /// About how many bytes it takes in memory, what it shares with the exchange included.
    pub(super) fn size(&self) -> usize {
        let head = self.known.head().map_or(0, Head::size);
        size_of::<Self>() + SHARED + head + self.arrived.rest.as_ref().map_or(0, |rest| rest.size())
    }

    /// About how many bytes it has as a span of OTLP.
    pub(super) fn encoded_size(&self) -> usize {
        let noted = self.rest().noted.as_ref().map_or(0, |noted| noted.size());
        ENCODED + self.known.head().map_or(0, Head::size) + noted
    }

    pub(super) fn started(&self) -> SystemTime {
        self.known.started()
    }

    pub(super) fn ended(&self) -> SystemTime {
        let by_hand = self.rest().written.as_ref().and_then(|written| written.ended);
        by_hand.unwrap_or_else(|| self.exchange_ended())
    }

    pub(super) fn rest(&self) -> &Rest {
        self.arrived.rest.as_deref().unwrap_or(&NONE)
    }

    /// What the conventions ask, if the head of the request is there, as it is for what is recorded.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(Facts<'_>) -> T) -> Option<T> {
        let Arrived { forwarded, given, is_matched, .. } = &self.arrived;
        Facts::of(&self.options, &self.known, given.as_deref(), forwarded.as_deref(), *is_matched).map(ask)
    }

    /// Whether it has nothing but what the conventions ask of every exchange, and annotations: nobody has added something else
    /// to it, no option has, and nothing of it may have to be left out.
    pub(super) fn is_usual(&self) -> bool {
        let Self { options, arrived, kind, stage, .. } = self;
        let is_plain = !options.old_http_names && !matches!(kind, Kind::Demoted);
        let noted = self.rest().noted.as_ref();
        let annotations = noted.map_or(0, |noted| noted.pairs.len());
        let has_room = self.limits().max_attributes_per_span as usize >= MOST + annotations;
        // Of two with one name only the last is sent.
        let are_others = noted.is_none_or(|noted| !noted.pairs.iter().any(|(key, _)| is_of_ours(key)));
        let is_bare = arrived.given.is_none() && arrived.rest.as_ref().is_none_or(|rest| rest.is_usual());
        is_plain && is_bare && *stage == Stage::All && has_room && are_others
    }

    fn limits(&self) -> SpanLimits {
        self.options.spans.limits()
    }

    /// The span as the SDK makes it.
    pub(super) fn span_data(&self) -> SpanData {
        let Arrived { parent_id, parent_is_remote, .. } = &self.arrived;
        let (limits, written) = (self.limits(), &self.rest().written);
        let outcome = self.told_outcome();
        let mut attributes = self.attributes(&outcome);
        let dropped_before = written.as_ref().map_or(0, |written| written.dropped_attributes);
        let dropped = shorten(&mut attributes, limits.max_attributes_per_span) + dropped_before;
        let mut data = SpanData {
            span_context: self.arrived.span(),
            parent_span_id: *parent_id,
            parent_span_is_remote: *parent_is_remote,
            span_kind: SpanKind::Server,
            name: self.name(),
            start_time: self.started(),
            end_time: self.ended(),
            attributes,
            dropped_attributes_count: count(dropped),
            events: self.events(&outcome),
            links: self.links(),
            status: self.span_status(&outcome),
            instrumentation_scope: instrumentation(),
        };
        if let Some(characters) = self.rest().value_length {
            cut::span(&mut data, characters);
        }
        data
    }

    /// The outcome, with the error that a handler left. What that says is its own: should it panic, it says nothing.
    fn told_outcome(&self) -> Outcome {
        let Rest { outcome, error, .. } = self.rest();
        let because = |error: &HandlerError| {
            quietly(|| outcome.clone().because(Some(error.clone()), &self.options.scrubber))
        };
        error.as_ref().and_then(because).unwrap_or_else(|| outcome.clone())
    }

    fn attributes(&self, outcome: &Outcome) -> Vec<KeyValue> {
        let all = self.rest().written.as_ref();
        let written = all.map_or(&[][..], |written| &written.attributes);
        let early = all.and_then(|written| written.early).unwrap_or(written.len());
        let mut attributes = Attributes::new();
        self.of_request(&mut attributes);
        attributes.extend(written[..early].iter().cloned());
        if self.stage != Stage::Request {
            self.of_response(&mut attributes);
        }
        attributes.extend(written[early..].iter().cloned());
        if self.stage == Stage::All {
            self.of_end(outcome, &mut attributes);
        }
        attributes.finish()
    }

    fn of_request(&self, attributes: &mut Attributes) {
        let (given, Rest { other, weight, .. }) = (&self.arrived.given, self.rest());
        let headers = given.as_ref().map_or(&[][..], |given| &given.headers);
        self.ask(|facts| {
            if facts.head.may_be_grpc() {
                facts.grpc(attributes);
                attributes.extend(headers.iter().cloned());
            } else {
                http(facts, headers, attributes);
            }
        });
        attributes.extend(given.iter().flat_map(|given| given.attributes.iter().cloned()));
        if let Some(Other { trace_id, span_id: None }) = other {
            attributes.push(XRAY_TRACE_ID, trace_id.amzn().to_string());
        }
        attributes.maybe(SAMPLE_RATE, *weight);
    }

    fn of_response(&self, attributes: &mut Attributes) {
        let (options, given) = (&self.options, &self.arrived.given);
        if matches!(self.kind, Kind::Demoted) {
            let headers = given.as_ref().map_or(&[][..], |given| &given.http_headers);
            self.ask(|facts| attributes.extend(besides_call(facts, headers)));
        }
        if let (Kind::Http | Kind::Demoted, Some(status)) = (&self.kind, self.status) {
            let status = KeyValue::new(HTTP_STATUS, i64::from(status.as_u16()));
            let old = options.old_names(Side::Server, std::slice::from_ref(&status));
            attributes.extend([status]);
            attributes.extend(old);
        }
        attributes.extend(self.rest().response.iter().flat_map(|response| response.iter().cloned()));
    }

    fn of_end(&self, outcome: &Outcome, attributes: &mut Attributes) {
        if let Kind::Call { code, method } = &self.kind {
            self.of_call(*code, method.as_ref(), attributes);
        }
        attributes.maybe(ERROR_TYPE, outcome.error_type());
        let Rest { noted, report, .. } = self.rest();
        if let Some(noted) = noted {
            attributes.extend(noted.pairs(&self.options));
        }
        attributes.maybe(OCCURRENCE, report.map(|id| id.to_string()));
        let dropped = noted.as_ref().map(|noted| noted.dropped).filter(|dropped| *dropped > 0);
        attributes.maybe(DROPPED, dropped.map(|dropped| i64::try_from(dropped).unwrap_or(i64::MAX)));
    }

    fn of_call(&self, code: Code, method: Option<&Arc<str>>, attributes: &mut Attributes) {
        attributes.extend(RPC_STATUS.map(|key| KeyValue::new(key, code.name())));
        if method.is_none() {
            self.ask(|facts| {
                let method = facts.options.scrubber.text(facts.rpc_method()).into_owned();
                attributes.push(RPC_METHOD_ORIGINAL, method);
            });
        }
        attributes.push(RPC_METHOD, known_or_other(method.cloned()));
    }

    pub(super) fn name(&self) -> Cow<'static, str> {
        let given = self.arrived.given.as_ref().and_then(|given| given.name.clone());
        let written = self.rest().written.as_ref().and_then(|written| written.name.clone());
        let is_unknown = matches!(self.kind, Kind::Call { method: None, .. }) && self.stage == Stage::All;
        match (given, written) {
            (None, _) if is_unknown => Cow::Borrowed(GRPC),
            (_, Some(written)) => written,
            (Some(given), None) => given,
            (None, None) => self.own_name(),
        }
    }

    fn own_name(&self) -> Cow<'static, str> {
        let is_call = match self.kind {
            Kind::Http => false,
            Kind::Demoted => self.stage == Stage::Request,
            Kind::Uncoded | Kind::Call { .. } => true,
        };
        let name = self.ask(|facts| if is_call { facts.grpc_name() } else { facts.http_name() });
        name.unwrap_or(Cow::Borrowed("HTTP"))
    }

    fn events(&self, outcome: &Outcome) -> SpanEvents {
        let (options, limits) = (&self.options, self.limits());
        let mut events = SpanEvents::default();
        let mut dropped = 0;
        if let Some(written) = &self.rest().written {
            events.events.clone_from(&written.events);
            dropped = written.dropped_events;
        }
        let is_told = self.stage == Stage::All && options.exceptions.events;
        if let Some(exception) = outcome.exception().filter(|_| is_told) {
            let (attributes, cut) =
                written::cut(exception.clone().attributes(), limits.max_attributes_per_event);
            events.events.push(Event::new(Exception::EVENT, self.exchange_ended(), attributes, cut));
        }
        events.dropped_count = count(shorten(&mut events.events, limits.max_events_per_span) + dropped);
        events
    }

    fn exchange_ended(&self) -> SystemTime {
        self.started() + Duration::from_nanos(self.nanos)
    }

    fn links(&self) -> SpanLinks {
        let mut links = SpanLinks::default();
        let Rest { other, written, .. } = self.rest();
        links.links.extend(other.and_then(link));
        let mut dropped = 0;
        if let Some(written) = written {
            links.links.extend(written.links.iter().cloned());
            dropped = written.dropped_links;
        }
        let limit = self.limits().max_links_per_span;
        links.dropped_count = count(shorten(&mut links.links, limit) + dropped);
        links
    }

    fn span_status(&self, outcome: &Outcome) -> Status {
        let written = self.rest().written.as_ref().map_or(Status::Unset, |written| written.status.clone());
        let status = if self.stage == Stage::All { outcome.to_status() } else { Status::Unset };
        if status > written { status } else { written }
    }
}

// ===== impl Kind =====

impl Kind {
    /// The code of a call that came to one.
    pub(super) fn code(&self) -> Option<Code> {
        if let Self::Call { code, .. } = self { Some(*code) } else { None }
    }

    /// The name of its method, or `_OTHER`.
    pub(super) fn method(&self) -> Option<Value> {
        if let Self::Call { method, .. } = self { Some(known_or_other(method.clone())) } else { None }
    }
}

// ===== impl Arrived =====

impl Arrived {
    /// A root, of which nothing more is known.
    #[inline]
    pub(super) fn new(span: &SpanContext) -> Self {
        let mut arrived = Self {
            trace_id: span.trace_id().to_bytes(),
            span_id: span.span_id(),
            parent_id: SpanId::INVALID,
            flags: span.trace_flags(),
            parent_is_remote: false,
            is_matched: false,
            forwarded: None,
            given: None,
            rest: None,
        };
        if *span.trace_state() != TraceState::NONE {
            arrived.rest().state = span.trace_state().clone();
        }
        arrived
    }

    /// Its own ids.
    pub(super) fn span(&self) -> SpanContext {
        let state = self.rest.as_ref().map(|rest| rest.state.clone()).unwrap_or_default();
        SpanContext::new(self.trace_id(), self.span_id, self.flags, false, state)
    }

    pub(super) fn trace_id(&self) -> TraceId {
        TraceId::from_bytes(self.trace_id)
    }

    pub(super) fn rest(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }
}

// ===== impl Rest =====

impl Rest {
    fn is_usual(&self) -> bool {
        let Self { other, outcome, error, response, written, value_length, .. } = self;
        let is_bare = response.is_none() && written.is_none() && other.is_none();
        is_bare && value_length.is_none() && outcome.exception().is_none() && error.is_none()
    }

    fn size(&self) -> usize {
        let written = self.written.as_ref().map_or(0, |written| written.size());
        size_of::<Self>() + written + self.noted.as_ref().map_or(0, |noted| noted.size())
    }
}

// ===== impl Noted =====

impl Noted {
    /// What handlers have told, if they have told anything.
    pub(super) fn of(known: &Known) -> Option<Arc<Self>> {
        let annotations = known.annotations()?;
        let (pairs, dropped) = (annotations.pairs(), annotations.dropped());
        (!pairs.is_empty() || dropped > 0).then(|| Arc::new(Self { pairs, dropped }))
    }

    pub(super) fn pairs(&self, options: &Options) -> impl Iterator<Item = KeyValue> {
        self.pairs.iter().map(|(key, value)| {
            let value = secrets::annotation(&options.scrubber, key, told(value));
            KeyValue::new(key.clone(), value)
        })
    }

    fn size(&self) -> usize {
        let text = |value: &exchange::Value| {
            if let exchange::Value::Text(text) = value { text.len() } else { 0 }
        };
        self.pairs.iter().map(|(key, value)| size_of_val(value) + key.len() + text(value)).sum()
    }
}

/// An exchange as most are.
#[cfg(test)]
pub(super) fn example(status: StatusCode) -> Recorded {
    let request = http::Request::get("/carts/17?page=2").header("host", "shop.example:8443");
    let mut scope = crate::trace::Scope::enter(&http::Extensions::new());
    scope.head(&request.body(()).unwrap().into_parts().0);
    let ids = (1_u128.into(), 2_u64.into());
    let span = SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED, false, TraceState::default());
    let options = Arc::<Options>::default();
    let end = exchange::End::Complete { trailers: None };
    let mut arrived = Arrived::new(&span);
    arrived.rest().outcome = Outcome::http(Side::Server, Some(status), end, &options.scrubber);
    let recorded = Recorded::new(options, scope.keep(), arrived, Duration::from_millis(12));
    Recorded { status: Some(status), ..recorded }
}

/// Those of HTTP, with what options add, in the order in which they are told.
pub(super) fn http(facts: Facts<'_>, headers: &[KeyValue], attributes: &mut Attributes) {
    facts.http(attributes);
    attributes.extend(facts.options.old_names(Side::Server, attributes.as_slice()));
    attributes.extend(headers.iter().cloned());
    facts.route(attributes);
}

/// Those of HTTP that one of gRPC has not already, or will have again.
pub(super) fn besides_call(facts: Facts<'_>, headers: &[KeyValue]) -> Vec<KeyValue> {
    let mut attributes = Attributes::new();
    http(facts, headers, &mut attributes);
    let shared = |pair: &KeyValue| SHARED_NAMES.iter().any(|prefix| pair.key.as_str().starts_with(prefix));
    attributes.finish().into_iter().filter(|pair| !shared(pair)).collect()
}

/// A second trace, where it names a span that can be linked.
pub(super) fn link(other: Other) -> Option<Link> {
    let (flags, state) = (TraceFlags::default(), TraceState::default());
    let to = SpanContext::new(other.trace_id.into(), other.span_id?.into(), flags, true, state);
    Some(Link::new(to, Vec::new(), 0))
}

pub(super) fn told(value: &exchange::Value) -> Value {
    match value {
        exchange::Value::Text(Cow::Borrowed(text)) => Value::String((*text).into()),
        exchange::Value::Text(Cow::Owned(text)) => Value::String(text.clone().into()),
        exchange::Value::Int(int) => Value::I64(*int),
        exchange::Value::Float(float) => Value::F64(*float),
        exchange::Value::Bool(bool) => Value::Bool(*bool),
    }
}

/// Leaves as many as there may be, and tells how many there were besides.
fn shorten<T>(list: &mut Vec<T>, most: u32) -> usize {
    let dropped = list.len().saturating_sub(most as usize);
    list.truncate(most as usize);
    dropped
}

fn count(dropped: usize) -> u32 {
    u32::try_from(dropped).unwrap_or(u32::MAX)
}

static NONE: Rest = Rest {
    state: TraceState::NONE,
    weight: None,
    other: None,
    outcome: Outcome::good(),
    error: None,
    report: None,
    response: None,
    noted: None,
    written: None,
    value_length: None,
};

/// Whether a span may have an attribute of this name without a handler's doing.
fn is_of_ours(name: &str) -> bool {
    OURS.iter().any(|ours| name.starts_with(ours))
}

const OURS: [&str; 11] = [
    "SampleRate",
    "belvedere.",
    "client.",
    "error.",
    "http.",
    "network.",
    "rollbar.",
    "rpc.",
    "server.",
    "url.",
    "user_agent.",
];

/// More than the attributes that the conventions ask for.
const MOST: usize = 24;

/// What a span of gRPC has in common with one of HTTP.
const SHARED_NAMES: [&str; 2] = ["server.", "network.peer."];

/// Where Rollbar has the failure: <https://rollbar.com/occurrence/uuid/?uuid=..>. Rollbar's own libraries call it so.
pub(super) const OCCURRENCE: &str = "rollbar.occurrence.uuid";

/// How many annotations of the exchange there was no room for.
pub(super) const DROPPED: &str = "belvedere.dropped_annotations_count";

/// More than the names of the attributes take, and those values that are not of the request's head.
const ENCODED: usize = 640;

/// About how many bytes of an exchange stay in memory until it is told.
const SHARED: usize = 1_280;
