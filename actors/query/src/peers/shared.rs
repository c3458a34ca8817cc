//! Which traces of other nodes' blocks also lie elsewhere. Each two blocks are compared once, for as long as both are
//! listed.
//!
//! Of two copies that are known to be equal, the one of this node counts, and of those of two other nodes that with the
//! lesser key. A copy that does not count by its own node's word, since other blocks of the node have all of it, stands
//! for no other: so there is always one that counts.

use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use parking_lot::Mutex;
use spanloom_block::Block;
use spanloom_span::Tenant;
use spanloom_stage::{Budget, Permit};

use super::copies::known_to_be_equal;
use super::known::MOST_LISTS;
use crate::QueryError;
use crate::live::{Both, compare, union};
use crate::sources::SourceBlock;

/// What is known of all tenants. What it takes is counted in the budget.
pub(super) struct SharedTraces {
    tenants: Mutex<HashMap<Tenant, Arc<Mutex<Index>>>>,
    budget: Arc<Budget>,
}

type Index = HashMap<Arc<str>, OfPeer>;

/// What a peer's block shares with others: with those of this node, and with peers' of a lesser key.
#[derive(Default)]
struct OfPeer {
    compared: HashSet<Arc<str>>,
    shared: Vec<Pair>,
}

struct Pair {
    with: Arc<str>,
    /// Its places to the left.
    both: Both,
    /// Traces of which the other has an equal copy.
    equal: Both,
    _permit: Permit,
}

/// A block to be compared.
pub(super) struct Compared<'a> {
    block: &'a SourceBlock,
    key: &'a Arc<str>,
    is_peers: bool,
}

/// What was found of a block.
#[derive(Default)]
pub(super) struct Found {
    elsewhere: Vec<u32>,
    sealed: Vec<u32>,
}

impl<'a> Compared<'a> {
    pub fn of(block: &'a SourceBlock) -> Self {
        let key = block.of_peer.as_ref().map_or(&block.listed.path, |known| &known.key);
        Self { block, key, is_peers: block.of_peer.is_some() }
    }

    fn block(&self) -> &Block {
        &self.block.listed.block
    }

    /// Whether this block keeps what it shares with the other.
    fn keeps(&self, other: &Self) -> bool {
        self.is_peers && (!other.is_peers || other.key < self.key)
    }
}

impl Found {
    /// Adds it to what the block knows already.
    pub fn add_to(self, block: &mut SourceBlock) {
        let Self { mut elsewhere, sealed } = self;
        if !elsewhere.is_empty() {
            elsewhere.sort_unstable();
            elsewhere.dedup();
            let known = block.elsewhere.take().unwrap_or_default();
            block.elsewhere = Some(union([&*known, &elsewhere[..]]).into());
        }
        if !sealed.is_empty() {
            let mut all = sealed;
            all.extend_from_slice(&block.sealed);
            all.sort_unstable();
            all.dedup();
            block.sealed = all.into();
        }
    }
}

impl SharedTraces {
    pub fn new(budget: Arc<Budget>) -> Self {
        Self { tenants: Mutex::default(), budget }
    }

