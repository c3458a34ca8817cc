//! The questions over many traces, and the parts their answers come in.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use spanloom_span::{Tenant, TraceId};
use spanloom_traceql::answer::{FoundTrace, Series, Steps};
use tokio::sync::mpsc;

use crate::QueryError;

/// An answer that comes in parts. Dropping it ends the work on it.
pub struct Answers<T> {
    parts: mpsc::Receiver<Result<T, QueryError>>,
}

impl<T> Answers<T> {
    /// The parts that come over a channel.
    pub fn new(parts: mpsc::Receiver<Result<T, QueryError>>) -> Self {
        Self { parts }
    }

    /// The next part; `None` after the last one. The last part of a whole answer says so itself.
    pub async fn next_part(&mut self) -> Option<Result<T, QueryError>> {
        self.parts.recv().await
    }
}

impl<T> Stream for Answers<T> {
    type Item = Result<T, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.parts.poll_recv(context)
    }
}

/// "Which traces?"
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchRequest {
    /// On whose behalf; at least one, none twice. Their traces are searched together.
    pub tenants: Vec<Tenant>,
    /// TraceQL, a query for traces.
    pub query: String,
    /// Nanoseconds since 1970, included; `None` is from the beginning.
    pub start: Option<u64>,
    /// Nanoseconds since 1970, included; `None` is without end.
    pub end: Option<u64>,
    /// Most traces; above 0.
    pub limit: usize,
    /// Most spans shown of each spanset.
    pub spans_per_spanset: usize,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// Whether to send traces as they are found; else all come with the last part.
    pub stream: bool,
    /// Whether to explain how the answer was found.
    pub explain: bool,
}

/// A place in the order of traces: newest first, then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Start of the last trace seen, nanoseconds since 1970.
    pub start: u64,
    /// Its id.
    pub id: TraceId,
}

/// A part of the answer to a [`SearchRequest`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SearchPart {
    /// In parts before the last: traces found since the part before, which may yet be displaced by newer ones.
    /// In the last part: the whole answer, in order.
    pub traces: Vec<FoundTrace>,
    /// What was done so far.
    pub stats: SearchStats,
    /// In the last part: where the next page begins, when there may be one.
    pub next: Option<Cursor>,
    /// In the last part, when it was asked for.
    pub explain: Option<Explain>,
    /// In the last part: what is missing and why, when nodes of a cluster did not answer that may hold something alone.
    pub partial: Option<String>,
    /// Whether this is the last part.
    pub done: bool,
}

/// What it took to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SearchStats {
    /// Traces of which at least one span's columns were looked at.
    pub traces: u64,
    /// Spans whose columns were looked at.
    pub spans: u64,
    /// Bytes that were looked at.
    pub bytes: u64,
    /// Blocks in the time asked for.
    pub blocks: u64,
    /// Bytes of those blocks.
    pub block_bytes: u64,
    /// Pieces of work, and those that are done.
    pub jobs: u64,
    /// Pieces of work that are done.
    pub jobs_done: u64,
}

/// How an answer was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Explain {
    /// The query as it was understood.
    pub query: String,
    /// What each source was good for.
    pub sources: Vec<ExplainSource>,
    /// Steps of the work, in order, with the time they took in all threads together.
    pub steps: Vec<(String, Duration)>,
    /// Time from the question to the answer.
    pub took: Duration,
}

/// A block, or the live spans.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExplainSource {
    /// The block's file, or `live`; of another node's its name before that.
    pub name: String,
    /// The other node of a cluster that worked on it, if one did.
    pub by: Option<String>,
    /// Spans it holds.
    pub spans: u64,
    /// Traces it holds.
    pub traces: u64,
    /// Row groups it holds.
    pub groups: u64,
    /// Why it was not read at all, when it was not.
    pub pruned: Option<String>,
    /// Row groups that were not read, by reason.
    pub groups_pruned: Vec<(String, u64)>,
    /// Rows whose columns were read.
    pub rows_read: u64,
    /// Rows for which some filter holds.
    pub rows_matched: u64,
    /// Traces that were judged whole.
    pub candidates: u64,
    /// Of those, traces that also lie elsewhere.
    pub joined: u64,
}

