//! Fuzz target: any bytes as a query. What must hold is said by the crate's tests, which run the seeds too.
#![no_main]

#[path = "../../../storage/traceql/tests/fuzz/traceql.rs"]
mod traceql;

libfuzzer_sys::fuzz_target!(|data: &[u8]| traceql::holds(data));
