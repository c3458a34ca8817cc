//! What can be set.

use std::collections::BTreeMap;
use std::time::Duration;

use spanloom_bucket::catalog::plan::{CompactionRules, RetentionRules};
use spanloom_span::Tenant;

/// How blocks are kept in order.
#[derive(Debug, Clone, PartialEq)]
pub struct UpkeepOptions {
    /// How often the store's lists of blocks are looked at.
    pub poll: Duration,
    /// How blocks are joined; `None` on a node that does not.
    pub compaction: Option<CompactionOptions>,
    /// How blocks are written that are made of others.
    pub writing: WriteOptions,
    /// How long blocks are kept.
    pub retention: RetentionRules,
    /// The same for tenants for which it differs.
    pub retention_of: BTreeMap<Tenant, RetentionRules>,
    /// Bytes that stay free on the folder's disk; 0 for no such rule.
    pub min_free_disk: u64,
    /// How often it is looked whether something is to be removed.
    pub retain: Duration,
    /// How often it is looked for objects that no list names.
    pub sweep: Duration,
}

/// How blocks are joined.
#[derive(Debug, Clone, PartialEq)]
pub struct CompactionOptions {
    /// Which.
    pub rules: CompactionRules,
    /// How often the plan is made.
    pub every: Duration,
}

/// How blocks are written that are made of others, by joins and by redactions.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteOptions {
    /// How far the thread that does it gives way to others: 0 not at all, 19 most.
    pub nice: u8,
    /// Memory that a join may take: a row group of the output, what is kept of the output until it is finished, pages
    /// of the inputs. Less than 48 MiB counts as that.
    pub memory: u64,
    /// zstd level of what is written.
    pub zstd_level: i32,
    /// Most bytes of a block that is made.
    pub max_block_bytes: u64,
    /// Most spans of a block that is made.
    pub max_block_spans: u64,
    /// Bytes that stay free on the folder's disk: what would take more of it is not joined.
    pub keep_free: u64,
}
