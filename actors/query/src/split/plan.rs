//! Whether a question is split, and whose each block is first.

use std::sync::Arc;

use spanloom_bucket::Listed;
use spanloom_peer::{Members, Peer};
use spanloom_ring::{NodeName, Roles};

use super::{ALONE, MINE, NEAR, Piece, Split, THEIRS};
use crate::kind::Kind;
use crate::querier::Inner;
use crate::sources::SourceBlock;

/// A node that may be given blocks.
pub(super) struct Helper {
    pub name: NodeName,
    pub peer: Arc<dyn Peer>,
}

/// Splits a question, when there is somebody to help and enough to do.
pub(crate) fn plan<K: Kind>(inner: &Inner, kind: &K, without: &[NodeName]) -> Option<Arc<Split>> {
    let options = &inner.options;
    let members = inner.peers.as_ref()?.members();
    if options.split_above == 0 || kind.question().is_none() {
        return None;
    }
    let sources = kind.sources();
    let mut shared = 0u64;
    let mut count = 0;
    for (number, block) in sources.blocks.iter().enumerate() {
        if is_shared(block) && kind.wants(number) {
            shared = shared.saturating_add(block.listed.block.meta().file_bytes);
            count += 1;
        }
    }
    if count < 2 || shared < options.split_above {
        return None;
    }
    let (me, helpers) = queriers(members, without);
    if helpers.is_empty() {
        return None;
    }
    let pieces = sources.blocks.iter().enumerate().rev().map(|(number, block)| Piece {
        block: number,
        bytes: sources.bytes_of(number),
        line: match is_shared(block) {
            true => line_of(&block.listed, me.as_ref(), &helpers),
            false => ALONE,
        },
    });
    let counters = inner.split.clone();
    counters.count_question();
    let (waker, hedge_after) = (inner.pool.waker(), options.hedge_after);
    Some(Arc::new(Split::new(pieces.collect(), helpers, waker, hedge_after, counters)))
}

/// Whether other nodes can read a block as well, and what it has in common with others is known.
fn is_shared(block: &SourceBlock) -> bool {
    block.is_in_store && block.elsewhere.is_some()
}

/// This node, and the others that answer questions and are up.
fn queriers(members: &Members, without: &[NodeName]) -> (Option<NodeName>, Vec<Helper>) {
    let cluster = members.now();
    let me = cluster.me.map(|me| cluster.node(me).name.clone());
    let may_help = |index: &_| {
        let node = cluster.node(*index);
        let is_querier = cluster.ring.member(*index).roles().has(Roles::QUERIER);
        Some(*index) != cluster.me && is_querier && node.is_up && !without.contains(&node.name)
    };
    let helpers = cluster.ring.nodes().filter(may_help).map(|index| {
        let node = cluster.node(index);
        Helper { name: node.name.clone(), peer: node.peer.clone() }
    });
    (me, helpers.collect())
}

/// Whose a block is first: this node's if its file is here, else that with the greatest weight. Every node that asks
/// finds the same one, as long as it sees the same queriers.
fn line_of(listed: &Listed, me: Option<&NodeName>, helpers: &[Helper]) -> usize {
    if !listed.block.is_far() {
        return NEAR;
    }
    let key = listed.id.created ^ listed.id.number.rotate_left(32);
    let weight = |name: &NodeName| spanloom_ring::weight_of_job(name, key);
    let others = helpers.iter().zip(THEIRS..).map(|(helper, line)| (weight(&helper.name), line));
    let mine = me.map(|me| (weight(me), MINE));
    mine.into_iter().chain(others).max().map_or(MINE, |(_, line)| line)
}
