//! Stop 7: traces, sorted by id, decoded once into the columns of a block.

use spanloom_block::{BlockBuilder, BuilderOptions, FinishedBlock};
use spanloom_span::{Tenant, TraceId, TracePart};

use crate::{Line, batches, measure, span_count, traces};

/// Builds one block.
pub fn run(spans: usize) -> Vec<Line> {
    let batches = batches(spans);
    let units = span_count(&batches);
    let traces = traces(&batches);
    let mut bytes = 0;
    let mut line = measure(
        "seal a block",
        "span",
        units,
        || (),
        |()| {
            bytes = build(&traces).bytes.len();
        },
    );
    line.note = format!("{:.1} B/span on disk, {units} spans in the block", bytes as f64 / units as f64);
    vec![line]
}

/// A block of these traces.
pub fn build(traces: &[(TraceId, Vec<TracePart>)]) -> FinishedBlock {
    let mut builder =
        BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).expect("a block can be begun");
    for (id, parts) in traces {
        builder.push_trace(*id, 1, parts).expect("sliced parts can be read");
    }
    builder.finish().expect("a block can be built")
}
