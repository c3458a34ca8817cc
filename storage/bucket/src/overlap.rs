//! Which traces of a block lie in other blocks too. A search may take all others from one block alone.
//!
//! Each two blocks are compared once: the younger one's trace ids are asked of the older one's filter, and what may
//! be there is looked up. That is some 5 ns an id and older block, paid by the first question after a block was
//! listed.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::HashMap;
use parking_lot::Mutex;
use spanloom_block::{Block, BlockError, BlockId};

use crate::Listed;

/// For each block of a listing, in its order, the places of the traces that also lie in another block, ascending.
pub type Overlaps = Vec<Arc<[u32]>>;

/// What is known of the blocks of the listing that was asked about last. It may name traces that no other block has any more.
#[derive(Default)]
pub(crate) struct OverlapIndex {
    known: Mutex<Vec<Known>>,
}

struct Known {
    id: BlockId,
    block: Block,
    places: Places,
}

#[derive(Default)]
struct Places {
    found: BTreeSet<u32>,
    list: Arc<[u32]>,
}

impl Places {
    /// The places as a list, made anew when some were found since.
    fn list(&mut self) -> Arc<[u32]> {
        if self.list.len() != self.found.len() {
            self.list = self.found.iter().copied().collect();
        }
        self.list.clone()
    }
}

impl OverlapIndex {
    /// Lets go of blocks that are listed no more, and so of their files; while somebody compares blocks that is left to
    /// who does so next.
    ///
    /// Does not wait: whoever compares blocks may be waiting for a store, for as long as that takes, and this is called by
    /// those who are to bring what it waits for.
    pub fn forget(&self, removed: &[BlockId]) {
        if let Some(mut known) = self.known.try_lock() {
            known.retain(|known| !removed.contains(&known.id));
        }
    }

    /// Compares what is new in a listing with the rest of it, and yields what is known of all of it.
    pub fn of(&self, listing: &[Listed]) -> Result<Overlaps, BlockError> {
        let mut known = self.known.lock();
        // A question that began before a block went may have put it back; what is listed no more may be there no more.
        let listed: BTreeSet<BlockId> = listing.iter().map(|listed| listed.id).collect();
        known.retain(|known| listed.contains(&known.id));
        let mut at: HashMap<BlockId, usize> =
            known.iter().enumerate().map(|(at, known)| (known.id, at)).collect();
        for listed in listing {
            if let Some(&at) = at.get(&listed.id) {
                // The same block may lie elsewhere by now.
                known[at].block = listed.block.clone();
            } else {
                let places = compare(&mut known, &listed.block)?;
                at.insert(listed.id, known.len());
                known.push(Known { id: listed.id, block: listed.block.clone(), places });
            }
        }
        let mut find = |listed: &Listed| at.get(&listed.id).map(|&at| known[at].places.list());
        Ok(listing.iter().map(|listed| find(listed).unwrap_or_default()).collect())
    }
}

/// Places of a new block's traces that lie in a known one; the known ones learn of theirs.
fn compare(known: &mut [Known], block: &Block) -> Result<Places, BlockError> {
    let mut places = Places::default();
    if known.is_empty() {
        return Ok(places);
    }
    let ids: Vec<_> = block.trace_ids()?.collect();
    for other in known {
        for (place, id) in ids.iter().enumerate() {
            if let Some(found) = other.block.find(id)? {
                places.found.insert(place as u32);
                other.places.found.insert(found as u32);
            }
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use spanloom_block::{BlockMeta, Partial, Source};
    use spanloom_span::Tenant;

    use super::*;

    /// A store that answers when it is told to.
    struct Slow(Arc<Barrier>);

    impl Source for Slow {
        fn open(&self) -> std::io::Result<Arc<dyn Partial>> {
            self.0.wait();
            self.0.wait();
            Err(std::io::Error::other("slow"))
        }
    }

    fn far(number: u64, source: Arc<dyn Source>) -> Listed {
        let meta = BlockMeta {
            tenant: Tenant::default(),
            version: spanloom_block::FORMAT_VERSION,
            created: number,
            spans: 1,
            traces: 1,
            raw_bytes: 1,
            min_start: 0,
            max_end: 1,
            min_sealed_through: 0,
            max_sealed_through: 0,
            file_bytes: 1000,
            tail: 0,
            level: 0,
            replaces: Vec::new(),
        };
        let block = Block::far(meta, 0, source, &Arc::default());
        Listed { id: BlockId { created: number, number }, path: "".into(), block }
    }

    /// Whoever forgets runs where the store's answers come: if it waited for who waits for them, none would ever come.
    #[test]
    fn forgetting_does_not_wait_for_a_store() {
        let (index, told) = (OverlapIndex::default(), Arc::new(Barrier::new(2)));
        let listing = [1, 2].map(|number| far(number, Arc::new(Slow(told.clone()))));
        std::thread::scope(|scope| {
            let compared = scope.spawn(|| index.of(&listing).is_err());
            told.wait();
            index.forget(&[listing[0].id]);
            told.wait();
            assert!(compared.join().unwrap());
        });
    }

    /// A store that has nothing.
    struct Nowhere;

    impl Source for Nowhere {
        fn open(&self) -> std::io::Result<Arc<dyn Partial>> {
            Err(std::io::Error::other("nowhere"))
        }
    }

    #[test]
    fn what_is_listed_no_more_is_not_asked() {
        let index = OverlapIndex::default();
        let [gone, left] = [1, 2].map(|number| far(number, Arc::new(Nowhere)));
        // Alone it is compared with nothing.
        assert!(index.of(std::slice::from_ref(&gone)).is_ok());
        index.forget(&[gone.id]);
        assert!(index.of(std::slice::from_ref(&gone)).is_ok(), "a question with the listing of before");
        assert!(index.of(std::slice::from_ref(&left)).is_ok());
        assert!(index.of(&[gone, left]).is_err(), "both are listed");
    }
}
