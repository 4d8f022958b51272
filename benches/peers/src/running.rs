use std::{convert::Infallible, fmt};

use bytes::Bytes;
use http::{Request, Response};
use tokio::runtime::Runtime;
use tower::Service;

use crate::exchange::{Body, exchange};

/// A variant that serves.
pub struct Running {
    serve: Box<Serve>,
    flush: Box<dyn Fn()>,
    end: Box<dyn FnOnce()>,
}

type Serve = dyn FnMut(&Runtime, Vec<Request<Body>>);

// ===== impl Running =====

impl Running {
    pub fn new<S, B>(mut service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + 'static,
        B: http_body::Body<Data = Bytes>,
    {
        let serve = move |runtime: &Runtime, requests: Vec<Request<Body>>| {
            runtime.block_on(async {
                for request in requests {
                    exchange(&mut service, request).await;
                }
            });
        };
        Self { serve: Box::new(serve), flush: Box::new(|| ()), end: Box::new(|| ()) }
    }

    /// What sends the records that there are. Default: they go by themselves.
    pub fn flush(self, flush: impl Fn() + 'static) -> Self {
        Self { flush: Box::new(flush), ..self }
    }

    /// What ends the sending.
    pub fn end(self, end: impl FnOnce() + 'static) -> Self {
        Self { end: Box::new(end), ..self }
    }

    pub fn serve(&mut self, runtime: &Runtime, requests: Vec<Request<Body>>) {
        (self.serve)(runtime, requests);
    }

    pub fn send(&self) {
        (self.flush)();
    }

    pub fn shutdown(self) {
        (self.end)();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}
