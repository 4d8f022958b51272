use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use super::series::Series;

/// The series of all operations: as many as there is room for, and one for the rest.
///
/// A series that is there is found without a lock and without an allocation, and is never forgotten.
#[derive(Debug)]
pub(super) struct Table {
    /// By the hash of the operation, or the first free one from there on. A half of them and more stays free, so that
    /// there is one.
    slots: Box<[OnceLock<Entry>]>,
    room: AtomicUsize,
    taken: AtomicUsize,
    adding: Mutex<()>,
    other: Series,
}

/// What is told apart: a method and a route, or the whole path of a call of gRPC, which has no method.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Operation<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
}

#[derive(Debug)]
struct Entry {
    method: Box<str>,
    path: Box<str>,
    series: Series,
}

// ===== impl Table =====

impl Table {
    /// For so many series, that of the rest among them.
    pub(super) fn new(series: usize) -> Self {
        let room = series.clamp(1, MOST) - 1;
        let slots = (2 * room).next_power_of_two();
        Self {
            slots: (0..slots).map(|_| OnceLock::new()).collect(),
            room: AtomicUsize::new(room),
            taken: AtomicUsize::new(0),
            adding: Mutex::default(),
            other: Series::new(OTHER),
        }
    }

    /// There are no more series than that from now on, that of the rest among them.
    pub(super) fn cap(&self, series: usize) {
        self.room.fetch_min(series.max(1) - 1, Relaxed);
    }

    /// The operation's own series, which is made if there is none and there is room for it; else that of the rest.
    pub(super) fn admit(&self, operation: Operation<'_>) -> &Series {
        self.look(operation).or_else(|| self.add(operation)).unwrap_or(&self.other)
    }

    /// The operation's own series if it has one, else that of the rest.
    pub(super) fn find(&self, operation: Operation<'_>) -> &Series {
        self.look(operation).unwrap_or(&self.other)
    }

    /// That of all which has none of its own.
    pub(super) fn other(&self) -> &Series {
        &self.other
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Series> {
        let own = self.slots.iter().filter_map(|slot| Some(&slot.get()?.series));
        own.chain([&self.other])
    }

    fn look(&self, operation: Operation<'_>) -> Option<&Series> {
        let entries = self.slots_from(operation).map_while(OnceLock::get);
        entries.filter(|entry| entry.operation() == operation).map(|entry| &entry.series).next()
    }

    fn add(&self, operation: Operation<'_>) -> Option<&Series> {
        if self.is_full() {
            return None;
        }
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been faster, with this operation or with the last room.
        if let Some(series) = self.look(operation) {
            return Some(series);
        }
        if self.is_full() {
            return None;
        }
        let free = self.slots_from(operation).find(|slot| slot.get().is_none())?;
        self.taken.fetch_add(1, Relaxed);
        Some(&free.get_or_init(|| Entry::new(operation)).series)
    }

    fn is_full(&self) -> bool {
        self.taken.load(Relaxed) >= self.room.load(Relaxed)
    }

    fn slots_from(&self, operation: Operation<'_>) -> impl Iterator<Item = &OnceLock<Entry>> {
        let mut hasher = DefaultHasher::new();
        operation.hash(&mut hasher);
        let mask = self.slots.len() - 1;
        #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
        let first = hasher.finish() as usize & mask;
        (0..=mask).map(move |step| &self.slots[(first + step) & mask])
    }
}

// ===== impl Operation =====

impl Operation<'_> {
    /// Whether it is a call of gRPC, whose path anybody may make up.
    pub(super) fn is_call(self) -> bool {
        self.method.is_empty()
    }
}

// ===== impl Entry =====

impl Entry {
    #[cold]
    fn new(Operation { method, path }: Operation<'_>) -> Self {
        let name = format!("{method} {path}");
        Self { method: method.into(), path: path.into(), series: Series::new(name.trim_start()) }
    }

    fn operation(&self) -> Operation<'_> {
        Operation { method: &self.method, path: &self.path }
    }
}

const OTHER: &str = "other";

/// More than anybody would pay for.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn get(path: &str) -> Operation<'_> {
        Operation { method: "GET", path }
    }

    #[test]
    fn the_first_have_their_own_and_keep_it_and_the_rest_share_one() {
        let table = Table::new(3);
        let admitted = |path| table.admit(get(path)).operation();
        assert_eq!(admitted("/a"), "GET /a");
        assert_eq!(admitted("/b"), "GET /b");
        assert_eq!(admitted("/c"), "other");
        assert_eq!(admitted("/a"), "GET /a");
        assert_eq!(table.find(get("/b")).operation(), "GET /b");
        assert_eq!(table.find(get("/c")).operation(), "other");
        let names: HashSet<_> = table.iter().map(Series::operation).collect();
        assert_eq!(names, HashSet::from(["GET /a", "GET /b", "other"]));
    }

    #[test]
    fn looking_takes_no_room_and_one_series_is_that_of_the_rest() {
        let table = Table::new(2);
        assert_eq!(table.find(get("/a")).operation(), "other");
        assert_eq!(table.admit(get("/b")).operation(), "GET /b");
        for least in [0, 1] {
            assert_eq!(Table::new(least).admit(get("/a")).operation(), "other");
        }
    }

    #[test]
    fn method_and_path_are_told_apart() {
        let table = Table::new(10);
        let call = Operation { method: "", path: "/shop.Greeter/SayHello" };
        assert_eq!(table.admit(call).operation(), "/shop.Greeter/SayHello");
        let post = Operation { method: "POST", path: "/shop.Greeter/SayHello" };
        assert_eq!(table.admit(post).operation(), "POST /shop.Greeter/SayHello");
    }

    #[test]
    fn many_threads_share_the_room() {
        let table = Table::new(51);
        let admitted = std::thread::scope(|scope| {
            let thread = |_| {
                let admit = |n: usize| table.admit(get(&format!("/{n}"))).operation().to_owned();
                scope.spawn(move || (0..1_000).map(admit).collect::<HashSet<_>>())
            };
            let threads: Vec<_> = (0..8).map(thread).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<HashSet<_>>()
        });
        assert_eq!(admitted.len(), 51);
        assert_eq!(table.iter().count(), 51);
    }

    #[test]
    fn finding_allocates_nothing_be_there_room_or_none() {
        let (roomy, full) = (Table::new(10), Table::new(2));
        [&roomy, &full].into_iter().for_each(|table| drop(table.admit(get("/carts/{id}")).drain()));
        let info = allocation_counter::measure(|| {
            assert_eq!(roomy.admit(get("/carts/{id}")).operation(), "GET /carts/{id}");
            assert_eq!(full.admit(get("/carts/{id}")).operation(), "GET /carts/{id}");
            assert_eq!(full.admit(get("/users")).operation(), "other");
        });
        assert_eq!(info.count_total, 0);
    }
}
