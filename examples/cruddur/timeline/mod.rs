//! The second service: it knows in which order a reader wants to see things.
//!
//! It is this program once more, started by the backend with an argument, on a port that the system chooses. It tells
//! the port on its standard output, and ends when its standard input does: it never outlives the backend.

mod child;
mod client;
mod rank;
mod service;

pub(crate) use self::{
    child::Child,
    client::Client,
    rank::{Ask, Timeline},
    service::run,
};
