//! What replication counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::metrics::Reason;

/// Counters of what goes to owners elsewhere. All are 0 without a cluster.
#[derive(Debug)]
#[allow(missing_docs)] // each field's meaning is its registered help text below
pub struct ReplicateMetrics {
    pub refused: Family<Reason, Counter>,
    pub stand_in_spans: Counter,
    pub copies_missing: Counter,
    pub seconds: Histogram,
}

impl Default for ReplicateMetrics {
    fn default() -> Self {
        Self {
            refused: Family::default(),
            stand_in_spans: Counter::default(),
            copies_missing: Counter::default(),
            // 0.1 ms to 26 s.
            seconds: Histogram::new(exponential_buckets(0.000_1, 4.0, 10)),
        }
    }
}

impl ReplicateMetrics {
    /// Names them in a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "replication_refused",
            "requests not kept by a majority of their owners, and shares that a node was too slow for, by reason",
            self.refused.clone(),
        );
        registry.register(
            "replication_stand_in_spans",
            "spans kept by a node in place of an owner that refused them or was slow",
            self.stand_in_spans.clone(),
        );
        registry.register(
            "replication_copies_missing",
            "parts of traces (the spans of one in one request) of which a copy is kept neither by an owner nor by another \
             node in its place",
            self.copies_missing.clone(),
        );
        registry.register(
            "replication_seconds",
            "time until a majority of the owners has kept a request",
            self.seconds.clone(),
        );
    }

    /// Counts what was refused.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Reason { reason }).inc();
    }
}
