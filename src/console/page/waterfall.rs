//! The spans of a trace, as a tree beside one axis of time.

use maud::{Markup, html};
use opentelemetry_proto::tonic::trace::v1::span::Event;

use crate::console::id::hex;
use crate::console::page::{clock, facts, mark, row};
use crate::console::row::Health;
use crate::console::store::Store;
use crate::console::trace::{Span, Trace};
use crate::console::tree::{self, Node};

/// From when to when an axis goes, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) start: u64,
    length: u64,
}

/// A bar on an axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar<'a> {
    /// The name of its colour.
    pub(super) class: &'a str,
    pub(super) start: u64,
    /// None while it goes on.
    pub(super) end: Option<u64>,
    pub(super) events: &'a [Event],
}

pub(super) fn waterfall(store: &Store, trace: &Trace, axis: Axis) -> Markup {
    let nodes = tree::walk(trace);
    html! {
        section.waterfall aria-label="Waterfall" {
            div.axis { span { "Span" } (axis.ticks()) }
            ol #spans.lines {
                @for node in nodes.iter().take(SHOWN) { (line(store, trace, axis, *node)) }
            }
            @if nodes.len() > SHOWN {
                p.none { (nodes.len() - SHOWN) " more spans are in " a href={ "/r/" (trace.id()) ".json" } { "the raw trace" } "." }
            }
        }
    }
}

// ===== impl Axis =====

impl Axis {
    pub(super) fn of((start, end): (u64, u64)) -> Self {
        Self { start, length: end.saturating_sub(start).max(1) }
    }

    /// That of the spans of a trace.
    pub(super) fn of_spans(trace: &Trace) -> Self {
        let spans =
            || trace.spans().iter().map(|span| &span.data).filter(|data| data.start_time_unix_nano > 0);
        let start = spans().map(|data| data.start_time_unix_nano).min().unwrap_or_default();
        Self::of((start, spans().map(|data| data.end_time_unix_nano).max().unwrap_or_default()))
    }

    /// One for both, where they have anything of their time in common.
    pub(super) fn joined(self, other: Self) -> Option<Self> {
        let (start, end) = (self.start.min(other.start), self.end().max(other.end()));
        let meet = self.start.max(other.start) <= self.end().min(other.end());
        meet.then(|| Self::of((start, end)))
    }

    pub(super) fn end(self) -> u64 {
        self.start.saturating_add(self.length)
    }

    /// Where an instant is on the axis, in percent.
    fn at(self, nanos: u64) -> f64 {
        let share = nanos.saturating_sub(self.start) as f64 / self.length as f64;
        (share * 100.0).clamp(0.0, 100.0)
    }

    /// Three to seven round figures.
    fn steps(self) -> impl Iterator<Item = u64> {
        let magnitude = 10_u64.pow(self.length.ilog10().saturating_sub(1));
        let fits = |step: &u64| self.length / step <= 6;
        let step = [1, 2, 5, 10, 20, 50]
            .map(|factor: u64| factor.saturating_mul(magnitude))
            .into_iter()
            .find(fits)
            .unwrap_or(self.length);
        (0..=self.length / step).map(move |count| count * step)
    }

    pub(super) fn ticks(self) -> Markup {
        html! {
            svg.ticks width="100%" height="24" aria-hidden="true" {
                @for (place, step) in self.steps().enumerate() {
                    @let x = percent(self.at(self.start.saturating_add(step)));
                    @let late = self.at(self.start.saturating_add(step)) > 92.0;
                    line x1=(x) x2=(x) y1="16" y2="24" {}
                    text.odd[place % 2 == 1] x=(x) y="12" text-anchor=(if step == 0 { "start" } else if late { "end" } else { "middle" }) {
                        (if step == 0 { "0".to_owned() } else { clock::round(step) })
                    }
                }
            }
        }
    }
}

// ===== impl Bar =====

