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
        }
    }
}
