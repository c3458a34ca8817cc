//! How a question is cut into pieces of work.

use crate::sources::Sources;

/// Live traces of a piece of work.
pub(crate) const LIVE_PIECE: usize = 2048;

/// What a piece of work is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Piece {
    /// A block, by number.
    Block(usize),
    /// Live traces from a number on.
    Live(usize),
}

/// The pieces of a question: live traces first, then the youngest blocks, which are likely to hold the newest traces.
pub(crate) fn pieces(sources: &Sources) -> Vec<Piece> {
    let live = (0..sources.index().ids.len()).step_by(LIVE_PIECE).map(Piece::Live);
    live.chain((0..sources.blocks.len()).rev().map(Piece::Block)).collect()
}
