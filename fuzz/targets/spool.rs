//! A log on the disk, with changed files.
#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../tests/support/memory_disk.rs"]
mod memory_disk;
#[path = "../../src/outbox/spool/mod.rs"]
mod spool;
#[path = "../../tests/support/spooled.rs"]
mod spooled;

use spool::{Disk, DiskFile, Log, Options, Record};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| spooled::change(bytes));
