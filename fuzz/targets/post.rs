//! What the console is sent.
#![no_main]

#[path = "../../tests/support/posts.rs"]
mod posts;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| posts::post(bytes));
