//! Fuzz target: any bytes as OpenCensus JSON. What must hold is said by the crate's tests, which run the seeds too.
#![no_main]

#[path = "../../wire/tests/fuzz/opencensus_json.rs"]
mod opencensus_json;
#[path = "../../wire/tests/fuzz/opencensus_proto.rs"]
mod opencensus_proto;

libfuzzer_sys::fuzz_target!(|data: &[u8]| opencensus_json::holds(data));
