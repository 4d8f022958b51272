use std::{
    any::Any,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{
            AtomicBool, AtomicU8, AtomicU16,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::SystemTime,
};

use http::{StatusCode, request};
use tokio::time::Instant;

#[cfg(feature = "xray")]
use super::Place;
use super::{Identity, Known, OccurrenceId, mark::Mark};
use crate::exchange::{Annotations, Fields, Head};

/// What the observers of one pass have left in the scope of an exchange.
///
/// The context carries it. It only grows, so that whoever has it may go on filling it while others read; and a pass further
/// in adds one of its own, which those further out do not see.
pub(super) struct Shared {
    origin: Origin,
    /// A [`Side`], or 0 for none.
    side: AtomicU8,
    marks: AtomicU8,
    /// As it was decided when the pass began.
    identity: Option<Identity>,
    /// As few decide it later, and amend it.
    amended: [OnceLock<Box<Identity>>; 2],
    values: [OnceLock<Any_>; ROOM],
}

/// Where an exchange was begun, or which pass further out has begun it.
#[expect(clippy::large_enum_variant, reason = "it is allocated with what is around it, and most are begun")]
enum Origin {
    Begun(Begun),
    Joined(Known),
}

/// What there is once in an exchange, for all passes alike.
pub(super) struct Begun {
    pub(super) started: SystemTime,
    pub(super) began: Instant,
    pub(super) surrounding: Option<Box<Identity>>,
    /// Another exchange, where this one was begun inside of one.
    pub(super) within: Option<Known>,
    /// As it was when the exchange began.
    head: Option<Head>,
    /// As few exchanges begin without a request.
    later: OnceLock<Box<Head>>,
    status: AtomicU16,
    has_answered_amzn: AtomicBool,
    #[cfg(feature = "rollbar")]
    is_settled: AtomicBool,
    is_over: AtomicBool,
    annotations: OnceLock<Annotations>,
    report: OnceLock<OccurrenceId>,
    #[cfg(feature = "xray")]
    place: OnceLock<Place>,
    has_made: AtomicBool,
    made: Mutex<Vec<Any_>>,
}

/// What is known of an exchange when it begins, where it is to stay.
pub(super) struct Beginning<'a> {
    side: &'a mut AtomicU8,
    head: &'a mut Option<Head>,
    pub(super) surrounding: &'a mut Option<Box<Identity>>,
    pub(super) within: &'a mut Option<Known>,
    pub(super) identity: &'a mut Option<Identity>,
}

/// Which side of an exchange this process is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    Server = 1,
    Client,
    /// A client that passes on what it serves.
    Proxy,
}

type Any_ = Arc<dyn Any + Send + Sync>;

// ===== impl Shared =====

impl Shared {
    /// What a pass further in adds.
    pub(super) fn join(outer: Known, identity: Option<Identity>) -> Self {
        Self { identity, ..Self::of(Origin::Joined(outer)) }
    }

    #[inline]
    fn of(origin: Origin) -> Self {
        let (side, marks, identity, amended, values) = Default::default();
        Self { origin, side, marks, identity, amended, values }
    }

    /// What is known when it begins, to be filled in its place: it is too large to be moved there.
    pub(super) fn beginning(&mut self) -> Option<Beginning<'_>> {
        let Origin::Begun(begun) = &mut self.origin else { return None };
        let Begun { surrounding, within, head, .. } = begun;
        Some(Beginning { side: &mut self.side, identity: &mut self.identity, surrounding, within, head })
    }

    pub(super) fn is_joined(&self) -> bool {
        self.outer().is_some()
    }

    fn outer(&self) -> Option<&Self> {
        match &self.origin {
            Origin::Joined(outer) => Some(outer.shared()),
            Origin::Begun(_) => None,
        }
    }

    pub(super) fn begun(&self) -> &Begun {
        match &self.origin {
            Origin::Begun(begun) => begun,
            Origin::Joined(outer) => outer.shared().begun(),
        }
    }

    pub(super) fn side(&self) -> Option<Side> {
        let sides = [Side::Server, Side::Client, Side::Proxy];
        let side = self.side.load(Relaxed);
        sides.into_iter().find(|one| *one as u8 == side).or_else(|| self.outer()?.side())
    }

    pub(super) fn take_side(&self, side: Side) {
        _ = self.side.compare_exchange(0, side as u8, Relaxed, Relaxed);
    }

    pub(super) fn identity(&self) -> Option<&Identity> {
        let amended = || self.amended.iter().rev().find_map(|amended| amended.get());
        let own = amended().map(|amended| &**amended).or(self.identity.as_ref());
        own.or_else(|| self.outer()?.identity())
    }

    /// Decides who the exchange is, or amends that; gives it back where there is no more room.
    #[expect(clippy::result_large_err, reason = "it is the argument, given back")]
    pub(super) fn identify(&self, identity: Identity) -> Result<(), Identity> {
        put(&self.amended, identity.into()).map_err(|again| *again)
    }

    pub(super) fn mark(&self, mark: Mark) {
        self.marks.fetch_or(mark.0, Relaxed);
    }

    /// All that was noted, further out too.
    pub(super) fn marks(&self) -> Mark {
        let outer = self.outer().map_or(Mark::NONE, Self::marks);
        Mark(self.marks.load(Relaxed) | outer.0)
    }

    /// The latest value of this type.
    pub(super) fn value<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let own = self.values.iter().rev().find_map(|value| value.get()?.downcast_ref());
        own.or_else(|| self.outer()?.value())
    }

    /// Leaves a value; gives it back where there is no more room.
    pub(super) fn share(&self, value: Any_) -> Result<(), Any_> {
        put(&self.values, value)
    }
}

