use std::{cell::RefCell, fmt};

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

    /// The first of two variables that is set, with its name.
    pub(super) fn either<'a>(&self, signal: &'a str, generic: &'a str) -> Option<(&'a str, String)> {
        let of = |name| self.text(name).map(|text| (name, text));
        of(signal).or_else(|| of(generic))
    }

    /// `true` in any case; anything else but `false` is warned about.
    pub(super) fn flag(&self, name: &str) -> bool {
        let Some(text) = self.text(name) else { return false };
        if !text.eq_ignore_ascii_case("true") && !text.eq_ignore_ascii_case("false") {
            self.warn(name, &text, "false");
        }
        text.eq_ignore_ascii_case("true")
    }

    /// The words of a comma list, in lower case, without repetitions.
    pub(super) fn words(&self, name: &str) -> Option<Vec<String>> {
        let text = self.text(name)?;
        let mut words = Vec::new();
        for word in text.split(',').map(|word| word.trim().to_ascii_lowercase()) {
            if !word.is_empty() && !words.contains(&word) {
                words.push(word);
            }
        }
        Some(words)
    }

    /// Notes that a variable's value is not used, and what is used instead.
    pub(super) fn warn(&self, name: &str, value: &str, used: impl fmt::Display) {
        self.note(format!("{name} is {value:?}, which is not understood: using {used}"));
    }

    /// Notes that part of a variable is not used, without its value, which may be a secret.
    pub(super) fn note(&self, warning: String) {
        self.warnings.borrow_mut().push(warning);
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
