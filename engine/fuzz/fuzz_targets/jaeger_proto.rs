//! Fuzz target: any bytes as Jaeger's `PostSpansRequest`. What must hold is said by the crate's tests, which
//! run the seeds too.
#![no_main]

#[path = "../../wire/tests/fuzz/jaeger.rs"]
mod jaeger;
#[path = "../../wire/tests/fuzz/jaeger_proto.rs"]
mod jaeger_proto;

libfuzzer_sys::fuzz_target!(|data: &[u8]| jaeger_proto::holds(data));
