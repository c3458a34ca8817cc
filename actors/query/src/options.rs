//! What can be set.

use std::time::Duration;

/// How questions are worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryOptions {
    /// Threads that search; 0 is one for each core.
    pub threads: usize,
    /// How far these threads, and those that bring live spans into columns, give way to others: 0 not at all, 19 most.
    pub nice: u8,
    /// How long live spans stay in columns after the last question that used them; zero is until the next one.
    pub keep_columns: Duration,
    /// Most questions that are worked on or wait at once.
    pub max_questions: usize,
    /// Longest time for a question; zero is no limit.
    pub timeout: Duration,
    /// Most bytes that an answer may take in memory, about.
    pub max_answer_bytes: usize,
    /// Most series of an answer, unless the question says less.
    pub max_series: usize,
    /// Most bytes of the names or values of tags.
    pub max_tag_bytes: usize,
    /// Most traces that a graph of services is made of.
    pub max_graph_traces: u64,
    /// In a cluster: how long other nodes are waited for that are not needed for a whole answer.
    pub straggler_wait: Duration,
    /// In a cluster: how long what was listed for another node stays there for it to be read.
    pub hold_listed: Duration,
    /// In a cluster: most blocks that are held for others; those listed longest ago go first.
    pub max_held: usize,
    /// In a cluster: most bytes of other nodes' blocks that stay for the next question, of their data.
    pub peer_data_bytes: u64,
    /// As [`QueryOptions::peer_data_bytes`], of their metadata.
    pub peer_metadata_bytes: u64,
    /// In a cluster with a shared store: from how many bytes of blocks on a question is worked on by all queriers; 0 is
    /// never.
    pub split_above: u64,
    /// In a cluster: how long a part of a question that another node works on takes at least until it is done here as
    /// well.
    pub hedge_after: Duration,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            threads: 0,
            nice: 10,
            keep_columns: Duration::from_secs(30),
            max_questions: 64,
            timeout: Duration::from_secs(30),
            max_answer_bytes: 64 << 20,
            max_series: 1000,
            max_tag_bytes: 1_000_000,
            max_graph_traces: 200_000,
            straggler_wait: Duration::from_millis(100),
            hold_listed: Duration::from_secs(120),
            max_held: 4096,
            peer_data_bytes: 256 << 20,
            peer_metadata_bytes: 64 << 20,
            split_above: 128 << 20,
            hedge_after: Duration::from_millis(200),
        }
    }
}
