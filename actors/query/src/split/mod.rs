//! A question whose blocks of a shared store are worked on by all queriers of a cluster.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | who works on which block: one queue, and what was given to others |
//! | `plan.rs` | whether a question is split, and whose each block is first |
//! | `drive.rs` | other nodes are given blocks, and are waited for |
//! | `errand.rs` | blocks worked on apart, here or for another node |
//! | `counts.rs` | what is counted |
//!
//! Blocks are pulled from one queue: by the threads of this node, and for each other querier by a task that gives it a few
//! at a time. Everybody takes first what a hash of the block's name gives to it, so that each block is read by few nodes,
//! and then what is left. An errand is what a node was given at once. When the queue is empty, threads of this node also
//! do errands that take long.
//!
//! **Invariant:** of each errand one outcome counts, whoever comes first. Who works on an errand changes nothing that
//! others see: what is found is added, and traces that lie elsewhere as well are claimed, only once the errand is settled
//! under its flag. What fails comes back to the queue, so an answer is whole or an error.

mod counts;
mod drive;
mod errand;
mod plan;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use spanloom_peer::{PeerError, Scanned};
use tokio::sync::Notify;

use crate::pool::Waker;
use counts::Failure;
pub(crate) use counts::SplitCounters;
pub use counts::SplitCounts;
pub(crate) use drive::drive;
pub(crate) use errand::{Errand, Report, report, unpacked};
use plan::Helper;
pub(crate) use plan::plan;

/// Most bytes of blocks that an errand has, unless it has one block alone.
const ERRAND_BYTES: u64 = 16 << 20;

/// Most blocks of an errand.
const ERRAND_BLOCKS: usize = 8;

/// How often a node may be slower than others were until its errand is done here as well.
const PATIENCE: u32 = 3;

/// What a thread of this node is to do.
pub(crate) enum Task {
    /// Nothing just now.
    Nothing,
    /// A block.
    Block(usize),
    /// What another node answered.
    Arrived(Arc<Errand>, Scanned),
    /// What another node takes long for.
    Again(Arc<Errand>),
}

/// A block that nobody works on.
#[derive(Debug, Clone, Copy)]
struct Piece {
    block: usize,
    bytes: u64,
    /// Who takes it first.
    line: usize,
}

/// The line of blocks that no other node can read, or that nobody wants any more: for this node alone.
const ALONE: usize = 0;

/// The line of blocks whose files are here.
const NEAR: usize = 1;

/// The line of blocks that this node takes first.
const MINE: usize = 2;

/// The line of the first of the other nodes.
const THEIRS: usize = 3;

/// Who works on which block of a question.
pub(crate) struct Split {
    state: Mutex<State>,
    helpers: Vec<Helper>,
    /// How many turns this node's threads may take so far.
    turns: AtomicUsize,
    is_open: AtomicBool,
    /// Something changed that the task of the other nodes is to look at.
    changed: Notify,
    waker: Waker,
    hedge_after: Duration,
    counters: Arc<SplitCounters>,
}

#[derive(Default)]
struct State {
    /// By who takes them first, each in the order in which they are wanted.
    lines: Vec<VecDeque<Piece>>,
    /// What others were given and nobody has settled.
    away: Vec<Away>,
    arrived: VecDeque<(Arc<Errand>, Scanned)>,
    /// What takes long.
    overdue: VecDeque<Arc<Errand>>,
    /// By helper: how many errands it has, or `None` when it gets no more.
    given: Vec<Option<usize>>,
    /// Blocks that are not done.
    left: usize,
    numbered: u64,
    pace: Pace,
}

struct Away {
    errand: Arc<Errand>,
    pieces: Vec<Piece>,
    since: Instant,
    /// Whether it takes long, and threads of this node may do it.
    is_overdue: bool,
    /// Whether a thread of this node does it.
    is_here: bool,
}

/// How fast work was done so far.
#[derive(Default)]
struct Pace {
    bytes: u64,
    took: Duration,
}

impl Pace {
    fn add(&mut self, bytes: u64, took: Duration) {
        self.bytes += bytes;
        self.took += took;
    }

    /// How long so many bytes take.
    fn expects(&self, bytes: u64) -> Duration {
        self.took.mul_f64(bytes as f64 / self.bytes.max(1) as f64)
    }
}

impl State {
    /// Takes the first block of some lines, then of another node's, of whose most are left, then of others.
    fn first(&mut self, before: &[usize], after: &[usize]) -> Option<Piece> {
        let of_others = (THEIRS..self.lines.len()).max_by_key(|line| self.lines[*line].len());
        let order = before.iter().copied().chain(of_others).chain(after.iter().copied());
        order.into_iter().find_map(|line| self.lines.get_mut(line)?.pop_front())
    }
}

