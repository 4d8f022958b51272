use std::{
    cmp::Reverse,
    collections::HashMap,
    fmt, mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::item::{Data, Item, Level, Message, Text};

/// How many items there may be in a minute, in all and of one kind.
///
/// It decides before anything is captured, and what it leaves out costs a lock and a look into a table. A quarter of the
/// minute's items is kept for kinds that the minute has not seen yet, so that a storm does not drown what comes for the
/// first time. It knows 256 kinds a minute, and of more only how many items there were.
#[derive(Debug)]
pub(super) struct Limiter {
    most: Most,
    minute: Mutex<Minute>,
    /// Something has been left out for the first time in its minute.
    left_out: Notify,
}

/// How many in a minute. None is as many as there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Most {
    pub(super) items: Option<u32>,
    pub(super) of_a_kind: Option<u32>,
}

/// Whether an item is worth making.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Admission {
    Admitted,
    LeftOut,
}

/// What was left out in a minute of one kind, or of all kinds that are not told apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct LeftOut {
    pub(super) title: Option<Text<255>>,
    pub(super) occurrences: u64,
}

#[derive(Debug, Default)]
struct Minute {
    since: Option<Instant>,
    admitted: u32,
    kinds: HashMap<u64, Kind>,
    /// What was left out of kinds that have no room in the table.
    others: u64,
    /// What was left out in the minutes before, and is still to be told.
    untold: Vec<LeftOut>,
}

#[derive(Debug, Default)]
struct Kind {
    admitted: u32,
    left_out: u64,
    title: Option<Text<255>>,
}

// ===== impl Limiter =====

impl Limiter {
    pub(super) fn new(most: Most) -> Self {
        Self { most, minute: Mutex::default(), left_out: Notify::new() }
    }

    /// Whether an item of a kind is to be made. Its title is asked for once a minute, if the kind is left out.
    pub(super) fn admit(&self, kind: u64, title: impl FnOnce() -> Text<255>) -> Admission {
        let mut minute = self.lock();
        minute.begin(Instant::now());
        let (admission, is_news) = minute.count(kind, self.most);
        drop(minute);
        if is_news {
            // Without the lock: it takes a while, and may be code of the user's.
            let title = title();
            if let Some(kind) = self.lock().kinds.get_mut(&kind) {
                kind.title = Some(title);
            }
            self.left_out.notify_one();
        }
        admission
    }

    /// Tells what was left out of each minute when it is over, for as long as the future is polled.
    pub(super) async fn run(&self, tell: impl Fn(&LeftOut)) {
        loop {
            self.left_out.notified().await;
            let since = self.lock().since;
            if let Some(since) = since {
                sleep_until(since + MINUTE).await;
            }
            self.over().iter().for_each(&tell);
        }
    }

    /// What was left out of the minutes that are over, and has not been told.
    pub(super) fn over(&self) -> Vec<LeftOut> {
        let mut minute = self.lock();
        if minute.is_over(Instant::now()) {
            minute.end();
        }
        mem::take(&mut minute.untold)
    }

    /// What was left out and has not been told, that of the current minute included. For a shutdown.
    pub(super) fn rest(&self) -> Vec<LeftOut> {
        let mut minute = self.lock();
        minute.end();
        mem::take(&mut minute.untold)
    }

    fn lock(&self) -> MutexGuard<'_, Minute> {
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// ===== impl Most =====

/// Sixty in all, which is what the vendor's own library for JavaScript sends, and ten of a kind, so that six storms fit
/// into a minute.
impl Default for Most {
    fn default() -> Self {
        Self { items: Some(60), of_a_kind: Some(10) }
    }
}

// ===== impl LeftOut =====

impl LeftOut {
    /// A message that says so.
    pub(super) fn item(&self, environment: impl Into<Text<255>>) -> Item {
        let mut message = Message::new(self.to_string());
        message.insert("occurrences", self.occurrences);
        let mut data = Data::new(environment, message);
        data.level = Some(Level::Warning);
        // Rollbar would take another number for another item.
        data.fingerprint = Some(format!("left out: {}", self.of()).into());
        data.title = Some(format!("Occurrences of {} were left out", self.of()).into());
        data.into()
    }

    fn of(&self) -> &str {
        self.title.as_deref().unwrap_or("other kinds")
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} occurrences of {} were left out", self.occurrences, self.of())
    }
}

// ===== impl Minute =====

impl Minute {
    /// Begins anew if it is over.
    fn begin(&mut self, now: Instant) {
        if self.is_over(now) {
            self.end();
        }
        self.since.get_or_insert(now);
    }

