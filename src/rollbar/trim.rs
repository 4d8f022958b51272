//! Leaves the machinery out of a stack.

use super::{
    name::last,
    symbol::{OWN, Symbol},
};

/// What a stack was captured for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Top {
    /// By a call: what is newer than the caller is ours.
    Call,
    /// By the panic hook: below it is what runs hooks.
    Panic,
}

/// The functions that say where it happened, of a stack that begins with the most recent.
///
/// Those that captured it are left out, those that began the panic, all that is older than the exchange or the thread, and
/// in between those that only hand a call or a poll on.
pub(super) fn trim(mut symbols: Vec<Symbol>, top: Top) -> Vec<Symbol> {
    symbols.drain(..machinery(&symbols, top));
    if let Some(end) = symbols.iter().position(is_bottom) {
        symbols.truncate(end);
    }
    symbols.retain(|symbol| !symbol.is_of(GLUE));
    symbols
}

/// How many of the most recent only captured the stack, or began the panic.
fn machinery(symbols: &[Symbol], top: Top) -> usize {
    let hooks = match top {
        Top::Call => None,
        Top::Panic => symbols.iter().position(begins_panic),
    };
    let hooks = hooks.map_or(0, |at| at + 1);
    hooks + symbols[hooks..].iter().take_while(|symbol| symbol.is_of(MACHINERY)).count()
}

fn begins_panic(symbol: &Symbol) -> bool {
    let name = &symbol.name;
    last(name) == "rust_begin_unwind" || name.contains("std::panicking::begin_panic")
}

fn is_bottom(symbol: &Symbol) -> bool {
    matches!(last(&symbol.name), MARKER | "__rust_begin_short_backtrace")
}

/// The function of the engine that runs a call or a poll of an exchange. What is older is the server's.
pub(super) const MARKER: &str = "belvedere_exchange";

const MACHINERY: &[&str] =
    &["alloc", "anyhow", "backtrace", "color_eyre", "core", "eyre", "stable_eyre", "std", "__rustc", OWN];

/// They run and wrap what others wrote, and stand in each stack.
const GLUE: &[&str] = &[
    "alloc",
    "axum",
    "axum_core",
    "backtrace",
    "core",
    "futures",
    "futures_core",
    "futures_util",
    "h2",
    "http_body",
    "http_body_util",
    "hyper",
    "hyper_util",
    "mio",
    "opentelemetry",
    "pin_project",
    "pin_project_lite",
    "scoped_tls",
    "std",
    "sync_wrapper",
    "tokio",
    "tokio_stream",
    "tokio_util",
    "tonic",
    "tower",
    "tower_http",
    "tower_layer",
    "tower_service",
    "tracing",
    "__rustc",
    OWN,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(names: &[&str]) -> Vec<Symbol> {
        names.iter().map(|name| Symbol { name: (*name).to_owned(), ..Symbol::default() }).collect()
    }

    fn names(symbols: &[Symbol]) -> Vec<&str> {
        symbols.iter().map(|symbol| symbol.name.as_str()).collect()
    }

    const PANICKED: &[&str] = &[
        "backtrace::backtrace::trace",
        "belvedere::rollbar::panic::hook",
        "<alloc::boxed::Box as core::ops::function::Fn>::call",
        "outer::hook::{{closure}}",
        "std::panicking::panic_with_hook",
        "std::sys::backtrace::__rust_end_short_backtrace",
        "__rustc::rust_begin_unwind",
        "core::panicking::panic_fmt",
        "core::option::expect_failed",
        "shop::carts::load",
        "core::option::Option::map",
        "<shop::Cart as core::ops::drop::Drop>::drop",
        "sqlx::pool::acquire",
        "axum::handler::call",
        "belvedere_exchange",
        "tower::util::poll",
        "shop::main",
        "std::sys::backtrace::__rust_begin_short_backtrace",
        "_start",
    ];

    #[test]
    fn of_a_panic_the_code_between_hook_and_exchange_is_kept() {
        let kept =
            ["shop::carts::load", "<shop::Cart as core::ops::drop::Drop>::drop", "sqlx::pool::acquire"];
        assert_eq!(names(&trim(stack(PANICKED), Top::Panic)), kept);
    }

    #[test]
    fn a_panic_while_another_unwinds_keeps_both() {
        let twice = [
            "__rustc::rust_begin_unwind",
            "core::panicking::panic_fmt",
            "<shop::Guard as core::ops::drop::Drop>::drop",
            "_Unwind_RaiseException",
            "__rustc::rust_begin_unwind",
            "core::panicking::panic_fmt",
            "shop::boom",
        ];
        let kept = ["<shop::Guard as core::ops::drop::Drop>::drop", "shop::boom"];
        assert_eq!(names(&trim(stack(&twice), Top::Panic)), kept);
        assert_eq!(names(&trim(stack(&twice[2..]), Top::Call)), kept);
    }

    #[test]
    fn without_an_exchange_it_ends_where_the_thread_begins() {
        let called = [
            "belvedere::rollbar::report",
            "shop::work",
            "shop::main",
            "std::sys::backtrace::__rust_begin_short_backtrace",
            "main",
        ];
        assert_eq!(names(&trim(stack(&called), Top::Call)), ["shop::work", "shop::main"]);
    }

    #[test]
    fn files_decide_where_names_lost_their_paths() {
        let symbol =
            |name: &str, file: &str| Symbol { file: Some(file.to_owned()), ..stack(&[name]).remove(0) };
        let registry = "/r/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        let lines = vec![
            symbol("panic_fmt", "/rustc/5980/library/core/src/panicking.rs"),
            symbol("{{closure}}", "/build/shop/src/main.rs"),
            symbol("poll", &format!("{registry}/futures-util-0.3.31/src/future.rs")),
            symbol("query", &format!("{registry}/sqlx-0.8.0/src/query.rs")),
        ];
        assert_eq!(names(&trim(lines, Top::Call)), ["{{closure}}", "query"]);
    }

    #[test]
    fn of_a_stripped_program_nothing_is_left() {
        assert!(trim(stack(&["_Unwind_Backtrace", "__libc_start_main"]), Top::Panic).is_empty());
    }
}
