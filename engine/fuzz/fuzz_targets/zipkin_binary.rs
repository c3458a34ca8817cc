//! Fuzz target: any bytes as Zipkin's protobuf and Thrift. What must hold is said by the crate's tests, which run the seeds too.
#![no_main]

#[path = "../../wire/tests/fuzz/jaeger.rs"]
mod jaeger;
#[path = "../../wire/tests/fuzz/zipkin_binary.rs"]
mod zipkin_binary;

libfuzzer_sys::fuzz_target!(|data: &[u8]| zipkin_binary::holds(data));
