//! The other nodes of a cluster: what they hold that nobody else can read, as blocks among a question's sources.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the other nodes, as a question sees them |
//! | `heard.rs` | all of them asked at the same time; who may be silent |
//! | `known.rs` | their blocks, as they were listed last |
//! | `ranges.rs` | bytes of their blocks |
//! | `shared.rs` | which traces lie in several places |
//! | `copies.rs` | which of those are equal copies |
//!
//! A question asks every other node for its list, and each block of a list is a source like any other: its bytes are
//! brought when they are read, and kept for the next question. A trace of which several nodes have parts or copies is
//! joined, as one that lies in several blocks is.
//!
//! **Invariant:** an answer that lacks what a node alone may hold says so.

mod copies;
mod heard;
mod known;
mod ranges;
mod shared;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use foldhash::HashMap;
use parking_lot::Mutex;
use spanloom_block::Block;
use spanloom_bucket::Bucket;
use spanloom_bucket::cache::{Cache, CacheOptions};
use spanloom_bucket::catalog::Manifest;
use spanloom_peer::{FindTrace, ListBlocks, Members, PeerError, TraceCopy, decode_copy};
use spanloom_ring::NodeName;
use spanloom_span::model::Trace;
use spanloom_span::{Tenant, TraceId};
use spanloom_stage::Budget;
use tokio::runtime::Handle;

use crate::sources::SourceBlock;
use crate::{QueryError, QueryOptions, far};
use heard::{Heard, Silent, Wait};
pub(crate) use known::Known;
use known::KnownBlocks;
use ranges::PeerRanges;
use shared::{Compared, SharedTraces};

/// The folder of peers' blocks below the folder for what is needed for a while.
const FOLDER: &str = "peers";

/// The other nodes of the cluster.
pub(crate) struct Peers {
    members: Members,
    blocks: KnownBlocks,
    ranges: Arc<PeerRanges>,
    shared: SharedTraces,
    /// Since when each node is known in the run that it is in.
    runs: Mutex<HashMap<NodeName, (u64, Instant)>>,
    straggler_wait: Duration,
}

/// What is asked of the others, and on whose behalf.
#[derive(Clone, Default)]
pub(crate) struct Asking {
    /// When the question must be answered, if there is a limit.
    pub deadline: Option<Instant>,
    /// Nodes that are not asked: what they said before could not be used.
    pub without: Vec<NodeName>,
}

/// What the others have of a tenant.
#[derive(Default)]
pub(crate) struct Lists {
    blocks: Vec<Arc<Known>>,
    /// What is missing, if something may be.
    pub partial: Option<String>,
}

/// What the others have of a trace.
#[derive(Default)]
pub(crate) struct Copies {
    pub parts: Vec<Trace>,
    pub blocks: u64,
    pub live_parts: u64,
    /// As of [`Lists`].
    pub partial: Option<String>,
}

impl Lists {
    /// Whether the others have nothing.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Leaves out what a manifest names, that was looked at before this node's own blocks were listed.
    pub fn leave_out(&mut self, manifest: Option<&Manifest>) {
        let Some(manifest) = manifest else { return };
        let is_named = |id| manifest.block(id).is_some() || manifest.gone(id).is_some();
        self.blocks.retain(|known| !known.id().is_some_and(is_named));
    }
}

impl Peers {
    /// The others of a cluster. Must be called on a runtime, which has a thread besides those that wait for blocks.
    pub fn new(
        members: Members,
        bucket: &Bucket,
        budget: &Arc<Budget>,
        options: &QueryOptions,
    ) -> std::io::Result<Self> {
        let runtime = Handle::try_current().map_err(std::io::Error::other)?;
        let ranges = Arc::new(PeerRanges::new(members.clone()));
        let kept = CacheOptions {
            folder: bucket.scratch().map(|folder| folder.join(FOLDER)),
            data_bytes: options.peer_data_bytes,
            metadata_bytes: options.peer_metadata_bytes,
        };
        let cache = Cache::over(ranges.clone(), None, runtime, kept);
        Ok(Self {
            members,
            blocks: KnownBlocks::new(cache, bucket.resident_set().clone()),
            ranges,
            shared: SharedTraces::new(budget.clone()),
            runs: Mutex::default(),
            straggler_wait: options.straggler_wait,
        })
    }

    /// The cluster.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Since when all nodes are known that are there now: a node that began anew may have brought blocks to the store
    /// before, and does not know any more when.
    pub fn known_since(&self) -> Option<Instant> {
        let cluster = self.members.now();
        let mut runs = self.runs.lock();
        runs.retain(|name, _| cluster.ring.find(name).is_some());
        let mut newest = None;
        for node in cluster.others_with_spans().map(|node| cluster.node(node)) {
            let (generation, since) =
                runs.entry(node.name.clone()).or_insert_with(|| (node.generation, Instant::now()));
            if *generation != node.generation {
                (*generation, *since) = (node.generation, Instant::now());
            }
            newest = newest.max(Some(*since));
        }
        newest
    }

