//! Trace by id: every part of the trace, joined.

use std::sync::Arc;
use std::time::Instant;

use crate::peers::{Asking, Peers, both};
use crate::sources::look_again;
use crate::{Querier, far};
use spanloom_block::BlockError;
use spanloom_bucket::Listed;
use spanloom_peer::{FindTrace, PeerError};
use spanloom_ring::NodeName;
use spanloom_span::model::Trace;
use spanloom_span::proto::ProtoError;
use spanloom_span::{Tenant, TraceId, TracePart, decode, join};
use spanloom_traceql::eval::ReadError;

/// Why a question has no answer. Asking changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The shard that owns the trace did not answer; asking again may help.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// A block cannot be read. Its name is in the message.
    #[error("block {path} cannot be read: {source}")]
    Block {
        /// The block's file.
        path: String,
        /// Why.
        source: BlockError,
    },
    /// Blocks of other nodes of a cluster cannot be read, though it was tried again; asking again may help.
    #[error("{source}")]
    Peers {
        /// Whose blocks were being read.
        nodes: Vec<NodeName>,
        /// Why.
        source: Box<QueryError>,
    },
    /// Live bytes that were checked when they came cannot be read: a defect.
    #[error("live spans cannot be read: {0}")]
    Live(#[from] ProtoError),
    /// Spans could not be read while a trace was judged.
    #[error("spans cannot be read: {0}")]
    Read(ReadError),
    /// The question is wrong: what was found and what was expected.
    #[error("{0}")]
    Invalid(String),
    /// The answer would exceed a limit, which the message names.
    #[error("{0}")]
    TooLarge(String),
    /// Too many questions are being worked on.
    #[error("{0}")]
    Busy(String),
    /// It took longer than allowed.
    #[error("the question was not answered within {0:?} (query.timeout)")]
    Timeout(std::time::Duration),
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
}

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sources {
    /// Live traces and blocks.
    #[default]
    All,
    /// Live traces only: the answer may be a part of the trace.
    Live,
    /// Blocks only: the answer may be a part of the trace.
    Blocks,
}

/// A whole trace, and what it took.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FoundTrace {
    /// All its spans, each once; `None` when nothing is known of it.
    pub trace: Option<Trace>,
    /// Spans that were found more than once.
    pub duplicates: u64,
    /// Blocks that were read.
    pub blocks: u64,
    /// Requests whose spans are still live.
    pub live_parts: u64,
    /// What is missing and why, when nodes of a cluster did not answer that may hold something alone.
    pub partial: Option<String>,
}

impl Querier {
    /// Everything that is known of a trace; what was acknowledged before is in it.
    pub async fn find_trace(&self, tenant: &Tenant, id: TraceId) -> Result<FoundTrace, QueryError> {
        self.find_trace_in(Sources::All, tenant, id).await
    }

    /// What some of the sources know of a trace.
    pub async fn find_trace_in(
        &self,
        sources: Sources,
        tenant: &Tenant,
        id: TraceId,
    ) -> Result<FoundTrace, QueryError> {
        match &self.inner.peers {
            Some(peers) if sources != Sources::Blocks => {
                self.find_with_peers(peers, sources, tenant, id).await
            }
            _ => self.find_here(sources, tenant, id).await,
        }
    }

    /// What this node and its store know of a trace.
    async fn find_here(
        &self,
        sources: Sources,
        tenant: &Tenant,
        id: TraceId,
    ) -> Result<FoundTrace, QueryError> {
        let live = match sources {
            Sources::Blocks => Vec::new(),
            _ => self.inner.peer.find_trace(FindTrace { tenant: tenant.clone(), id }).await?.parts,
        };
        // After the live parts: see the module's promise.
        let blocks = match sources {
            Sources::Live => Arc::default(),
            _ => self.inner.bucket.blocks(tenant),
        };
        gathered(id, &blocks, live).await
    }

    /// As [`Querier::find_here`], with the copies of the other nodes.
    async fn find_with_peers(
        &self,
        peers: &Peers,
        sources: Sources,
        tenant: &Tenant,
        id: TraceId,
    ) -> Result<FoundTrace, QueryError> {
        let timeout = self.inner.options.timeout;
        let deadline = (!timeout.is_zero()).then(|| Instant::now() + timeout);
        let asking = Asking { deadline, ..Asking::default() };
        let here = async {
            let unseen = look_again(&self.inner, peers, tenant, &asking).await;
            (self.find_here(sources, tenant, id).await, unseen)
        };
        let question = FindTrace { tenant: tenant.clone(), id };
        let ((here, unseen), copies) = tokio::join!(here, peers.find(question, &asking));
        let mut found = here?;
        found.partial = both(copies.partial, unseen);
        found.blocks += copies.blocks;
        found.live_parts += copies.live_parts;
        let mut parts: Vec<Trace> = found.trace.take().into_iter().chain(copies.parts).collect();
        if parts.len() < 2 {
            found.trace = parts.pop();
            return Ok(found);
        }
        let spans: usize = parts.iter().map(Trace::span_count).sum();
        let joined = match spans <= FEW_SPANS {
            true => join::join(parts),
            false => {
                let joined = tokio::task::spawn_blocking(move || join::join(parts));
                joined.await.map_err(|_| QueryError::Stopping)?
            }
        };
        found.duplicates += joined.duplicates as u64;
        found.trace = Some(joined.trace);
        Ok(found)
    }
}

/// Spans that are joined on a runtime's worker.
const FEW_SPANS: usize = 512;

/// A trace of which these parts are live, and the others in some of these blocks.
pub(crate) async fn gathered(
    id: TraceId,
    blocks: &[Listed],
    live: Vec<TracePart>,
) -> Result<FoundTrace, QueryError> {
    let may_have = |listed: &&Listed| listed.block.may_contain_now(&id);
    let candidates: Vec<Listed> = blocks.iter().filter(may_have).cloned().collect();
    if candidates.is_empty() && live.is_empty() {
        return Ok(FoundTrace::default());
    }
    // Mapped pages may have to come from the disk: not on a runtime's worker.
    let answer = tokio::task::spawn_blocking(move || gather(&id, &candidates, &live));
    answer.await.map_err(|_| QueryError::Stopping)?
}

fn gather(id: &TraceId, candidates: &[Listed], live: &[TracePart]) -> Result<FoundTrace, QueryError> {
    let mut parts: Vec<Trace> = Vec::with_capacity(candidates.len() + live.len());
    for (listed, part) in candidates.iter().zip(far::each(candidates, |block| block.trace(id))) {
        let failed = |source| QueryError::Block { path: listed.path.to_string(), source };
        parts.extend(part.map_err(failed)?);
    }
    let blocks = parts.len() as u64;
    for part in live {
        parts.push(decode::trace_part(part)?);
    }
    if parts.is_empty() {
        return Ok(FoundTrace::default());
    }
    let joined = join::join(parts);
    Ok(FoundTrace {
        trace: Some(joined.trace),
        duplicates: joined.duplicates as u64,
        blocks,
        live_parts: live.len() as u64,
        partial: None,
    })
}
