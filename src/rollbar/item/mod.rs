//! The vendor's document, as types.

mod attribute;
mod body;
mod client;
mod custom;
mod data;
mod extra;
mod frame;
#[allow(clippy::module_inception, reason = "an item is made of these")]
mod item;
mod lenient;
mod level;
mod levels;
mod message;
mod notifier;
mod person;
mod request;
mod server;
mod telemetry;
mod text;
mod trace;

pub use self::attribute::Attribute;
pub use self::body::{Body, Content, CrashReport};
pub use self::client::Client;
pub use self::custom::Custom;
pub use self::data::Data;
pub(super) use self::extra::TOO_DEEP;
pub use self::frame::{CodeContext, Frame};
pub use self::item::Item;
pub use self::level::Level;
pub(super) use self::levels::Levels;
pub use self::message::Message;
pub use self::notifier::Notifier;
pub use self::person::Person;
pub use self::request::Request;
pub use self::server::Server;
pub use self::telemetry::{Source, Telemetry, TelemetryType};
pub use self::text::Text;
pub(super) use self::text::{beginning, shorten};
pub use self::trace::{Exception, Trace, TraceChain};
