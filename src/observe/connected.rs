use std::{
    fmt,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use pin_project_lite::pin_project;

use super::Connection;
use crate::exchange::End;

pin_project! {
    /// A future that runs an upgraded connection, and ends its exchange. [`Connection::run`] makes it.
    #[must_use = "futures do nothing unless polled"]
    pub struct Connected<F> {
        #[pin]
        inner: Option<F>,
        connection: Connection,
    }

    impl<F> PinnedDrop for Connected<F> {
        // First and in scope, as in the exchange's own future.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.connection.within(|| this.inner.set(None));
            this.connection.end(End::Canceled);
        }
    }
}

// ===== impl Connected =====

impl<F> Connected<F> {
    pub(super) const fn new(connection: Connection, inner: F) -> Self {
        Self { inner: Some(inner), connection }
    }
}

impl<F: Future> Future for Connected<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut().expect("polled after completion");
        let output = ready!(this.connection.within(|| inner.poll(task)));
        this.connection.within(|| this.inner.set(None));
        this.connection.end(End::Complete { trailers: None });
        Poll::Ready(output)
    }
}

impl<F> fmt::Debug for Connected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected").field("connection", &self.connection).finish_non_exhaustive()
    }
}