impl Default for Shared {
    /// An exchange that begins now.
    #[inline]
    fn default() -> Self {
        Self::of(Origin::Begun(Begun::now()))
    }
}

// ===== impl Beginning =====

impl Beginning<'_> {
    pub(super) fn side(&mut self, side: Option<Side>) {
        *self.side = AtomicU8::new(side.map_or(0, |side| side as u8));
    }

    pub(super) fn head(&mut self, request: &request::Parts, fields: &Fields<'_>) {
        self.head.insert(Head::default()).fill(request, fields);
    }
}

/// Puts a value into the first place that is free.
fn put<T>(places: &[OnceLock<T>], value: T) -> Result<(), T> {
    places
        .iter()
        .try_fold(value, |value, place| place.set(value).map_or_else(Ok, |()| Err(())))
        .map_or(Ok(()), Err)
}

// ===== impl Begun =====

impl Begun {
    #[inline]
    fn now() -> Self {
        Self {
            started: SystemTime::now(),
            began: Instant::now(),
            surrounding: None,
            within: None,
            head: None,
            later: OnceLock::new(),
            status: AtomicU16::new(0),
            has_answered_amzn: AtomicBool::new(false),
            #[cfg(feature = "rollbar")]
            is_settled: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            annotations: OnceLock::new(),
            report: OnceLock::new(),
            #[cfg(feature = "xray")]
            place: OnceLock::new(),
            has_made: AtomicBool::new(false),
            made: Mutex::default(),
        }
    }

    pub(super) fn head(&self, request: &request::Parts) -> &Head {
        self.head.as_ref().unwrap_or_else(|| self.later.get_or_init(|| Head::of(request).into()))
    }

    pub(super) fn known_head(&self) -> Option<&Head> {
        self.head.as_ref().or_else(|| self.later.get().map(|head| &**head))
    }

    pub(super) fn answer(&self, status: StatusCode) {
        self.status.store(status.as_u16(), Relaxed);
    }

    pub(super) fn status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.status.load(Relaxed)).ok()
    }

    /// Whether nobody has answered as X-Ray does; whoever asks does so.
    pub(super) fn answers_amzn(&self) -> bool {
        !self.has_answered_amzn.swap(true, Relaxed)
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    #[cfg(feature = "rollbar")]
    pub(super) fn settle(&self) {
        self.is_settled.store(true, SeqCst);
    }

    #[cfg(feature = "rollbar")]
    pub(super) fn is_settled(&self) -> bool {
        self.is_settled.load(SeqCst)
    }

    pub(super) fn annotations(&self) -> &Annotations {
        self.annotations.get_or_init(|| Annotations::of(self.report.get().copied()))
    }

    pub(super) fn known_annotations(&self) -> Option<&Annotations> {
        self.annotations.get()
    }

    #[cfg(feature = "rollbar")]
    pub(super) fn report_as(&self, id: OccurrenceId) {
        _ = self.report.set(id);
        if let Some(annotations) = self.annotations.get() {
            annotations.report_as(id);
        }
    }

    pub(super) fn report(&self) -> Option<OccurrenceId> {
        self.report.get().copied()
    }

    #[cfg(feature = "xray")]
    pub(super) fn take_place(&self, place: Place) {
        _ = self.place.set(place);
    }

    #[cfg(feature = "xray")]
    pub(super) fn place(&self) -> Option<&Place> {
        self.place.get()
    }

    /// The value of this type that was made first. Nothing is locked while one is made.
    pub(super) fn make<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        if let Some(earlier) = self.made() {
            return earlier;
        }
        let value = make();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        find(&made).unwrap_or_else(|| {
            made.push(value.clone());
            self.has_made.store(true, SeqCst);
            value
        })
    }

    pub(super) fn made<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        // Of most exchanges nothing is made, and many ask. In one order with what is settled: whoever makes something then
        // sees that, or is seen here.
        if !self.has_made.load(SeqCst) {
            return None;
        }
        find(&self.made.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn find<T: Send + Sync + 'static>(values: &[Any_]) -> Option<Arc<T>> {
    values.iter().find(|value| value.is::<T>()).and_then(|value| value.clone().downcast().ok())
}

/// How many values one pass can leave.
const ROOM: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_exchange_shares_is_no_large_allocation() {
        let counts = 2 * size_of::<usize>();
        assert!(size_of::<Shared>() + counts <= LARGEST, "{} bytes", size_of::<Shared>());
    }

    #[test]
    fn who_decides_late_can_still_be_amended() {
        let (shared, decided, amended) = (Shared::default(), Identity::root(), Identity::root());
        assert!(shared.identity().is_none());
        for identity in [decided, amended] {
            assert!(shared.identify(identity.clone()).is_ok());
            assert_eq!(shared.identity(), Some(&identity));
        }
    }

    /// From 1,024 bytes on, its own 8 among them, glibc looks through all it has before it gives some.
    const LARGEST: usize = 1000;
}
