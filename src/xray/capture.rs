use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context as Task, Poll},
};

use opentelemetry::Context;
use pin_project_lite::pin_project;

use super::{Live, Name, OpenSubsegment, current};
use crate::{exchange::Blame, observe::message, trace::attach};

pin_project! {
    /// A future that runs in a subsegment. Made by [`capture`] and [`OpenSubsegment::capture`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Captured<F> {
        #[pin]
        inner: Option<F>,
        run: Run,
    }

    impl<F> PinnedDrop for Captured<F> {
        // What ends in the middle ends in its subsegment.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _guard = this.run.context().and_then(|context| attach(context.clone()));
            this.inner.set(None);
            this.run.cancel();
        }
    }
}

/// How far it is.
enum Run {
    /// The subsegment begins with the first poll, in the context that the future was made in.
    Waits {
        parent: Live,
        name: Name,
        context: Context,
    },
    Runs {
        open: OpenSubsegment,
        context: Context,
    },
    Over,
}

// ===== impl Captured =====

impl<F: Future> Captured<F> {
    pub(super) fn within(open: OpenSubsegment, inner: F) -> Self {
        let context = open.context(&Context::current());
        Self { inner: Some(inner), run: Run::Runs { open, context } }
    }
}

impl<F: Future> Future for Captured<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let mut poll = || {
            let inner = this.inner.as_mut().as_pin_mut().expect("it is not polled when it is over");
            let polled = inner.poll(task);
            if polled.is_ready() {
                // What it has given up ends in its subsegment.
                this.inner.set(None);
            }
            polled
        };
        let Some(context) = this.run.begin() else { return poll() };
        let guard = context.attach();
        let polled = catch_unwind(AssertUnwindSafe(poll));
        drop(guard);
        match polled {
            Ok(polled) => {
                if polled.is_ready() {
                    this.run.end();
                }
                polled
            }
            Err(payload) => {
                this.run.panicked(message(&*payload));
                resume_unwind(payload)
            }
        }
    }
}

impl<F> fmt::Debug for Captured<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Captured").field(&self.run).finish()
    }
}

// ===== impl Run =====

impl Run {
    /// Begins, unless it has, and gives the context to run in; none once it is over.
    fn begin(&mut self) -> Option<Context> {
        *self = match mem::replace(self, Self::Over) {
            Self::Waits { parent, name, context } => {
                let open = parent.begin_subsegment(name);
                let context = if open.is_recorded() { open.context(&context) } else { context };
                Self::Runs { open, context }
            }
            begun => begun,
        };
        self.context().cloned()
    }

    fn context(&self) -> Option<&Context> {
        match self {
            Self::Waits { context, .. } | Self::Runs { context, .. } => Some(context),
            Self::Over => None,
        }
    }

    fn end(&mut self) {
        *self = Self::Over;
    }

    fn panicked(&mut self, said: &str) {
        if let Self::Runs { open, .. } = mem::replace(self, Self::Over) {
            open.panicked(said);
        }
    }

    /// Whoever waited for it has given up.
    fn cancel(&mut self) {
        if let Self::Runs { open, .. } = mem::replace(self, Self::Over) {
            open.canceled();
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waits { .. } => "Waits",
            Self::Runs { .. } => "Runs",
            Self::Over => "Over",
        })
    }
}

/// Runs a future in a subsegment of the [`current`] one.
///
/// The subsegment is a part of what is current where this is called, not where the future is polled: it may be spawned. With
/// it goes all of the [scope](crate::trace::InScope). It begins with the first poll, and ends when the future does: it has
/// then a fault if that panicked, and `canceled` in its metadata, under the namespace `belvedere`, if it was dropped before.
///
/// ```
/// use belvedere::xray;
///
/// # async fn load(id: u64) -> Vec<u64> { vec![id] }
/// # async fn cart() {
/// let items = xray::capture("load-items", load(17)).await;
/// tokio::spawn(xray::capture("remind-later", async { xray::annotate("mails", 1) }));
/// # }
/// ```
pub fn capture<F: Future>(name: impl Into<Name>, future: F) -> Captured<F> {
    let run = Run::Waits { parent: current(), name: name.into(), context: Context::current() };
    Captured { inner: Some(future), run }
}

/// Runs a future that may fail in a subsegment of the [`current`] one: as [`capture`] does, and an error is the subsegment's
/// fault, with all that caused it for the reason.
///
/// The marker `M` is always inferred.
///
/// ```
/// use belvedere::xray;
///
/// # async fn load(id: u64) -> std::io::Result<Vec<u64>> { Ok(vec![id]) }
/// # async fn cart() -> std::io::Result<()> {
/// let items = xray::try_capture("load-items", load(17)).await?;
/// # Ok(())
/// # }
/// ```
pub fn try_capture<F, T, E, M>(
    name: impl Into<Name>,
    future: F,
) -> Captured<impl Future<Output = Result<T, E>>>
where
    F: Future<Output = Result<T, E>>,
    E: Blame<M>,
{
    capture(name, async move {
        let result = future.await;
        if let (Err(error), Some(live)) = (&result, Context::map_current(Live::within)) {
            live.record_error(error);
        }
        result
    })
}
