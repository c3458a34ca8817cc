//! Fuzz target: any bytes as a compressed body. What must hold is said by the crate's tests, which run the seeds too.
#![no_main]

#[path = "../../wire/tests/fuzz/inflate.rs"]
mod inflate;

libfuzzer_sys::fuzz_target!(|data: &[u8]| inflate::holds(data));
