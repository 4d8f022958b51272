use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::SharedPairs;
use crate::trace::{OccurrenceId, Scope};

/// Facts that a handler adds to its exchange: added once, seen by every backend in its own form.
///
/// An annotation becomes an attribute of the server's span. Take it as an extractor (feature `axum`), from the request's
/// [`Scope`], or with [`current`](Self::current) from anywhere in scope. Clones share one list. An annotation may be
/// added until the exchange ends, so also while its body is streamed; what comes later is not recorded.
///
/// At most 64 keys are kept, of at most 255 bytes each; further ones are dropped and counted. A second value for a key
/// replaces the first. Of a text each backend is sent the first 4096 bytes, X-Ray the first 1,000 characters.
///
/// ```
/// use belvedere::exchange::Annotations;
///
/// async fn cart(annotations: Annotations) {
///     annotations.insert("cart", 17);
///     annotations.insert("cart.owner", "worf");
/// }
/// ```
#[derive(Clone, Default)]
pub struct Annotations {
    list: Arc<Mutex<List>>,
}

#[derive(Default)]
struct List {
    pairs: SharedPairs,
    dropped: u64,
    report: Option<OccurrenceId>,
}

/// What an annotation can say.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Text.
    Text(Cow<'static, str>),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Yes or no.
    Bool(bool),
}

// ===== impl Annotations =====

impl Annotations {
    /// The annotations of the exchange that this code runs in; outside of any, a list that nobody reads.
    pub fn current() -> Self {
        Scope::current_annotations().unwrap_or_default()
    }

    /// Adds a fact, or replaces it.
    pub fn insert(&self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        let mut list = self.lock();
        let has_room = list.pairs.len() < LIMIT && key.len() <= LONGEST_KEY;
        // Looked for first where it may be refused: what others hold is copied to be changed.
        let is_taken =
            (has_room || list.pairs.get(&key).is_some()) && list.pairs.to_mut().put(key, value, has_room);
        if !is_taken {
            list.dropped += 1;
        }
    }

    /// What was added under `key`.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.lock().pairs.get(key).cloned()
    }

    /// Calls `visit` with each fact, in the order in which they were added.
    pub fn visit(&self, mut visit: impl FnMut(&Cow<'static, str>, &Value)) {
        // As they are now, so that `visit` may add annotations.
        for (key, value) in &self.pairs() {
            visit(key, value);
        }
    }

    /// All that was added until now, in that order.
    pub(crate) fn pairs(&self) -> SharedPairs {
        self.lock().pairs.clone()
    }

    /// How many bytes their texts have.
    #[cfg(feature = "rollbar")]
    pub(crate) fn size(&self) -> usize {
        let size = |value: &Value| if let Value::Text(text) = value { text.len() } else { 0 };
        self.lock().pairs.iter().map(|(key, value)| key.len() + size(value)).sum()
    }

    /// How many there was no room for, or had a key that is too long.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// The id under which Rollbar has the exchange's failure, should it fail, where a Rollbar layer watches it: for a page
    /// that says sorry, or a header. No item has it if there was none to be sent, as when too many fail at once.
    pub fn report_id(&self) -> Option<OccurrenceId> {
        self.lock().report
    }

    /// Says that a failure will be reported, and under which id.
    #[cfg(feature = "rollbar")]
    pub(crate) fn report_as(&self, id: OccurrenceId) {
        self.lock().report = Some(id);
    }

    /// Those of an exchange that is reported under this id, if it comes to that.
    pub(crate) fn of(report: Option<OccurrenceId>) -> Self {
        let list = List { report, ..List::default() };
        Self { list: Arc::new(Mutex::new(list)) }
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Annotations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = self.lock();
        f.debug_map().entries(list.pairs.iter().map(|(key, value)| (key, value))).finish()
    }
}

#[cfg(feature = "axum")]
impl<S: Sync> axum::extract::FromRequestParts<S> for Annotations {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        _state: &S,
    ) -> Result<Self, Self::Rejection> {
        let scope = Scope::of(&parts.extensions);
        Ok(scope.map_or_else(Self::current, |mut scope| scope.annotations().clone()))
    }
}

// ===== impl Value =====

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Int(int) => int.fmt(f),
            Self::Float(float) => float.fmt(f),
            Self::Bool(bool) => bool.fmt(f),
        }
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<Cow<'static, str>> for Value {
    fn from(text: Cow<'static, str>) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<f64> for Value {
    fn from(float: f64) -> Self {
        Self::Float(float)
    }
}

impl From<f32> for Value {
    fn from(float: f32) -> Self {
        Self::Float(float.into())
    }
}

macro_rules! ints {
    ($($int:ty),*) => {$(
        impl From<$int> for Value {
            /// Past what an `i64` holds, the number stays at its limit.
            fn from(int: $int) -> Self {
                Self::Int(i64::try_from(int).unwrap_or(i64::MAX))
            }
        }
    )*};
}

ints!(i8, i16, i32, i64, u8, u16, u32, u64, usize);

const LIMIT: usize = 64;

/// Keys are the program's own, unless it makes them of what a client said.
const LONGEST_KEY: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_value_replaces_the_first_and_keeps_its_place() {
        let annotations = Annotations::default();
        annotations.insert("a", 1);
        annotations.insert("b", true);
        annotations.insert("a", "one");
        let mut seen = Vec::new();
        annotations.visit(|key, value| seen.push(format!("{key}={value}")));
        assert_eq!(seen, ["a=one", "b=true"]);
    }

    #[test]
    fn a_handler_in_a_loop_cannot_fill_the_memory() {
        let annotations = Annotations::default();
        for n in 0..10_000 {
            annotations.insert(n.to_string(), n);
        }
        assert_eq!(annotations.lock().pairs.len(), LIMIT);
    }

    #[test]
    fn what_was_seen_stays_as_it_was() {
        let annotations = Annotations::default();
        annotations.insert("a", 1);
        let seen = annotations.pairs();
        annotations.insert("a", 2);
        annotations.insert("b", 3);
        assert_eq!(*seen, [("a".into(), Value::Int(1))]);
        assert_eq!(annotations.get("a"), Some(Value::Int(2)));
        assert_eq!(annotations.pairs().len(), 2);
    }

    #[test]
    fn to_see_them_allocates_nothing() {
        let annotations = Annotations::default();
        (0..10).for_each(|number| annotations.insert(number.to_string(), number));
        let info = allocation_counter::measure(|| drop(annotations.pairs()));
        assert_eq!(info.count_total, 0);
    }

    #[test]
    fn a_key_that_is_too_long_is_dropped_and_counted() {
        let annotations = Annotations::default();
        annotations.insert("k".repeat(255), 1);
        annotations.insert("k".repeat(256), 1);
        assert_eq!(annotations.pairs().len(), 1);
        assert_eq!(annotations.dropped(), 1);
    }

    #[test]
    fn outside_of_an_exchange_annotations_go_nowhere() {
        Annotations::current().insert("a", 1);
        assert_eq!(Annotations::current().get("a"), None);
    }
}
