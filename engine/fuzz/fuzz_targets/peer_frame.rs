//! Fuzz target: any bytes as a frame between nodes. What must hold is said by the crate's tests, which run the seeds
//! too.
#![no_main]

#[path = "../../../cluster/peer/tests/fuzz/peer_frame.rs"]
mod peer_frame;

libfuzzer_sys::fuzz_target!(|data: &[u8]| peer_frame::holds(data));
