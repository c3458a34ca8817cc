//! Fuzz target: any bytes as Jaeger's batches and datagrams in Thrift. What must hold is said by the crate's tests,
//! which run the seeds too.
#![no_main]

#[path = "../../wire/tests/fuzz/jaeger.rs"]
mod jaeger;
#[path = "../../wire/tests/fuzz/jaeger_thrift.rs"]
mod jaeger_thrift;

libfuzzer_sys::fuzz_target!(|data: &[u8]| jaeger_thrift::holds(data));
