use std::{
    fmt, mem,
    panic::catch_unwind,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError},
    thread,
};

use http::request;
use opentelemetry::Context;

use super::{
    Panic, Reporter, breadcrumbs::Trail, occurrence::Exchange, options::Options, snapshot::Snapshot,
};
use crate::{
    exchange::{AddressPolicy, Annotations, Route},
    trace::{Identity, Known, OccurrenceId, is_ending},
};

/// An exchange, as far as it may have to be reported. Clones are the same one.
#[derive(Clone)]
pub(super) struct Case {
    facts: Arc<Facts>,
    known: Known,
}

/// What is known of the exchange.
pub(super) struct Facts {
    pub(super) reporter: Reporter,
    pub(super) identity: Identity,
    addresses: AddressPolicy,
    /// Made when it is shown, of the head of the request; at once, where more has to be noted than that.
    snapshot: OnceLock<Snapshot>,
    is_of_head: bool,
    pub(super) annotations: Annotations,
    pub(super) trail: Trail,
    state: Mutex<State>,
    outcome: Mutex<Outcome>,
}

#[derive(Default)]
struct State {
    /// How many occurrences besides the report have an id.
    occurrences: u32,
    /// Whether there is the report: of an error by hand, or of the failure.
    is_reported: bool,
    /// Whether the answer says that what was called is no method of gRPC here.
    is_no_call: bool,
}

/// What a panic looks at, under a lock of its own: it must not wait for what is told meanwhile, and must not get lost.
#[derive(Default)]
struct Outcome {
    has_ended: bool,
    panic: Option<Panic>,
}

// ===== impl Case =====

impl Case {
    /// The case of a served exchange, which is made when it is first asked for: by a breadcrumb, a panic, a report. Good
    /// exchanges have none.
    pub(super) fn of(known: &Known, options: &Options) -> Option<Self> {
        known.head()?;
        Self::with(known, options, OnceLock::new)
    }

    /// The same, where more has to be noted of the request than all backends share.
    pub(super) fn noted(known: &Known, options: &Options, request: &request::Parts) -> Option<Self> {
        Self::with(known, options, || Snapshot::take(request, options).into())
    }

    fn with(known: &Known, options: &Options, snapshot: impl FnOnce() -> OnceLock<Snapshot>) -> Option<Self> {
        if let Some(case) = Self::made(known) {
            return Some(case);
        }
        let snapshot = snapshot();
        let facts = Facts {
            reporter: options.reporter.clone(),
            identity: known.identity()?.clone(),
            addresses: options.addresses,
            is_of_head: snapshot.get().is_none(),
            snapshot,
            annotations: known.shared_annotations().clone(),
            trail: Trail::default(),
            state: Mutex::default(),
            outcome: Mutex::default(),
        };
        Some(Self { facts: known.make(|| Arc::new(facts)), known: known.clone() })
    }

    /// The case of an exchange that has one.
    pub(super) fn made(known: &Known) -> Option<Self> {
        Some(Self { facts: known.made()?, known: known.clone() })
    }

    /// The case of the exchange around code in this context.
    pub(super) fn within(context: &Context) -> Option<Self> {
        let known = Known::with_value::<Options>(context)?;
        Self::of(known, known.value()?)
    }

    /// The case of the exchange that this code runs in.
    pub(super) fn current() -> Option<Self> {
        if is_ending() {
            return None;
        }
        Self::within(&Context::current())
    }

    /// The case of the exchange that this thread runs, where it may be ending or panicking.
    pub(super) fn of_thread() -> Option<Self> {
        catch_unwind(Self::current).ok().flatten()
    }

    /// The exchange, as it is now.
    pub(super) fn exchange(&self) -> Exchange {
        let is_no_call = self.locked(|state| state.is_no_call);
        Exchange { case: self.clone(), status: self.known.status(), is_no_call }
    }

    pub(super) fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// What is noted of the request.
    pub(super) fn snapshot(&self) -> &Snapshot {
        let Facts { snapshot, addresses, .. } = &*self.facts;
        snapshot.get_or_init(|| {
            let head = self.known.head().expect("there is one, or it was noted");
            Snapshot::of_head(head, *addresses)
        })
    }

    /// What the request is matched by, such as `/carts/{id}`.
    pub(super) fn route(&self) -> Option<&str> {
        match self.facts.snapshot.get() {
            Some(snapshot) => snapshot.route(),
            None => self.known.head()?.route().map(Route::pattern),
        }
    }

