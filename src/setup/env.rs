use std::{cell::RefCell, fmt};

#[cfg(any(feature = "cloudwatch", feature = "xray"))]
use crate::Error;

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

    /// The environment itself, for those who look up what they read.
    #[cfg_attr(
        not(any(feature = "cloudwatch", feature = "xray")),
        allow(dead_code, reason = "those are AWS's")
    )]
    pub(super) fn lookup(&self) -> &dyn Fn(&str) -> Option<String> {
        &self.lookup
    }

    /// A variable's text. Empty is not set.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = (self.lookup)(name)?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// Whether something is on or off, where that is said.
    ///
    /// # Errors
    ///
    /// When it is neither.
    #[cfg(any(feature = "cloudwatch", feature = "xray"))]
    pub(super) fn switch(&self, name: &str) -> Result<Option<bool>, Error> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "y" | "yes" | "t" | "true" | "on" | "1" => Ok(Some(true)),
            "n" | "no" | "f" | "false" | "off" | "0" => Ok(Some(false)),
            _ => Err(Error::invalid(name, &text, "write true or false")),
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
    #[cfg(any(feature = "otel", feature = "xray"))]
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
