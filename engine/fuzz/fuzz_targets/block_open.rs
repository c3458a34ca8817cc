//! Fuzz target: any bytes as a block. What must hold is said by the crate's tests, which run the seeds too.
#![no_main]

#[path = "../../../storage/block/tests/fuzz/block_open.rs"]
mod block_open;

libfuzzer_sys::fuzz_target!(|data: &[u8]| block_open::holds(data));
