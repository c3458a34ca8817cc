//! Which traces that two blocks have both are equal copies, so that one of them is enough.

use spanloom_block::{Block, BlockError};

use crate::live::Both;

/// For each trace that two blocks have both, whether it has the same spans in either: as many, with the same digest.
/// Empty when nothing is known of any, since one of the blocks, an early one, has no digests; then they are joined.
pub(super) fn known_to_be_equal(left: &Block, right: &Block, both: &Both) -> Result<Vec<bool>, BlockError> {
    if both.left.is_empty() {
        return Ok(Vec::new());
    }
    let (left, right) = (left.reader()?, right.reader()?);
    let (Some(lefts), Some(rights)) = (left.trace_digests()?, right.trace_digests()?) else {
        return Ok(Vec::new());
    };
    let spans = |rows: std::ops::Range<u64>| rows.end - rows.start;
    let pairs = both.left.iter().zip(&both.right);
    let is_equal = |(&l, &r): (&u32, &u32)| {
        let digests = (lefts.get(l as usize), rights.get(r as usize));
        if digests.0 != digests.1 {
            return Ok(false);
        }
        Ok(spans(left.trace_rows(l.into())?) == spans(right.trace_rows(r.into())?))
    };
    pairs.map(is_equal).collect()
}
