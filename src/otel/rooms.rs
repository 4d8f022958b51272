use std::{
    borrow::Cow,
    sync::{Arc, Once},
};

use opentelemetry::{KeyValue, Value};

use super::attributes::{self, HOST, OTHER, cut};
use crate::exchange::{Calls, Code, Host, Names};

/// Room for the names that come from outside, so that no stranger can multiply them. The clones of a layer share it.
#[derive(Debug)]
pub(super) struct Rooms {
    routes: Names,
    warned_of_routes: Once,
    warned_of_names: Once,
    warned_of_servers: Once,
    names: Names,
    /// The gRPC methods that a server has.
    calls: Calls,
    /// Those that a client calls.
    called: Names,
    servers: Names,
}

// ===== impl Rooms =====

impl Rooms {
    /// The route, or `_OTHER`.
    pub(super) fn route(&self, route: &str) -> Arc<str> {
        self.routes.admit(cut(route, ROUTE)).unwrap_or_else(|| {
            self.warned_of_routes.call_once(warn_of_routes);
            OTHER.into()
        })
    }

    /// The name that somebody's code has made for a span, unless there are too many: code that makes names of whatever a
    /// client said.
    pub(super) fn name(&self, name: Cow<'static, str>) -> Option<Cow<'static, str>> {
        let Cow::Owned(made) = &name else { return Some(name) };
        if self.names.admit(cut(made, NAME)).is_some() {
            return Some(if made.len() > NAME { cut(made, NAME).to_owned().into() } else { name });
        }
        self.warned_of_names.call_once(warn_of_names);
        None
    }

    /// A gRPC method that a server has answered with this code, if it may be believed to exist.
    pub(super) fn answered(&self, method: &str, code: Code) -> Option<Arc<str>> {
        self.calls.answered(method, code)
    }

    /// A gRPC method that a client calls.
    pub(super) fn called(&self, method: &str) -> Option<Arc<str>> {
        self.called.admit(method)
    }

    /// Whom a client calls, as attributes of a metric.
    pub(super) fn server(&self, host: Option<Host<'_>>) -> impl Iterator<Item = KeyValue> + use<> {
        // A host is the same in any case, and whoever redirects a client chooses that.
        let name = host.map(|Host { name, port }| (cut(name, HOST).to_ascii_lowercase(), port));
        let (address, port) = match name {
            Some((name, port)) if self.admits(&name, port) => (Some(Value::from(name)), port),
            Some(_) => (Some(OTHER.into()), None),
            None => (None, None),
        };
        let address = address.map(|address| KeyValue::new(attributes::SERVER_ADDRESS, address));
        let port = port.map(|port| KeyValue::new(attributes::SERVER_PORT, i64::from(port)));
        address.into_iter().chain(port)
    }

    fn admits(&self, name: &str, port: Option<u16>) -> bool {
        let admitted = self.servers.admit(&format!("{name}:{}", port.unwrap_or_default())).is_some();
        if !admitted {
            self.warned_of_servers.call_once(warn_of_servers);
        }
        admitted
    }
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            routes: Names::new(MANY),
            warned_of_routes: Once::new(),
            warned_of_names: Once::new(),
            warned_of_servers: Once::new(),
            names: Names::new(MANY),
            calls: Calls::default(),
            called: Names::new(MANY),
            servers: Names::new(MANY),
        }
    }
}

#[cold]
fn warn_of_routes() {
    tracing::warn!(
        target: "belvedere::otel",
        "a layer was told of more than {MANY} routes, further ones are `_OTHER`: does `route` give the path?"
    );
}

#[cold]
fn warn_of_names() {
    tracing::warn!(
        target: "belvedere::otel",
        "a layer was given more than {MANY} names for spans, further ones are those of the conventions: does `span_name` give \
         the path?"
    );
}

#[cold]
fn warn_of_servers() {
    tracing::warn!(
        target: "belvedere::otel",
        "a client called more than {MANY} servers, further ones are `_OTHER` in its metrics: does a stranger choose them? \
         Give such calls a layer of their own"
    );
}

/// More than services have, and less than hurts.
const MANY: usize = 1_000;

/// How long a route may be.
pub(super) const ROUTE: usize = 1024;

/// How long the name of a span may be, where it was made of something.
const NAME: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn server(rooms: &Rooms, name: &str, port: u16) -> Vec<String> {
        let pairs = rooms.server(Some(Host { name, port: Some(port) }));
        pairs.map(|pair| format!("{}={}", pair.key, pair.value)).collect()
    }

    #[test]
    fn there_is_room_for_so_many_servers_with_their_ports() {
        let rooms = Rooms::default();
        for port in 1..=1_000 {
            assert_eq!(
                server(&rooms, "a", port),
                ["server.address=a".to_owned(), format!("server.port={port}")]
            );
        }
        assert_eq!(server(&rooms, "a", 1_001), ["server.address=_OTHER"]);
        assert_eq!(server(&rooms, "a", 1), ["server.address=a", "server.port=1"]);
        assert_eq!(rooms.server(None).count(), 0);
    }

    #[test]
    fn what_is_long_is_cut() {
        assert_eq!(Rooms::default().route(&"x".repeat(100_000)).len(), ROUTE);
        assert_eq!(Rooms::default().name("x".repeat(100_000).into()).unwrap().len(), NAME);
    }

    #[test]
    fn names_that_are_made_have_room_and_those_that_the_program_has_need_none() {
        let rooms = Rooms::default();
        let made = |n: usize| rooms.name(format!("GET /{n}").into());
        assert_eq!((0..3_000).filter_map(made).count(), MANY);
        assert_eq!((made(7), made(2_000)), (Some("GET /7".into()), None));
        assert_eq!(rooms.name("GET /carts".into()), Some("GET /carts".into()));
    }
}
