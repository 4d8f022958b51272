//! What the benches have in common: a service, what it is asked, the layers on it, and where their records go.
#![allow(dead_code, unreachable_pub, reason = "each bench uses its own part")]

pub mod baseline;
pub mod case;
pub mod cases;
pub mod folder;
pub mod service;
pub mod sink;
pub mod ways;
