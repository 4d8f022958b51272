use std::{
    fmt, mem,
    panic::catch_unwind,
    sync::{Arc, Mutex, PoisonError},
};

use http::StatusCode;
use opentelemetry::Context;

use super::{Panic, Reporter, breadcrumbs::Trail, occurrence::Exchange, snapshot::Snapshot};
use crate::{
    exchange::Annotations,
    trace::{Identity, OccurrenceId},
};

/// An exchange, as far as it may have to be reported. Clones are the same one.
#[derive(Clone)]
pub(super) struct Case {
    facts: Arc<Facts>,
}

/// What is known of the exchange.
pub(super) struct Facts {
    pub(super) reporter: Reporter,
    pub(super) identity: Identity,
    pub(super) snapshot: Snapshot,
    pub(super) annotations: Annotations,
    pub(super) trail: Trail,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many occurrences besides the report have an id.
    occurrences: u32,
    /// Whether there is the report: of an error by hand, or of the failure.
    is_reported: bool,
    has_ended: bool,
    panic: Option<Panic>,
    status: Option<StatusCode>,
    /// Whether the answer says that what was called is no method of gRPC here.
    is_no_call: bool,
}

// ===== impl Case =====

impl Case {
    pub(super) fn new(
        reporter: Reporter,
        identity: Identity,
        snapshot: Snapshot,
        annotations: Annotations,
    ) -> Self {
        let (trail, state) = (Trail::default(), Mutex::default());
        Self { facts: Arc::new(Facts { reporter, identity, snapshot, annotations, trail, state }) }
    }

    /// The case of the exchange that this code runs in.
    pub(super) fn current() -> Option<Self> {
        Context::map_current(|context| context.get::<Self>().cloned())
    }

    /// The case of the exchange that this thread runs, where it may be ending or panicking.
    pub(super) fn of_thread() -> Option<Self> {
        catch_unwind(Self::current).ok().flatten()
    }

    /// The exchange, as it is now.
    pub(super) fn exchange(&self) -> Exchange {
        let (status, is_no_call) = self.locked(|state| (state.status, state.is_no_call));
        Exchange { case: self.clone(), status, is_no_call }
    }

    /// The same context with this case in it.
    pub(super) fn context(&self, context: &Context) -> Context {
        context.with_value(self.clone())
    }

    pub(super) fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// The id of the report, unless there is one already: the occurrence number 0, whatever was told before it, so that it
    /// is known to whoever knows the exchange.
    pub(super) fn report(&self) -> Option<OccurrenceId> {
        self.locked(|state| !mem::replace(&mut state.is_reported, true)).then(|| self.id(0))
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
        // In a panic nothing may wait: whoever holds the lock may be on this very thread.
        let Ok(mut state) = self.facts.state.try_lock() else { return None };
        if state.has_ended {
            return Some(panic);
        }
        if !state.panic.as_ref().is_some_and(|earlier| panic.repeats(earlier)) {
            state.panic = Some(panic);
        }
        None
    }

    /// Ends it, and gives the panic that was noted.
    pub(super) fn end(&self) -> Option<Panic> {
        self.locked(|state| {
            state.has_ended = true;
            state.panic.take()
        })
    }

    /// What was answered.
    pub(super) fn answered(&self, status: StatusCode) {
        self.locked(|state| state.status = Some(status));
    }

    /// Notes that no method of gRPC was called, whatever the request looked like: unless its code has panicked.
    pub(super) fn called_nothing(&self) {
        self.locked(|state| state.is_no_call = state.panic.is_none());
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
