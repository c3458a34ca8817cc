//! Which traces this node has, and which spans of them, in short: what others compare with what they have.
//!
//! Blocks know how many spans a trace has and their digest, so a trace that lies in one of them is not read. One that
//! lies in several is joined, since they may have spans in common.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use spanloom_block::{Block, BlockError, digest_of_span};
use spanloom_bucket::Listed;
use spanloom_peer::{FindTrace, ListTraces, MAX_TRACES, PeerError, TraceCopy, TraceList, TraceSum};
use spanloom_span::{Tenant, TraceId, encode, join};

use super::{Serving, refused};
use crate::QueryError;
use crate::live::View;
use crate::sources::own;

/// Traces of a block that are read at once.
const AT_ONCE: usize = 256;

/// A block, or live spans in columns.
struct Source<'a> {
    listed: &'a Listed,
    /// Places of traces that do not count here, ascending.
    sealed: &'a [u32],
}

impl Serving {
    /// Tenants of which there are blocks.
    pub fn tenants(&self) -> Vec<Tenant> {
        self.querier.inner.bucket.tenants()
    }

    /// Traces that others may not be able to read: live ones, and those of blocks that are here alone.
    pub async fn list_traces(&self, question: ListTraces) -> Result<TraceList, PeerError> {
        self.list(question, |bucket, tenant| {
            let manifest = bucket.manifest(tenant);
            let mut blocks = bucket.blocks_here(tenant);
            // For who compares, what came to the store a moment ago is safe.
            blocks.retain(|listed| manifest.as_ref().is_none_or(|list| list.block(listed.id).is_none()));
            blocks
        })
        .await
    }

    /// As [`Self::list_traces`], of all that can be read here without a store: with blocks that are in it and of which
    /// this node has the file.
    pub async fn list_near_traces(&self, question: ListTraces) -> Result<TraceList, PeerError> {
        self.list(question, |bucket, tenant| {
            let blocks = bucket.blocks(tenant);
            blocks.iter().filter(|listed| !listed.block.is_far()).cloned().collect()
        })
        .await
    }

    /// All that this node and the store have of a trace.
    pub async fn find_whole_trace(&self, question: FindTrace) -> Result<TraceCopy, PeerError> {
        let inner = &self.querier.inner;
        let live = inner.peer.find_trace(question.clone()).await?.parts;
        // After the live parts, as for a question that is asked here.
        let blocks = inner.bucket.blocks(&question.tenant);
        let found = crate::find::gathered(question.id, &blocks, live).await.map_err(refused)?;
        let Some(trace) = &found.trace else { return Ok(TraceCopy::default()) };
        let spans = encode::traces_data(trace).into();
        Ok(TraceCopy { spans, blocks: found.blocks, live_parts: found.live_parts })
    }

    async fn list(
        &self,
        question: ListTraces,
        blocks: impl FnOnce(&spanloom_bucket::Bucket, &Tenant) -> Vec<Listed> + Send + 'static,
    ) -> Result<TraceList, PeerError> {
        let inner = &self.querier.inner;
        let _waiting = inner.waiting.try_acquire().map_err(|_| refused(self.querier.busy()))?;
        let (shared, tenant) = (inner.clone(), question.tenant.clone());
        let list = move |_: &Arc<Vec<Listed>>, view: &View| {
            // After the live requests were taken: what is on its way from there is in at least one of both.
            let sealed = blocks(&shared.bucket, &question.tenant);
            let live = view.runs.iter().zip(&view.sealed);
            let live = live.map(|(listed, sealed)| Source { listed, sealed });
            let sources = sealed.iter().map(|listed| Source { listed, sealed: &[] }).chain(live).collect();
            let most = question.most.clamp(1, MAX_TRACES) as usize;
            let listed = listed_after(sources, question.after, question.since, most);
            listed.map_err(|source| QueryError::Block { path: "of the listing".into(), source })
        };
        own(inner, &tenant, list).await.map_err(refused)
    }
}

