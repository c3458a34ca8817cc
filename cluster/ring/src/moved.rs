//! What moved between two rings: the ranges that a node hands over or fetches.

use std::ops::RangeInclusive;

use crate::{NodeIndex, NodeName, Ring};

/// The positions that a node owns on one ring and not on the other, as ranges, ascending, none touching another.
///
/// A step of the membership first gives and then takes: when a node begins to join or to leave, ranges are only
/// gained; when it has arrived or is gone, they are only lost. What was gained is fetched between the two.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moved {
    /// What the node owns on the new ring alone: to be fetched from those who own it on the old one.
    pub gained: Vec<RangeInclusive<u32>>,
    /// What it owns on the old ring alone: it may be dropped when those who gained it have it.
    pub lost: Vec<RangeInclusive<u32>>,
}

/// What `node` gained and lost from one ring to the next. The rings must have the same options. Linear in the
/// ranges of both.
pub fn moved(old: &Ring, new: &Ring, node: &NodeName) -> Moved {
    let (mut before, mut after) = (Ranges::new(old, node), Ranges::new(new, node));
    let mut moved = Moved::default();
    let mut from = 0;
    loop {
        let to = before.end().min(after.end());
        match (before.owned(), after.owned()) {
            (false, true) => extend(&mut moved.gained, from, to),
            (true, false) => extend(&mut moved.lost, from, to),
            _ => {}
        }
        let Some(next) = to.checked_add(1) else { return moved };
        from = next;
        before.skip_to(from);
        after.skip_to(from);
    }
}

fn extend(ranges: &mut Vec<RangeInclusive<u32>>, from: u32, to: u32) {
    match ranges.last_mut() {
        Some(last) if last.end().checked_add(1) == Some(from) => *last = *last.start()..=to,
        _ => ranges.push(from..=to),
    }
}

/// The ranges of a ring from position 0 up; the last one begins again at 0, so it comes as two.
struct Ranges<'a> {
    ring: &'a Ring,
    node: Option<NodeIndex>,
    at: usize,
}

impl<'a> Ranges<'a> {
    fn new(ring: &'a Ring, node: &NodeName) -> Self {
        Self { ring, node: ring.find(node), at: 0 }
    }

    /// The last position of the range.
    fn end(&self) -> u32 {
        self.ring.spots().get(self.at).map_or(u32::MAX, |spot| spot.position)
    }

    /// Whether the node is among its owners.
    fn owned(&self) -> bool {
        let range = if self.at < self.ring.spots().len() { self.at } else { 0 };
        let Some(node) = self.node.filter(|_| !self.ring.spots().is_empty()) else { return false };
        self.ring.set_of_range(range).contains(node)
    }

    fn skip_to(&mut self, position: u32) {
        while self.ring.spots().get(self.at).is_some_and(|spot| spot.position < position) {
            self.at += 1;
        }
    }
}
