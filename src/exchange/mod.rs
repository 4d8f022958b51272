//! Facts about one request and its response: what was asked, what was answered, how it ended, what was measured.
//!
//! An *exchange* is one request and its response, until the response body is over. Everything here reads `http` types
//! and answers questions; nothing here waits, sends or decides for a backend.
//!
//! # What a stranger may decide
//!
//! Addresses, hosts and schemes that a client writes into forwarding headers count for nothing until a number of
//! trusted proxies is given ([`Hops`]). Header values leave only by allow-list ([`HeaderNames`]), query values only as
//! [`Query`] says. Methods are those of a list ([`Methods`]), and where there can be no list there is room for a number
//! of [`Names`].

mod address;
mod annotations;
mod blame;
#[cfg(any(feature = "otel", feature = "rollbar"))]
mod calls;
mod end;
mod fields;
#[cfg_attr(
    not(all(feature = "cloudwatch", feature = "otel", feature = "rollbar", feature = "xray")),
    allow(dead_code, reason = "each backend asks for its own part")
)]
mod forwarded;
mod handler_error;
#[cfg_attr(
    not(all(feature = "cloudwatch", feature = "otel", feature = "rollbar", feature = "xray")),
    allow(dead_code, reason = "each backend asks for its own part")
)]
mod head;
mod headers;
#[cfg(any(feature = "otel", feature = "xray"))]
mod hosts;
mod index;
#[cfg_attr(
    not(any(feature = "cloudwatch", feature = "otel", feature = "xray")),
    allow(dead_code, reason = "a backend looks")
)]
mod looked;
mod methods;
mod names;
mod network;
mod pairs;
#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
#[cfg_attr(
    not(all(feature = "cloudwatch", feature = "otel", feature = "xray")),
    allow(dead_code, reason = "each backend asks for its own part")
)]
mod plain;
mod query;
mod request;
mod resends;
mod route;
mod status;
mod tally;
mod timeout;

pub use address::AddressPolicy;
#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
pub(crate) use address::AddressText;
pub use annotations::{Annotations, Value};
pub use blame::{Blame, Blamed, OfBox, OfError, OfText};
#[cfg(any(feature = "otel", feature = "rollbar"))]
pub(crate) use calls::Calls;
#[cfg(feature = "xray")]
pub(crate) use end::known_name;
#[cfg(any(feature = "cloudwatch", feature = "otel"))]
pub(crate) use end::messages;
#[cfg(any(feature = "rollbar", feature = "xray"))]
pub(crate) use end::said;
pub use end::{End, Failure};
pub(crate) use fields::Fields;
pub(crate) use forwarded::Forwarded;
pub use forwarded::Hops;
pub use handler_error::HandlerError;
pub(crate) use head::Head;
pub use headers::HeaderNames;
#[cfg(any(feature = "otel", feature = "xray"))]
pub(crate) use hosts::Hosts;
pub(crate) use index::Index;
pub use methods::Methods;
pub use names::Names;
pub use network::Fault;
pub(crate) use pairs::SharedPairs;
#[cfg(feature = "xray")]
pub(crate) use pairs::{Pair, Pairs};
#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
pub(crate) use plain::{Plain, PlainHost};
pub use query::Query;
#[cfg(feature = "otel")]
pub(crate) use request::default_port;
#[cfg(any(feature = "otel", feature = "xray"))]
pub(crate) use request::target;
pub use request::{Host, Peer, host, is_grpc, may_be_grpc, peer, scheme, version};
pub use resends::Resends;
pub(crate) use route::Route;
#[cfg(feature = "otel")]
pub(crate) use route::redact;
pub use status::Code;
pub use tally::Tally;
pub use timeout::grpc_timeout;
