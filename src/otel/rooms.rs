use std::sync::{Arc, Once};

use opentelemetry::{KeyValue, Value};

use super::attributes::{self, HOST, OTHER, cut};
use crate::exchange::{Code, Host, Names};

/// Room for the names that come from outside, so that no stranger can multiply them. The clones of a layer share it.
#[derive(Debug)]
pub(super) struct Rooms {
    routes: Names,
    warned_of_routes: Once,
    warned_of_servers: Once,
    /// The gRPC methods that went well once, or that are called.
    methods: Names,
    /// The gRPC methods that never went well: nobody knows whether they exist.
    refused: Names,
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

    /// A gRPC method that a server has answered with this code, if it may be believed to exist.
    pub(super) fn answered(&self, method: &str, code: Code) -> Option<Arc<str>> {
        match code {
            Code::UNIMPLEMENTED => None,
            Code::OK => self.methods.admit(method),
            _ => self.methods.find(method).or_else(|| self.refused.admit(method)),
        }
    }

    /// A gRPC method that a client calls.
    pub(super) fn called(&self, method: &str) -> Option<Arc<str>> {
        self.methods.admit(method)
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
            warned_of_servers: Once::new(),
            methods: Names::new(MANY),
            refused: Names::new(FEW),
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
fn warn_of_servers() {
    tracing::warn!(
        target: "belvedere::otel",
        "a client called more than {MANY} servers, further ones are `_OTHER` in its metrics: does a stranger choose them? \
         Give such calls a layer of their own"
    );
}

/// More than services have, and less than hurts.
const MANY: usize = 1_000;
const FEW: usize = 100;

/// How long a route may be.
pub(super) const ROUTE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn server(rooms: &Rooms, name: &str, port: u16) -> Vec<String> {
        let pairs = rooms.server(Some(Host { name, port: Some(port) }));
        pairs.map(|pair| format!("{}={}", pair.key, pair.value)).collect()
    }

    #[test]
    fn a_method_that_went_well_needs_no_room_among_those_that_did_not() {
        let (rooms, refused) = (Rooms::default(), Code::INTERNAL);
        assert!(rooms.answered("a.B/C", Code::OK).is_some());
        let believed = |n: usize| rooms.answered(&format!("by.A/Stranger{n}"), refused).is_some();
        assert_eq!((0..1_000).filter(|n| believed(*n)).count(), FEW);
        assert!(rooms.answered("a.B/C", refused).is_some());
        assert!(rooms.answered("a.B/D", refused).is_none());
        assert!(rooms.answered("a.B/D", Code::OK).is_some());
        assert!(rooms.answered("a.B/D", refused).is_some());
        assert!(rooms.answered("a.B/D", Code::UNIMPLEMENTED).is_none());
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
    fn a_long_route_is_cut() {
        assert_eq!(Rooms::default().route(&"x".repeat(100_000)).len(), ROUTE);
    }
}