impl Bar<'_> {
    fn duration(self) -> String {
        let Some(end) = self.end else { return "in progress".to_owned() };
        clock::duration(end.saturating_sub(self.start))
    }
}

fn line(store: &Store, trace: &Trace, axis: Axis, node: Node) -> Markup {
    let span = &trace.spans()[node.place];
    let health = if span.has_failed() { Health::Failed } else { Health::Fine };
    let id = hex(&span.data.span_id);
    html! {
        li.span.(mark::class(health)) #{ "s-" (id) } {
            details {
                summary {
                    span.name {
                        (rails(node))
                        (row::dot(store, span.service()))
                        @if span.has_failed() { (mark::mark(health)) }
                        span.title { (if span.data.name.is_empty() { "(no name)" } else { &span.data.name }) }
                        span.kind { (facts::kind(span)) }
                    }
                    (bar(axis, of_span(span, &format!("s{}", store.color(span.service())))))
                }
                (facts::facts(trace, axis, span))
            }
        }
    }
}

fn of_span<'a>(span: &'a Span, class: &'a str) -> Bar<'a> {
    let data = &span.data;
    Bar { class, start: data.start_time_unix_nano, end: Some(data.end_time_unix_nano), events: &data.events }
}

/// The lines that lead from a parent to its children.
pub(super) fn rails(node: Node) -> Markup {
    let depth = node.depth.min(DEPTH);
    let width = depth * INDENT;
    html! {
        @if depth > 0 {
            svg.rails width=(width) height="32" aria-hidden="true" {
                @for level in 1..depth {
                    @if node.open & (1 << level) != 0 {
                        @let x = (level - 1) * INDENT + 4;
                        line x1=(x) x2=(x) y1="0" y2="32" {}
                    }
                }
                @let x = width - INDENT + 4;
                line x1=(x) x2=(x) y1="0" y2=(if node.last { 16 } else { 32 }) {}
                line x1=(x) x2=(width - 2) y1="16" y2="16" {}
            }
        }
    }
}

pub(super) fn bar(axis: Axis, bar: Bar<'_>) -> Markup {
    let Bar { class, start, end, events } = bar;
    let (from, to) = (axis.at(start), end.map_or(100.0, |end| axis.at(end)));
    html! {
        svg.time.(class) width="100%" height="32" role="img" aria-label=(bar.duration()) {
            @for step in axis.steps() {
                @let x = percent(axis.at(axis.start.saturating_add(step)));
                line.grid x1=(x) x2=(x) y1="0" y2="32" {}
            }
            rect.bar x=(percent(from.min(99.7))) y="10" width=(percent((to - from).max(0.3))) height="12" rx="2.5" {}
            @for event in events {
                circle.event.bad[event.name == "exception"] cx=(percent(axis.at(event.time_unix_nano))) cy="16" r="3.5" {
                    title { (event.name) }
                }
            }
            (length(axis, from, to, bar))
        }
    }
}

/// The duration, on whichever side of the bar there is room, else within, where no event is in the way.
fn length(axis: Axis, from: f64, to: f64, bar: Bar<'_>) -> Markup {
    let text = bar.duration();
    let crowded = bar.events.iter().any(|event| (to - ROOM..=to).contains(&axis.at(event.time_unix_nano)));
    html! {
        @if to < 100.0 - ROOM { text x=(percent(to)) dx="8" y="20" { (text) } }
        @else if from > ROOM { text x=(percent(from)) dx="-8" y="20" text-anchor="end" { (text) } }
        @else if crowded { text.within x=(percent(from)) dx="8" y="20" { (text) } }
        @else { text.within x=(percent(to)) dx="-8" y="20" text-anchor="end" { (text) } }
    }
}

fn percent(share: f64) -> String {
    format!("{share:.2}%")
}

pub(super) const SHOWN: usize = 1000;
const DEPTH: usize = 16;
const INDENT: usize = 16;
/// What a figure beside a bar needs of the axis, in percent.
const ROOM: f64 = 19.0;
