//! Fuzz target: any bytes as a segment of the log. What must hold is said by the crate's tests, which run the seeds too.
#![no_main]

#[path = "../../../storage/wal/tests/fuzz/log_replay.rs"]
mod log_replay;

libfuzzer_sys::fuzz_target!(|data: &[u8]| log_replay::holds(data));
