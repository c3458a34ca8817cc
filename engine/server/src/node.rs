//! This node, as other nodes ask it, and what is done when ranges change hands.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use spanloom_ingest::{Here, Ingest, Repair, Repaired, Replicator};
use spanloom_peer::{
    Answer, BlockList, FindTrace, ListBlocks, ListTraces, Members, Peer, PeerError, Push, PushSliced, Pushed,
    ReadBlock, ScanBlocks, Scanned, TraceCopy, TraceList,
};
use spanloom_query::Serving;
use spanloom_ring::Moved;
use spanloom_span::Tenant;
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

    fn list_tenants(&self) -> Answer<'_, Vec<Tenant>> {
        Box::pin(std::future::ready(Ok(self.tenants())))
    }

    fn list_traces(&self, question: ListTraces) -> Answer<'_, TraceList> {
        Box::pin(self.serving.list_traces(question))
    }
}

impl Here for ThisNode {
    fn list_tenants(&self) -> Answer<'_, Vec<Tenant>> {
        Box::pin(std::future::ready(Ok(self.tenants())))
    }

    fn list_traces(&self, question: ListTraces) -> Answer<'_, TraceList> {
        Box::pin(self.serving.list_near_traces(question))
    }

    fn find_trace(&self, question: FindTrace) -> Answer<'_, TraceCopy> {
        Box::pin(self.serving.find_whole_trace(question))
    }
}

impl ThisNode {
    /// Those that have blocks, and those that have something live.
    fn tenants(&self) -> Vec<Tenant> {
        let mut tenants = self.serving.tenants();
        tenants.extend(self.ingest.tenants());
        tenants.sort_unstable();
        tenants.dedup();
        tenants
    }
}

/// What is done with spans when ranges change hands.
pub(crate) struct Moving {
    pub replicator: Replicator,
    pub here: Arc<ThisNode>,
    pub repair: Repair,
    pub upkeep: Upkeep,
    pub has_store: bool,
    pub members: Members,
}

impl Moving {
    /// Gives what there is to others, or brings it to the store.
    async fn give(&self) -> Result<(), PeerError> {
        let failed = |error: &dyn std::fmt::Display| PeerError::Unavailable(error.to_string());
        let given = self.replicator.hand_over(&*self.here, self.has_store).await;
        given.map_err(|error| failed(&error))?;
        // Nothing without a store.
        self.upkeep.ship().await.map_err(|error| failed(&error))
    }
}

impl HandOver for Moving {
    fn hand_over<'a>(&'a self, _moved: &'a Moved) -> Answer<'a, ()> {
        Box::pin(async move {
            // Most of it while the node takes what comes, the rest when it takes nothing any more.
            self.give().await?;
            self.replicator.take_no_more().await.map_err(PeerError::Unavailable)?;
            self.give().await
        })
    }

    fn take_over<'a>(&'a self, _moved: &'a Moved) -> Answer<'a, ()> {
        Box::pin(async move {
            let Repaired { silent, why } = self.repair.fetch().await;
            // As few as may be silent when a question is answered whole: the others have all there is.
            if silent <= self.members.now().ring.tolerated() {
                return Ok(());
            }
            Err(why.unwrap_or_else(|| PeerError::Unavailable(format!("{silent} nodes are down"))))
        })
    }
}
