use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    mem::size_of,
    ptr,
    sync::Arc,
    time::SystemTime,
};

use tracing::{
    Level, Metadata,
    field::{self, FieldSet},
};

use super::{
    date::Date,
    draft::Draft,
    fields::{Fields, Value},
    message::{Key, Message, Part, key},
    spans::{Span, Spans},
};
use crate::{
    outbox::Price,
    scrub::{Constant, Scrubber, is_plain},
    trace::{SpanId, TraceId},
};

/// An event of the application: what was noted of it on its own thread.
pub(super) struct AppEvent {
    pub(super) at: SystemTime,
    pub(super) metadata: &'static Metadata<'static>,
    pub(super) ids: Option<(TraceId, SpanId)>,
    pub(super) fields: Fields,
    pub(super) spans: Spans,
    pub(super) style: Arc<Style>,
    /// What it takes, which is asked for more than once.
    pub(super) size: usize,
}

/// How events are written.
#[derive(Clone, Debug)]
pub(super) struct Style {
    pub(super) scrubber: Scrubber,
    /// Whether a file and a line are told.
    pub(super) location: bool,
    /// Whether all spans are told, or the innermost alone.
    pub(super) all_spans: bool,
    pub(super) text: bool,
}

/// The members of `fields`, or of a span.
struct Members<'a> {
    style: &'a Style,
    metadata: &'static Metadata<'static>,
    fields: &'a Fields,
    of: Of,
}

#[derive(Clone, Copy, PartialEq)]
enum Of {
    Event,
    Log,
    Span,
}

/// A value without its secrets.
struct Shown<'a> {
    scrubber: &'a Scrubber,
    name: &'static str,
    constant: Constant,
    value: Value<'a>,
}

/// The names of fields by their places, which mostly are asked for in order.
struct Names {
    fields: &'static FieldSet,
    rest: field::Iter,
    next: usize,
}

// ===== impl AppEvent =====

impl AppEvent {
    /// About how many bytes one takes, and at least as many as it has when it is written.
    pub(super) fn measure(metadata: &Metadata<'_>, fields: &Fields, spans: &Spans) -> usize {
        let all: usize = spans.iter().map(Span::weight).sum();
        let innermost = spans.innermost().map_or(0, Span::weight);
        let place = metadata.target().len() + metadata.file().map_or(0, str::len);
        size_of::<Self>() + JSON + place + fields.weight() + all + innermost
    }

    /// Whether it came from the crate `log`, by way of `tracing-log`.
    fn is_log(metadata: &Metadata<'_>) -> bool {
        metadata.target() == "log" && metadata.fields().field(LOG_TARGET).is_some()
    }

    /// What it is about: of a record of `log`, what that says.
    pub(super) fn target(&self) -> &str {
        self.logged(LOG_TARGET).unwrap_or_else(|| self.metadata.target())
    }

    fn location(&self) -> (Option<&str>, Option<u64>) {
        if Self::is_log(self.metadata) {
            let line = match self.value(LOG_LINE) {
                Some(Value::Uint(line)) => Some(line),
                _ => None,
            };
            return (self.logged(LOG_FILE), line);
        }
        (self.metadata.file(), self.metadata.line().map(u64::from))
    }

    /// What a record of `log` says of itself.
    fn logged(&self, name: &str) -> Option<&str> {
        if !Self::is_log(self.metadata) {
            return None;
        }
        match self.value(name)? {
            Value::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    fn message(&self) -> Option<Shown<'_>> {
        let value = self.value(MESSAGE)?;
        Some(Shown::of(&self.style.scrubber, MESSAGE, value))
    }

    fn value(&self, name: &str) -> Option<Value<'_>> {
        let index = self.metadata.fields().field(name)?.index();
        self.fields.find(index)
    }

    fn write_json(&self, to: &mut Message<'_>) {
        to.syntax(key!("{", "timestamp"));
        to.plain_bytes(Date::of(self.at).as_bytes());
        to.syntax(key!(",", "level"));
        to.plain_string(self.metadata.level().as_str());
        to.syntax(key!(",", "target"));
        to.string(self.target());
        if let Some(message) = self.message() {
            to.syntax(key!(",", "message"));
            message.write_text(to);
        }
        self.write_fields(to);
        self.write_spans(to);
        if self.style.location {
            self.write_location(to);
        }
        if let Some((trace_id, span_id)) = self.ids {
            // Events of one exchange have the same ones, and often follow each other.
            to.once(Key::Ids(trace_id, span_id), |to| write_ids(trace_id, span_id, to));
        }
        to.push_plain("}");
    }

