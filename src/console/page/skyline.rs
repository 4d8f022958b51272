//! The latest requests as a skyline: the taller, the longer it took; a flag on what failed.

use maud::{Markup, html};

use crate::console::page::{clock, mark, row};
use crate::console::row::{Health, Row};
use crate::console::trace::Trace;

/// `traces` are newest first; the newest stands at the right.
pub(super) fn skyline(traces: &[&Trace]) -> Markup {
    html! {
        svg #skyline viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" aria-hidden="true" {
            @for (label, nanos) in LINES {
                @let y = top(*nanos);
                line.level x1="0" x2=(WIDTH) y1=(y) y2=(y) { title { (label) } }
            }
            @for (place, trace) in traces.iter().take(HOUSES).enumerate() {
                (house(trace, WIDTH - (place as u64 + 1) * PITCH))
            }
        }
    }
}

/// What the lines of the view mean.
pub(super) fn levels() -> Markup {
    html! {
        svg.levels viewBox={ "0 0 40 " (HEIGHT) } width="40" height=(HEIGHT) aria-hidden="true" {
            @for (label, nanos) in LINES { text x="0" y=(top(*nanos) + 3) { (label) } }
        }
    }
}

fn house(trace: &Trace, x: u64) -> Markup {
    let row = trace.row();
    html! {
        a href={ "/r/" (trace.id()) } tabindex="-1" {
            title { (label(row)) }
            path d={ "M" (x) " 0h" (PITCH) "v" (HEIGHT) "h-" (PITCH) "z" } {}
            path.(mark::class(row.health)) d=(outline(row, x + 1)) {}
        }
    }
}

/// Four walls; above them the mark of what went wrong.
fn outline(row: &Row, x: u64) -> String {
    let y = top(row.duration);
    let walls = format!("M{x} {y}h10v{}h-10z", HEIGHT - y);
    match row.health {
        Health::Failed => format!("{walls}m5 -3l4 -5l-4 -5l-4 5z"),
        Health::Refused => format!("{walls}m1 -3h8l-4 -7z"),
        Health::Fine | Health::Recovered | Health::Canceled => walls,
    }
}

fn label(row: &Row) -> String {
    let Row { method, title, status, duration, .. } = row;
    let parts = [method.as_deref(), Some(title), status.as_deref(), Some(&clock::duration(*duration))];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn top(nanos: u64) -> u64 {
    HEIGHT - (row::share(nanos) * (HEIGHT - 14) / 100).max(3)
}

const HOUSES: usize = 100;
const PITCH: u64 = 12;
const WIDTH: u64 = PITCH * HOUSES as u64;
const HEIGHT: u64 = 88;
const LINES: &[(&str, u64)] =
    &[("1 ms", 1_000_000), ("10 ms", 10_000_000), ("100 ms", 100_000_000), ("1 s", 1_000_000_000)];
