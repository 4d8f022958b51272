use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use super::{
    keys::{self, Keys},
    lists,
};

/// Takes secrets out of what leaves the process.
///
/// The [default](Self::default) knows the names that are usual on the web; see [the module](super) for how names are
/// compared and for what is found without a name. Clones share their lists.
///
/// ```
/// use belvedere::scrub::Scrubber;
///
/// let scrubber = Scrubber::default().fields(["iban"]).headers(["x-tenant-key"]).card_numbers();
/// let mut body = serde_json::json!({"user": {"name": "worf", "iban": "DE02120300000000202051"}});
/// scrubber.json(&mut body);
/// assert_eq!(body["user"]["iban"], "REDACTED");
/// ```
#[derive(Clone, Debug)]
pub struct Scrubber {
    rules: Arc<Rules>,
}

/// What is secret.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// No other rules have the same number, but for 0, which all have for whom there was none left.
    number: u32,
    pub(super) fields: Keys,
    pub(super) headers: Keys,
    /// Besides the fields.
    pub(super) queries: Keys,
    pub(super) cards: bool,
}

// ===== impl Scrubber =====

impl Scrubber {
    /// Adds names of fields: in JSON and forms, of annotations, of `key=value` in a text, and in queries.
    #[must_use]
    pub fn fields<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.rules_mut().fields.add(names);
        self
    }

    /// Replaces the list of fields. An empty one leaves what is found by its looks.
    #[must_use]
    pub fn only_fields<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.rules_mut().fields = Keys::new(names);
        self
    }

    /// Adds names of headers. Those of fields count for headers as well.
    #[must_use]
    pub fn headers<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.rules_mut().headers.add(names);
        self
    }

    /// Replaces the list of headers. A value that is [sensitive](http::HeaderValue::is_sensitive) stays secret.
    #[must_use]
    pub fn only_headers<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.rules_mut().headers = Keys::new(names);
        self
    }

    /// Adds names that are secret in the query of a URL, though they are no fields, such as `code` and `sig`.
    #[must_use]
    pub fn queries<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.rules_mut().queries.add(names);
        self
    }

    /// Replaces the list for queries. Those of fields count for queries as well.
    #[must_use]
    pub fn only_queries<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.rules_mut().queries = Keys::new(names);
        self
    }

    /// Takes out of texts what may be the number of a credit card: 13 to 19 digits, perhaps in groups, with a right check
    /// digit. Default: no, because one in ten numbers of that length passes for one, and timestamps in milliseconds are such
    /// numbers.
    #[must_use]
    pub fn card_numbers(mut self) -> Self {
        self.rules_mut().cards = true;
        self
    }

    /// Whether a field of this name is secret.
    pub fn is_secret(&self, name: &str) -> bool {
        self.rules.fields.have(name)
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What tells its rules from all others, so that what was found by them may be kept; 0 tells nothing.
    pub(crate) fn number(&self) -> u32 {
        self.rules.number
    }

    fn rules_mut(&mut self) -> &mut Rules {
        let rules = Arc::make_mut(&mut self.rules);
        let number = NUMBERS.fetch_update(Relaxed, Relaxed, |number| number.checked_add(1));
        rules.number = number.unwrap_or(0);
        rules
    }
}

impl Default for Scrubber {
    fn default() -> Self {
        let rules = Rules {
            number: DEFAULT,
            fields: Keys::new(lists::FIELDS),
            headers: Keys::new(lists::HEADERS),
            queries: Keys::new(lists::QUERIES),
            cards: false,
        };
        Self { rules: Arc::new(rules) }
    }
}

// ===== impl Rules =====

impl Rules {
    /// Whether a name is secret in the query of a URL.
    pub(super) fn hide_query(&self, name: &str) -> bool {
        keys::any([&self.fields, &self.queries], name)
    }

    /// Whether a name is secret as that of a header.
    pub(super) fn hide_header(&self, name: &str) -> bool {
        keys::any([&self.headers, &self.fields], name)
    }
}

/// The number of the rules that all have who change nothing.
const DEFAULT: u32 = 1;

static NUMBERS: AtomicU32 = AtomicU32::new(DEFAULT + 1);
