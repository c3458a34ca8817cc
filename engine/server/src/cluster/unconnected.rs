//! Peers that cannot be reached: where no transport between nodes is plugged in, gossip goes by datagrams alone, and
//! nobody else's spans are found.

use std::sync::Arc;

use bytes::Bytes;
use spanloom_peer::{
    Answer, BlockList, FindTrace, ListBlocks, Peer, PeerError, Push, Pushed, ReadBlock, TraceCopy,
};
use spanloom_ring::NodeName;

use super::Connect;

/// Reaches nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unconnected;

fn unreachable<T>() -> Answer<'static, T> {
    Box::pin(async { Err(PeerError::Unreachable("no transport between nodes is plugged in".into())) })
}

impl Connect for Unconnected {
    fn connect(&self, _name: &NodeName, _address: &str) -> Arc<dyn Peer> {
        Arc::new(Self)
    }
}

impl Peer for Unconnected {
    fn push(&self, _spans: Push) -> Answer<'_, Pushed> {
        unreachable()
    }

    fn find_trace(&self, _question: FindTrace) -> Answer<'_, TraceCopy> {
        unreachable()
    }

    fn list_blocks(&self, _question: ListBlocks) -> Answer<'_, BlockList> {
        unreachable()
    }

    fn read_block(&self, _question: ReadBlock) -> Answer<'_, Vec<Bytes>> {
        unreachable()
    }

    fn exchange_members(&self, _known: Bytes) -> Answer<'_, Bytes> {
        unreachable()
    }
}
