//! The second service: it knows in which order a reader wants to see things.
//!
//! It is this program once more. Where the backend is not told by `TIMELINE_URL` where it runs, the backend starts it
//! with an argument, on a port that the system chooses: then it tells the port on its standard output, and ends when
//! its standard input does, so that it never outlives the backend.

mod child;
mod client;
mod rank;
mod service;

pub(crate) use self::{
    child::Child,
    client::Client,
    rank::{Ask, Timeline},
    service::{run, run_as_child},
};

/// What the service is called in traces, unless the environment has another name for it.
const NAME: &str = "timeline";