/// "How many, how fast, over time?"
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetricsRequest {
    /// On whose behalf; at least one, none twice.
    pub tenants: Vec<Tenant>,
    /// TraceQL, a query for series.
    pub query: String,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds since 1970.
    pub end: u64,
    /// Nanoseconds between samples; `None` is one sample over the whole range.
    pub step: Option<u64>,
    /// Most exemplars of the answer; 0 is none.
    pub exemplars: usize,
    /// Most series; 0 is the configured limit.
    pub max_series: usize,
    /// Whether to send series as they grow; else all come with the last part.
    pub stream: bool,
}

/// A part of the answer to a [`MetricsRequest`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricsPart {
    /// In parts before the last: the series that the spans counted so far make, in order; none of a query in which
    /// series are chosen by their samples (`topk`, comparisons, `compare`). In the last part: the whole answer.
    pub series: Vec<Series>,
    /// When spans are counted; known in every part.
    pub steps: Option<Steps>,
    /// What was done so far.
    pub stats: SearchStats,
    /// What is left out of the answer and why, when something is: by a limit, or since nodes of a cluster did not answer.
    pub partial: Option<String>,
    /// The key of the limit that left it out; none when it was the question's own.
    pub limit: Option<&'static str>,
    /// Whether this is the last part.
    pub done: bool,
}

/// Where the name of an attribute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the variants are the scopes of the language")]
pub enum TagScope {
    Resource,
    Span,
    Event,
    Link,
    Instrumentation,
}

/// "Which attributes are there?"
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagsRequest {
    /// On whose behalf; at least one, none twice.
    pub tenants: Vec<Tenant>,
    /// One scope alone.
    pub scope: Option<TagScope>,
    /// TraceQL as far as it is written: only spans that match it count; what cannot be read is ignored.
    pub query: Option<String>,
    /// Nanoseconds since 1970, included; `None` is from the beginning. Exact to a row group.
    pub start: Option<u64>,
    /// Nanoseconds since 1970, included; `None` is without end. Exact to a row group.
    pub end: Option<u64>,
    /// Most names of each scope; 0 is no limit but the one on bytes.
    pub limit: usize,
}

/// The answer to a [`TagsRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags {
    /// Scopes that have attributes, with the names, ascending.
    pub scopes: Vec<(TagScope, Vec<String>)>,
    /// What was done.
    pub stats: SearchStats,
    /// What is missing and why, when nodes of a cluster did not answer that may hold something alone.
    pub partial: Option<String>,
}

/// "Which values has this field?"
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagValuesRequest {
    /// On whose behalf; at least one, none twice.
    pub tenants: Vec<Tenant>,
    /// A field of TraceQL as text: `resource.service.name`, `.foo`, `name`.
    pub field: String,
    /// TraceQL as far as it is written: only spans that match it count; what cannot be read is ignored.
    pub query: Option<String>,
    /// Nanoseconds since 1970, included; `None` is from the beginning. Exact to a row group.
    pub start: Option<u64>,
    /// Nanoseconds since 1970, included; `None` is without end. Exact to a row group.
    pub end: Option<u64>,
    /// Most values; 0 is no limit but the one on bytes.
    pub limit: usize,
}

/// The type of a value in a list of values, as readers know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the variants are the types of the language")]
pub enum TagType {
    String,
    Int,
    Float,
    Bool,
    Duration,
    /// A word of the language: `error`, `server`.
    Keyword,
}

/// The answer to a [`TagValuesRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagValues {
    /// Values as text, ascending by type and text, each once.
    pub values: Vec<(TagType, String)>,
    /// What was done.
    pub stats: SearchStats,
    /// What is missing and why, when nodes of a cluster did not answer that may hold something alone.
    pub partial: Option<String>,
}
