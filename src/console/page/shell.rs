//! What all pages have around them.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::console::page::asset::{ICON, MARK, SCRIPT, STYLE};
use crate::console::page::mark;

/// A page: its title, what its head has besides, the text in the search box, and what it shows.
pub(super) fn page(title: &str, head: Markup, search: &str, main: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) " · Belvedere" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" type="image/svg+xml" href=(ICON.path);
                link rel="stylesheet" href=(STYLE.path);
                script src=(SCRIPT.path) {}
                (head)
            }
            body {
                (bar(search))
                (main)
                (keys())
                (mark::shapes())
            }
        }
    }
}

fn bar(search: &str) -> Markup {
    html! {
        header.top {
            a.brand href="/" { (PreEscaped(MARK)) span { "Belvedere" } }
            form.search role="search" action="/" {
                input #search type="search" name="q" value=(search) autocomplete="off" spellcheck="false"
                    aria-label="Search" placeholder="Trace id, 1-8-24, traceparent, or any text";
                kbd aria-hidden="true" { "/" }
            }
            button.icon #theme type="button" aria-label="Light or dark" title="Light or dark" {
                svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" {
                    path d="M8 1.5a6.5 6.5 0 1 0 0 13Z" {}
                    circle.hollow cx="8" cy="8" r="6.5" {}
                }
            }
            button.icon #help type="button" aria-label="Keyboard" title="Keyboard" { "?" }
        }
    }
}

fn keys() -> Markup {
    let keys = [
        ("j  k", "next, previous"),
        ("Enter", "open"),
        ("/", "search"),
        ("f", "errors only"),
        ("p", "pause, follow"),
        ("e  E", "next, previous error in a trace"),
        ("u", "back to the list"),
        ("t", "light or dark"),
        ("?", "this"),
    ];
    html! {
        dialog #keys aria-label="Keyboard" {
            dl {
                @for (key, meaning) in keys {
                    div { dt { @for key in key.split("  ") { kbd { (key) } } } dd { (meaning) } }
                }
            }
            form method="dialog" { button type="submit" { "Close" } }
        }
    }
}
