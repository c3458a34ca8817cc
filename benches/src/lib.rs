//! One bench for each stop of the walk, in nanoseconds a span.
//!
//! `cargo bench -p spanloom-benches` runs them large, `-- slice seal` those whose names contain a word,
//! `-- --spans 2000000` with more spans. The test suite runs all of them small, so that they cannot rot.
//!
//! A figure is the median of several rounds over the same spans; CPU is that of the whole process, so work on
//! other threads counts. The load is `spanloom load`'s default profile, seed 1.
//!
//! | file | stop |
//! |---|---|
//! | `stop2_slice.rs` | check and slice |
//! | `stop45_trace.rs` | shard and trace, in both hostings |
//! | `stop6_log.rs` | append and sync |
//! | `stop7_seal.rs` | columns and block |
//! | `stop8_store.rs` | blocks joined, shipped, and asked for from elsewhere: with the requests it takes |
//! | `stop9_find.rs` | trace by id from a block |
//! | `stop9_columns.rs` | traces, metrics and tags from a block, in place |
//! | `stop9_search.rs` | the spans of a block that satisfy a filter |
//! | `stop9_ask.rs` | questions over many traces, put to a querier |
//! | `cluster_push.rs` | between stops 3 and 4: requests sent to another node |
//! | `wire_opencensus.rs` | OpenCensus messages to OTLP |
//! | `wire_otlp_json.rs` | OTLP/JSON to OTLP |
//! | `wire_jaeger.rs` | before stop 2: Jaeger's batches to OTLP |
//! | `wire_zipkin.rs` | before stop 2: Zipkin's spans to OTLP |

#![allow(clippy::expect_used)] // a bench answers by panicking

pub mod cluster_push;
pub mod stop2_slice;
pub mod stop45_trace;
pub mod stop6_log;
pub mod stop7_seal;
pub mod stop8_store;
pub mod stop9_ask;
pub mod stop9_columns;
pub mod stop9_find;
pub mod stop9_search;
pub mod wire_jaeger;
pub mod wire_opencensus;
pub mod wire_otlp_json;
pub mod wire_zipkin;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use spanloom_load::{Generator, Profile};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{Batch, TraceId, TracePart};

/// One measured figure.
#[derive(Debug, Clone)]
pub struct Line {
    /// What was measured.
    pub name: String,
    /// Nanoseconds by the clock for each unit.
    pub wall_ns: f64,
    /// Nanoseconds of CPU, of all threads, for each unit.
    pub cpu_ns: f64,
    /// What a unit is.
    pub unit: &'static str,
    /// More, in words.
    pub note: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, wall_ns, cpu_ns, unit, note } = self;
        write!(f, "{name:<28} {wall_ns:>10.1} ns/{unit:<6} cpu {cpu_ns:>10.1} ns/{unit:<6} {note}")
    }
}

/// A bench: its name, and what runs it over so many spans.
pub type Bench = (&'static str, fn(usize) -> Vec<Line>);

/// All benches in the order of the walk, then those of single formats.
pub const ALL: [Bench; 14] = [
    ("stop 2 slice", stop2_slice::run),
    ("stops 4-5 shard and trace", stop45_trace::run),
    ("stop 6 log", stop6_log::run),
    ("stop 7 seal", stop7_seal::run),
    ("stop 8 store", stop8_store::run),
    ("stop 9 find", stop9_find::run),
    ("stop 9 columns", stop9_columns::run),
    ("stop 9 search", stop9_search::run),
    ("stop 9 ask", stop9_ask::run),
    ("cluster push", cluster_push::run),
    ("wire_opencensus", wire_opencensus::run),
    ("wire_otlp_json", wire_otlp_json::run),
    ("wire_jaeger", wire_jaeger::run),
    ("wire_zipkin", wire_zipkin::run),
];

/// Requests of the default load with at least so many spans.
pub fn requests(spans: usize) -> Vec<Bytes> {
    let mut seen = 0;
    let enough = |request: &Bytes| {
        let more = seen < spans;
        seen += slice(request.clone(), &SliceLimits::default()).map_or(0, |batch| batch.spans().len());
        more
    };
    Generator::new(Profile::Default, 1).map(|request| request.bytes).take_while(enough).collect()
}

/// The same, sliced.
pub fn batches(spans: usize) -> Vec<Arc<Batch>> {
    let limits = SliceLimits::default();
    requests(spans).into_iter().filter_map(|bytes| slice(bytes, &limits).ok()).map(Arc::new).collect()
}

/// The traces in them, sorted by id, with their parts in order of arrival.
pub fn traces(batches: &[Arc<Batch>]) -> Vec<(TraceId, Vec<TracePart>)> {
    let mut parts: Vec<(TraceId, TracePart)> = Vec::new();
    for (seq, batch) in (1..).zip(batches) {
        for (group, sliced) in batch.groups().iter().enumerate() {
            parts.push((sliced.id, TracePart { batch: batch.clone(), group: group as u32, seq }));
        }
    }
    parts.sort_by_key(|(id, part)| (*id, part.seq));
    let mut out: Vec<(TraceId, Vec<TracePart>)> = Vec::new();
    for (id, part) in parts {
        match out.last_mut() {
            Some((last, parts)) if *last == id => parts.push(part),
            _ => out.push((id, vec![part])),
        }
    }
    out
}

/// How many spans the batches have.
pub fn span_count(batches: &[Arc<Batch>]) -> usize {
    batches.iter().map(|batch| batch.spans().len()).sum()
}

/// CPU time of this process, all threads.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Rounds of `work`, each on what `setup` made (which is not measured); the median a unit.
pub fn measure<T>(
    name: impl Into<String>,
    unit: &'static str,
    units: usize,
    mut setup: impl FnMut() -> T,
    mut work: impl FnMut(T),
) -> Line {
    let rounds = if units > 50_000 { 7 } else { 1 };
    let mut taken: Vec<(f64, f64)> = (0..rounds)
        .map(|_| {
            let input = setup();
            let (begun, before) = (Instant::now(), cpu());
            work(input);
            let (wall, used) = (begun.elapsed(), cpu() - before);
            (wall.as_nanos() as f64 / units as f64, used.as_nanos() as f64 / units as f64)
        })
        .collect();
    taken.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (wall_ns, cpu_ns) = taken[rounds / 2];
    Line { name: name.into(), wall_ns, cpu_ns, unit, note: String::new() }
}
