//! How a request went, as a colour and as a shape.

use maud::{Markup, html};

use crate::console::row::Health;

/// The name of the style.
pub(super) fn class(health: Health) -> &'static str {
    match health {
        Health::Fine => "fine",
        Health::Recovered => "recovered",
        Health::Canceled => "canceled",
        Health::Refused => "refused",
        Health::Failed => "failed",
    }
}

pub(super) fn mark(health: Health) -> Markup {
    let (label, shape) = match health {
        Health::Fine => ("ok", html! { circle cx="6" cy="6" r="3" {} }),
        Health::Recovered => (
            "ok, though a span within failed",
            html! { path class="hollow" d="M6 1.6 10.4 6 6 10.4 1.6 6Z" {} },
        ),
        Health::Canceled => (
            "canceled",
            html! { path class="hollow" d="M2.2 9.8A5.2 5.2 0 1 1 9.8 2.2 5.2 5.2 0 1 1 2.2 9.8ZM2.6 9.4 9.4 2.6" {} },
        ),
        Health::Refused => ("client error", html! { path d="M6 1 11.4 10.6H.6Z" {} }),
        Health::Failed => ("failed", html! { path d="M6 .4 11.6 6 6 11.6 .4 6Z" {} }),
    };
    html! {
        svg.mark.(class(health)) viewBox="0 0 12 12" width="12" height="12" role="img" aria-label=(label) {
            title { (label) }
            (shape)
        }
    }
}
