use std::{marker::PhantomData, ops::Deref, thread};

use opentelemetry::{Context, ContextGuard};

use super::{Captured, Live, Name};
use crate::trace::SpanId;

/// A subsegment that has begun and is current nowhere. It ends when this is dropped.
///
/// It may go to another thread or task. What is to be a part of it is begun [on it](Live::subsegment), or runs [in
/// it](Self::capture).
#[derive(Debug)]
#[must_use = "the subsegment ends when this is dropped"]
pub struct OpenSubsegment {
    live: Live,
    /// Whether the thread was panicking already when it began.
    panicking: bool,
}

/// A subsegment that is current on this thread. It ends when this is dropped, and what was current before is so again.
///
/// It stays on its thread, so that it cannot be held where code awaits; [`capture`](super::capture()) is for that.
///
/// ```compile_fail,E0277
/// fn spawned(future: impl Future + Send) {}
///
/// spawned(async {
///     let subsegment = belvedere::xray::subsegment("held too long");
///     tokio::task::yield_now().await;
///     drop(subsegment);
/// });
/// ```
#[must_use = "the subsegment ends when this is dropped"]
pub struct SubsegmentGuard {
    // The order is that in which they are dropped: first nothing is current any more.
    _current: Option<ContextGuard>,
    open: OpenSubsegment,
    _stays: PhantomData<*const ()>,
}

// ===== impl OpenSubsegment =====

impl OpenSubsegment {
    pub(super) fn begin(parent: &Live, name: impl Into<Name>) -> Self {
        let stem = parent.stem().map(|stem| stem.begin(SpanId::generate(), name.into()));
        Self { live: stem.map_or_else(Live::default, Live::of), panicking: thread::panicking() }
    }

    /// Ends it now.
    pub fn end(self) {}

    /// Makes it current on this thread until the guard is dropped.
    pub fn enter(self) -> SubsegmentGuard {
        let context = self.live.is_recorded().then(|| self.live.context(&Context::current()));
        SubsegmentGuard { _current: context.map(Context::attach), open: self, _stays: PhantomData }
    }

    /// A future that runs in it, and ends it.
    pub fn capture<F: Future>(self, future: F) -> Captured<F> {
        Captured::within(self, future)
    }

    /// Ends it with what a panic said.
    pub(super) fn panicked(self, message: &str) {
        if let Some(stem) = self.live.stem() {
            stem.fault(super::cause::Said::scrubbed(stem.scrubber()).panic(message));
        }
    }

    /// Ends it before what runs in it is over. That may be for a panic, but then for another one's.
    pub(super) fn canceled(self) {
        self.live.metadata(super::Losses::NAMESPACE, "canceled", true);
        if let Some(stem) = self.live.stem() {
            stem.end(|_| {});
        }
    }
}

impl Deref for OpenSubsegment {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.live
    }
}

impl Drop for OpenSubsegment {
    fn drop(&mut self) {
        let Some(stem) = self.live.stem() else { return };
        let panics = thread::panicking() && !self.panicking;
        stem.end(|part| {
            if panics && part.entity_mut().cause.is_none() {
                part.entity_mut().fault(super::Cause::panic(""));
            }
        });
    }
}

// ===== impl SubsegmentGuard =====

impl SubsegmentGuard {
    /// Ends it now.
    pub fn end(self) {}
}

impl Deref for SubsegmentGuard {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.open
    }
}

impl std::fmt::Debug for SubsegmentGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SubsegmentGuard").field(&self.open).finish()
    }
}
