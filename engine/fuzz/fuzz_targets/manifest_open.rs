//! Fuzz target: any bytes as a manifest. What must hold is said by the crate's tests, which run the seeds too.
#![no_main]

#[path = "../../../storage/bucket/tests/fuzz/manifest_open.rs"]
mod manifest_open;

libfuzzer_sys::fuzz_target!(|data: &[u8]| manifest_open::holds(data));
