//! Everything that a log line says.

use maud::{Markup, html};
use serde_json::Value;

use crate::console::line::{Line, LineHead};
use crate::console::page::part::{picked, pretty, table};
use crate::console::page::{clock, cloudwatch, rollbar};
use crate::console::plain::{self, plain, title};

pub(super) fn facts(line: &Line, start: Option<u64>) -> Markup {
    let LineHead { source, at, level, message, .. } = &line.head;
    let object = line.object().map(|object| plain::fields(&object));
    html! {
        div.facts.logged {
            h2 { (cloudwatch::summary(&line.head)) }
            p.about {
                @if let Some(level) = level { (rollbar::grade(*level)) }
                (clock::instant(*at))
                @if let Some(start) = start { span { "at " (cloudwatch::after(start, *at)) } }
            }
            @match object {
                Some(object) => {
                    @if line.head.access.is_some() && !message.starts_with('{') { p.status { (plain(message)) } }
                    (table("Fields", Some(&Value::Object(picked(&object, |_| true)))))
                    (written(&source.group, &source.stream))
                    details.raw {
                        summary { "Raw JSON" }
                        pre tabindex="0" { (pretty(&Value::Object(object))) }
                    }
                }
                None => {
                    pre.text tabindex="0" { (plain(line.text())) }
                    (written(&source.group, &source.stream))
                }
            }
        }
    }
}

fn written(group: &str, stream: &str) -> Markup {
    html! {
        h3 { "Written to" }
        table.attributes {
            tr { th scope="row" { "log group" } td { code { (title(group)) } } }
            tr { th scope="row" { "log stream" } td { code { (title(stream)) } } }
        }
    }
}