    /// Asks every other node for its blocks.
    pub async fn list(&self, tenant: &Tenant, asking: &Asking) -> Lists {
        let cluster = self.members.now();
        let question = ListBlocks { tenant: tenant.clone() };
        let Heard { answers, mut silent } =
            heard::ask(&cluster, asking, self.wait(asking), |node| node.peer.list_blocks(question.clone()))
                .await;
        let mut blocks = Vec::new();
        for (node, list) in answers {
            match self.blocks.take(&node.name, tenant, list) {
                Ok(mut listed) => blocks.append(&mut listed),
                Err(error) => silent.push(Silent::new(&node.name, &error)),
            }
        }
        Lists { blocks, partial: heard::missing(&cluster, &silent) }
    }

    /// Asks every other node for its copy of a trace.
    pub async fn find(&self, question: FindTrace, asking: &Asking) -> Copies {
        let cluster = self.members.now();
        let Heard { answers, mut silent } =
            heard::ask(&cluster, asking, self.wait(asking), |node| node.peer.find_trace(question.clone()))
                .await;
        let mut copies = Copies::default();
        for (node, TraceCopy { spans, blocks, live_parts }) in answers {
            match decoded(&question.id, spans).await {
                Ok(part) => {
                    copies.parts.extend(part);
                    copies.blocks += blocks;
                    copies.live_parts += live_parts;
                }
                Err(error) => silent.push(Silent::new(&node.name, &error)),
            }
        }
        copies.partial = heard::missing(&cluster, &silent);
        copies
    }

    fn wait(&self, asking: &Asking) -> Wait {
        Wait { deadline: asking.deadline, straggler: self.straggler_wait }
    }

    /// Puts the blocks of others behind those of this node that are sealed or live, and finds out which traces lie in
    /// several of them. May wait for other nodes: not for a runtime's worker.
    pub fn join(
        &self,
        tenant: &Tenant,
        own: Vec<SourceBlock>,
        lists: Lists,
        is_compared: bool,
    ) -> Result<Vec<SourceBlock>, QueryError> {
        let others = lists.blocks;
        let fresh: Vec<_> = others.iter().filter(|known| known.is_fresh()).collect();
        let listed: Vec<_> = fresh.iter().map(|known| known.listed.clone()).collect();
        // A block that cannot be brought is an error where it is read, if it is.
        for (known, brought) in fresh.iter().zip(far::each(&listed, Block::bring_metadata)) {
            known.set_brought(brought.is_ok());
        }
        let (mut sealed, mut live): (Vec<SourceBlock>, Vec<SourceBlock>) =
            own.into_iter().partition(|block| !block.is_live);
        for known in others {
            let of = if known.is_live { &mut live } else { &mut sealed };
            of.push(source(&known, is_compared));
        }
        sealed.append(&mut live);
        if is_compared {
            let compared: Vec<Compared<'_>> = sealed.iter().map(Compared::of).collect();
            let found = self.shared.of(tenant, &compared)?;
            for (block, found) in sealed.iter_mut().zip(found) {
                found.add_to(block);
            }
        }
        Ok(sealed)
    }

    /// Which of some nodes, whose blocks could not be read, are not to be asked again: those that failed to give bytes
    /// since the question was put; if that happened `before` also those that had let go of a block, or all of them where
    /// each gave what it was asked for.
    pub fn to_blame(&self, nodes: &[NodeName], since: Instant, before: bool) -> Vec<NodeName> {
        let failed: Vec<NodeName> =
            nodes.iter().filter(|node| self.ranges.has_failed(node, since, before)).cloned().collect();
        if failed.is_empty() && before { nodes.to_vec() } else { failed }
    }
}

fn source(known: &Arc<Known>, is_compared: bool) -> SourceBlock {
    SourceBlock {
        listed: known.listed.clone(),
        elsewhere: is_compared.then(Arc::default),
        sealed: known.sealed.clone(),
        is_live: known.is_live,
        is_in_store: false,
        of_peer: Some(known.clone()),
    }
}

/// Bytes of a copy that are decoded on a runtime's worker.
const FEW_BYTES: usize = 64 << 10;

/// A copy of a trace as another node sent it, as of [`decode_copy`].
async fn decoded(id: &TraceId, spans: Bytes) -> Result<Option<Trace>, PeerError> {
    if spans.len() <= FEW_BYTES {
        return decode_copy(id, spans);
    }
    let id = *id;
    let decoded = tokio::task::spawn_blocking(move || decode_copy(&id, spans));
    decoded.await.map_err(|_| PeerError::Unavailable("the engine is stopping".into()))?
}

/// What is missing, of several tenants.
pub(crate) fn both(left: Option<String>, right: Option<String>) -> Option<String> {
    match (left, right) {
        (Some(left), Some(right)) if left != right => Some(format!("{left}; {right}")),
        (left, right) => left.or(right),
    }
}
