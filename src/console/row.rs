//! What a trace is in one line.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::console::attribute;
use crate::console::item::Level;
use crate::console::line::{Access, Line};
use crate::console::plain;
use crate::console::segment::{Document, Head};
use crate::console::trace::{Span, Trace};

/// One line of the list, as the root says it, or what arrived nearest to the root.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// Nanoseconds since 1970.
    pub(super) start: u64,
    /// Nanoseconds.
    pub(super) duration: u64,
    pub(super) method: Option<String>,
    /// The path, or else the span's name.
    pub(super) title: String,
    /// The status code, or else the kind of error.
    pub(super) status: Option<String>,
    pub(super) health: Health,
    pub(super) spans: usize,
    /// How many of them X-Ray got.
    pub(super) segments: usize,
    /// How many items Rollbar got of it.
    pub(super) items: usize,
    /// How bad the worst of them is.
    pub(super) level: Option<Level>,
    /// How many lines the log got of it.
    pub(super) lines: usize,
    /// How bad the worst of them is.
    pub(super) grade: Option<Level>,
    /// Everyone involved, the one who answered first.
    pub(super) services: Vec<String>,
    /// Whether the first span of the trace is still missing.
    pub(super) rootless: bool,
}

/// How a request went.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Health {
    #[default]
    Fine,
    /// Answered well, although something failed on the way.
    Recovered,
    Canceled,
    /// The request was at fault: 4xx.
    Refused,
    Failed,
}

// ===== impl Row =====

impl Row {
    pub(super) fn of(trace: &Trace) -> Self {
        let row = match trace.root() {
            Some(root) => Self::of_spans(trace, root),
            None if !trace.segments().is_empty() => Self::of_segments(trace),
            None => Self::of_access(trace)
                .or_else(|| Self::of_items(trace))
                .unwrap_or_else(|| Self::of_lines(trace)),
        };
        let (items, level) = (trace.items().len(), trace.items().worst());
        let (lines, grade) = (trace.lines().len(), trace.lines().worst());
        let health = row.health.beside(level).beside(grade);
        Self { items, level, lines, grade, health, ..row }
    }

    fn of_spans(trace: &Trace, root: &Span) -> Self {
        let told = teller(trace, root);
        let status = attribute::number(&told.data.attributes, STATUS);
        let error = attribute::text(&told.data.attributes, &["error.type"]);
        Self {
            start: root.data.start_time_unix_nano,
            duration: root.duration(),
            method: attribute::text(&told.data.attributes, METHOD).map(|method| clip(method, WORD)),
            title: title(told),
            status: status.map(|status| status.to_string()).or_else(|| error.map(|error| clip(error, WORD))),
            health: Health::of(trace, told, status, error),
            spans: trace.spans().len(),
            segments: trace.segments().count(),
            services: services(trace, root),
            rootless: !root.data.parent_span_id.is_empty(),
            ..Self::default()
        }
    }

    /// Where X-Ray alone knows of the request.
    fn of_segments(trace: &Trace) -> Self {
        let Some(root) = trace.segments().root() else { return Self::default() };
        let head = &root.head;
        let path = head.path().map(str::to_owned);
        let status = head.status.map(|status| status.to_string());
        let flag = || head.flags.words().next().map(str::to_owned);
        let progress = || head.end.is_none().then(|| "in progress".to_owned());
        Self {
            start: head.start,
            duration: head.duration(),
            method: head.method.clone(),
            title: path.unwrap_or_else(|| named(&head.name).to_owned()),
            status: status.or_else(flag).or_else(progress),
            health: Health::of_segments(trace.segments().documents(), head),
            spans: 0,
            segments: trace.segments().count(),
            services: segment_names(trace, root),
            rootless: head.parent.is_some(),
            ..Self::default()
        }
    }

    /// Where Rollbar alone knows of it.
    fn of_items(trace: &Trace) -> Option<Self> {
        let item = trace.items().iter().min_by_key(|item| item.head.at)?;
        let head = &item.head;
        let worst = trace.items().worst().unwrap_or(head.level);
        Some(Self {
            start: head.at,
            method: head.method.clone(),
            title: head.path.clone().unwrap_or_else(|| head.title()),
            status: Some(head.status.map_or_else(|| worst.word().to_owned(), |status| status.to_string())),
            health: if worst >= Level::Error { Health::Failed } else { Health::Fine },
            services: vec![head.sender.clone()],
            ..Self::default()
        })
    }

    /// Where nobody measured it, and a log line tells of the request; it is written at the end.
    fn of_access(trace: &Trace) -> Option<Self> {
        let record = |line: &Line| Some((line.head.at, line.head.source.clone(), line.head.access.clone()?));
        let (at, source, access) = trace.lines().iter().filter_map(record).min_by_key(|(at, ..)| *at)?;
        let Access { method, path, status, duration, error } = access;
        let duration = duration.unwrap_or_default();
        Some(Self {
            start: at.saturating_sub(duration),
            duration,
            method: Some(plain::title(&method)),
            title: plain::title(&path),
            health: Health::of_access(status.as_deref(), error.is_some()),
            status: status.as_deref().map(plain::title),
            services: vec![plain::title(&source.group)],
            ..Self::default()
        })
    }

