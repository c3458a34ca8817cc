//! What must hold for any bytes taken for a block. Shared by the fuzz target and the seed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::LazyLock;

use spanloom_block::{
    Bits, Block, BlockError, BlockId, BlockTraces, Counters, KeepAll, ListLimits, Matches, Measure,
    MergeOptions, Names, TraceTable, Values, Wanted, merge,
};
use spanloom_traceql::eval::Fragment;
use spanloom_traceql::plan::{FieldId, Plan};

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

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    Plan::new(&spanloom_traceql::parse(QUESTION).expect("it is a query")).expect("it can be run")
});

/// Spans of a trace, and values of a list, that are looked at.
const SPANS: u32 = 100;
const LIMITS: ListLimits = ListLimits { count: 100, bytes: 1 << 16 };

/// A sum of all that is read in place of the block's traces: identities, services, fields and attributes.
pub fn traces(block: &Block) -> Result<u64, Box<dyn Error>> {
    let (plan, reader) = (&*PLAN, block.reader()?);
    let mut sum = DefaultHasher::new();
    let mut traces = BlockTraces::new(&reader, &plan.fields)?;
    for place in 0..traces.len().min(TRACES as u64) {
        let mut trace = traces.trace(place)?;
        let (mut identities, mut services) = (Vec::new(), Vec::new());
        trace.identities(&mut identities)?;
        assert_eq!(identities.len(), trace.len() as usize);
        trace.services(None, &mut |name, spans, errors| services.push((name.to_vec(), spans, errors)))?;
        format!("{identities:?} {services:?} {:?}", trace.ids_are_distinct()).hash(&mut sum);
        for span in 0..trace.len().min(SPANS) {
            for field in 0..plan.fields.len() {
                trace.see(span, FieldId(field as u16), &mut |value| format!("{value:?}").hash(&mut sum))?;
            }
            trace.attributes(span, &mut |scope, key, value| {
                format!("{scope:?} {key:?} {value:?}").hash(&mut sum);
            })?;
            trace.name(span, &mut |name| name.hash(&mut sum))?;
            trace.service(span, &mut |name| name.hash(&mut sum))?;
        }
    }
    Ok(sum.finish())
}

/// A sum of all that metrics and lists read of the block.
pub fn columns(block: &Block) -> Result<u64, Box<dyn Error>> {
    let (plan, reader) = (&*PLAN, block.reader()?);
    let mut sum = DefaultHasher::new();
    let table = TraceTable::open(&reader)?;
    (table.newest_first(), table.newest_start()).hash(&mut sum);
    let ends = reader.groups().iter().skip(1).map(|group| group.first_row).chain([reader.meta().spans]);
    let rows = reader.groups().iter().zip(ends).map(|(group, end)| {
        let len = (end - group.first_row) as usize;
        Bits::of(len, (0..len).filter(|row| row % 7 < 3).take(10_000))
    });
    let rows: Vec<Bits> = rows.collect();
    for by in plan.fields.chunks(3) {
        let mut measure = Measure::new(&reader, &table, by, 50)?;
        for (group, rows) in (0..).zip(&rows) {
            let mut pieces = measure.pieces(group, rows, true)?;
            while let Some(piece) = pieces.next_piece()? {
                (piece.rows, piece.starts, piece.durations, piece.groups).hash(&mut sum);
            }
        }
        (0..60).for_each(|group| format!("{:?}", measure.group(group)).hash(&mut sum));
    }
    for (time, rows) in [(None, None), (Some((0, 5_000)), None), (None, Some(&rows[..]))] {
        let (wanted, mut names) = (Wanted { time, rows }, Names::default());
        reader.names(None, wanted, LIMITS, &mut names)?;
        format!("{names:?}").hash(&mut sum);
        for field in &plan.fields {
            let mut values = Values::default();
            reader.values(&table, field, wanted, LIMITS, &mut values)?;
            values.iter().for_each(|value| format!("{value:?}").hash(&mut sum));
        }
    }
    Ok(sum.finish())
}

/// How many rows satisfy each filter of a question that has many.
pub fn search(block: &Block) -> Result<Vec<usize>, BlockError> {
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

/// Merges the block alone: what comes out, if anything does, has the same traces.
fn merged(block: &Block, whole: bool) {
    let mut watch = |_| ControlFlow::Continue(());
    let inputs = [(BlockId::default(), block.clone())];
    let options = MergeOptions { max_traces: 5, group_rows: 50, ..MergeOptions::default() };
    let report = merge(&inputs, &options, &mut KeepAll, &mut watch, &mut |_| Ok(Vec::new()));
    let Ok(report) = report else { return };
    for output in report.outputs {
        let found = Block::from_bytes(output.sink).expect("what is merged is a block");
        for id in found.trace_ids().expect("what is merged has ids").take(TRACES) {
            let trace = found.trace_within(&id, LIMIT).ok();
            assert!(!whole || trace == block.trace_within(&id, LIMIT).ok(), "{id}");
        }
    }
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
    for read in [traces, columns] {
        let read = read(&block);
        assert!(!whole || read.is_ok(), "{read:?} of a block that is good");
    }
    merged(&block, whole);
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
