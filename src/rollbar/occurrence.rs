use std::{borrow::Cow, time::SystemTime};

use http::StatusCode;
use serde_json::{Map, Value};

use super::{
    Attribute, Body, Data, Exception, Item, Level, Message, Person, Reporter, Server, Stack, Telemetry, Trace,
    TraceChain, case::Facts, draft::Draft, report::Place, reporter::Settings, stack,
};
use crate::{exchange, trace::OccurrenceId};

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
    /// Classes and messages, each error before the one that caused it. Never empty.
    Error(Vec<(Cow<'static, str>, String)>),
    Message(String),
}

/// The exchange that it happened in, at that moment.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) facts: std::sync::Arc<Facts>,
    pub(super) status: Option<StatusCode>,
    pub(super) telemetry: Vec<Telemetry>,
}

// ===== impl Occurrence =====

impl Occurrence {
    pub(super) fn push(self) {
        let lane = self.reporter.settings().lane.clone();
        lane.push(self);
    }

    fn body(&self, settings: &Settings) -> Body {
        let frames = stack::frames(self.stack.as_ref(), self.place, self.route().as_deref(), &settings.project);
        let scrubber = &settings.scrubber;
        let chain = match &self.what {
            What::Message(text) => return Body::from(Message::new(scrubber.text(text))),
            What::Error(chain) => chain,
        };
        let mut traces = chain.iter().map(|(class, message)| {
            Trace::new(Exception::new(class.clone(), scrubber.text(message)))
        });
        let mut first = traces.next().unwrap_or_else(|| Trace::new(Exception::new("Error", "")));
        first.frames = frames;
        let mut rest = traces.peekable();
        if rest.peek().is_none() {
            return Body::from(first);
        }
        let mut all = TraceChain::new(first);
        rest.for_each(|cause| all.push(cause));
        Body::from(all)
    }

    /// `GET /carts/{id}`.
    fn route(&self) -> Option<String> {
        Some(self.exchange.as_ref()?.facts.snapshot.route())
    }

    /// Facts that go under `custom`: what was said by hand, the annotations, and by which the traces are found.
    fn custom(&self, settings: &Settings) -> Map<String, Value> {
        let mut custom = Map::new();
        if let Some(Exchange { facts, status, .. }) = &self.exchange {
            facts.annotations.visit(|key, value| {
                custom.insert(key.clone().into_owned(), told(value));
            });
            custom.insert("trace_id".to_owned(), facts.identity.trace_id().to_string().into());
            custom.insert("span_id".to_owned(), facts.identity.span_id().to_string().into());
            custom.insert("xray_trace_id".to_owned(), facts.identity.trace_id().amzn().to_string().into());
            if let Some(status) = status {
                custom.insert("status".to_owned(), status.as_u16().into());
            }
        }
        custom.extend(self.custom.clone());
        let mut custom = Value::Object(custom);
        settings.scrubber.json(&mut custom);
        match custom {
            Value::Object(custom) => custom,
            _ => Map::new(),
        }
    }

    fn attributes(&self) -> Vec<Attribute> {
        let Some(Exchange { facts, .. }) = &self.exchange else { return Vec::new() };
        let identity = &facts.identity;
        vec![
            Attribute::new("trace_id", identity.trace_id().to_string()),
            Attribute::new("span_id", identity.span_id().to_string()),
        ]
    }
}

impl Draft for Occurrence {
    fn size(&self) -> usize {
        let what = match &self.what {
            What::Error(chain) => chain.iter().map(|(class, message)| class.len() + message.len()).sum(),
            What::Message(text) => text.len(),
        };
        let custom: usize = self.custom.iter().map(|(key, value)| key.len() + size(value)).sum();
        BESIDES + what + custom
    }

    fn finish(&self) -> Item {
        let settings = self.reporter.settings();
        let mut data = Data::new(settings.environment.clone(), self.body(settings));
        data.level = Some(self.level);
        data.at(self.at);
        data.uuid = Some(self.uuid.to_string().into());
        data.code_version = settings.code_version.clone().map(Into::into);
        data.framework = settings.framework.clone().map(Into::into);
        data.title = self.title.clone().map(|title| settings.scrubber.text(&title).into_owned().into());
        data.fingerprint = self.fingerprint.clone().map(Into::into);
        data.server = Some(settings.server());
        data.custom = self.custom(settings).into_iter().collect();
        data.attributes = self.attributes();
        if let Some(exchange) = &self.exchange {
            exchange.describe(&mut data, settings);
        }
        Item { data }
    }
}

// ===== impl Exchange =====

impl Exchange {
    fn describe(&self, data: &mut Data, settings: &Settings) {
        let Self { facts, telemetry, .. } = self;
        data.context = Some(facts.snapshot.route().into());
        data.request = Some(Box::new(facts.snapshot.request(&settings.scrubber)));
        data.person = self.person();
        data.body.telemetry = telemetry.clone();
    }

    /// Who asked, if the annotation `user_id` says it.
    fn person(&self) -> Option<Person> {
        let annotation = |key: &str| self.facts.annotations.get(key).map(|value| value.to_string());
        let mut person = Person::new(annotation("user_id")?);
        person.username = annotation("user_name").map(Into::into);
        person.email = annotation("user_email").map(Into::into);
        Some(person)
    }
}

fn told(value: &exchange::Value) -> Value {
    match value {
        exchange::Value::Text(text) => text.clone().into_owned().into(),
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

/// What an occurrence takes besides its texts: its stack, and what is known of its request.
const BESIDES: usize = 8 * 1024;
