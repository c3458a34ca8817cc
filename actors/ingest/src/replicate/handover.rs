//! A node that leaves brings what it holds to those who will own it.
//!
//! Everything live is sealed first. Then each trace of the node's own blocks goes, as spans, to the nodes that own it when
//! this one has left and do not own it now; the other owners have their copies already. What this node does not own, and
//! holds in place of another, goes to all who will own it. Meanwhile new spans go to both
//! placements of the ring, so nothing is missed. With a shared store behind the blocks nobody needs that: they are
//! brought there.

use std::sync::Arc;
use std::time::Duration;

use foldhash::HashMap;
use spanloom_block::BlockError;
use spanloom_bucket::{Bucket, Listed};
use spanloom_peer::{Cluster, PeerError, Push};
use spanloom_ring::{NodeIndex, NodeName, Tokens};
use spanloom_span::{Tenant, encode};
use tokio::sync::mpsc;

use super::Replicator;
use super::plan::heirs;

/// Bytes of spans that are sent together, about.
const REQUEST_BYTES: usize = 1 << 20;

/// Requests that wait to be sent.
const WAITING: usize = 8;

/// How often a node is asked again that has no room.
const TRIES: u32 = 60;

/// What was brought to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HandedOver {
    /// Requests.
    pub requests: u64,
    /// Spans, each once for every node that took it.
    pub spans: u64,
}

/// Why not everything was brought to others. What was is there, and is found once.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// What is live could not be sealed.
    #[error("what is live cannot be sealed: {0}")]
    Seal(String),
    /// A block cannot be read.
    #[error("block {path} cannot be read: {source}")]
    Block {
        /// Its path.
        path: String,
        /// Why.
        source: BlockError,
    },
    /// A node does not take what it will own.
    #[error("node {node} does not take what it will own: {source}")]
    Node {
        /// Which.
        node: NodeName,
        /// Why.
        source: PeerError,
    },
    /// The process ends.
    #[error("the engine is stopping")]
    Stopping,
}

/// Spans on their way to a node.
type Parcel = (NodeIndex, Push);

impl Replicator {
    /// Brings what this node holds alone to the nodes that will own it; nothing where there is no cluster.
    ///
    /// # Errors
    /// What was not brought stays here; doing it again does no harm.
    pub async fn hand_over(&self, bucket: &Arc<Bucket>) -> Result<HandedOver, HandOverError> {
        let mut done = HandedOver::default();
        let Some(members) = &self.inner.members else { return Ok(done) };
        self.inner.ingest.flush().await.map_err(HandOverError::Seal)?;
        if bucket.remote().is_some() {
            return Ok(done);
        }
        let cluster = members.now();
        let (send, mut parcels) = mpsc::channel(WAITING);
        let (of, from) = (cluster.clone(), bucket.clone());
        let reading = tokio::task::spawn_blocking(move || read(&of, &from, &send));
        while let Some((node, push)) = parcels.recv().await {
            done.spans += self.give(&cluster, node, push).await?;
            done.requests += 1;
            if done.requests.is_multiple_of(64) {
                tracing::info!(spans = done.spans, "handing over what others will own");
            }
        }
        reading.await.map_err(|_| HandOverError::Stopping)??;
        Ok(done)
    }

    async fn give(&self, cluster: &Cluster, node: NodeIndex, push: Push) -> Result<u64, HandOverError> {
        let node = cluster.node(node);
        let mut tries = 0;
        loop {
            tries += 1;
            match node.peer.push(push.clone()).await {
                Ok(pushed) => return Ok(pushed.spans),
                Err(PeerError::Exhausted { retry_after, .. }) if tries < TRIES => {
                    tokio::time::sleep(retry_after.min(Duration::from_secs(5))).await;
                }
                Err(source) => return Err(HandOverError::Node { node: node.name.clone(), source }),
            }
        }
    }
}

/// Reads what is to be given away, one block after the other. Ends early when nobody takes it any more.
fn read(cluster: &Cluster, bucket: &Bucket, send: &mpsc::Sender<Parcel>) -> Result<(), HandOverError> {
    for tenant in bucket.tenants() {
        let mut pending: HashMap<NodeIndex, Vec<u8>> = HashMap::default();
        for listed in bucket.blocks(&tenant).iter() {
            let failed = |source| HandOverError::Block { path: listed.path.to_string(), source };
            if read_block(cluster, &tenant, listed, &mut pending, send).map_err(failed)?.is_none() {
                return Ok(());
            }
        }
        for (node, bytes) in pending {
            if send.blocking_send((node, Push { tenant: tenant.clone(), request: bytes.into() })).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// `None` when nobody takes it any more.
fn read_block(
    cluster: &Cluster,
    tenant: &Tenant,
    listed: &Listed,
    pending: &mut HashMap<NodeIndex, Vec<u8>>,
    send: &mpsc::Sender<Parcel>,
) -> Result<Option<()>, BlockError> {
    let (ring, tokens) = (cluster.ring_of(tenant), Tokens::of(tenant));
    for id in listed.block.trace_ids()? {
        let heirs = heirs(&ring, tokens.token(&id), cluster.me);
        if heirs.is_empty() {
            continue;
        }
        let Some(trace) = listed.block.trace(&id)? else { continue };
        let bytes = encode::traces_data(&trace);
        for node in heirs {
            let request = pending.entry(node).or_default();
            request.extend_from_slice(&bytes);
            if request.len() >= REQUEST_BYTES {
                let request = std::mem::take(request).into();
                if send.blocking_send((node, Push { tenant: tenant.clone(), request })).is_err() {
                    return Ok(None);
                }
            }
        }
    }
    Ok(Some(()))
}
