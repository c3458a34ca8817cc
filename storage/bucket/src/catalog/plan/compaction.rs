//! Which blocks are joined.
//!
//! A block belongs to a window of time by the end of its newest span. A window that is still *active* gets more blocks:
//! there, blocks of the same level are joined as soon as they are enough, neighbours in age first, since those share
//! traces. Each join raises the level, so a span is rewritten once a level. A window that is *closed* has all its
//! blocks joined up to the limit of size, whatever their level, as far as it pays: no input of a join may be more than
//! two thirds of it, so that every span that is rewritten is in a block half as large again at least, and is rewritten
//! a logarithmic number of times though late spans trickle in for ever. As windows get older they get wider, so that
//! the blocks of a small tenant become few.

use std::collections::BTreeMap;
use std::time::Duration;

use super::job::Job;
use crate::catalog::manifest::BlockEntry;
use crate::catalog::store::after;

/// By which rules blocks are joined. The same on all nodes of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactionRules {
    /// Width of a window. Wider ones join more, and keep spans longer that are retired by age.
    pub window: Duration,
    /// How long after its end a window gets blocks: as long as spans stay live at least.
    pub active: Duration,
    /// How many times as wide the windows are that closed ones are joined to, step by step; less than 2 for never.
    pub widen: u32,
    /// Windows are not made wider than this.
    pub widest: Duration,
    /// In an active window, how many blocks of a level are joined, at least 2. More of them rewrite less and leave more
    /// blocks.
    pub min_inputs: usize,
    /// Most blocks that a job joins: they are open at the same time.
    pub max_inputs: usize,
    /// Most bytes of inputs that are joined.
    pub max_bytes: u64,
    /// Most spans of inputs that are joined.
    pub max_spans: u64,
    /// Blocks of this level are joined in closed windows only.
    pub max_level: u32,
}

impl Default for CompactionRules {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(3600),
            active: Duration::from_secs(1800),
            widen: 4,
            widest: Duration::from_secs(16 * 3600),
            min_inputs: 8,
            max_inputs: 32,
            max_bytes: 4 << 30,
            max_spans: 200_000_000,
            max_level: 8,
        }
    }
}

/// The size of a full block, in the unit of [`CompactionRules::share`].
const FULL: u128 = 1 << 48;

/// The work that there is, what helps readers most first: newer windows, then lower levels. No block is in two jobs.
pub fn compaction(blocks: &[BlockEntry], now: u64, rules: &CompactionRules) -> Vec<Job> {
    let mut active: BTreeMap<(u64, u32), Vec<&BlockEntry>> = BTreeMap::new();
    let mut closed: BTreeMap<(u64, u64), Vec<&BlockEntry>> = BTreeMap::new();
    for entry in blocks {
        match rules.closed_window(entry.newest(), now) {
            Some(window) => closed.entry(window).or_default().push(entry),
            None if entry.level < rules.max_level => {
                active.entry((rules.window_of(entry.newest()), entry.level)).or_default().push(entry);
            }
            None => {}
        }
    }
    let mut found: Vec<(u64, Job)> = Vec::new();
    for ((start, _), mut blocks) in active {
        blocks.sort_unstable_by_key(|entry| entry.id);
        found.extend(rules.join_level(&blocks).into_iter().map(|job| (start, job)));
    }
    for ((start, _), mut blocks) in closed {
        blocks.sort_unstable_by_key(|entry| entry.id);
        found.extend(rules.join_all(&blocks).into_iter().map(|job| (start, job)));
    }
    found.sort_by_key(|(start, job)| (std::cmp::Reverse(*start), job.level, job.inputs.first().copied()));
    found.into_iter().map(|(_, job)| job).collect()
}

