//! What a backend answers.
#![no_main]

#[path = "../../tests/support/answers.rs"]
mod answers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| answers::answer(bytes));
