use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context as Task, Poll},
};

use futures_core::Stream;
use opentelemetry::{Context, ContextGuard};
use pin_project_lite::pin_project;

/// Carries the scope of the exchange that this code runs in into work that runs elsewhere: tasks, threads, streams.
///
/// The identity, the span and the annotations go along together. Outside of an exchange nothing is carried and nothing
/// breaks. Implemented for futures, streams and closures; the marker `M` tells them apart and is always inferred.
///
/// ```
/// use belvedere::{exchange::Annotations, trace::InScope as _};
///
/// # async fn handler() {
/// tokio::spawn(async { Annotations::current().insert("mail.sent", true) }.in_scope());
/// tokio::task::spawn_blocking((|| Annotations::current().insert("resized", true)).in_scope());
/// # }
/// ```
pub trait InScope<M> {
    /// The same thing, in scope.
    type Scoped;

    /// Takes the current scope along.
    #[must_use = "the scope goes with what is returned"]
    fn in_scope(self) -> Self::Scoped;
}

pin_project! {
    /// A future or a stream whose every poll runs in the scope that it was made in.
    #[derive(Clone, Debug)]
    pub struct Scoped<T> {
        #[pin]
        inner: Option<T>,
        context: Context,
    }

    impl<T> PinnedDrop for Scoped<T> {
        // What ends in the middle ends in scope.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _guard = attach(this.context.clone());
            this.inner.set(None);
        }
    }
}

/// Tells futures from streams and closures. Only ever inferred.
#[derive(Debug)]
pub enum OfFuture {}

/// Tells streams from futures and closures. Only ever inferred.
#[derive(Debug)]
pub enum OfStream {}

/// Tells closures from futures and streams. Only ever inferred.
#[derive(Debug)]
pub struct OfCall<R>(std::convert::Infallible, std::marker::PhantomData<R>);

// ===== impl InScope =====

impl<F: Future> InScope<OfFuture> for F {
    type Scoped = Scoped<F>;

    fn in_scope(self) -> Scoped<F> {
        Scoped { inner: Some(self), context: Context::current() }
    }
}

impl<S: Stream> InScope<OfStream> for S {
    type Scoped = Scoped<S>;

    fn in_scope(self) -> Scoped<S> {
        Scoped { inner: Some(self), context: Context::current() }
    }
}

impl<F: FnOnce() -> R + Send + 'static, R> InScope<OfCall<R>> for F {
    type Scoped = Box<dyn FnOnce() -> R + Send>;

    fn in_scope(self) -> Self::Scoped {
        let context = Context::current();
        Box::new(move || {
            let _guard = context.attach();
            self()
        })
    }
}

// ===== impl Scoped =====

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _guard = this.context.clone().attach();
        this.inner.as_pin_mut().expect(DROPPED).poll(task)
    }
}

impl<S: Stream> Stream for Scoped<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        let _guard = this.context.clone().attach();
        this.inner.as_pin_mut().expect(DROPPED).poll_next(task)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().expect(DROPPED).size_hint()
    }
}

/// Makes a context the current one, unless the thread is ending: what is dropped then is dropped in none.
pub(crate) fn attach(context: Context) -> Option<ContextGuard> {
    match LIFE.get() {
        Life::Known => Some(context.attach()),
        Life::Unknown => attach_first(context),
        Life::Ending => None,
    }
}

/// The same where it is not known whether the thread ends.
#[cold]
fn attach_first(context: Context) -> Option<ContextGuard> {
    let guard = catch_unwind(AssertUnwindSafe(|| context.attach())).ok();
    // After the context's own: what comes last goes first.
    if guard.is_some() && ENDS.try_with(|_| ()).is_ok() {
        LIFE.set(Life::Known);
    }
    guard
}

/// Whether this thread ends: its current context, if it had one, may be gone, and to ask for it may panic, which in a panic
/// hook ends the process.
#[cfg(feature = "rollbar")]
pub(crate) fn is_ending() -> bool {
    LIFE.get() == Life::Ending
}

/// How far a thread is.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Life {
    /// Its current context may be gone.
    Unknown,
    /// It will say when it ends.
    Known,
    Ending,
}

/// Dropped when its thread ends.
struct Ends;

impl Drop for Ends {
    fn drop(&mut self) {
        LIFE.set(Life::Ending);
    }
}

thread_local! {
    static ENDS: Ends = const { Ends };
    /// It has nothing to drop, and so is there until the very end.
    static LIFE: Cell<Life> = const { Cell::new(Life::Unknown) };
}

const DROPPED: &str = "it is dropped with its scope alone";
