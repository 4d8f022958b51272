use std::{borrow::Cow, sync::Arc, time::SystemTime};

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value};

use super::{
    Attribute, Body, Case, Data, Exception, Item, Level, Message, Notifier, Person, Place, Reporter, Stack,
    Text, Trace, TraceChain,
    causes::{self, Caused},
    draft::Draft,
    fit::fit,
    reporter::Settings,
};
use crate::{
    exchange::{self, HandlerError, Methods},
    outbox::Price,
    scrub::{Scrubber, beginning},
    trace::OccurrenceId,
};

/// Something that happened, as it is noted where it happened: the rest is done on its way out.
#[derive(Debug)]
pub(super) struct Occurrence {
    pub(super) reporter: Reporter,
    pub(super) exchange: Option<Exchange>,
    pub(super) uuid: OccurrenceId,
    pub(super) at: SystemTime,
    pub(super) what: What,
    pub(super) level: Level,
    pub(super) custom: Map<String, Value>,
    pub(super) title: Option<String>,
    pub(super) fingerprint: Option<String>,
    pub(super) stack: Option<Stack>,
    pub(super) place: Option<Place>,
}

/// What happened.
#[derive(Debug)]
pub(super) enum What {
    /// Each error before the one that caused it. Never empty.
    Error(Vec<Caused>),
    /// An error that can be asked later what it says.
    Left(HandlerError),
    Message(String),
}

/// The exchange that it happened in, at that moment.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) case: Case,
    pub(super) status: Option<StatusCode>,
    pub(super) is_no_call: bool,
}

// ===== impl Occurrence =====

impl Occurrence {
    pub(super) fn push(self) {
        let reporter = self.reporter.clone();
        reporter.settings().lane.push(&reporter.settings().environment, self);
    }

    fn item(&self) -> Item {
        let settings = self.reporter.settings();
        let scrubbed = |text: Option<&str>| Some(settings.scrubber.text(text?).into_owned().into());
        let mut data = Data::new(settings.environment.clone(), self.body(settings));
        data.level = Some(self.level);
        data.at(self.at);
        data.uuid = Some(self.uuid.to_string().into());
        data.code_version = settings.code_version.clone().map(Into::into);
        data.framework = settings.framework.clone().map(Into::into);
        data.title = scrubbed(self.title.as_deref());
        data.fingerprint = scrubbed(self.fingerprint.as_deref());
        data.server = Some(settings.server());
        data.custom = self.custom(settings).into();
        data.attributes = self.attributes();
        if let Some(exchange) = &self.exchange {
            exchange.describe(&mut data, self.at, settings);
        }
        Item { data }
    }

    fn body(&self, settings: &Settings) -> Body {
        let (scrubber, project) = (&settings.scrubber, settings.project());
        let chain = match &self.what {
            What::Message(text) => return Body::from(Message::new(scrubber.text(text))),
            What::Error(chain) => Cow::Borrowed(chain),
            What::Left(error) => Cow::Owned(causes::of_handler_error(error)),
        };
        let route = self.exchange.as_ref().map(Exchange::route);
        let mut traces = chain.iter().map(|caused| trace(caused, scrubber));
        let mut first = traces.next().unwrap_or_else(|| Trace::new(Exception::new("Error", "")));
        first.frames = project.frames(self.stack.as_ref(), self.place.as_ref(), route.as_deref());
        let mut all = TraceChain::new(first);
        traces.for_each(|cause| all.push(cause));
        Body::from(all)
    }

    /// Facts that go under `custom`: what was said by hand, the annotations, and by which the trace is found.
    fn custom(&self, settings: &Settings) -> Map<String, Value> {
        let mut custom = self.exchange.as_ref().map(Exchange::custom).unwrap_or_default();
        custom.extend(self.custom.clone());
        settings.scrubber.json_object(&mut custom);
        if let Some(exchange) = &self.exchange {
            exchange.link(&mut custom);
        }
        custom
    }

    fn attributes(&self) -> Vec<Attribute> {
        let Some(exchange) = &self.exchange else { return Vec::new() };
        let identity = &exchange.case.facts().identity;
        vec![
            Attribute::new("trace_id", identity.trace_id().to_string()),
            Attribute::new("span_id", identity.span_id().to_string()),
        ]
    }
}

impl Draft for Occurrence {
    fn size(&self) -> usize {
        let what = match &self.what {
            What::Error(chain) => chain.iter().map(|caused| caused.class.len() + caused.message.len()).sum(),
            What::Left(_) => LEFT,
            What::Message(text) => text.len(),
        };
        let custom: usize = self.custom.iter().map(|(key, value)| key.len() + size(value)).sum();
        let exchange = self.exchange.as_ref().map_or(0, Exchange::size);
        BESIDES + what + custom + exchange + self.stack.as_ref().map_or(0, Stack::size)
    }