    /// Where there is nothing but log lines.
    fn of_lines(trace: &Trace) -> Self {
        let Some(line) = trace.lines().iter().min_by_key(|line| line.head.at) else { return Self::default() };
        let level = trace.lines().worst();
        Self {
            start: line.head.at,
            title: clip(&plain::title(&line.head.message), LINE),
            status: level.map(|level| level.word().to_owned()),
            health: if level >= Some(Level::Error) { Health::Failed } else { Health::Fine },
            services: vec![plain::title(&line.head.source.group)],
            ..Self::default()
        }
    }

    /// Whether the line has the text in it; `text` is in lower case.
    pub(super) fn mentions(&self, text: &str) -> bool {
        let Self { method, title, status, services, .. } = self;
        let line =
            [method.as_deref().unwrap_or_default(), title, status.as_deref().unwrap_or_default()].join(" ");
        line.to_lowercase().contains(text)
            || services.iter().any(|service| service.to_lowercase().contains(text))
    }

    /// Whether the "errors only" list has it.
    pub(super) fn is_error(&self) -> bool {
        self.health != Health::Fine
    }
}

// ===== impl Health =====

impl Health {
    fn of(trace: &Trace, told: &Span, status: Option<i64>, error: Option<&str>) -> Self {
        let canceled = error.is_some_and(|error| matches!(error, "canceled" | "cancelled"));
        match status {
            _ if canceled => Self::Canceled,
            Some(500..) => Self::Failed,
            Some(400..) => Self::Refused,
            _ if told.has_failed() => Self::Failed,
            _ if trace.spans().iter().any(Span::has_failed) => Self::Recovered,
            _ => Self::Fine,
        }
    }

    /// With what was reported of it.
    fn beside(self, level: Option<Level>) -> Self {
        if self == Self::Fine && level >= Some(Level::Error) { Self::Recovered } else { self }
    }

    fn of_access(status: Option<&str>, has_error: bool) -> Self {
        match status.map(|status| status.parse::<u16>()) {
            Some(Ok(500..)) => Self::Failed,
            Some(Ok(400..)) => Self::Refused,
            _ if status == Some("canceled") => Self::Canceled,
            _ if has_error => Self::Failed,
            _ => Self::Fine,
        }
    }

    fn of_segments(documents: &[Document], root: &Head) -> Self {
        match root.status {
            _ if root.flags.fault => Self::Failed,
            Some(500..) => Self::Failed,
            Some(400..) => Self::Refused,
            _ if root.flags.error || root.flags.throttle => Self::Refused,
            _ if documents.iter().any(|document| document.has_fault_within) => Self::Recovered,
            _ => Self::Fine,
        }
    }
}

/// Whose method, path and status the row has: the root's, or those of the first server, if the root knows none.
fn teller<'a>(trace: &'a Trace, root: &'a Span) -> &'a Span {
    if attribute::text(&root.data.attributes, METHOD).is_some() {
        return root;
    }
    let servers = trace.spans().iter().filter(|span| span.data.kind == SpanKind::Server as i32);
    servers.min_by_key(|span| span.data.start_time_unix_nano).unwrap_or(root)
}

fn title(span: &Span) -> String {
    let attributes = &span.data.attributes;
    let path = attribute::text(attributes, &["url.path", "http.target"]);
    let url = || attribute::text(attributes, &["url.full", "http.url"]).and_then(path_of);
    let path = path.or_else(url).map(|path| path.split(['?', '#']).next().unwrap_or(path));
    clip(path.unwrap_or_else(|| named(&span.data.name)), LINE)
}

fn path_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.find('/').map(|start| &rest[start..])
}

fn services(trace: &Trace, root: &Span) -> Vec<String> {
    let mut services = vec![root.service().to_owned()];
    for span in trace.spans() {
        if services.len() < SERVICES && !services.iter().any(|service| service == span.service()) {
            services.push(span.service().to_owned());
        }
    }
    services
}

fn segment_names(trace: &Trace, root: &Document) -> Vec<String> {
    let mut names = vec![named(&root.head.name).to_owned()];
    let segments = trace.segments().documents().iter().map(|document| &document.head);
    for head in segments.filter(|head| head.is_segment) {
        if names.len() < SERVICES && !names.contains(&head.name) {
            names.push(head.name.clone());
        }
    }
    names
}

fn named(name: &str) -> &str {
    if name.is_empty() { "(no name)" } else { name }
}

/// A row stays a line.
fn clip(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}

const LINE: usize = 256;
const WORD: usize = 32;
const METHOD: &[&str] = &["http.request.method", "http.method"];
const STATUS: &[&str] = &["http.response.status_code", "http.status_code"];
const SERVICES: usize = 12;