    /// About how many bytes it takes: as many before the snapshot is made as when it is.
    pub(super) fn size(&self) -> usize {
        let Facts { snapshot, is_of_head, annotations, trail, .. } = &*self.facts;
        let head = self.known.head().filter(|_| *is_of_head);
        let request = match (head, snapshot.get()) {
            (Some(head), snapshot) => {
                Snapshot::size_of_head(head) + snapshot.map_or(0, Snapshot::size_of_body)
            }
            (None, Some(snapshot)) => snapshot.size(),
            (None, None) => 0,
        };
        request + trail.size() + annotations.size()
    }

    /// The id of the report, if there will be one.
    pub(super) fn report_id(&self) -> OccurrenceId {
        self.id(0)
    }

    /// The id of the report, unless there is one already: the occurrence number 0, whatever was told before it, so that it
    /// is known to whoever knows the exchange.
    pub(super) fn report(&self) -> Option<OccurrenceId> {
        self.locked(|state| !mem::replace(&mut state.is_reported, true)).then(|| self.report_id())
    }

    /// The id of one more occurrence in it.
    pub(super) fn occurrence(&self) -> OccurrenceId {
        let ordinal = self.locked(|state| {
            state.occurrences += 1;
            state.occurrences
        });
        self.id(ordinal)
    }

    fn id(&self, ordinal: u32) -> OccurrenceId {
        let identity = &self.facts.identity;
        OccurrenceId::of(identity.trace_id(), identity.span_id(), ordinal)
    }

    /// Notes a panic of code in its scope, be it caught further on or not. The last one counts, unless it only repeats what
    /// an earlier one has said, as does who unwraps what a task that panicked came to. One that comes after the end, as in a task that outlives the exchange, is given back: nobody will take it.
    pub(super) fn panicked(&self, panic: Panic) -> Option<Panic> {
        let mut outcome = self.tried()?;
        if outcome.has_ended || self.known.is_settled() {
            return Some(panic);
        }
        if !outcome.panic.as_ref().is_some_and(|earlier| panic.repeats(earlier)) {
            outcome.panic = Some(panic);
        }
        None
    }

    /// Ends it, and gives the panic that was noted.
    pub(super) fn end(&self) -> Option<Panic> {
        let mut outcome = self.outcome();
        outcome.has_ended = true;
        outcome.panic.take()
    }

    /// Notes that no method of gRPC was called, whatever the request looked like: unless its code has panicked.
    pub(super) fn called_nothing(&self) {
        let has_panicked = self.outcome().panic.is_some();
        self.locked(|state| state.is_no_call = !has_panicked);
    }

    // In a panic nothing may wait for long: whoever holds the lock may be on this very thread. Another one holds it for
    // nanoseconds, to end the exchange or to note a panic, too.
    fn tried(&self) -> Option<MutexGuard<'_, Outcome>> {
        (0..TRIES).find_map(|_| match self.facts.outcome.try_lock() {
            Ok(outcome) => Some(outcome),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                thread::yield_now();
                None
            }
        })
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.facts.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn locked<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.facts.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.facts.identity).finish()
    }
}

const TRIES: usize = 100;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use http::Request;

    use super::*;
    use crate::{
        observe::Observer as _,
        outbox::Outbox,
        rollbar::{Api, ItemLane, RollbarLayer, Stack},
        trace::Scope,
    };

    fn case() -> (Case, Outbox) {
        let outbox = Outbox::builder().start().unwrap();
        let lane = ItemLane::new(&outbox, Api::new("a-token".parse().unwrap())).unwrap();
        let layer = RollbarLayer::on(lane);
        let mut request = Request::new(()).into_parts().0;
        let mut scope = Scope::enter(&request.extensions);
        layer.observe(&mut request, &mut scope).unwrap();
        (Case::of(scope.known().unwrap(), layer.options()).unwrap(), outbox)
    }

    fn panic() -> Panic {
        let (stack, message) = (Stack::capture(), String::new());
        Panic { stack, place: None, message, thread: None, is_fatal: false }
    }

    #[test]
    fn no_panic_is_lost_while_another_thread_is_at_the_case() {
        let (case, _outbox) = case();
        let is_over = AtomicBool::new(false);
        case.end();
        let lost = thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    case.occurrence();
                }
            });
            let lost = (0..10_000).filter(|_| case.panicked(panic()).is_none()).count();
            is_over.store(true, Ordering::Relaxed);
            lost
        });
        assert_eq!(lost, 0);
    }

    #[test]
    fn a_panic_of_who_is_at_the_case_does_not_wait_for_itself() {
        let (case, _outbox) = case();
        let outcome = case.outcome();
        assert!(case.panicked(panic()).is_none());
        drop(outcome);
        assert!(case.end().is_none());
    }
}