    fn price(&self) -> Price {
        let price = Price::units(1);
        let price = match &self.exchange {
            #[allow(clippy::cast_possible_truncation, reason = "it is the half that is random")]
            Some(exchange) => price.trace(exchange.case.facts().identity.trace_id().to_u128() as u64),
            None => price,
        };
        if self.level < Level::Warning {
            return price;
        }
        let route = self.exchange.as_ref().map(Exchange::route);
        price.failed((&self.fingerprint, self.what.class(), route, &self.place))
    }

    fn json(&self, most: usize) -> Bytes {
        fit(&mut self.item(), most).into()
    }
}

// ===== impl What =====

impl What {
    /// One of few names.
    pub(super) fn class(&self) -> Cow<'_, str> {
        match self {
            Self::Error(chain) => chain.first().map_or("Error", |caused| &caused.class).into(),
            Self::Left(error) => causes::class_of_handler_error(error).into(),
            Self::Message(_) => "message".into(),
        }
    }

    /// What it is called where it is told that its kind was left out. Without secrets.
    pub(super) fn title(&self, scrubber: &Scrubber) -> Text<255> {
        let title = match self {
            Self::Error(_) | Self::Left(_) => self.class(),
            Self::Message(text) => text.into(),
        };
        scrubber.text(&title).into_owned().into()
    }
}

// ===== impl Exchange =====

impl Exchange {
    /// `GET /carts/{id}`, `POST /shop.Greeter/SayHello` of gRPC, or `GET` where the route is not known. It has few values:
    /// items are told apart by it.
    fn route(&self) -> String {
        let snapshot = self.case.snapshot();
        let method = Methods::default().name(snapshot.method()).unwrap_or(Cow::Borrowed(OTHER));
        match (snapshot.route(), self.call()) {
            (Some(route), _) => format!("{method} {route}"),
            (None, Some(call)) => format!("{method} {call}"),
            (None, None) => method.into_owned(),
        }
    }

    /// The method of gRPC, if it may be believed to exist.
    fn call(&self) -> Option<Arc<str>> {
        let call = self.case.snapshot().call().filter(|_| !self.is_no_call)?;
        self.case.facts().reporter.settings().calls.failed(call)
    }

    fn size(&self) -> usize {
        self.case.size()
    }

    fn custom(&self) -> Map<String, Value> {
        let mut custom = Map::new();
        self.case.facts().annotations.visit(|key, value| {
            custom.insert(key.clone().into_owned(), told(value));
        });
        if let Some(status) = self.status {
            custom.insert("status".to_owned(), status.as_u16().into());
        }
        custom
    }

    /// By what the trace is found in other backends.
    fn link(&self, custom: &mut Map<String, Value>) {
        let identity = &self.case.facts().identity;
        let trace_id = identity.trace_id();
        custom.insert("trace_id".to_owned(), trace_id.to_string().into());
        custom.insert("span_id".to_owned(), identity.span_id().to_string().into());
        custom.insert("xray_trace_id".to_owned(), trace_id.amzn().to_string().into());
    }

    fn describe(&self, data: &mut Data, at: SystemTime, settings: &Settings) {
        let facts = self.case.facts();
        data.context = Some(self.route().into());
        data.request = Some(Box::new(self.case.snapshot().request(&settings.scrubber)));
        data.person = self.person(&settings.scrubber);
        data.body.telemetry = facts.trail.telemetry(at, &settings.scrubber);
        let dropped = facts.trail.dropped();
        if dropped > 0 {
            let notifier = data.notifier.get_or_insert_with(Notifier::belvedere);
            notifier.diagnostic.insert(TELEMETRY_DROPPED.to_owned(), dropped.into());
        }
    }

    /// Who asked, if the annotation `user_id` says it.
    fn person(&self, scrubber: &Scrubber) -> Option<Person> {
        let annotations = &self.case.facts().annotations;
        let annotation = |key: &str| {
            let value = annotations.get(key)?.to_string();
            Some(scrubber.text(&value).into_owned())
        };
        let mut person = Person::new(annotation("user_id")?);
        person.username = annotation("user_name").map(Into::into);
        person.email = annotation("user_email").map(Into::into);
        Some(person)
    }
}

fn trace(caused: &Caused, scrubber: &Scrubber) -> Trace {
    Trace::new(Exception::new(caused.class.clone(), scrubber.text(&caused.message)))
}

fn told(value: &exchange::Value) -> Value {
    match value {
        exchange::Value::Text(text) => beginning(text, LONGEST).into(),
        exchange::Value::Int(int) => (*int).into(),
        exchange::Value::Float(float) => (*float).into(),
        exchange::Value::Bool(bool) => (*bool).into(),
    }
}

/// About how many bytes a value takes.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(size).sum::<usize>() + values.len(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + size(value) + 4).sum(),
        _ => 8,
    }
}

/// What conventions call a method that they do not know.
const OTHER: &str = "_OTHER";

/// About how many bytes the errors of a chain are that has not been asked yet.
const LEFT: usize = 4096;

/// The bytes of an annotation's text.
const LONGEST: usize = 4096;

/// What an occurrence takes besides its texts.
const BESIDES: usize = 8 * 1024;

/// How many events there was no room for.
const TELEMETRY_DROPPED: &str = "telemetry_dropped";
