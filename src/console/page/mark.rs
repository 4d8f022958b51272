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

/// Refers to one of `shapes`, since a page has many.
pub(super) fn mark(health: Health) -> Markup {
    html! {
        svg.mark.(class(health)) role="img" aria-label=(label(health)) { use href={ "#m-" (class(health)) } {} }
    }
}

/// The shapes, once a page.
pub(super) fn shapes() -> Markup {
    let healths = [Health::Fine, Health::Recovered, Health::Canceled, Health::Refused, Health::Failed];
    html! {
        svg hidden {
            @for health in healths {
                symbol #{ "m-" (class(health)) } viewBox="0 0 12 12" { title { (label(health)) } (shape(health)) }
            }
        }
    }
}

fn shape(health: Health) -> Markup {
    match health {
        Health::Fine => html! { circle cx="6" cy="6" r="3" {} },
        Health::Recovered => html! { path.hollow d="M6 1.6 10.4 6 6 10.4 1.6 6Z" {} },
        Health::Canceled => {
            html! { circle.hollow cx="6" cy="6" r="5" {} path.hollow d="M2.6 9.4 9.4 2.6" {} }
        }
        Health::Refused => html! { path d="M6 1 11.4 10.6H.6Z" {} },
        Health::Failed => html! { path d="M6 .4 11.6 6 6 11.6 .4 6Z" {} },
    }
}

fn label(health: Health) -> &'static str {
    match health {
        Health::Fine => "ok",
        Health::Recovered => "ok, though something within failed",
        Health::Canceled => "canceled",
        Health::Refused => "client error",
        Health::Failed => "failed",
    }
}
