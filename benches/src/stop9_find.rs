//! Stop 9: trace by id from a mapped block: traces that are there, and ids that are not.

use std::hint::black_box;

use spanloom_block::Block;
use spanloom_span::TraceId;

use crate::stop7_seal::build;
use crate::{Line, batches, measure, span_count, traces};

/// Reads traces from one block.
pub fn run(spans: usize) -> Vec<Line> {
    let batches = batches(spans);
    let per_trace;
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let path = dir.path().join("one.block");
    let ids: Vec<TraceId> = {
        let traces = traces(&batches);
        per_trace = span_count(&batches) as f64 / traces.len() as f64;
        std::fs::write(&path, build(&traces).bytes).expect("the block can be written");
        // A stride that visits pages in no order.
        (0..traces.len()).map(|at| traces[at * 7919 % traces.len()].0).take(20_000).collect()
    };
    let block = Block::open(&path).expect("the block opens");
    let find = |ids: &[TraceId]| {
        for id in ids {
            if block.may_contain(id) {
                black_box(block.trace(id).expect("the block can be read"));
            }
        }
    };
    let mut found = measure("find a trace", "trace", ids.len(), || (), |()| find(&ids));
    found.note = format!("{per_trace:.1} spans a trace");
    let absent: Vec<TraceId> = (0..ids.len() as u128)
        .map(|n| TraceId((n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) | 1).to_be_bytes()))
        .collect();
    let missed = measure("find an absent id", "trace", absent.len(), || (), |()| find(&absent));
    vec![found, missed]
}