    fn is_over(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now.duration_since(since) >= MINUTE)
    }

    /// Whether there is room for it; and whether it is the first of its kind for which there is none.
    fn count(&mut self, kind: u64, most: Most) -> (Admission, bool) {
        let items = most.items.unwrap_or(u32::MAX);
        let is_known = self.kinds.contains_key(&kind);
        let has_room = self.admitted < if is_known { items - items / 4 } else { items };
        if !is_known && self.kinds.len() >= KINDS {
            return self.count_other(has_room);
        }
        let kind = self.kinds.entry(kind).or_default();
        if has_room && kind.admitted < most.of_a_kind.unwrap_or(u32::MAX) {
            kind.admitted += 1;
            self.admitted += 1;
            return (Admission::Admitted, false);
        }
        kind.left_out += 1;
        (Admission::LeftOut, kind.left_out == 1)
    }

    fn count_other(&mut self, has_room: bool) -> (Admission, bool) {
        if has_room {
            self.admitted += 1;
            return (Admission::Admitted, false);
        }
        self.others += 1;
        (Admission::LeftOut, self.others == 1)
    }

    fn end(&mut self) {
        self.since = None;
        self.admitted = 0;
        let told = mem::take(&mut self.untold).into_iter();
        let mut titles: HashMap<_, _> =
            told.map(|LeftOut { title, occurrences }| (title, occurrences)).collect();
        *titles.entry(None).or_default() += mem::take(&mut self.others);
        // Kinds of one title are one thing that happened in several places, of which one item tells.
        for (_, Kind { left_out, title, .. }) in self.kinds.drain() {
            let title = title.filter(|_| titles.len() <= KINDS);
            *titles.entry(title).or_default() += left_out;
        }
        titles.retain(|_, occurrences| *occurrences > 0);
        let untold = titles.into_iter().map(|(title, occurrences)| LeftOut { title, occurrences });
        self.untold = untold.collect();
        self.untold.sort_unstable_by_key(|left_out| Reverse(left_out.occurrences));
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// How many kinds are told apart in a minute.
const KINDS: usize = 256;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_a_storm_ten_a_minute_are_admitted_and_the_others_counted() {
        let limiter = Limiter::new(Most::default());
        assert_eq!(admitted(&limiter, 7, 10_000), 10);
        assert_eq!(limiter.over(), []);
        advance(MINUTE).await;
        assert_eq!(limiter.over(), [left_out("kind 7", 9_990)]);
        assert_eq!(limiter.over(), []);
        assert_eq!(admitted(&limiter, 7, 10_000), 10);
        assert_eq!(limiter.rest(), [left_out("kind 7", 9_990)]);
    }

    #[tokio::test(start_paused = true)]
    async fn storms_leave_a_quarter_to_what_comes_for_the_first_time() {
        let limiter = Limiter::new(Most::default());
        assert_eq!((0..10).map(|kind| admitted(&limiter, kind, 100)).sum::<usize>(), 50);
        assert_eq!((10..100).map(|kind| admitted(&limiter, kind, 1)).sum::<usize>(), 10);
        assert_eq!(limiter.rest().iter().map(|left_out| left_out.occurrences).sum::<u64>(), 1_000 - 50 + 80);
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_kinds_the_table_stays_small_and_nothing_is_uncounted() {
        let limiter = Limiter::new(Most::default());
        for _ in 0..3 {
            let admitted: usize = (0..100_000).map(|kind| admitted(&limiter, kind, 1)).sum();
            assert_eq!(admitted, 60);
            assert!(limiter.lock().kinds.len() <= KINDS);
            advance(MINUTE).await;
        }
        let untold = limiter.over();
        assert!(untold.len() <= KINDS + 1);
        assert_eq!(untold.iter().map(|left_out| left_out.occurrences).sum::<u64>(), 3 * (100_000 - 60));
        assert!(untold.iter().any(|left_out| left_out.title.is_none()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_one_title_is_told_once() {
        let limiter = Limiter::new(Most { items: None, of_a_kind: Some(1) });
        for kind in 0..100 {
            (0..3).for_each(|_| _ = limiter.admit(kind, || "HTTP 500".into()));
        }
        assert_eq!(limiter.rest(), [left_out("HTTP 500", 200)]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_limits_everything_is_admitted() {
        let limiter = Limiter::new(Most { items: None, of_a_kind: None });
        assert_eq!((0..1_000).map(|kind| admitted(&limiter, kind, 3)).sum::<usize>(), 3_000);
        assert_eq!(limiter.rest(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn the_title_is_made_once_a_minute_and_without_the_lock() {
        let limiter = Limiter::new(Most { items: Some(1), of_a_kind: None });
        let titles = Mutex::new(0);
        for _ in 0..100 {
            limiter.admit(1, || {
                assert!(limiter.minute.try_lock().is_ok());
                *titles.lock().unwrap() += 1;
                "once".into()
            });
        }
        assert_eq!(*titles.lock().unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn each_minute_is_told_when_it_is_over_though_nothing_comes_after_it() {
        let limiter = Arc::new(Limiter::new(Most::default()));
        let told = Arc::<Mutex<Vec<String>>>::default();
        let (running, telling) = (limiter.clone(), told.clone());
        tokio::spawn(async move {
            running.run(|left_out| telling.lock().unwrap().push(left_out.to_string())).await;
        });
        for minute in 1..=3 {
            admitted(&limiter, 7, 110);
            tokio::time::sleep(MINUTE / 2).await;
            assert_eq!(told.lock().unwrap().len(), minute - 1);
            tokio::time::sleep(MINUTE).await;
            assert_eq!(told.lock().unwrap().len(), minute);
        }
        assert_eq!(told.lock().unwrap()[0], "100 occurrences of kind 7 were left out");
    }

    #[test]
    fn what_is_told_is_one_item_whatever_the_number() {
        let (few, many) =
            (left_out("kind 7", 3).item("production"), left_out("kind 7", 99).item("production"));
        assert_eq!(few.data.fingerprint, many.data.fingerprint);
        assert_eq!(few.data.title, many.data.title);
        let json = serde_json::to_value(few).unwrap();
        assert_eq!(json["data"]["body"]["message"]["body"], "3 occurrences of kind 7 were left out");
        assert_eq!(json["data"]["body"]["message"]["occurrences"], 3);
        assert_eq!(json["data"]["level"], "warning");
    }

    fn admitted(limiter: &Limiter, kind: u64, times: usize) -> usize {
        let admit = || limiter.admit(kind, || format!("kind {kind}").into());
        (0..times).filter(|_| admit() == Admission::Admitted).count()
    }

    fn left_out(title: &'static str, occurrences: u64) -> LeftOut {
        LeftOut { title: Some(title.into()), occurrences }
    }
}