    /// Compares what is new among a tenant's blocks, and yields for each of them what it shares.
    pub fn of(&self, tenant: &Tenant, blocks: &[Compared<'_>]) -> Result<Vec<Found>, QueryError> {
        if !blocks.iter().any(|block| block.is_peers) {
            self.tenants.lock().remove(tenant);
            return Ok(blocks.iter().map(|_| Found::default()).collect());
        }
        let index = {
            let mut tenants = self.tenants.lock();
            if tenants.len() >= MOST_LISTS && !tenants.contains_key(tenant) {
                // They are compared again when somebody asks.
                tenants.clear();
            }
            tenants.entry(tenant.clone()).or_default().clone()
        };
        let mut index = index.lock();
        let at: HashMap<&Arc<str>, usize> =
            blocks.iter().enumerate().map(|(at, block)| (block.key, at)).collect();
        index.retain(|key, _| at.contains_key(key));
        for block in blocks.iter().filter(|block| block.is_peers) {
            let known = index.entry(block.key.clone()).or_default();
            known.compared.retain(|key| at.contains_key(key));
            known.shared.retain(|pair| at.contains_key(&pair.with));
            self.compare(known, block, blocks)?;
        }
        let mut out: Vec<Found> = blocks.iter().map(|_| Found::default()).collect();
        for (number, block) in blocks.iter().enumerate().filter(|(_, block)| block.is_peers) {
            for pair in index.get(block.key).into_iter().flat_map(|known| &known.shared) {
                let Some(&other) = at.get(&pair.with) else { continue };
                out[number].elsewhere.extend_from_slice(&pair.both.left);
                // What the other's node says of it may have changed since they were compared.
                let of_other = &blocks[other].block.sealed;
                let equal = pair.equal.left.iter().zip(&pair.equal.right);
                let counts = equal.filter(|(_, right)| of_other.binary_search(right).is_err());
                out[number].sealed.extend(counts.map(|(left, _)| *left));
                out[other].elsewhere.extend_from_slice(&pair.both.right);
            }
        }
        Ok(out)
    }

    fn compare(
        &self,
        known: &mut OfPeer,
        block: &Compared<'_>,
        blocks: &[Compared<'_>],
    ) -> Result<(), QueryError> {
        for other in blocks.iter().filter(|other| block.keeps(other)) {
            if known.compared.contains(other.key) {
                continue;
            }
            let failed = |error| failed(block, other, error);
            let both = compare(block.block(), other.block()).map_err(failed)?;
            let same = known_to_be_equal(block.block(), other.block(), &both).map_err(failed)?;
            let pair = Pair::new(other.key, both, &same, &self.budget);
            known.shared.extend(pair);
            // Only now: a block that could not be read is compared by the next question.
            known.compared.insert(other.key.clone());
        }
        Ok(())
    }
}

impl Pair {
    fn new(with: &Arc<str>, both: Both, same: &[bool], budget: &Arc<Budget>) -> Option<Self> {
        let (mut differing, mut equal) = (Both::default(), Both::default());
        for (at, (&left, &right)) in both.left.iter().zip(&both.right).enumerate() {
            if same.get(at) == Some(&true) {
                equal.left.push(left);
                equal.right.push(right);
            } else {
                differing.left.push(left);
                differing.right.push(right);
            }
        }
        let places = 2 * (differing.left.len() + equal.left.len());
        let permit = budget.force(places * size_of::<u32>());
        (places > 0).then(|| Self { with: with.clone(), both: differing, equal, _permit: permit })
    }
}

/// Of two blocks one could not be read: which one is not known, but the peer's is the likelier.
fn failed(block: &Compared<'_>, other: &Compared<'_>, error: spanloom_block::BlockError) -> QueryError {
    let nodes =
        [block, other].into_iter().filter_map(|block| Some(block.block.of_peer.as_ref()?.node.clone()));
    let path = format!("{} or {}", block.block.listed.path, other.block.listed.path);
    QueryError::Peers { nodes: nodes.collect(), source: Box::new(QueryError::Block { path, source: error }) }
}

#[cfg(test)]
mod tests {
    use spanloom_block::{BlockBuilder, BlockId, BuilderOptions};
    use spanloom_bucket::Listed;
    use spanloom_ring::NodeName;
    use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
    use spanloom_span::slice::{SliceLimits, slice};
    use spanloom_span::{SpanId, TraceId, TracePart, encode};

    use super::*;
    use crate::peers::{Known, source};

    const ID: TraceId = TraceId([7; 16]);

    /// A block with one trace.
    fn listed(path: &str) -> Listed {
        let span = Span { trace_id: ID, span_id: SpanId([7; 8]), ..Span::default() };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let trace = Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
        let batch = slice(encode::traces_data(&trace).into(), &SliceLimits::default()).unwrap();
        let part = TracePart { batch: Arc::new(batch), group: 0, seq: 0 };
        let mut builder = BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).unwrap();
        builder.push_trace(ID, 0, &[part]).unwrap();
        let block = Block::from_bytes(builder.finish().unwrap().bytes).unwrap();
        Listed { id: BlockId::default(), path: path.into(), block }
    }

    /// Which of these copies of a trace count. A copy is a node's, by a name there; of live spans it may be sealed, by the
    /// node's word.
    fn check(copies: &[(&str, &str, bool)], expected: &[bool]) {
        let of = |(node, name, is_sealed): &(&str, &str, bool)| {
            let sealed: &[u32] = if *is_sealed { &[0] } else { &[] };
            let known = Known::here(NodeName::new(node).unwrap(), name, listed(name), sealed, *is_sealed);
            source(&known, true)
        };
        let shared = SharedTraces::new(Budget::new(1 << 20));
        // What is known of them stays the same.
        for _ in 0..2 {
            let mut blocks: Vec<SourceBlock> = copies.iter().map(of).collect();
            let compared: Vec<Compared<'_>> = blocks.iter().map(Compared::of).collect();
            let found = shared.of(&Tenant::default(), &compared).unwrap();
            blocks.iter_mut().zip(found).for_each(|(block, found)| found.add_to(block));
            let counts: Vec<bool> = blocks.iter().map(|block| block.sealed.is_empty()).collect();
            assert_eq!(counts, expected, "{copies:?}");
        }
    }

    #[test]
    fn of_equal_copies_one_counts() {
        check(&[("a", "x", false), ("b", "x", false), ("c", "x", false)], &[true, false, false]);
        check(&[("b", "x", false), ("a", "x", false)], &[false, true]);
        // What was live and is in a block of its node: whichever name comes first, the block's copy counts.
        check(&[("a", "live 1", true), ("a", "team/1.block", false)], &[false, true]);
        check(&[("a", "live 1", true), ("a", "abc/1.block", false)], &[false, true]);
        check(
            &[("a", "live 1", true), ("a", "team/1.block", false), ("b", "live 1", true), ("b", "x", false)],
            &[false, true, false, false],
        );
    }
}
