use std::{cell::RefCell, fmt, str::FromStr, time::Duration};

use super::signal::Signal;

/// The environment, as it is looked up, and what was wrong with it.
pub(super) struct Env {
    lookup: Lookup,
    warnings: RefCell<Vec<String>>,
}

type Lookup = Box<dyn Fn(&str) -> Option<String>>;

// ===== impl Env =====

impl Env {
    pub(super) fn new(lookup: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self { lookup: Box::new(lookup), warnings: RefCell::default() }
    }

    /// A variable's text. Empty is not set.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = (self.lookup)(name)?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// The first of some variables that is set, with its name.
    pub(super) fn first<N: AsRef<str>>(&self, names: impl IntoIterator<Item = N>) -> Option<(N, String)> {
        names.into_iter().find_map(|name| self.text(name.as_ref()).map(|text| (name, text)))
    }

    /// A variable of the OTLP exporter: the signal's own, or else the one for all signals. With its name.
    pub(super) fn otlp(&self, signal: Signal, what: &str) -> Option<(String, String)> {
        self.first([signal.variable(what), Signal::generic(what)])
    }

    /// `true` in any case; anything else but `false` is warned about.
    pub(super) fn flag(&self, name: &str) -> bool {
        let Some(text) = self.text(name) else { return false };
        if !text.eq_ignore_ascii_case("true") && !text.eq_ignore_ascii_case("false") {
            self.warn(name, &text, "false");
        }
        text.eq_ignore_ascii_case("true")
    }

    /// The number in the first of these variables that is set; one that is not `usable` is warned about, and the
    /// default is used, which may be none.
    pub(super) fn number<T: FromStr + fmt::Display>(
        &self,
        names: &[&str],
        default: Option<T>,
        usable: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let Some((name, text)) = self.first(names) else { return default };
        let number = text.parse().ok().filter(usable);
        if number.is_none() {
            self.warn(name, &text, default.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string));
        }
        number.or(default)
    }

    /// The milliseconds in a variable, at least `least` of them.
    pub(super) fn millis(&self, name: &str, default: Duration, least: u64) -> Duration {
        let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        let millis = self.number(&[name], Some(default), |millis| *millis >= least);
        Duration::from_millis(millis.unwrap_or(default))
    }

    /// The milliseconds in the first of these variables that is set, none of which are
    /// [no limit](https://opentelemetry.io/docs/specs/otel/configuration/common/#timeout).
    pub(super) fn timeout(&self, names: &[&str], default: Duration) -> Duration {
        let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        match self.number(names, Some(default), |_| true).unwrap_or(default) {
            0 => NO_LIMIT,
            millis => Duration::from_millis(millis),
        }
    }

    /// What the words of a comma list name, in any case and without repetitions. `none` names nothing. A word that is not
    /// understood is left out; a list without any that is understood is the default one.
    pub(super) fn list<T: PartialEq>(
        &self,
        name: &str,
        default: &str,
        named: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let text = self.text(name).unwrap_or_else(|| default.to_owned());
        let words = || text.split(',').map(|word| word.trim().to_ascii_lowercase());
        let mut things = Vec::new();
        for thing in words().filter_map(|word| named(&word)) {
            if !things.contains(&thing) {
                things.push(thing);
            }
        }
        if things.is_empty() && !words().any(|word| word == NONE) {
            self.warn(name, &text, default);
            return default.split(',').filter_map(named).collect();
        }
        for word in words().filter(|word| !word.is_empty() && word != NONE && named(word).is_none()) {
            self.warn(name, &word, "the rest of the list");
        }
        things
    }

    /// The words of a comma list, in small letters.
    pub(super) fn words(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        let words = text.split(',').map(|word| word.trim().to_ascii_lowercase());
        words.filter(|word| !word.is_empty()).collect()
    }

    /// Notes that a variable's value is not used, and what is used instead.
    pub(super) fn warn(&self, name: &str, value: &str, used: impl fmt::Display) {
        self.note(format!("{name} is {value:?}, which is not understood: using {used}"));
    }

    /// Notes that part of a variable is not used, without its value, which may be a secret. What several signals find is
    /// noted once.
    pub(super) fn note(&self, warning: String) {
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings.into_inner()
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("warnings", &self.warnings).finish_non_exhaustive()
    }
}

const NONE: &str = "none";

/// A very long time, which the specification lets take its place.
const NO_LIMIT: Duration = Duration::from_millis(u32::MAX as u64);