impl Split {
    /// Pieces that wait, in the order in which they are wanted.
    fn new(
        waiting: Vec<Piece>,
        helpers: Vec<Helper>,
        waker: Waker,
        hedge_after: Duration,
        counters: Arc<SplitCounters>,
    ) -> Self {
        let left = waiting.len();
        let given = helpers.iter().map(|_| Some(0)).collect();
        let mut lines = vec![VecDeque::new(); THEIRS + helpers.len()];
        for piece in waiting {
            if let Some(line) = lines.get_mut(piece.line) {
                line.push_back(piece);
            }
        }
        Self {
            state: Mutex::new(State { lines, given, left, ..State::default() }),
            helpers,
            turns: AtomicUsize::new(left),
            is_open: AtomicBool::new(true),
            changed: Notify::new(),
            waker,
            hedge_after,
            counters,
        }
    }

    /// How many turns this node's threads may take so far.
    pub fn turns(&self) -> usize {
        self.turns.load(Ordering::SeqCst)
    }

    /// Whether there is, or may be, something to do.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::SeqCst)
    }

    /// The question has ended.
    pub fn close(&self) {
        self.is_open.store(false, Ordering::SeqCst);
        self.changed.notify_one();
    }

    /// Gives this node's threads so many turns more.
    fn more_turns(&self, turns: usize) {
        self.turns.fetch_add(turns, Ordering::SeqCst);
        self.waker.wake();
    }

    /// What a thread of this node is to do next: what has arrived, then blocks that no other node can read, those that
    /// this node takes first, others', and what takes others long.
    pub fn next(&self) -> Task {
        let mut state = self.state.lock();
        if let Some((errand, scanned)) = state.arrived.pop_front() {
            return Task::Arrived(errand, scanned);
        }
        if let Some(piece) = state.first(&[ALONE, NEAR, MINE], &[]) {
            return Task::Block(piece.block);
        }
        while let Some(errand) = state.overdue.pop_front() {
            if let Some(away) = state.away.iter_mut().find(|away| Arc::ptr_eq(&away.errand, &errand)) {
                away.is_here = true;
                self.counters.count_hedged();
                return Task::Again(errand);
            }
        }
        Task::Nothing
    }

    /// A thread of this node has worked on a block of the queue.
    pub fn did(&self, bytes: u64, took: Duration) {
        let mut state = self.state.lock();
        state.pace.add(bytes, took);
        self.counters.count_here();
        self.less(&mut state, 1);
    }

    fn less(&self, state: &mut State, blocks: usize) {
        state.left = state.left.saturating_sub(blocks);
        if state.left == 0 {
            self.is_open.store(false, Ordering::SeqCst);
            self.changed.notify_one();
        }
    }

    /// Whether an outcome of an errand is the one that counts: the first one is. Without `by_other` it was done here, and
    /// the node that was given it gets no more.
    pub fn settle(&self, errand: &Arc<Errand>, by_other: bool) -> bool {
        let is_first = errand.settle();
        let mut state = self.state.lock();
        let taken = take(&mut state.away, errand);
        if let Some(Away { since, pieces, .. }) = taken.filter(|_| is_first) {
            if by_other {
                let bytes = pieces.iter().map(|piece| piece.bytes).sum();
                state.pace.add(bytes, since.elapsed());
                self.counters.count_there(pieces.len());
            } else {
                self.dismiss(&mut state, errand.helper, Failure::Slow);
            }
        }
        drop(state);
        self.returned(errand);
        is_first
    }

    /// An errand that was settled is all added up.
    pub fn done(&self, errand: &Errand) {
        self.less(&mut self.state.lock(), errand.blocks.len());
    }

    /// What another node answered is of no use: it was done here meanwhile.
    pub fn let_go(&self, errand: &Errand) {
        self.returned(errand);
    }

    /// A node has one errand less.
    fn returned(&self, errand: &Errand) {
        if errand.give_back()
            && let Some(Some(given)) = self.state.lock().given.get_mut(errand.helper)
        {
            *given = given.saturating_sub(1);
        }
        self.changed.notify_one();
    }

    /// A node did not do an errand: the blocks come back, and it gets no more.
    pub fn failed(&self, errand: &Arc<Errand>, error: &PeerError) {
        tracing::debug!(node = %errand.node, %error, "another node did not do its part of a question");
        let mut state = self.state.lock();
        self.dismiss(&mut state, errand.helper, Failure::of(error));
        let back = self.take_back(&mut state, errand);
        drop(state);
        self.returned(errand);
        if back > 0 {
            self.more_turns(back);
        }
    }

    /// Puts an errand's blocks back into the queue, unless it is settled or being done here. Yields how many.
    fn take_back(&self, state: &mut State, errand: &Arc<Errand>) -> usize {
        let is_here = |away: &Away| Arc::ptr_eq(&away.errand, errand) && away.is_here;
        // From here on no other outcome counts.
        if state.away.iter().any(is_here) || !errand.settle() {
            return 0;
        }
        let Some(Away { pieces, .. }) = take(&mut state.away, errand) else { return 0 };
        for piece in &pieces {
            if let Some(line) = state.lines.get_mut(piece.line) {
                // The youngest first again.
                let at = line.partition_point(|other| other.block > piece.block);
                line.insert(at, *piece);
            }
        }
        pieces.len()
    }

    fn dismiss(&self, state: &mut State, helper: usize, why: Failure) {
        if let Some(given) = state.given.get_mut(helper) {
            *given = None;
        }
        self.counters.count_failed(why);
    }

    /// Gives blocks to another node: of those that it takes first the youngest ones, or of what is left. `None` when
    /// there is nothing for it, or it has `most` errands.
    fn pull(&self, helper: usize, most: usize, wants: impl Fn(usize) -> bool) -> Option<Arc<Errand>> {
        let mut state = self.state.lock();
        let given = state.given.get(helper).copied().flatten().filter(|given| *given < most)?;
        let waiting: usize = state.lines.iter().map(VecDeque::len).sum();
        let share = waiting.div_ceil(2 * (self.helpers.len() + 1)).clamp(1, ERRAND_BLOCKS);
        let (mut pieces, mut bytes) = (Vec::new(), 0u64);
        while pieces.len() < share {
            let Some(piece) = state.first(&[THEIRS + helper], &[MINE, NEAR]) else { break };
            if !wants(piece.block) {
                // This node's threads pass over it at once.
                state.lines[ALONE].push_back(piece);
                continue;
            }
            if !pieces.is_empty() && bytes.saturating_add(piece.bytes) > ERRAND_BYTES {
                state.lines[piece.line].push_front(piece);
                break;
            }
            bytes = bytes.saturating_add(piece.bytes);
            pieces.push(piece);
        }
        if pieces.is_empty() {
            return None;
        }
        state.numbered += 1;
        let blocks = pieces.iter().map(|piece| piece.block).collect();
        let node = self.helpers.get(helper)?.name.clone();
        let errand = Arc::new(Errand::new(helper, node, blocks));
        let since = Instant::now();
        state.away.push(Away { errand: errand.clone(), pieces, since, is_overdue: false, is_here: false });
        state.given[helper] = Some(given + 1);
        Some(errand)
    }

    /// A node answered.
    fn arrive(&self, errand: Arc<Errand>, scanned: Scanned) {
        self.state.lock().arrived.push_back((errand, scanned));
        self.more_turns(1);
    }

    /// Lets threads of this node do what takes others long, and yields when to look again.
    fn look_for_overdue(&self) -> Option<Instant> {
        let mut state = self.state.lock();
        let State { away, overdue, pace, .. } = &mut *state;
        let (mut next, mut found): (Option<Instant>, usize) = (None, 0);
        for away in away.iter_mut().filter(|away| !away.is_overdue) {
            let bytes = away.pieces.iter().map(|piece| piece.bytes).sum();
            let due = away.since + self.hedge_after.max(pace.expects(bytes) * PATIENCE);
            if due <= Instant::now() {
                away.is_overdue = true;
                overdue.push_back(away.errand.clone());
                found += 1;
            } else {
                next = Some(next.map_or(due, |next| next.min(due)));
            }
        }
        drop(state);
        if found > 0 {
            self.more_turns(found);
        }
        next
    }

    /// Nobody waits for other nodes any more: what they were given comes back.
    fn abandon(&self) {
        let mut state = self.state.lock();
        state.given.iter_mut().for_each(|given| *given = None);
        let errands: Vec<_> = state.away.iter().map(|away| away.errand.clone()).collect();
        let back: usize = errands.iter().map(|errand| self.take_back(&mut state, errand)).sum();
        drop(state);
        // One more, for somebody to see that the question is over.
        self.more_turns(back + 1);
    }
}

fn take(away: &mut Vec<Away>, errand: &Arc<Errand>) -> Option<Away> {
    let at = away.iter().position(|away| Arc::ptr_eq(&away.errand, errand))?;
    Some(away.swap_remove(at))
}

#[cfg(test)]
mod tests;
