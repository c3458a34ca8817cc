//! An errand: blocks that are worked on apart, here or by another node. What it comes to is added once, by whoever
//! settles it.

use std::sync::atomic::{AtomicBool, Ordering};

use spanloom_peer::{PeerError, Scanned};
use spanloom_ring::NodeName;
use tokio::sync::Notify;

use crate::QueryError;
use crate::desk::Readers;
use crate::kind::{Kind, Seen, Shared, Turn};

/// Blocks that were given to another node.
pub(crate) struct Errand {
    /// The node, by its number among the helpers.
    pub(super) helper: usize,
    pub node: NodeName,
    pub blocks: Vec<usize>,
    is_settled: AtomicBool,
    settled: Notify,
    is_given_back: AtomicBool,
}

impl Errand {
    pub(super) fn new(helper: usize, node: NodeName, blocks: Vec<usize>) -> Self {
        let (is_settled, is_given_back) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { helper, node, blocks, is_settled, settled: Notify::new(), is_given_back }
    }

    /// Whether an outcome counts already.
    pub fn is_settled(&self) -> bool {
        self.is_settled.load(Ordering::SeqCst)
    }

    /// Whether this outcome is the first one.
    pub(super) fn settle(&self) -> bool {
        let is_first = !self.is_settled.swap(true, Ordering::SeqCst);
        self.settled.notify_one();
        is_first
    }

    /// Returns when an outcome counts.
    pub(super) async fn is_of_no_use(&self) {
        self.settled.notified().await;
    }

    /// Whether it is no more on its node's account from now on, and was before.
    pub(super) fn give_back(&self) -> bool {
        !self.is_given_back.swap(true, Ordering::SeqCst)
    }
}

/// What an errand came to.
pub(crate) struct Report<K: Kind> {
    pub found: K::Found,
    /// For each block the places of traces that also lie elsewhere and are to be judged, ascending.
    pub shared: Vec<Vec<u32>>,
    pub seen: Seen,
}

/// Works on blocks apart; `None` when it became of no use meanwhile.
pub(crate) fn report<K: Kind>(
    kind: &K,
    blocks: &[usize],
    is_over: &dyn Fn() -> bool,
) -> Result<Option<Report<K>>, QueryError> {
    let readers = Readers::new(kind.sources());
    let mut turn = Turn::new(kind, &readers, Shared::Told(Vec::new()), is_over);
    let (mut found, mut shared) = (kind.nothing(true), Vec::with_capacity(blocks.len()));
    for &block in blocks {
        if turn.is_over() {
            return Ok(None);
        }
        kind.block(block, &mut turn, &mut found)?;
        shared.push(turn.told());
    }
    // The last block may have been left early.
    if turn.is_over() {
        return Ok(None);
    }
    Ok(Some(Report { found, shared, seen: turn.seen }))
}

/// What another node reported of these blocks.
pub(crate) fn unpacked<K: Kind>(
    kind: &K,
    blocks: &[usize],
    scanned: &Scanned,
) -> Result<Report<K>, PeerError> {
    let garbled = |error: &dyn std::fmt::Display| PeerError::Garbled(error.to_string());
    let sources = &kind.sources().blocks;
    let is_known = |(block, places): (&usize, &Vec<u32>)| {
        let known = sources.get(*block).and_then(|block| block.elsewhere.as_deref()).unwrap_or_default();
        places.iter().all(|place| known.binary_search(place).is_ok())
    };
    if scanned.shared.len() != blocks.len() || !blocks.iter().zip(&scanned.shared).all(is_known) {
        return Err(garbled(&"it tells of traces that were not asked about"));
    }
    let found = kind.unpack(blocks, &scanned.found).map_err(|error| garbled(&error))?;
    let Scanned { traces, spans, bytes, ref shared, .. } = *scanned;
    Ok(Report { found, shared: shared.clone(), seen: Seen { traces, spans, bytes } })
}
