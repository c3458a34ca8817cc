//! Searches a block of a load like that of a shop and prints what a search costs: `cargo run --release --example scan`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod shop;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use spanloom_block::{Block, BlockBuilder, BuilderOptions, Counters, Matches};
use spanloom_span::model::AnyValue;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{Tenant, TraceId, TracePart, encode};
use spanloom_traceql::plan::Plan;

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds of each question; the median counts. Without optimisation one must do.
const ROUNDS: usize = if cfg!(debug_assertions) { 1 } else { 51 };

fn block(traces: u64) -> Block {
    let mut parts: BTreeMap<TraceId, Vec<TracePart>> = BTreeMap::new();
    for (at, request) in shop::requests(traces).iter().enumerate() {
        let batch = Arc::new(slice(encode::traces_data(request).into(), &SliceLimits::default()).unwrap());
        for (group, found) in batch.groups().iter().enumerate() {
            let part = TracePart { batch: batch.clone(), group: group as u32, seq: at as u64 + 1 };
            parts.entry(found.id).or_default().push(part);
        }
    }
    let mut builder = BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).unwrap();
    for (id, parts) in &parts {
        builder.push_trace(*id, 1, parts).unwrap();
    }
    Block::from_bytes(builder.finish().unwrap().bytes).unwrap()
}

fn main() {
    let traces = std::env::args().nth(1).and_then(|a| a.parse().ok());
    let block = block(traces.unwrap_or(if cfg!(debug_assertions) { 100 } else { 6_667 }));
    let id = block.trace_ids().unwrap().nth(50).unwrap();
    let trace = block.trace(&id).unwrap().unwrap();
    let text = |key: &str| {
        let attributes = trace.spans().flat_map(|span| &span.attributes);
        let found = attributes.filter(|a| a.key == key).find_map(|a| match &a.value {
            AnyValue::Str(text) => Some(text.clone()),
            _ => None,
        });
        found.unwrap()
    };
    println!("{} spans, {} row groups", block.meta().spans, block.reader().unwrap().groups().len());
    let (path, request) = (text("url.path"), text("request.id"));
    for condition in [
        "span.nothing = 1",
        "span.http.request.method = \"PATCH\"",
        "span.url.path = \"/api/v1/1/items/none\"",
        "resource.service.name = \"service-3\"",
        ".service.name = \"service-3\"",
        "kind = server",
        "status = error",
        "name = \"GET /api/v1/7\"",
        &format!("span.url.path = \"{path}\""),
        &format!("span.request.id = \"{request}\""),
        "span.http.response.body.size = 77",
        "span.http.response.status_code = 404",
        "span.http.response.status_code >= 400",
        "span.cloud.region = \"eu-west-1\"",
        "span.cloud.region =~ \"eu-.*\"",
        "resource.service.name = \"service-3\" && span.http.response.status_code = 500",
        "span.db.system != nil",
        "duration > 300ms",
        "duration > 1h",
        "nestedSetParent < 0",
        "span.url.path =~ \".*77\" && resource.service.name = \"service-3\"",
        "span.url.path =~ \".*77\"",
        "span.thread.id * 300 > span.http.response.body.size && resource.service.name = \"service-3\"",
        "span.thread.id * 300 > span.http.response.body.size",
    ] {
        let plan = Plan::new(&spanloom_traceql::parse(&format!("{{ {condition} }}")).unwrap()).unwrap();
        let mut times = Vec::new();
        let mut counters = Counters::default();
        let mut matches = Matches::default();
        for _ in 0..ROUNDS {
            let from = Instant::now();
            let reader = block.reader().unwrap();
            let mut scan = reader.scan(&plan.fields, &plan.filters).unwrap();
            counters = Counters::default();
            for group in 0..scan.groups() {
                scan.group(group, &mut matches, &mut counters).unwrap();
            }
            times.push(from.elapsed().as_nanos() as f64 / 1000.0);
        }
        times.sort_by(f64::total_cmp);
        let (least, median) = (times[0], times[times.len() / 2]);
        println!(
            "{median:>9.1} us (least {least:>8.1})  {:>6} rows, {:>7} read, {:>8} bytes  {condition}",
            counters.rows_matched, counters.rows_read, counters.bytes_touched
        );
    }
}
