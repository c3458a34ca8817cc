//! Fuzz target: any bytes as Zipkin's v1 and v2 JSON. What must hold is said by the crate's tests, which run the seeds too.
#![no_main]

#[path = "../../wire/tests/fuzz/jaeger.rs"]
mod jaeger;
#[path = "../../wire/tests/fuzz/zipkin_json.rs"]
mod zipkin_json;

libfuzzer_sys::fuzz_target!(|data: &[u8]| zipkin_json::holds(data));
