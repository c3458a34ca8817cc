//! What upkeep counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Why a block was removed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reason {
    /// `age`, `bytes` or `disk`.
    pub reason: &'static str,
}

/// Counters of stop 8.
#[derive(Debug, Default)]
#[allow(missing_docs)] // each field's meaning is its registered help text below
pub struct UpkeepMetrics {
    pub blocks_shipped: Counter,
    pub bytes_shipped: Counter,
    pub ship_errors: Counter,
    pub poll_errors: Counter,
    pub manifests_rebuilt: Counter,
    pub compactions: Counter,
    pub compaction_errors: Counter,
    pub blocks_compacted: Counter,
    pub spans_compacted: Counter,
    pub duplicates_removed: Counter,
    pub blocks_retired: Family<Reason, Counter>,
    pub retention_errors: Counter,
    pub objects_deleted: Counter,
    pub orphans_found: Counter,
}

impl UpkeepMetrics {
    /// Registers all of it.
    pub fn register(&self, registry: &mut Registry) {
        let mut counter =
            |name: &str, help: &str, counter: &Counter| registry.register(name, help, counter.clone());
        counter("blocks_shipped", "blocks brought to the store", &self.blocks_shipped);
        counter("shipped_bytes", "bytes of blocks brought to the store", &self.bytes_shipped);
        counter("ship_errors", "rounds of shipping that failed; the next one tries again", &self.ship_errors);
        counter(
            "poll_errors",
            "looks at a list of blocks that failed; the next one tries again",
            &self.poll_errors,
        );
        counter("manifests_rebuilt", "lists of blocks that were made anew", &self.manifests_rebuilt);
        counter("compactions", "joins of blocks", &self.compactions);
        counter(
            "compaction_errors",
            "joins of blocks that failed; they are tried again",
            &self.compaction_errors,
        );
        counter("blocks_compacted", "blocks that were replaced by others", &self.blocks_compacted);
        counter("spans_compacted", "spans in blocks that were made of others", &self.spans_compacted);
        counter("compaction_duplicates", "duplicates that joins removed", &self.duplicates_removed);
        counter("retention_errors", "rounds of retention that failed", &self.retention_errors);
        counter("objects_deleted", "objects deleted from the store", &self.objects_deleted);
        counter("orphans_found", "objects that no list named", &self.orphans_found);
        registry.register(
            "blocks_retired",
            "blocks removed, by the limit that asked for it",
            self.blocks_retired.clone(),
        );
    }
}
