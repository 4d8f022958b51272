//! How an outbox is started.

use std::{
    fmt, io,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use opentelemetry::Context;
use tokio::{
    runtime::{self, Handle},
    sync::oneshot,
};

#[cfg(feature = "spool")]
use super::Spool;
use super::{
    Budget, Outbox, OutboxEvent,
    budget::{Bank, Clock},
    event::Events,
    shutdown::Core,
};
use crate::Error;

/// What an outbox runs on, and whom it tells. Made by [`Outbox::builder`].
#[must_use = "call `.start()` to have an outbox"]
pub struct Builder {
    runtime: Option<Handle>,
    events: Option<Events>,
    budget: Option<Budget>,
    drop_limit: Duration,
    #[cfg(feature = "spool")]
    spool: Option<Spool>,
}

/// The outbox's own thread.
pub(super) struct Thread {
    pub(super) id: thread::ThreadId,
    /// Dropping it ends the thread.
    pub(super) stop: oneshot::Sender<()>,
}

// ===== impl Builder =====

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            runtime: None,
            events: None,
            budget: None,
            drop_limit: Duration::from_secs(2),
            #[cfg(feature = "spool")]
            spool: None,
        }
    }

    /// Runs the lanes on a runtime of yours instead of a thread of the outbox's own. Its time and, if destinations
    /// need it, its I/O must be enabled.
    ///
    /// It is for tests with paused time, and for those who may not have another thread. It costs the outbox its
    /// independence: the lanes end with that runtime, and stand still while something blocks it. What that means for
    /// the blocking calls is told [in the module](super#on-a-runtime-of-yours).
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Calls `events` with everything that happens to records. Default: only the log is told.
    ///
    /// It runs on the outbox's thread, between requests, and for what a shutdown gives up, on the one that counts its
    /// limit: it must not block. A panic in it is caught and has no
    /// effect. It must not hold an [`Outbox`], which would then keep itself alive.
    pub fn events(mut self, events: impl Fn(&OutboxEvent) + Send + Sync + 'static) -> Self {
        self.events = Some(Arc::new(events));
        self
    }

    /// How much the backends may be given in a month; what is worth least is left out first. Default: all there is.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// How long dropping the last [`Outbox`] may wait for what is left. Default 2 s.
    ///
    /// More of it saves more when the process ends without a [`shutdown`](Outbox::shutdown), and makes it end later
    /// when a backend is down. Zero gives up at once.
    pub fn drop_limit(mut self, limit: Duration) -> Self {
        self.drop_limit = limit;
        self
    }

    /// Keeps on the disk what is not delivered yet, so that it survives an outage and the end of the process. Default: it
    /// is kept in memory. See [the module](super#the-spool).
    ///
    /// A disk that cannot be written to is no error here: the log says so, the lanes keep in memory what they can, and the
    /// disk is tried again each second.
    #[cfg(feature = "spool")]
    pub fn spool(mut self, spool: Spool) -> Self {
        self.spool = Some(spool);
        self
    }

    /// The same as [`budget`](Self::budget), unless it was said before.
    #[cfg(any(feature = "cloudwatch", feature = "otel", feature = "rollbar", feature = "xray"))]
    pub(crate) fn or_budget(mut self, budget: Budget) -> Self {
        self.budget.get_or_insert(budget);
        self
    }

    /// The same as [`spool`](Self::spool), unless it was said before.
    #[cfg(all(
        feature = "spool",
        any(feature = "cloudwatch", feature = "otel", feature = "rollbar", feature = "xray")
    ))]
    pub(crate) fn or_spool(mut self, spool: Spool) -> Self {
        self.spool.get_or_insert(spool);
        self
    }

    /// Starts the outbox.
    ///
    /// # Errors
    ///
    /// When the system refuses the thread or what its runtime needs. With [`runtime`](Self::runtime) there is none.
    pub fn start(self) -> Result<Outbox, Error> {
        let (runtime, thread) = match self.runtime {
            Some(runtime) => (runtime, None),
            None => spawn().map(|(runtime, thread)| (runtime, Some(thread)))?,
        };
        let bank = self.budget.map(|budget| Bank::new(budget, Clock::new()));
        let core = Core::new(runtime, thread, self.events, bank);
        #[cfg(feature = "spool")]
        let core = core.spool(self.spool);
        Ok(Outbox::new(Arc::new(core), self.drop_limit))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Builder");
        shown.field("runtime", &self.runtime).field("budget", &self.budget);
        shown.field("drop_limit", &self.drop_limit);
        #[cfg(feature = "spool")]
        shown.field("spool", &self.spool);
        shown.finish_non_exhaustive()
    }
}

fn spawn() -> Result<(Handle, Thread), Error> {
    let (stop, stopped) = oneshot::channel();
    let (started, starting) = mpsc::sync_channel(1);
    // The thread builds the runtime itself: should anything fail, the runtime must not be dropped here, where the
    // caller may be async.
    let thread = thread::Builder::new()
        .name(NAME.into())
        .spawn(move || run(&started, stopped))
        .map_err(|error| Error::io("the thread of the outbox", error))?;
    let runtime = starting.recv().unwrap_or_else(|_| Err(io::Error::other("its thread has ended")));
    let runtime = runtime.map_err(|error| Error::io("the runtime of the outbox", error))?;
    Ok((runtime, Thread { id: thread.thread().id(), stop }))
}

fn run(started: &mpsc::SyncSender<io::Result<Handle>>, stopped: oneshot::Receiver<()>) {
    let _untraced = Context::enter_telemetry_suppressed_scope();
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(error))),
    };
    let _ = started.send(Ok(runtime.handle().clone()));
    let _ = runtime.block_on(stopped);
    // A name that is still being resolved is not waited for.
    runtime.shutdown_background();
}

const NAME: &str = "belvedere-outbox";
