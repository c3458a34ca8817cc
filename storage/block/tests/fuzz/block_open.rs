//! What must hold for any bytes taken for a block. Shared by the fuzz target and the seed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

use spanloom_block::Block;

/// Most bytes that one trace may take while it is read.
const LIMIT: u64 = 1 << 20;

/// Traces read of one block.
const TRACES: usize = 64;

/// The block does not open, or it answers everything that can be asked of it with an answer or an error; and an
/// answer stays the same.
pub fn holds(data: &[u8]) {
    let Ok(block) = Block::from_bytes(data.to_vec()) else { return };
    assert_eq!(block.meta().file_bytes, data.len() as u64);
    let _ = block.inspect().map(|inspection| inspection.to_string());
    // What is found wrong is an answer too.
    let whole = block.verify_within(LIMIT).is_ok();
    let Ok(ids) = block.trace_ids() else {
        assert!(!whole, "a block that is good has ids");
        return;
    };
    for id in ids.take(TRACES) {
        let found = block.trace_within(&id, LIMIT);
        let through = block.sealed_through(&id);
        if whole {
            assert!(block.may_contain(&id), "{id}");
            let trace = found.as_ref().expect("a block that is good can be read");
            let trace = trace.as_ref().expect("an id of the block has a trace");
            assert!(trace.span_count() > 0 && trace.spans().all(|span| span.trace_id == id), "{id}");
            assert!(through.is_ok_and(|through| through.is_some()), "{id}");
        }
        assert_eq!(found.ok(), block.trace_within(&id, LIMIT).ok(), "{id}");
    }
}
