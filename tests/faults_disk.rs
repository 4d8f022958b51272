//! The same with disks: outages that are longer than memory lasts, and disks that fail.
#![cfg(all(
    feature = "otel",
    feature = "xray",
    feature = "rollbar",
    feature = "cloudwatch",
    feature = "spool"
))]

#[path = "faults/backend.rs"]
mod backend;
#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/house.rs"]
mod house;
