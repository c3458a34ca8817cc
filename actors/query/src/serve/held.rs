//! Blocks that were listed for others, for as long as they may be read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::HashMap;
use parking_lot::Mutex;
use spanloom_block::Block;
use spanloom_bucket::Listed;
use spanloom_span::Tenant;
use spanloom_stage::Permit;

/// A block that others may read.
pub(crate) struct HeldBlock {
    name: Arc<str>,
    block: Block,
    /// What counts its memory, of one that is in memory.
    _permit: Option<Arc<Permit>>,
}

impl HeldBlock {
    /// A block as it is listed.
    pub fn new(listed: &Listed, permit: Option<Arc<Permit>>) -> Self {
        Self { name: listed.path.clone(), block: listed.block.clone(), _permit: permit }
    }
}

/// A block's tenant and name.
type Key = (Tenant, Arc<str>);

/// Blocks that were listed for others.
pub(crate) struct Held {
    hold: Duration,
    most: usize,
    /// Each with when it was listed last.
    blocks: Mutex<HashMap<Key, (Instant, HeldBlock)>>,
}

impl Held {
    /// Holds at most so many blocks, each so long after it was listed last.
    pub fn new(hold: Duration, most: usize) -> Self {
        Self { hold, most, blocks: Mutex::default() }
    }

    /// Holds a tenant's blocks, which were just listed.
    pub fn put(&self, tenant: &Tenant, listed: Vec<HeldBlock>) {
        let now = Instant::now();
        let mut blocks = self.blocks.lock();
        for held in listed {
            blocks.insert((tenant.clone(), held.name.clone()), (now, held));
        }
        let surplus = blocks.len().saturating_sub(self.most);
        if surplus > 0 {
            let mut oldest: Vec<_> = blocks.iter().map(|(key, (listed, _))| (*listed, key.clone())).collect();
            oldest.sort();
            for (_, key) in oldest.into_iter().take(surplus) {
                blocks.remove(&key);
            }
        }
    }

    /// A block that is held.
    pub fn get(&self, tenant: &Tenant, name: &Arc<str>) -> Option<Block> {
        let blocks = self.blocks.lock();
        let (listed, held) = blocks.get(&(tenant.clone(), name.clone()))?;
        (listed.elapsed() < self.hold).then(|| held.block.clone())
    }

    /// Lets go of what was listed too long ago.
    pub fn let_go(&self) {
        let mut gone = Vec::new();
        self.blocks.lock().retain(|_, (listed, held)| {
            let is_kept = listed.elapsed() < self.hold;
            gone.extend((!is_kept).then(|| held.block.clone()));
            is_kept
        });
        // Giving back much memory takes its time: not under the lock.
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use spanloom_block::{BlockBuilder, BlockId, BuilderOptions};
    use spanloom_stage::Budget;

    use super::*;

    fn listed(name: &str) -> Listed {
        let built =
            BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).unwrap().finish().unwrap();
        Listed { id: BlockId::default(), path: name.into(), block: Block::from_bytes(built.bytes).unwrap() }
    }

    #[test]
    fn what_is_held_is_counted_and_bounded() {
        let (budget, tenant) = (Budget::new(100), Tenant::default());
        let block = |name: &str| HeldBlock::new(&listed(name), Some(Arc::new(budget.force(7))));
        let has = |held: &Held, name: &str| held.get(&tenant, &name.into()).is_some();
        let held = Held::new(Duration::from_secs(3600), 2);
        held.put(&tenant, vec![block("a")]);
        held.put(&tenant, vec![block("b")]);
        held.put(&tenant, vec![block("b"), block("c")]);
        assert_eq!(["a", "b", "c"].map(|name| has(&held, name)), [false, true, true]);
        assert_eq!(budget.used(), 14);
        assert!(held.get(&Tenant::new("other").unwrap(), &"b".into()).is_none());
        held.let_go();
        assert!(has(&held, "b"), "it was listed just now");
        let short = Held::new(Duration::ZERO, 2);
        short.put(&tenant, vec![block("d")]);
        assert!(!has(&short, "d"));
        assert_eq!(budget.used(), 21);
        short.let_go();
        assert_eq!(budget.used(), 14);
    }
}
