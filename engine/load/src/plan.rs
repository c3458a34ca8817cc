//! Draws the tree of one trace: which spans there are, when they run, and which of them fail.

use crate::compile::{Edge, Shop};
use crate::random::Random;
use crate::topology::Times;

/// Most spans in a trace. The tail of the shop's batches ends before it.
pub const MAX_TRACE_SPANS: usize = 2_000;

/// How many of 1000 spans fail by themselves.
const FAILS_PER_MILLE: u16 = 11;

/// How many of 1000 spans fail when something below them failed.
const SPREADS_PER_MILLE: u16 = 550;

/// Who is on the other side of a trace's first span.
pub const OUTSIDE: usize = usize::MAX;

/// One span of a planned trace.
#[derive(Debug, Clone, Copy)]
pub struct Planned {
    /// Its shape.
    pub shape: usize,
    /// The instance that makes it.
    pub instance: usize,
    /// The instance on the other side, or [`OUTSIDE`].
    pub peer: usize,
    /// Its parent in the plan; its own place for the root.
    pub parent: usize,
    /// Nanoseconds since the trace began.
    pub start: u64,
    /// Nanoseconds since the trace began.
    pub end: u64,
    /// Whether it failed.
    pub error: bool,
}

/// The tree of one trace, and the order in which its spans end.
#[derive(Debug, Default)]
pub struct Plan {
    /// Parents before children.
    pub spans: Vec<Planned>,
    /// Places in `spans`, those that end first in front, as an SDK exports them.
    pub ended: Vec<usize>,
}

impl Plan {
    /// Draws the next trace.
    pub fn draw(&mut self, shop: &Shop, random: &mut Random) {
        self.spans.clear();
        self.ended.clear();
        let total = shop.entries.last().map_or(0, |(sum, _)| *sum);
        let drawn = random.below(total);
        let Some(&(_, entry)) = shop.entries.iter().find(|(sum, _)| drawn < *sum) else { return };
        let instance = pick_instance(shop, shop.nodes[entry].service, random);
        self.node(shop, random, entry, instance, (OUTSIDE, 0), 0);
    }

    /// When the last span of the trace ends.
    pub fn duration(&self) -> u64 {
        self.spans.iter().map(|span| span.end).max().unwrap_or(0)
    }

    /// Plans a node and what it calls; gives back its end and whether it failed. `above` is the instance on the
    /// other side and the parent's place.
    fn node(
        &mut self,
        shop: &Shop,
        random: &mut Random,
        node: usize,
        instance: usize,
        above: (usize, usize),
        start: u64,
    ) -> (u64, bool) {
        let node = &shop.nodes[node];
        let own = own_time(shop, node.shape, random);
        let at = self.begin(node.shape, instance, above, start);
        let mut now = start + own / 3;
        let mut failed = random.chance(FAILS_PER_MILLE);
        for edge in &node.edges {
            if random.chance(edge.per_mille) {
                failed |=
                    self.edge(shop, random, edge, instance, at, &mut now) && random.chance(SPREADS_PER_MILLE);
            }
        }
        let end = now + own - own / 3;
        self.finish(at, end, failed);
        (end, failed)
    }

    /// Plans a call as often as it is made, moving `now` on; tells whether one of them failed.
    fn edge(
        &mut self,
        shop: &Shop,
        random: &mut Random,
        edge: &Edge,
        instance: usize,
        parent: usize,
        now: &mut u64,
    ) -> bool {
        let (times, together) = match edge.times {
            Times::Once => (1, false),
            Times::Each(median, most) => (draw_times(random, median, most), false),
            Times::Together(median, most) => (draw_times(random, median, most), true),
        };
        let (mut last, mut failed) = (*now, false);
        for _ in 0..times {
            if self.spans.len() >= MAX_TRACE_SPANS {
                break;
            }
            let start = *now + 2_000 + u64::from(random.below(30_000));
            let (end, bad) = match edge.via {
                None => self.node(shop, random, edge.to, instance, (instance, parent), start),
                Some(via) => self.call(shop, random, edge, via, instance, parent, start),
            };
            failed |= bad;
            last = last.max(end);
            if !together {
                *now = last;
            }
        }
        *now = last;
        failed
    }

    /// Plans a call to another service: the span on this side, and the tree on the other.
    #[allow(clippy::too_many_arguments)]
    fn call(
        &mut self,
        shop: &Shop,
        random: &mut Random,
        edge: &Edge,
        via: usize,
        instance: usize,
        parent: usize,
        start: u64,
    ) -> (u64, bool) {
        let peer = pick_instance(shop, shop.nodes[edge.to].service, random);
        let way = own_time(shop, via, random);
        let at = self.begin(via, instance, (peer, parent), start);
        if edge.waits {
            let (end, failed) = self.node(shop, random, edge.to, peer, (instance, at), start + way);
            let end = end + way / 2;
            self.finish(at, end, failed);
            return (end, failed);
        }
        let end = start + way;
        self.finish(at, end, false);
        let lag = random.log_normal(4_000_000.0, 1.8) as u64;
        self.node(shop, random, edge.to, peer, (instance, at), end + lag);
        (end, false)
    }

    fn begin(&mut self, shape: usize, instance: usize, (peer, parent): (usize, usize), start: u64) -> usize {
        self.spans.push(Planned { shape, instance, peer, parent, start, end: start, error: false });
        self.spans.len() - 1
    }

    fn finish(&mut self, at: usize, end: u64, error: bool) {
        self.spans[at].end = end;
        self.spans[at].error = error;
        self.ended.push(at);
    }
}

fn own_time(shop: &Shop, shape: usize, random: &mut Random) -> u64 {
    let pace = shop.shapes[shape].pace;
    random.log_normal(f64::from(pace.0) * 1000.0, f64::from(pace.1)) as u64
}

fn draw_times(random: &mut Random, median: u32, most: u32) -> u32 {
    (random.log_normal(f64::from(median) + 0.5, 1.0) as u32).min(most)
}

fn pick_instance(shop: &Shop, service: usize, random: &mut Random) -> usize {
    let (first, pods) = shop.services[service];
    first + random.below(pods) as usize
}
