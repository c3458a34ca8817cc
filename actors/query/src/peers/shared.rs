//! Which traces of other nodes' blocks also lie elsewhere. Each two blocks are compared once, for as long as both are
//! listed.
//!
//! Of two copies that are known to be equal and that count where they lie, the one of this node counts here, and of those
//! of two other nodes that with the lesser key: there is always one that counts.

use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use parking_lot::Mutex;
use spanloom_block::Block;
use spanloom_ring::NodeName;
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
    /// Places, as of `both`, of traces of which the two have equal copies.
    equal: Both,
    _permit: Permit,
}

/// A block to be compared.
pub(super) struct Compared<'a> {
    block: &'a Block,
    key: &'a Arc<str>,
    path: &'a str,
    /// Whose it is, if another node's.
    of_peer: Option<&'a NodeName>,
    /// Places of traces that do not count in it.
    sealed: &'a [u32],
}

/// What was found of a block.
#[derive(Default)]
pub(super) struct Found {
    elsewhere: Vec<u32>,
    sealed: Vec<u32>,
}

impl<'a> Compared<'a> {
    pub fn of(block: &'a SourceBlock) -> Self {
        let known = block.of_peer.as_deref();
        Self {
            block: &block.listed.block,
            key: known.map_or(&block.listed.path, |known| &known.key),
            path: &block.listed.path,
            of_peer: known.map(|known| &known.node),
            sealed: &block.sealed,
        }
    }

    fn is_peers(&self) -> bool {
        self.of_peer.is_some()
    }

    /// Whether this block keeps what it shares with the other.
    fn keeps(&self, other: &Self) -> bool {
        self.is_peers() && (!other.is_peers() || other.key < self.key)
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
        if !blocks.iter().any(Compared::is_peers) {
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
        for block in blocks.iter().filter(|block| block.is_peers()) {
            let known = index.entry(block.key.clone()).or_default();
            known.compared.retain(|key| at.contains_key(key));
            known.shared.retain(|pair| at.contains_key(&pair.with));
            self.compare(known, block, blocks)?;
        }
        let mut out: Vec<Found> = blocks.iter().map(|_| Found::default()).collect();
        for (number, block) in blocks.iter().enumerate().filter(|(_, block)| block.is_peers()) {
            for pair in index.get(block.key).into_iter().flat_map(|known| &known.shared) {
                let Some(&other) = at.get(&pair.with) else { continue };
                out[number].elsewhere.extend_from_slice(&pair.both.left);
                out[number].sealed.extend(pair.equal_to_what_counts(blocks[other].sealed));
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
            let both = compare(block.block, other.block).map_err(failed)?;
            let same = known_to_be_equal(block.block, other.block, &both).map_err(failed)?;
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
            let of = if same.get(at) == Some(&true) { &mut equal } else { &mut differing };
            of.left.push(left);
            of.right.push(right);
        }
        let places = both.left.len() + both.right.len();
        let permit = budget.force(places * size_of::<u32>());
        (places > 0).then(|| Self { with: with.clone(), both: differing, equal, _permit: permit })
    }

    /// Places to the left of traces of which the other has an equal copy that counts there.
    ///
    /// One that does not count is that of a live run whose node has sealed the trace since: the copy that counts is in a
    /// block of that node, which may itself be the one to the left.
    fn equal_to_what_counts<'p>(&'p self, sealed: &'p [u32]) -> impl Iterator<Item = u32> + 'p {
        let pairs = self.equal.left.iter().zip(&self.equal.right);
        pairs.filter(|(_, right)| sealed.binary_search(right).is_err()).map(|(left, _)| *left)
    }
}

/// Of two blocks one could not be read: which one is not known, but the peer's is the likelier.
fn failed(block: &Compared<'_>, other: &Compared<'_>, error: spanloom_block::BlockError) -> QueryError {
    let nodes = [block, other].into_iter().filter_map(|block| block.of_peer.cloned());
    let path = format!("{} or {}", block.path, other.path);
    QueryError::Peers { nodes: nodes.collect(), source: Box::new(QueryError::Block { path, source: error }) }
}

#[cfg(test)]
mod tests {
    use spanloom_block::{BlockBuilder, BuilderOptions};
    use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
    use spanloom_span::slice::{SliceLimits, slice};
    use spanloom_span::{SpanId, TraceId, TracePart, encode};

    use super::*;

    /// A block of one trace with these spans.
    fn block(spans: &[u8]) -> Block {
        let id = TraceId([7; 16]);
        let span = |of: &u8| Span { trace_id: id, span_id: SpanId([*of; 8]), ..Span::default() };
        let spans = spans.iter().map(span).collect();
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let trace = Trace { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
        let request = encode::traces_data(&trace);
        let batch = Arc::new(slice(request.into(), &SliceLimits::default()).unwrap());
        let mut builder = BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).unwrap();
        builder.push_trace(id, 1, &[TracePart { batch, group: 0, seq: 1 }]).unwrap();
        Block::from_bytes(builder.finish().unwrap().bytes).unwrap()
    }

    /// In which of some blocks of a trace it counts: each has its spans, its key, whether it is a peer's, and whether the
    /// trace does not count there by its node's word.
    fn counts(blocks: &[(&[u8], &str, bool, bool)]) -> Vec<bool> {
        let node = NodeName::new("peer").unwrap();
        let of = |&(spans, key, is_peers, is_sealed): &(&[u8], &str, bool, bool)| {
            let sealed: Vec<u32> = if is_sealed { vec![0] } else { Vec::new() };
            (block(spans), Arc::<str>::from(key), is_peers.then_some(&node), sealed)
        };
        let made: Vec<_> = blocks.iter().map(of).collect();
        let compared: Vec<_> = made
            .iter()
            .map(|(block, key, of_peer, sealed)| Compared {
                block,
                key,
                path: key,
                of_peer: *of_peer,
                sealed,
            })
            .collect();
        let shared = SharedTraces::new(Budget::new(1 << 20));
        let found = shared.of(&Tenant::default(), &compared).unwrap();
        found
            .iter()
            .zip(&made)
            .map(|(found, (.., sealed))| found.sealed.is_empty() && sealed.is_empty())
            .collect()
    }

    #[test]
    fn of_equal_copies_one_counts() {
        const ALL: &[u8] = &[1, 2];
        let check = |blocks: &[(&[u8], &str, bool, bool)], expected: &[bool]| {
            assert_eq!(counts(blocks), expected, "{blocks:?}");
        };
        check(&[(ALL, "a", true, false), (ALL, "b", true, false)], &[true, false]);
        check(&[(ALL, "z", false, false), (ALL, "b", true, false)], &[true, false]);
        check(&[(ALL, "a", true, false), (&[1], "b", true, false)], &[true, true]);
        // The copy of a live run that was sealed since: the block counts, its own node's or another's.
        check(&[(ALL, "block", true, false), (ALL, "a run", true, true)], &[true, false]);
        check(
            &[(ALL, "block", true, false), (ALL, "c another", true, false), (ALL, "a run", true, true)],
            &[true, false, false],
        );
        check(&[(ALL, "own run", false, true), (ALL, "a", true, false)], &[false, true]);
    }
}
