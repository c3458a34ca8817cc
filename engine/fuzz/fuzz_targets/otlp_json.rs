//! Fuzz target: any bytes as an OTLP/JSON request. What must hold is said by the crate's tests, which run the seeds too.
#![no_main]

#[path = "../../wire/tests/fuzz/otlp_json.rs"]
mod otlp_json;

libfuzzer_sys::fuzz_target!(|data: &[u8]| otlp_json::holds(data));
