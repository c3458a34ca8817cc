//! The sample of traces that are read back: bounded, seeded, and made of traces that were acknowledged whole.
//!
//! Each trace has a key, a hash of the seed and its ordinal. Those with the smallest keys are kept (a bottom-k
//! sketch), so the sample is the same with every run of a seed and as good at the end of the load as at its start.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spanloom_span::TraceId;

use crate::fingerprint::Fingerprint;

/// The spans of one sampled trace in one request.
#[derive(Debug, Clone)]
pub struct Part {
    /// The trace's key.
    pub key: u64,
    /// The trace.
    pub trace: TraceId,
    /// How many spans the whole trace has.
    pub of: u32,
    /// The spans in this request.
    pub spans: Vec<Fingerprint>,
}

/// Tells the generator which traces are worth keeping: those whose key is below a bar that only sinks.
#[derive(Debug, Clone)]
pub struct Sampler {
    bar: Arc<AtomicU64>,
}

impl Sampler {
    /// Keeps nothing.
    pub fn none() -> Self {
        Self { bar: Arc::new(AtomicU64::new(0)) }
    }

    /// Whether a trace may get into the sample.
    pub fn wants(&self, key: u64) -> bool {
        key < self.bar.load(Ordering::Relaxed)
    }
}

/// A trace that was acknowledged whole.
#[derive(Debug, Clone)]
pub struct SampledTrace {
    /// The trace.
    pub trace: TraceId,
    /// Its spans, in no order.
    pub spans: Vec<Fingerprint>,
}

/// Collects the sample from the requests' outcomes.
#[derive(Debug)]
pub struct Sample {
    most: usize,
    bar: Arc<AtomicU64>,
    traces: BTreeMap<u64, Collected>,
}

#[derive(Debug)]
struct Collected {
    trace: TraceId,
    of: u32,
    /// A part of it was not acknowledged.
    broken: bool,
    spans: Vec<Fingerprint>,
}

impl Sample {
    /// A sample of at most `most` traces, and the sampler for the generator.
    pub fn new(most: usize) -> (Self, Sampler) {
        let bar = Arc::new(AtomicU64::new(if most == 0 { 0 } else { u64::MAX }));
        (Self { most, bar: Arc::clone(&bar), traces: BTreeMap::new() }, Sampler { bar })
    }

    /// Takes the parts of a request that was, or was not, acknowledged as a whole.
    pub fn add(&mut self, parts: Vec<Part>, acknowledged: bool) {
        for part in parts {
            if part.key >= self.bar.load(Ordering::Relaxed) {
                continue;
            }
            let collected = self.traces.entry(part.key).or_insert_with(|| Collected {
                trace: part.trace,
                of: part.of,
                broken: false,
                spans: Vec::new(),
            });
            collected.broken |= !acknowledged;
            if collected.broken {
                collected.spans = Vec::new();
            } else {
                collected.spans.extend(part.spans);
            }
        }
        // Twice as many candidates as needed, since some of them break.
        if self.traces.len() > self.most * 2 + 64 {
            let keep = self.most + self.most / 2 + 32;
            if let Some((&key, _)) = self.traces.iter().nth(keep) {
                self.traces.split_off(&key);
                self.bar.store(key, Ordering::Relaxed);
            }
        }
    }

    /// The traces that are whole, those with the smallest keys.
    pub fn finish(self) -> Vec<SampledTrace> {
        self.traces
            .into_values()
            .filter(|t| !t.broken && t.spans.len() == t.of as usize)
            .take(self.most)
            .map(|t| SampledTrace { trace: t.trace, spans: t.spans })
            .collect()
    }
}
