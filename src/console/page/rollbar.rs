//! What Rollbar got of a request: its items, each in a line.

use maud::{Markup, html};

use crate::console::item::{Item, Level};
use crate::console::page::{clock, item, mark};
use crate::console::row::Health;
use crate::console::trace::Trace;

pub(super) fn pane(trace: &Trace) -> Markup {
    html! {
        section.waterfall.rollbar aria-label="Rollbar" {
            div.axis { span { "Rollbar item" } span.when { "Reported" } }
            ol #items.lines {
                @for item in trace.items().iter() { (line(trace, item)) }
            }
        }
    }
}

fn line(trace: &Trace, item: &Item) -> Markup {
    let head = &item.head;
    let health = health(head.level);
    html! {
        li.item.(mark::class(health)) #{ "i-" (head.id) } {
            details {
                summary {
                    span.name { (grade(head.level)) span.title { (head.title()) } }
                    span.when { (clock::instant(head.at)) }
                }
                (item::facts(trace, item))
            }
        }
    }
}

/// A level, in a colour and in Rollbar's word.
pub(super) fn grade(level: Level) -> Markup {
    html! { span.grade.(level.word()) { (level.word()) } }
}

/// The worst of the items, and how many there are besides.
pub(super) fn chip(items: usize, level: Option<Level>) -> Markup {
    html! {
        @if let Some(level) = level {
            span.grade.(level.word()) title={ "the worst is " (level.word()) } { (level.word()) @if items > 1 { " +" (items - 1) } }
        }
    }
}

fn health(level: Level) -> Health {
    match level {
        Level::Error | Level::Critical => Health::Failed,
        Level::Warning => Health::Refused,
        Level::Debug | Level::Info => Health::Fine,
    }
}
