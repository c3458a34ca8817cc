//! This node, as other nodes ask it, and what is done when ranges change hands.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use spanloom_bucket::Bucket;
use spanloom_ingest::{Ingest, Replicator};
use spanloom_peer::{
    Answer, BlockList, FindTrace, ListBlocks, Peer, PeerError, Push, PushSliced, Pushed, ReadBlock,
    ScanBlocks, Scanned, TraceCopy,
};
use spanloom_query::Serving;
use spanloom_ring::Moved;
use spanloom_upkeep::Upkeep;

use crate::cluster::{ClusterHandle, HandOver};

/// This node, as others ask it.
pub(crate) struct ThisNode {
    ingest: Ingest,
    serving: Serving,
    /// Set once gossip runs.
    cluster: OnceLock<ClusterHandle>,
}

impl ThisNode {
    pub fn new(ingest: Ingest, serving: Serving) -> Self {
        Self { ingest, serving, cluster: OnceLock::new() }
    }

    /// Has what others know of the members go there.
    pub fn takes_part(&self, cluster: ClusterHandle) {
        // A node takes part once.
        let _ = self.cluster.set(cluster);
    }
}

impl Peer for ThisNode {
    fn push(&self, spans: Push) -> Answer<'_, Pushed> {
        Box::pin(async move {
            let held = self.ingest.admit(spans.request.len()).await?;
            let kept = self.ingest.push(&spans.tenant, spans.request, Box::new(held)).await?;
            Ok(Pushed { spans: kept.spans, refused_spans: kept.refused_spans, message: kept.message })
        })
    }

    fn push_sliced(&self, spans: PushSliced) -> Answer<'_, Pushed> {
        Box::pin(async move {
            let held = self.ingest.admit(spans.request.len() + spans.index.len()).await?;
            let PushSliced { tenant, request, index } = spans;
            let kept = self.ingest.push_sliced(&tenant, request, &index, Box::new(held)).await?;
            Ok(Pushed { spans: kept.spans, refused_spans: kept.refused_spans, message: kept.message })
        })
    }

    fn find_trace(&self, question: FindTrace) -> Answer<'_, TraceCopy> {
        Box::pin(self.serving.find_trace(question))
    }

    fn list_blocks(&self, question: ListBlocks) -> Answer<'_, BlockList> {
        Box::pin(self.serving.list_blocks(question))
    }

    fn read_block(&self, question: ReadBlock) -> Answer<'_, Vec<Bytes>> {
        Box::pin(self.serving.read_block(question))
    }

    fn scan_blocks(&self, question: ScanBlocks) -> Answer<'_, Scanned> {
        Box::pin(self.serving.scan_blocks(question))
    }

    fn exchange_members(&self, known: Bytes) -> Answer<'_, Bytes> {
        Box::pin(async move {
            match self.cluster.get() {
                Some(cluster) => cluster.exchange(known).await,
                None => Err(PeerError::Unavailable("the node is not in the cluster yet".into())),
            }
        })
    }
}

/// Brings what this node holds to others when it leaves.
pub(crate) struct Moving {
    pub replicator: Replicator,
    pub bucket: Arc<Bucket>,
    pub upkeep: Upkeep,
}

impl HandOver for Moving {
    fn hand_over<'a>(&'a self, _moved: &'a Moved) -> Answer<'a, ()> {
        Box::pin(async move {
            let failed = |error: &dyn std::fmt::Display| PeerError::Unavailable(error.to_string());
            let done = self.replicator.hand_over(&self.bucket).await.map_err(|error| failed(&error))?;
            if done.spans > 0 {
                tracing::info!(spans = done.spans, "handed over what others own now");
            }
            // Nothing without a store.
            self.upkeep.ship().await.map_err(|error| failed(&error))
        })
    }
}
