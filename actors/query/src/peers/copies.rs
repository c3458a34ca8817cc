//! Which traces that two blocks have both are equal copies, so that one of them is enough.

use spanloom_block::Block;

use crate::live::Both;

/// For each trace that two blocks have both, whether its spans are known to be the same in either; empty when nothing is
/// known of any, and they are joined to find out. Blocks do not say yet what their traces' spans are.
pub(super) fn known_to_be_equal(_left: &Block, _right: &Block, _both: &Both) -> Vec<bool> {
    Vec::new()
}
