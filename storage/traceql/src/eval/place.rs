//! The spans of fragments, put in the order of spans, each once.

use foldhash::HashSet;

use super::fragment::{Fragment, Identity, ReadError};
use super::tree::Tree;

/// A number that no span has.
pub(super) const NONE: u32 = u32::MAX;

/// Memory that is used for one trace after another.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) identities: Vec<Identity>,
    pub(super) spans: Vec<Placed>,
    pub(super) seen: HashSet<(u64, i32)>,
    pub(super) starts: Vec<(u64, u32)>,
    pub(super) sorted: Vec<Placed>,
    /// By fragment, where its spans begin in `whole`.
    pub(super) begins: Vec<usize>,
    /// The number in the whole trace of each fragment's spans; [`NONE`] for duplicates. Empty when one fragment's
    /// spans are the trace's, in order.
    pub(super) whole: Vec<u32>,
    pub(super) tree: Tree,
    pub(super) root_name: Vec<u8>,
    pub(super) root_service: Vec<u8>,
}

/// A span of a whole trace, and where it lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) identity: Identity,
    pub(super) fragment: u32,
    pub(super) number: u32,
}

impl Identity {
    /// Nanoseconds since 1970; a span that ends before it starts ends at its start.
    #[inline]
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.duration)
    }

    /// The order of spans within a trace.
    #[inline]
    pub fn order(&self) -> (u64, u64, i32) {
        (self.start, self.id, self.kind)
    }
}

impl Scratch {
    /// Puts the fragments' spans in order, each once; says whether duplicates were dropped.
    pub(super) fn place(&mut self, fragments: &mut [&mut (dyn Fragment + '_)]) -> Result<bool, ReadError> {
        self.spans.clear();
        self.begins.clear();
        self.whole.clear();
        let mut total = 0;
        for (fragment, source) in (0..).zip(fragments.iter_mut()) {
            self.begins.push(total);
            self.identities.clear();
            source.identities(&mut self.identities)?;
            total += self.identities.len();
            let placed = (0..).zip(&self.identities);
            self.spans.extend(placed.map(|(number, identity)| Placed {
                identity: *identity,
                fragment,
                number,
            }));
        }
        let may_repeat = fragments.len() > 1 || fragments.iter().any(|one| one.ids_are_distinct().is_none());
        if may_repeat && self.repeats() {
            let key = |span: &Placed| (span.identity.id, span.identity.kind);
            self.spans.sort_unstable_by_key(|span| (key(span), span.fragment, span.number));
            self.spans.dedup_by_key(|span| key(span));
        }
        let sorted = self.spans.is_sorted_by_key(|span| span.identity.order());
        if !sorted {
            self.sort();
        }
        if !sorted || self.spans.len() < total || fragments.len() > 1 {
            self.whole.resize(total, NONE);
            for (whole, span) in (0..).zip(&self.spans) {
                self.whole[self.begins[span.fragment as usize] + span.number as usize] = whole;
            }
        }
        Ok(self.spans.len() < total)
    }
    /// Whether spans agree in id and kind.
    fn repeats(&mut self) -> bool {
        self.seen.clear();
        !self.spans.iter().all(|span| self.seen.insert((span.identity.id, span.identity.kind)))
    }

    /// Sorts by start first, which tells most spans apart and moves little memory.
    fn sort(&mut self) {
        let Self { spans, starts, sorted, .. } = self;
        starts.clear();
        starts.extend((0..).zip(spans.iter()).map(|(at, span)| (span.identity.start, at)));
        starts.sort_unstable();
        sorted.clear();
        sorted.extend(starts.iter().map(|(_, at)| spans[*at as usize]));
        for at_once in sorted.chunk_by_mut(|left, right| left.identity.start == right.identity.start) {
            if at_once.len() > 1 {
                at_once.sort_unstable_by_key(|span| span.identity.order());
            }
        }
        std::mem::swap(spans, sorted);
    }
}
