use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
};

/// Names that were seen, and room for no more than a number of them.
///
/// What a stranger can write must not become the name of anything that is kept apart by its name: each one costs memory
/// here and money at a backend. The first names find room and keep it, later ones find none.
///
/// A name that was seen, and any name once all room is taken, costs a read lock. The memory is bounded if the length of
/// names is: cut them before.
///
/// ```
/// use belvedere::exchange::Names;
///
/// let names = Names::new(1);
/// assert!(names.admit("/carts/{id}").is_some());
/// assert!(names.admit("/users/8231").is_none());
/// assert!(names.admit("/carts/{id}").is_some());
/// ```
#[derive(Debug)]
pub struct Names {
    room: usize,
    seen: RwLock<HashSet<Arc<str>>>,
}

/// What a look at the names finds.
enum Look {
    Seen(Arc<str>),
    Room,
    Full,
}

// ===== impl Names =====

impl Names {
    /// With room for so many distinct names.
    pub fn new(room: usize) -> Self {
        Self { room, seen: RwLock::default() }
    }

    /// The name, if it was seen before or there is room for it.
    pub fn admit(&self, name: &str) -> Option<Arc<str>> {
        match self.look(name) {
            Look::Seen(name) => Some(name),
            Look::Full => None,
            Look::Room => self.add(name),
        }
    }

    /// The name, if it was admitted before.
    pub fn find(&self, name: &str) -> Option<Arc<str>> {
        match self.look(name) {
            Look::Seen(name) => Some(name),
            Look::Full | Look::Room => None,
        }
    }

    fn look(&self, name: &str) -> Look {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        match seen.get(name) {
            Some(name) => Look::Seen(name.clone()),
            None if seen.len() < self.room => Look::Room,
            None => Look::Full,
        }
    }

    fn add(&self, name: &str) -> Option<Arc<str>> {
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been faster, with this name or with the last one.
        if let Some(name) = seen.get(name) {
            return Some(name.clone());
        }
        if seen.len() >= self.room {
            return None;
        }
        let name = Arc::<str>::from(name);
        seen.insert(name.clone());
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_names_stay_and_later_ones_find_no_room() {
        let names = Names::new(2);
        for name in ["a", "b", "a", "b"] {
            assert_eq!(names.admit(name).as_deref(), Some(name));
        }
        assert_eq!(names.admit("c"), None);
        assert_eq!(names.admit("b").as_deref(), Some("b"));
    }

    #[test]
    fn looking_for_a_name_takes_no_room() {
        let names = Names::new(1);
        assert_eq!(names.find("a"), None);
        assert_eq!(names.admit("b").as_deref(), Some("b"));
        assert_eq!(names.find("b").as_deref(), Some("b"));
    }

    #[test]
    fn a_name_that_was_seen_allocates_nothing_and_neither_does_one_without_room() {
        let names = Names::new(1);
        names.admit("a");
        let info = allocation_counter::measure(|| {
            assert!(names.admit("a").is_some() && names.admit("b").is_none());
        });
        assert_eq!(info.count_total, 0);
    }

    #[test]
    fn many_threads_share_the_room() {
        let names = Names::new(50);
        let admitted = std::thread::scope(|scope| {
            let thread = |_| {
                scope.spawn(|| (0..1_000).filter_map(|n| names.admit(&n.to_string())).collect::<HashSet<_>>())
            };
            let threads: Vec<_> = (0..8).map(thread).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<HashSet<_>>()
        });
        assert_eq!(admitted.len(), 50);
    }
}
