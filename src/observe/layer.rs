use tower_layer::Layer;

use super::{Observe, Observer};

/// Watches every exchange of the service beneath it for one observer, or for a tuple of observers in one pass.
///
/// The layer of each backend is an observer, so that `ObserveLayer::new((otel, other))` does in one pass what
/// `.layer(otel).layer(other)` does in two. In a tuple the first observer is the outermost.
#[derive(Clone, Debug)]
pub struct ObserveLayer<O> {
    observer: O,
}

// ===== impl ObserveLayer =====

impl<O: Observer> ObserveLayer<O> {
    /// A layer for `observer`.
    pub const fn new(observer: O) -> Self {
        Self { observer }
    }
}

impl<S, O: Observer> Layer<S> for ObserveLayer<O> {
    type Service = Observe<S, O>;

    fn layer(&self, inner: S) -> Observe<S, O> {
        Observe::new(inner, self.observer.clone())
    }
}
