//! What must hold for any bytes taken for a block. Shared by the fuzz target and the seed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

use std::sync::LazyLock;

use spanloom_block::{Block, BlockError, Counters, Matches};
use spanloom_traceql::plan::Plan;

/// Most bytes that one trace may take while it is read.
const LIMIT: u64 = 1 << 20;

/// Traces read of one block.
const TRACES: usize = 64;

/// A question with a filter for most of what a search looks at.
const QUESTION: &str = "{ .value = \"/orders/5\" || .value > 3 || .value = true } || { span.value = nil } \
    || { span.http.method = \"GET\" && status = unset } || { name =~ \"step [12]\" && duration > 7ns } \
    || { event:name = \"e\" && event:timeSinceStart < 5s } || { link:spanID != nil || resource.a != nil } \
    || { span:parentID = nil } || { span:parentID = \"0000000000000003\" || span:id = \"0000000000000003\" } \
    || { trace:id =~ \"01.*\" } || { span.value + 1 > 4 || .http.method = instrumentation:name } \
    || { statusMessage = \"\" && instrumentation:version != \"1\" && kind != server } \
    || { span.url =~ \"/items/.*\" || span.word != \"b\" } || { span.url = \"/items/0/0000000000000000\" } \
    || { span.size >= 100 && span.double < 7.5 } || { span.rare != nil || span.route = \"/a\" }";

/// How many rows satisfy each filter of a question that has many.
pub fn search(block: &Block) -> Result<Vec<usize>, BlockError> {
    static PLAN: LazyLock<Plan> = LazyLock::new(|| {
        Plan::new(&spanloom_traceql::parse(QUESTION).expect("it is a query")).expect("it can be run")
    });
    let plan = &*PLAN;
    let reader = block.reader()?;
    let mut scan = reader.scan(&plan.fields, &plan.filters)?;
    let (mut matches, mut counters) = (Matches::default(), Counters::default());
    let mut found = vec![0; plan.filters.len()];
    for group in 0..scan.groups() {
        scan.group(group, &mut matches, &mut counters)?;
        assert!(matches.filters().iter().all(|rows| rows.len() == matches.rows()));
        found.iter_mut().zip(matches.filters()).for_each(|(sum, rows)| *sum += rows.count());
    }
    Ok(found)
}

/// The block does not open, or it answers everything that can be asked of it with an answer or an error; and an
/// answer stays the same.
pub fn holds(data: &[u8]) {
    let Ok(block) = Block::from_bytes(data.to_vec()) else { return };
    assert_eq!(block.meta().file_bytes, data.len() as u64);
    let _ = block.inspect().map(|inspection| inspection.to_string());
    // What is found wrong is an answer too.
    let whole = block.verify_within(LIMIT).is_ok();
    let found = search(&block);
    if whole {
        let found = found.expect("a block that is good can be searched");
        assert!(found.iter().all(|&rows| rows as u64 <= block.meta().spans));
    }
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
