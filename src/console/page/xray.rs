//! What X-Ray got of a request: its segments, as a tree beside an axis of time.

use maud::{Markup, html};

use crate::console::page::waterfall::{self, Axis, Bar, SHOWN};
use crate::console::page::{mark, part, row};
use crate::console::part::{Part, Parts};
use crate::console::row::Health;
use crate::console::segment::{Flags, Head};
use crate::console::state::State;
use crate::console::store::Store;
use crate::console::trace::Trace;
use crate::console::tree::Node;

pub(super) fn pane(state: &State, store: &Store, trace: &Trace, parts: &Parts, axis: Axis) -> Markup {
    let nodes = parts.tree();
    html! {
        section.waterfall.xray aria-label="X-Ray" {
            div.axis { span { "X-Ray segment" } (axis.ticks()) }
            ol #segments.lines {
                @for node in nodes.iter().take(SHOWN) { (line(store, parts, axis, *node)) }
            }
            @if nodes.len() > SHOWN {
                p.none { (nodes.len() - SHOWN) " more are in " a href={ "/r/" (trace.id()) ".xray.json" } { "the raw documents" } "." }
            }
            (sampling(state))
        }
    }
}

/// Where others have segments, and this request has none.
pub(super) fn nothing() -> Markup {
    html! {
        section.waterfall.xray aria-label="X-Ray" {
            p.none { b { "X-Ray" } " got no segment of this request. It was not sampled, or its segments go elsewhere." }
        }
    }
}

/// What samplers said that they did.
fn sampling(state: &State) -> Markup {
    let sampling = state.sampling();
    html! {
        @if let Some(told) = sampling.told() {
            p.foot {
                "Sampling so far: " b { (told.requests) } " requests, " b { (told.sampled) } " kept. The rule Default keeps "
                (sampling.rule.reservoir) " a second, and " ((sampling.rule.rate * 100.0 * 1000.0).round() / 1000.0) "\u{202f}% of the others."
            }
        }
    }
}

fn line(store: &Store, parts: &Parts, axis: Axis, node: Node) -> Markup {
    let part = parts.get(node.place);
    let head = &part.head;
    let bar = Bar { class: class(head), start: head.start, end: head.end, events: &[] };
    let id = (head.id > 0).then(|| format!("x-{:016x}", head.id));
    html! {
        li.segment.(mark::class(health(head.flags))) id=[id] {
            details {
                summary {
                    span.name {
                        (waterfall::rails(node))
                        @if part.is_segment() { (row::dot(store, &head.name)) }
                        span.title { (name(head)) }
                        (flags(head))
                        span.kind { (kind(part)) }
                    }
                    (waterfall::bar(axis, bar))
                }
                (part::facts(parts, axis, part))
            }
        }
    }
}

pub(super) fn name(head: &Head) -> &str {
    if head.name.is_empty() { "(no name)" } else { &head.name }
}

/// In X-Ray's colours, and in its words. That it is in progress stands beside the bar.
pub(super) fn flags(head: &Head) -> Markup {
    html! {
        @for word in head.flags.words() { span.flag.(word) { (word) } }
    }
}

/// What kind of thing a part is.
pub(super) fn kind(part: &Part) -> &str {
    let namespace = part.fields.get("namespace").and_then(|namespace| namespace.as_str());
    match namespace {
        _ if part.is_segment() => "segment",
        Some("remote") => "remote",
        Some("aws") => "aws",
        _ => "subsegment",
    }
}

/// The name of the colour of a bar.
fn class(head: &Head) -> &'static str {
    let unflagged = if head.end.is_none() { "progress" } else { "ok" };
    head.flags.words().next().unwrap_or(unflagged)
}

fn health(flags: Flags) -> Health {
    match flags {
        Flags { fault: true, .. } => Health::Failed,
        Flags { throttle: false, error: false, .. } => Health::Fine,
        _ => Health::Refused,
    }
}