    fn write_fields(&self, to: &mut Message<'_>) {
        let members = self.members();
        let mut named = members.named().peekable();
        if named.peek().is_some() {
            to.syntax(key!(",", "fields"));
            members.write(named, "{", to);
        }
    }

    fn write_spans(&self, to: &mut Message<'_>) {
        let Some(innermost) = self.spans.innermost() else { return };
        to.syntax(key!(",", "span"));
        let part = self.write_span(innermost, to);
        if self.style.all_spans {
            to.syntax(key!(",", "spans"));
            to.push_plain("[");
            for outer in self.spans.outer() {
                self.write_span(outer, to);
                to.push_plain(",");
            }
            to.repeat(part);
            to.push_plain("]");
        }
    }

    fn write_span(&self, span: &Span, to: &mut Message<'_>) -> Part {
        let style = ptr::from_ref(&*self.style).addr();
        to.once(Key::At([style, ptr::from_ref(span.metadata).addr(), span.fields.address()]), |to| {
            let members = self.span(span);
            to.syntax(key!("{", "name"));
            to.string(span.metadata.name());
            members.write(members.named(), ",", to);
        })
    }

    fn write_location(&self, to: &mut Message<'_>) {
        let (file, line) = self.location();
        if let Some(file) = file {
            to.syntax(key!(",", "file"));
            to.string(file);
        }
        if let Some(line) = line {
            to.syntax(key!(",", "line"));
            to.unsigned(line);
        }
    }

    fn members(&self) -> Members<'_> {
        let of = if Self::is_log(self.metadata) { Of::Log } else { Of::Event };
        Members::new(&self.style, self.metadata, &self.fields, of)
    }

    fn span<'a>(&'a self, span: &'a Span) -> Members<'a> {
        Members::new(&self.style, span.metadata, &span.fields, Of::Span)
    }
}

fn write_ids(trace_id: TraceId, span_id: SpanId, to: &mut Message<'_>) {
    to.syntax(key!(",", "trace_id"));
    to.plain_bytes(&trace_id.digits());
    to.syntax(key!(",", "span_id"));
    to.plain_bytes(&span_id.digits());
    to.syntax(key!(",", "xray_trace_id"));
    to.plain_bytes(&trace_id.amzn().digits());
}

impl Draft for AppEvent {
    fn at(&self) -> SystemTime {
        self.at
    }

    fn size(&self) -> usize {
        self.size
    }

    fn worth(&self) -> Price {
        let price = Price::units(0);
        let price = match self.ids {
            #[allow(clippy::cast_possible_truncation, reason = "it is the half that is random")]
            Some((trace_id, _)) => price.trace(trace_id.to_u128() as u64),
            None => price,
        };
        match *self.metadata.level() {
            Level::ERROR => price.failed((self.target(), self.metadata.callsite())),
            Level::WARN => price.important(),
            Level::INFO => price,
            _ => price.idle(),
        }
    }

    fn write(&self, message: &mut Message<'_>) {
        if self.style.text {
            message.push_line(&self.to_string());
        } else {
            self.write_json(message);
        }
    }
}

/// A line as `tracing_subscriber` writes it: the time, the level, the spans, the target, the message, the fields, the trace.
impl fmt::Display for AppEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:>5} ", Date::of(self.at).timestamp(), self.metadata.level())?;
        let skipped = if self.style.all_spans { 0 } else { self.spans.iter().count().saturating_sub(1) };
        for span in self.spans.iter().skip(skipped) {
            let members = self.span(span).to_string();
            f.write_str(span.metadata.name())?;
            if !members.is_empty() {
                write!(f, "{{{members}}}")?;
            }
            f.write_char(':')?;
        }
        let gap = if self.spans.innermost().is_some() { " " } else { "" };
        write!(f, "{gap}{}:", self.target())?;
        if let (true, (Some(file), Some(line))) = (self.style.location, self.location()) {
            write!(f, " {file}:{line}:")?;
        }
        if let Some(message) = self.message() {
            write!(f, " {}", message.text())?;
        }
        let members = self.members().to_string();
        if !members.is_empty() {
            write!(f, " {members}")?;
        }
        match self.ids {
            Some((trace_id, _)) => write!(f, " xray_trace_id={}", trace_id.amzn()),
            None => Ok(()),
        }
    }
}

// ===== impl Members =====

impl<'a> Members<'a> {
    fn new(style: &'a Style, metadata: &'static Metadata<'static>, fields: &'a Fields, of: Of) -> Self {
        Self { style, metadata, fields, of }
    }