impl CompactionRules {
    fn width(&self) -> u64 {
        u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    /// Where the window of a time begins.
    fn window_of(&self, time: u64) -> u64 {
        time - time % self.width()
    }

    /// Where the widest closed window of a time begins, and its width; nothing when its window is still active.
    fn closed_window(&self, time: u64, now: u64) -> Option<(u64, u64)> {
        let widest = u64::try_from(self.widest.as_nanos()).unwrap_or(u64::MAX);
        let (mut width, mut found) = (self.width(), None);
        loop {
            let start = time - time % width;
            if after(start.saturating_add(width), self.active) > now {
                return found;
            }
            found = Some((start, width));
            match width.checked_mul(u64::from(self.widen)).filter(|next| self.widen > 1 && *next <= widest) {
                Some(next) => width = next,
                None => return found,
            }
        }
    }

    /// How much of a full block it is, by bytes or by spans, whichever is more.
    fn share(&self, entry: &BlockEntry) -> u128 {
        let part = |value: u64, most: u64| (u128::from(value) * FULL).div_ceil(u128::from(most.max(1)));
        part(entry.bytes, self.max_bytes).max(part(entry.spans, self.max_spans)).max(1)
    }

    fn most_inputs(&self) -> usize {
        self.max_inputs.max(2)
    }

    /// Joins blocks of one level in an active window, the oldest first. Unless the work is behind, which blocks are taken
    /// does not depend on those that come after them, so that nodes whose manifests are of different age agree.
    fn join_level(&self, blocks: &[&BlockEntry]) -> Vec<Job> {
        let least = self.min_inputs.clamp(2, self.most_inputs());
        let (mut jobs, mut rest) = (Vec::new(), blocks);
        while rest.len() >= least {
            let most = if rest.len() >= self.most_inputs() { self.most_inputs() } else { least };
            let fitting = self.fitting(&rest[..most]);
            let (taken, left) = rest.split_at(fitting.max(1));
            // Fewer are joined only where more would be too much.
            if fitting >= 2 {
                jobs.push(Job::join(taken, self.max_level));
            }
            rest = left;
        }
        jobs
    }

    /// How many of the blocks, from the first on, fit in one.
    fn fitting(&self, blocks: &[&BlockEntry]) -> usize {
        let mut sum = 0;
        let fits = |entry: &&&BlockEntry| {
            sum += self.share(entry);
            sum <= FULL
        };
        blocks.iter().take_while(fits).count()
    }

    /// Whether no block is more than two thirds of all.
    fn pays(&self, blocks: &[&BlockEntry]) -> bool {
        let (sum, most) = blocks.iter().fold((0, 0), |(sum, most), entry| {
            let share = self.share(entry);
            (sum + share, share.max(most))
        });
        most * 3 <= sum * 2
    }

    /// Joins the blocks of a closed window, neighbours in age, as many as fit in one. Those that are too large for that
    /// to pay are left out, and joined among themselves.
    fn join_all(&self, blocks: &[&BlockEntry]) -> Vec<Job> {
        let small = |entry: &&&BlockEntry| self.share(entry) * 3 <= FULL * 2;
        let mut waiting: Vec<&BlockEntry> = blocks.iter().filter(small).copied().collect();
        let mut jobs = Vec::new();
        while waiting.len() >= 2 {
            waiting = self.join_neighbours(&waiting, &mut jobs);
        }
        jobs
    }

    /// Joins neighbours; yields those that were left out, which are fewer than were given.
    fn join_neighbours<'a>(&self, blocks: &[&'a BlockEntry], jobs: &mut Vec<Job>) -> Vec<&'a BlockEntry> {
        let mut waiting = blocks.iter().copied().peekable();
        let (mut left_out, mut run, mut sum) = (Vec::new(), Vec::new(), 0);
        loop {
            let next =
                waiting.next_if(|next| run.len() < self.most_inputs() && sum + self.share(next) <= FULL);
            if let Some(entry) = next {
                sum += self.share(entry);
                run.push(entry);
                continue;
            }
            self.leave_out(&mut run, &mut left_out);
            if run.len() >= 2 {
                jobs.push(Job::join(&run, self.max_level));
                run.clear();
            }
            let Some(next) = waiting.peek() else { break };
            // A small block that is left over is joined with those that come, if it can be.
            sum = run.iter().map(|entry| self.share(entry)).sum();
            if sum + self.share(next) > FULL {
                (run, sum) = (Vec::new(), 0);
            }
        }
        left_out.sort_unstable_by_key(|entry| entry.id);
        left_out
    }

    /// Leaves out the largest block until none is more than two thirds of all.
    fn leave_out<'a>(&self, run: &mut Vec<&'a BlockEntry>, left_out: &mut Vec<&'a BlockEntry>) {
        while run.len() >= 2 && !self.pays(run) {
            let largest = (0..run.len()).max_by_key(|at| self.share(run[*at])).unwrap_or(0);
            left_out.push(run.remove(largest));
        }
    }
}