/// A source, read from a place on.
struct Cursor<'a> {
    block: &'a Block,
    sealed: &'a [u32],
    /// Whether it may have spans that ended after the moment from which on traces are told of.
    is_recent: bool,
    sums: std::vec::IntoIter<(TraceId, u64, Option<u32>)>,
    /// The place of the next one of those.
    place: u64,
    next: Option<(TraceId, u64, Option<u32>)>,
}

impl<'a> Cursor<'a> {
    fn new(source: Source<'a>, after: Option<&TraceId>, since: u64) -> Result<Self, BlockError> {
        let Source { listed, sealed } = source;
        let block = &listed.block;
        let place = block.reader()?.place_after(after)?;
        let is_recent = block.meta().max_end >= since;
        let mut cursor = Self { block, sealed, is_recent, sums: Vec::new().into_iter(), place, next: None };
        cursor.advance()?;
        Ok(cursor)
    }

    fn advance(&mut self) -> Result<(), BlockError> {
        loop {
            if self.sums.as_slice().is_empty() {
                self.sums = self.block.reader()?.trace_sums(self.place, AT_ONCE)?.into_iter();
            }
            self.next = self.sums.next();
            if self.next.is_none() {
                return Ok(());
            }
            let place = self.place;
            self.place += 1;
            if u32::try_from(place).is_ok_and(|place| self.sealed.binary_search(&place).is_err()) {
                return Ok(());
            }
        }
    }
}

/// Traces by ascending id, each once, of all sources.
fn listed_after(
    sources: Vec<Source<'_>>,
    after: Option<TraceId>,
    since: u64,
    most: usize,
) -> Result<TraceList, BlockError> {
    let cursors: Result<Vec<Cursor<'_>>, BlockError> =
        sources.into_iter().map(|source| Cursor::new(source, after.as_ref(), since)).collect();
    let mut cursors = cursors?;
    let id_of = |(at, cursor): (usize, &Cursor<'_>)| Some(Reverse((cursor.next.as_ref()?.0, at)));
    let mut heap: BinaryHeap<Reverse<(TraceId, usize)>> =
        cursors.iter().enumerate().filter_map(id_of).collect();
    let mut traces = Vec::new();
    let mut at_id: Vec<usize> = Vec::new();
    while let Some(Reverse((id, first))) = heap.pop() {
        if traces.len() == most {
            return Ok(TraceList { traces, is_last: false });
        }
        at_id.clear();
        at_id.push(first);
        while let Some(Reverse((_, at))) = heap.pop_if_id(&id) {
            at_id.push(at);
        }
        if at_id.iter().any(|at| cursors[*at].is_recent) {
            traces.push(sum(id, &at_id, &cursors)?);
        }
        for at in &at_id {
            cursors[*at].advance()?;
            heap.extend(id_of((*at, &cursors[*at])));
        }
    }
    Ok(TraceList { traces, is_last: true })
}

/// Takes the least off if it is of an id.
trait PopIfId {
    fn pop_if_id(&mut self, id: &TraceId) -> Option<Reverse<(TraceId, usize)>>;
}

impl PopIfId for BinaryHeap<Reverse<(TraceId, usize)>> {
    fn pop_if_id(&mut self, id: &TraceId) -> Option<Reverse<(TraceId, usize)>> {
        if self.peek()?.0.0 == *id { self.pop() } else { None }
    }
}

/// A trace of these sources, in short.
fn sum(id: TraceId, at: &[usize], cursors: &[Cursor<'_>]) -> Result<TraceSum, BlockError> {
    if let [one] = at
        && let Some((_, spans, Some(digest))) = cursors[*one].next
    {
        return Ok(TraceSum { id, spans: u32::try_from(spans).unwrap_or(u32::MAX), digest });
    }
    let mut parts = Vec::with_capacity(at.len());
    for at in at {
        parts.extend(cursors[*at].block.trace(&id)?);
    }
    let trace = join::join(parts).trace;
    let digests = trace.spans().map(|span| digest_of_span(u64::from_be_bytes(span.span_id.0), span.kind));
    let digest = digests.fold(0, u32::wrapping_add);
    Ok(TraceSum { id, spans: u32::try_from(trace.span_count()).unwrap_or(u32::MAX), digest })
}
