//! Fuzz target: any bytes as an OTLP request. What must hold is said by the crate's tests, which run the seeds too.
#![no_main]

#[path = "../../../storage/span/tests/fuzz/otlp_slice.rs"]
mod otlp_slice;

libfuzzer_sys::fuzz_target!(|data: &[u8]| otlp_slice::holds(data));
