use std::{borrow::Cow, ops::Deref, sync::Arc};

use super::{Index, Value, index::Vacancy, looked::Looked};

/// Values by key, in the order in which their keys were added.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs {
    list: Vec<Pair>,
    index: Index,
    pub(super) looked: Looked,
}

/// Pairs of which a clone is cheap: they are copied when they are changed, where somebody keeps them as they were.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedPairs(Option<Arc<Pairs>>);

pub(crate) type Pair = (Cow<'static, str>, Value);

// ===== impl Pairs =====

impl Pairs {
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.find(key).ok().map(|at| &self.list[at].1)
    }

    /// Replaces the value under a key, or adds it, if there is room. Whether it has done so.
    pub(crate) fn put(&mut self, key: Cow<'static, str>, value: Value, has_room: bool) -> bool {
        match self.find(&key) {
            Ok(at) => self.list[at].1 = value,
            Err(_) if !has_room => return false,
            Err(vacancy) => {
                if self.list.is_empty() {
                    self.list.reserve(FIRST);
                }
                self.list.push((key, value));
                self.index.push(vacancy, |at| &self.list[at].0);
            }
        }
        true
    }

    /// The values, each with its key.
    #[cfg(feature = "xray")]
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = (&str, &mut Value)> {
        self.list.iter_mut().map(|(key, value)| (&**key, value))
    }

    /// Takes what there is from the `at`-th on.
    #[cfg(feature = "xray")]
    pub(crate) fn split_off(&mut self, at: usize) -> Vec<Pair> {
        if at >= self.list.len() {
            return Vec::new();
        }
        let rest = self.list.split_off(at);
        let kept = std::mem::take(self);
        for (key, value) in kept.list {
            self.put(key, value, true);
        }
        rest
    }

    #[inline]
    fn find(&self, key: &str) -> Result<usize, Vacancy> {
        self.index.find(key, |at| &self.list[at].0)
    }
}

impl Deref for Pairs {
    type Target = [Pair];

    fn deref(&self) -> &[Pair] {
        &self.list
    }
}

impl PartialEq for Pairs {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl<'a> IntoIterator for &'a Pairs {
    type Item = &'a Pair;
    type IntoIter = std::slice::Iter<'a, Pair>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

// ===== impl SharedPairs =====

impl SharedPairs {
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.0.as_ref()?.get(key)
    }

    /// How they lie where somebody has added some.
    #[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
    pub(super) fn added(&self) -> Option<&Pairs> {
        self.0.as_deref()
    }

    #[inline]
    pub(crate) fn to_mut(&mut self) -> &mut Pairs {
        let pairs = Arc::make_mut(self.0.get_or_insert_default());
        pairs.looked = Looked::default();
        pairs
    }
}

#[cfg(test)]
impl FromIterator<Pair> for SharedPairs {
    fn from_iter<I: IntoIterator<Item = Pair>>(pairs: I) -> Self {
        let mut all = Self::default();
        for (key, value) in pairs {
            all.to_mut().put(key, value, true);
        }
        all
    }
}

impl Deref for SharedPairs {
    type Target = [Pair];

    fn deref(&self) -> &[Pair] {
        self.0.as_deref().map_or(&[], |pairs| pairs)
    }
}

impl<'a> IntoIterator for &'a SharedPairs {
    type Item = &'a Pair;
    type IntoIter = std::slice::Iter<'a, Pair>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// So many there is room for at first.
const FIRST: usize = 8;
