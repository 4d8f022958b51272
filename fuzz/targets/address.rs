//! The text of `AWS_XRAY_DAEMON_ADDRESS`.
#![no_main]

#[path = "../../tests/support/inputs.rs"]
mod inputs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inputs::address(bytes));
