use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{Method, Version, header, request};
use opentelemetry::Context;

use super::{Observation, watch::Watch};
use crate::{
    exchange::{End, Head},
    trace::Scope,
};

/// A change of protocols that a request asks for: where the layers of its exchange and the handler's
/// [`Connection`](super::Connection) meet.
///
/// It lies in the exchange's scope, and what it holds refers to that scope. The end of the connection breaks the circle.
#[derive(Clone, Default)]
pub(super) struct Upgrade {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Whether a handler has the connection.
    taken: bool,
    /// What ends with it, innermost first.
    held: Vec<Held>,
}

/// Ends an exchange, once.
type Held = Box<dyn FnOnce(End<'_>) + Send>;

// ===== impl Upgrade =====

impl Upgrade {
    /// Offers a connection to handlers, if the request asks for one and no layer further out has offered it.
    pub(super) fn offer(request: &request::Parts, scope: &mut Scope) {
        if asked(request, scope) && scope.get::<Self>().is_none() {
            scope.insert(Self::default());
        }
    }

    /// What was offered in this context's scope.
    pub(super) fn of(context: &Context) -> Option<&Self> {
        Scope::value(context)
    }

    /// Takes the connection; whether it was there to be taken.
    pub(super) fn take(&self) -> bool {
        !mem::replace(&mut self.lock().taken, true)
    }

    /// Has the exchange end with the connection, if a handler has it; else leaves the watch as it is.
    pub(super) fn hold<O: Observation>(&self, watch: &mut Watch<O>) {
        let mut state = self.lock();
        if state.taken {
            let mut watch = watch.take();
            state.held.push(Box::new(move |end| watch.end(end)));
        }
    }

    /// The connection is over, and with it all that it holds.
    pub(super) fn end(&self, end: End<'_>) {
        // Not under the lock: observers run here.
        let State { held, .. } = mem::take(&mut *self.lock());
        for exchange in held {
            exchange(end);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// HTTP/2 has no `Upgrade`: its extended `CONNECT` takes its place, <https://www.rfc-editor.org/rfc/rfc8441>.
fn asked(request: &request::Parts, scope: &Scope) -> bool {
    let headers = &request.headers;
    let has_header = || {
        scope
            .fresh_head(headers)
            .map_or_else(|| headers.contains_key(header::UPGRADE), Head::asks_for_upgrade)
    };
    request.method == Method::CONNECT || request.version < Version::HTTP_2 && has_header()
}
