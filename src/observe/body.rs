use std::{
    fmt,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{Observation, watch::Watch};

pin_project! {
    /// A response body that is watched to its end. It is otherwise the body that it wraps.
    pub struct Body<B, O: Observation> {
        #[pin]
        inner: Option<B>,
        watch: Watch<O>,
    }

    impl<B, O: Observation> PinnedDrop for Body<B, O> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.watch.run(|| this.inner.set(None));
        }
    }
}

// ===== impl Body =====

impl<B, O: Observation> Body<B, O> {
    pub(super) const fn new(inner: B, watch: Watch<O>) -> Self {
        Self { inner: Some(inner), watch }
    }

    fn inner(&self) -> &B {
        self.inner.as_ref().expect(DROPPED)
    }
}

impl<B, O> http_body::Body for Body<B, O>
where
    B: http_body::Body,
    B::Error: fmt::Debug + fmt::Display + 'static,
    O: Observation,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let mut inner = this.inner.as_pin_mut().expect(DROPPED);
        let frame = ready!(this.watch.run(|| inner.as_mut().poll_frame(task)));
        let last = inner.is_end_stream();
        this.watch.frame(frame.as_ref().map(Result::as_ref), last);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner().size_hint()
    }
}

impl<B: Default, O: Observation> Default for Body<B, O> {
    /// An unwatched body, for middleware that answers by itself.
    fn default() -> Self {
        Self::new(B::default(), Watch::none())
    }
}

impl<B, O: Observation> fmt::Debug for Body<B, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("watch", &self.watch).finish_non_exhaustive()
    }
}

const DROPPED: &str = "it is dropped with the body alone";