    fn named(&self) -> impl Iterator<Item = Shown<'_>> {
        let mut names = Names::of(self.metadata.fields());
        let shown = self
            .fields
            .iter()
            .filter_map(move |(index, value)| Some(Shown::of(&self.style.scrubber, names.at(index)?, value)));
        shown.filter(|shown| match self.of {
            Of::Span => true,
            Of::Event => shown.name != MESSAGE,
            Of::Log => shown.name != MESSAGE && !shown.name.starts_with(LOG),
        })
    }

    /// Writes members and the end of the object, with `gap` before the first.
    fn write<'b>(&self, named: impl Iterator<Item = Shown<'b>>, mut gap: &'static str, to: &mut Message<'_>) {
        for shown in named {
            // An object has one member of a name.
            let name = if self.of == Of::Span && shown.name == NAME { OTHER_NAME } else { shown.name };
            to.push_plain(gap);
            to.text(name, shown.constant.is_plain);
            to.push_plain(":");
            shown.write(to);
            gap = ",";
        }
        to.push_plain("}");
    }
}

/// `items=3 user=worf`.
impl fmt::Display for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        for shown in self.named() {
            write!(f, "{gap}{}={}", shown.name, shown.text())?;
            gap = " ";
        }
        Ok(())
    }
}

// ===== impl Names =====

impl Names {
    fn of(fields: &'static FieldSet) -> Self {
        Self { fields, rest: fields.iter(), next: 0 }
    }

    fn at(&mut self, index: usize) -> Option<&'static str> {
        if index < self.next {
            *self = Self::of(self.fields);
        }
        let field = self.rest.nth(index - self.next);
        self.next = if field.is_some() { index + 1 } else { usize::MAX };
        field.map(|field| field.name())
    }
}

// ===== impl Shown =====

impl<'a> Shown<'a> {
    fn of(scrubber: &'a Scrubber, name: &'static str, value: Value<'a>) -> Self {
        Self { scrubber, name, constant: scrubber.constant(name), value }
    }

    /// Whether it is a number that is a secret, such as a PIN. That something is so or not is none.
    fn is_hidden(&self) -> bool {
        !matches!(self.value, Value::Text { .. } | Value::Bool(_)) && self.constant.is_secret
    }

    /// A text that is whole, and that JSON has as it is.
    fn plain(&self) -> Option<&'a str> {
        let Value::Text { text, is_cut: false } = self.value else { return None };
        let is_shown = is_plain(text.as_bytes()) && self.scrubber.leaves_ascii(text.as_bytes());
        (is_shown && (self.name == MESSAGE || !self.constant.is_secret)).then_some(text)
    }

    fn text(&self) -> Cow<'a, str> {
        if self.is_hidden() {
            return self.scrubber.value(self.name, "number");
        }
        match self.value {
            Value::Text { text, is_cut } => {
                let text = if self.name == MESSAGE {
                    self.scrubber.text(text)
                } else {
                    self.scrubber.value(self.name, text)
                };
                if is_cut { text + CUT } else { text }
            }
            Value::Int(int) => int.to_string().into(),
            Value::Uint(int) => int.to_string().into(),
            Value::Wide(int) => int.to_string().into(),
            Value::WideUint(int) => int.to_string().into(),
            Value::Float(float) => float.to_string().into(),
            Value::Bool(bool) => if bool { "true" } else { "false" }.into(),
        }
    }

    /// As a string, whatever it is.
    fn write_text(&self, to: &mut Message<'_>) {
        match self.plain() {
            Some(text) => to.plain_string(text),
            None => to.string(&self.text()),
        }
    }

    fn write(&self, to: &mut Message<'_>) {
        match self.value {
            _ if self.is_hidden() => to.string(&self.text()),
            Value::Int(int) => to.integer(int),
            Value::Uint(int) => to.unsigned(int),
            Value::Float(float) if float.is_finite() => to.float(float),
            Value::Bool(bool) => to.bool(bool),
            // A reader of JSON would round a number of 128 bits, and knows none that is not finite.
            _ => self.write_text(to),
        }
    }
}

const MESSAGE: &str = "message";
const NAME: &str = "name";
/// What a span's field is called that is called as the span's name is.
const OTHER_NAME: &str = "name_";

/// What the crate `tracing-log` adds to an event.
const LOG: &str = "log.";
const LOG_TARGET: &str = "log.target";
const LOG_FILE: &str = "log.file";
const LOG_LINE: &str = "log.line";

/// What a text ends with that is not all.
const CUT: &str = "\u{2026}";

/// About what the names of its members take, and its ids and its time.
const JSON: usize = 384;
