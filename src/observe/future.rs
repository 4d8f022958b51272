use std::{
    fmt,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;

use super::{Body, Observation, watch::Watch};
use crate::exchange::{End, Failure};

pin_project! {
    /// The response of a watched service, on its way.
    pub struct Future<F, O: Observation> {
        #[pin]
        inner: Option<F>,
        watch: Watch<O>,
    }

    impl<F, O: Observation> PinnedDrop for Future<F, O> {
        // First and in scope, so that what the handler began ends before its exchange does, and as a part of it.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.watch.run(|| this.inner.set(None));
        }
    }
}

// ===== impl Future =====

impl<F, O: Observation> Future<F, O> {
    pub(super) const fn new(inner: F, watch: Watch<O>) -> Self {
        Self { inner: Some(inner), watch }
    }
}

impl<F, O, B, E> std::future::Future for Future<F, O>
where
    F: std::future::Future<Output = Result<Response<B>, E>>,
    O: Observation,
    B: http_body::Body,
    E: fmt::Debug + fmt::Display + 'static,
{
    type Output = Result<Response<Body<B, O>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let result = ready!(this.watch.run(|| {
            let polled =
                this.inner.as_mut().as_pin_mut().expect("it is not polled when it is over").poll(task);
            if polled.is_ready() {
                // What it has given up ends before the exchange does.
                this.inner.set(None);
            }
            polled
        }));
        let mut watch = this.watch.take();
        match result {
            Ok(response) => Poll::Ready(Ok(watch.respond(response))),
            Err(error) => {
                watch.end(End::Failed { error: Failure::new(&error) });
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<F, O: Observation> fmt::Debug for Future<F, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Future").field("watch", &self.watch).finish_non_exhaustive()
    }
}
