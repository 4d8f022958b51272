//! One line of the list.

use maud::{Markup, html};

use crate::console::page::{clock, cloudwatch, mark, rollbar};
use crate::console::store::Store;
use crate::console::trace::Trace;

pub(super) fn row(store: &Store, trace: &Trace) -> Markup {
    let row = trace.row();
    let (value, unit) = clock::parts(row.duration);
    html! {
        tr #{ "t-" (trace.id()) } .row.(mark::class(row.health)) data-order=(trace.order()) {
            td.when { (clock::instant(row.start)) }
            td.state { (mark::mark(row.health)) span.code { (row.status.as_deref().unwrap_or("–")) } }
            td.what {
                a href={ "/r/" (trace.id()) } {
                    span.method { (row.method.as_deref().unwrap_or("·")) }
                    span.title { (row.title) }
                }
            }
            td.took {
                svg aria-hidden="true" { rect.bar width={ (share(row.duration)) "%" } {} }
            }
            td.time { @if trace.is_timed() { (value) span.unit { (unit) } } @else { "–" } }
            td.who {
                @for service in &row.services {
                    span.service { (dot(store, service)) (service) }
                }
            }
            td.got { (chip(row.segments)) }
            td.got { (rollbar::chip(row.items, row.level)) }
            td.got { (cloudwatch::chip(row.lines, row.grade)) }
            td.count { @if row.spans > 0 { (row.spans) } @else { "–" } }
        }
    }
}

/// What X-Ray got of it.
fn chip(segments: usize) -> Markup {
    html! {
        @if segments > 0 { span.tag { (segments) " segment" @if segments != 1 { "s" } } }
    }
}

/// The colour of a service.
pub(super) fn dot(store: &Store, service: &str) -> Markup {
    html! { i.dot.{ "s" (store.color(service)) } {} }
}

/// A duration between 100 µs and 10 s, in hundredths of the way, by magnitude.
pub(super) fn share(nanos: u64) -> u64 {
    let magnitude = ((nanos.max(1) as f64).log10() - 5.0) / 5.0;
    (magnitude * 100.0).clamp(2.0, 100.0).round() as u64
}
