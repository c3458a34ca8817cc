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

/// What is known of a tenant's blocks. It may name traces that no other block has any more.
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
    /// Lets go of blocks that are listed no more, and so of their files.
    pub fn forget(&self, removed: &[BlockId]) {
        self.known.lock().retain(|known| !removed.contains(&known.id));
    }

    /// Compares what is new in a listing with the rest of it, and yields what is known of all of it.
    pub fn of(&self, listing: &[Listed]) -> Result<Overlaps, BlockError> {
        let mut known = self.known.lock();
        if known.len() > listing.len() * 2 + 16 {
            let listed: BTreeSet<BlockId> = listing.iter().map(|listed| listed.id).collect();
            known.retain(|known| listed.contains(&known.id));
        }
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
