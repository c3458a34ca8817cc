//! Which traces lie in several places: two blocks compared.

use spanloom_block::{Block, BlockError};
use spanloom_span::TraceId;

/// The places of the traces that two blocks have both, ascending for each of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Both {
    pub left: Vec<u32>,
    pub right: Vec<u32>,
}

/// Compares two blocks: the ids of the one with fewer traces are looked up in the other.
pub(crate) fn compare(left: &Block, right: &Block) -> Result<Both, BlockError> {
    if right.meta().traces < left.meta().traces {
        let Both { left, right } = compare(right, left)?;
        return Ok(Both { left: right, right: left });
    }
    let mut both = Both::default();
    for (place, id) in (0..).zip(left.trace_ids()?) {
        // Ids ascend in either, so both lists do.
        if let Some(found) = find(right, &id)? {
            both.left.push(place);
            both.right.push(found);
        }
    }
    Ok(both)
}

fn find(block: &Block, id: &TraceId) -> Result<Option<u32>, BlockError> {
    Ok(block.find(id)?.map(|place| place as u32))
}

/// Takes out of what a run and a block have both the traces of which all that the run has is in blocks, and yields their
/// places in the run: by the block's word, every part of the trace is sealed that came with an ordinal up to the one that
/// it names.
pub(super) fn take_sealed(both: &mut Both, last_seqs: &[u64], block: &Block) -> Result<Vec<u32>, BlockError> {
    if both.left.is_empty() {
        return Ok(Vec::new());
    }
    let (reader, mut sealed) = (block.reader()?, Vec::new());
    let (lefts, rights) = (std::mem::take(&mut both.left), std::mem::take(&mut both.right));
    for (left, right) in lefts.into_iter().zip(rights) {
        let last = last_seqs.get(left as usize);
        let through = reader.sealed_through(right.into())?;
        if last.is_some_and(|last| *last <= through) {
            sealed.push(left);
        } else {
            both.left.push(left);
            both.right.push(right);
        }
    }
    Ok(sealed)
}

/// Several ascending lists as one, each place once.
pub(crate) fn union<'p>(lists: impl IntoIterator<Item = &'p [u32]>) -> Vec<u32> {
    let mut out: Vec<u32> = Vec::new();
    let mut several = false;
    for list in lists.into_iter().filter(|list| !list.is_empty()) {
        several = !out.is_empty();
        out.extend_from_slice(list);
    }
    if several {
        out.sort_unstable();
        out.dedup();
    }
    out
}
