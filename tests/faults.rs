//! All four backends, each behind the layer and the lane that users have, failing in every way over real sockets, with
//! an oracle that knows what was pushed and what was stored.
#![cfg(all(
    feature = "otel",
    feature = "xray",
    feature = "rollbar",
    feature = "cloudwatch",
    feature = "spool"
))]

#[path = "faults/backend.rs"]
mod backend;
#[path = "faults/house.rs"]
mod house;
#[path = "faults/keys.rs"]
mod keys;
#[path = "faults/many.rs"]
mod many;
#[path = "faults/outages.rs"]
mod outages;
#[path = "faults/sizes.rs"]
mod sizes;
