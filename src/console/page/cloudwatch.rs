//! What the log got of a request: its lines, each in a line.

use maud::{Markup, html};

use crate::console::item::Level;
use crate::console::line::{Access, Line, LineHead};
use crate::console::page::{clock, line, mark, rollbar};
use crate::console::plain::title;
use crate::console::row::Health;
use crate::console::trace::Trace;

/// The lines of a trace, the oldest first. `start` is when the rest of it began, where there is more of it.
pub(super) fn pane(trace: &Trace, start: Option<u64>) -> Markup {
    let lines = trace.lines().by_time();
    let start = start.or_else(|| lines.first().map(|(_, line)| line.head.at)).unwrap_or_default();
    html! {
        section.waterfall.cloudwatch aria-label="Logs" {
            div.axis { span { "Log line" } span.when { "After" } }
            ol #logs.lines {
                @for (place, one) in lines { (self::line(place as u64, one, Some(start))) }
            }
            @if trace.lines().left_out() > 0 { p.foot { b { (trace.lines().left_out()) } " more lines found no room" } }
        }
    }
}

/// One line, with how long after `start` it was written, or else when.
pub(super) fn line(number: u64, line: &Line, start: Option<u64>) -> Markup {
    let LineHead { source, at, level, .. } = &line.head;
    html! {
        li.log.(mark::class(health(*level))) #{ "l-" (number) } {
            details {
                summary {
                    span.name {
                        @match level {
                            Some(level) => (rollbar::grade(*level)),
                            None => span.grade.unknown {},
                        }
                        span.title { (summary(&line.head)) }
                        span.kind title={ (title(&source.group)) " / " (title(&source.stream)) } { (title(&source.stream)) }
                    }
                    span.when {
                        @match start {
                            Some(start) => (after(start, *at)),
                            None => (clock::instant(*at)),
                        }
                    }
                }
                (line::facts(line, start))
            }
        }
    }
}

/// The message, or the request in short: `GET /carts/7 200 12 ms`.
pub(super) fn summary(head: &LineHead) -> String {
    let Some(Access { method, path, status, duration, error }) = &head.access else {
        return title(&head.message);
    };
    let duration = duration.map(clock::duration);
    let parts = [Some(method), Some(path), status.as_ref(), duration.as_ref(), error.as_ref()];
    title(&parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" "))
}

/// Events have milliseconds, so no more is shown; what seems to be earlier by less than one is not.
pub(super) fn after(start: u64, at: u64) -> String {
    let millis = |nanos: u64| (nanos / MILLISECOND).saturating_mul(MILLISECOND);
    let (start, at) = (millis(start), millis(at));
    match at.checked_sub(start) {
        Some(0) => "+0\u{202f}ms".to_owned(),
        Some(late) => format!("+{}", clock::round(late)),
        None => format!("−{}", clock::round(start - at)),
    }
}

/// How many lines there are, and how bad the worst of them is where it is bad.
pub(super) fn chip(lines: usize, level: Option<Level>) -> Markup {
    html! {
        @match level.filter(|level| *level >= Level::Warning) {
            _ if lines == 0 => {},
            Some(level) => span.grade.(level.word()) title={ "the worst is " (level.word()) } { (count(lines)) },
            None => span.tag { (count(lines)) },
        }
    }
}

pub(super) fn count(lines: usize) -> String {
    format!("{lines} line{}", if lines == 1 { "" } else { "s" })
}

fn health(level: Option<Level>) -> Health {
    match level {
        Some(Level::Error | Level::Critical) => Health::Failed,
        Some(Level::Warning) => Health::Refused,
        Some(Level::Debug | Level::Info) | None => Health::Fine,
    }
}

const MILLISECOND: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_so_long_after_the_start() {
        let shown = |start, at| after(start, at).replace('\u{202f}', " ");
        let start = 1_795_200_000_000_900_000;
        assert_eq!(shown(start, 1_795_200_000_000_000_000), "+0 ms");
        assert_eq!(shown(start, 1_795_200_000_012_000_000), "+12 ms");
        assert_eq!(shown(start, 1_795_200_001_250_000_000), "+1.25 s");
        assert_eq!(shown(start, 1_795_199_999_997_000_000), "−3 ms");
    }
}
