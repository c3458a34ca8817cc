//! What is counted of redactions.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use spanloom_api::Redacted;

use super::RedactError;
use super::audit::outcome;

/// How a redaction ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    outcome: &'static str,
}

/// Counters of redactions.
#[derive(Debug, Default)]
pub(super) struct RedactionMetrics {
    redactions: Family<Outcome, Counter>,
    traces: Counter,
    spans: Counter,
    blocks: Counter,
}

impl RedactionMetrics {
    /// Registers all of it.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("redactions", "redactions, by how they ended", self.redactions.clone());
        let mut counter =
            |name: &str, help: &str, counter: &Counter| registry.register(name, help, counter.clone());
        counter("redacted_traces", "traces that redactions deleted, whole or in part", &self.traces);
        counter("redacted_spans", "spans that redactions deleted, in each block that had them", &self.spans);
        counter("redacted_blocks", "blocks that redactions wrote anew", &self.blocks);
        // There from the start, so that the first one is seen as a change.
        for outcome in ["done", "dry run", "refused", "failed"] {
            drop(self.redactions.get_or_create(&Outcome { outcome }));
        }
    }

    /// Counts one.
    pub fn count(&self, done: &Result<Redacted, RedactError>) {
        self.redactions.get_or_create(&Outcome { outcome: outcome(done) }).inc();
        let done = match done {
            Ok(done) => done,
            Err(RedactError::Partly { done, .. }) => done,
            Err(_) => return,
        };
        if !done.dry_run {
            self.traces.inc_by(done.traces);
            self.spans.inc_by(done.spans);
            self.blocks.inc_by(done.blocks);
        }
    }
}
