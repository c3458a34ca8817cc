//! Which rows of a block satisfy each filter of a query, row group by row group.

use spanloom_traceql::ast::Field as Asked;
use spanloom_traceql::plan::{Filter, FilterId};

use crate::error::{OrDamaged, Result};
use crate::reader::BlockReader;
use crate::reader::contents::Contents;
use crate::search::attribute::Memory;
use crate::search::bits::{Bits, Set};
use crate::search::counters::Counters;
use crate::search::group::{GroupSearch, known_of_duration};
use crate::search::judge::Form;
use crate::search::node::{Compiled, Leaf, Node};

/// The filters of a query, ready to be held against the rows of one block. What is found out about the block's
/// dictionaries is remembered from one row group to the next.
pub struct Scan<'a> {
    block: &'a Contents,
    compiled: Compiled<'a>,
    memory: Memory,
    /// Whether a span or orphan of the block has the id 0, once that was needed.
    zero_ids: Option<bool>,
    time: Option<(u64, u64)>,
    /// Bytes touched that were counted.
    counted: u64,
}

/// The rows of a row group for which each filter holds.
#[derive(Debug, Clone, Default)]
pub struct Matches {
    rows: usize,
    filters: Vec<Bits>,
}

impl Matches {
    /// How many rows the row group has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The rows for which a filter holds: row 0 is the group's first.
    pub fn filter(&self, filter: FilterId) -> Option<&Bits> {
        self.filters.get(usize::from(filter.0))
    }

    /// All filters in their order.
    pub fn filters(&self) -> &[Bits] {
        &self.filters
    }

    fn clear(&mut self, filters: usize, rows: usize) {
        self.rows = rows;
        self.filters.resize_with(filters, Bits::default);
        self.filters.iter_mut().for_each(|bits| bits.reset(rows));
    }
}

impl BlockReader {
    /// Makes filters ready for this block; `fields` are those of the plan, by number. Looks at the block's keys,
    /// resources and scopes, and at no span.
    ///
    /// # Errors
    /// When the block is damaged.
    pub fn scan<'a>(&'a self, fields: &'a [Asked], filters: &[Filter]) -> Result<Scan<'a>> {
        let block = self.contents();
        let mut memory = Memory::default();
        let compiled = Compiled::new(block, fields, filters, &mut memory)?;
        Ok(Scan { block, compiled, memory, zero_ids: None, time: None, counted: 0 })
    }
}

impl Scan<'_> {
    /// Passes over row groups of which no span overlaps the time from `start` to `end`, in nanoseconds since 1970, both
    /// included. That is only right where spans outside of it do not count: a trace that has one span in the range is
    /// judged by all its spans. Of the other row groups all rows are searched.
    #[must_use]
    pub fn within(mut self, start: u64, end: u64) -> Self {
        self.time = Some((start, end));
        self
    }

    /// How many row groups the block has.
    pub fn groups(&self) -> u32 {
        self.block.groups.len() as u32
    }

    /// Whether the rows found for a filter are exactly those for which it holds. If not, the filter has a test that
    /// needs the whole trace and counts as one that may hold: no row for which the filter holds is missing, and some may
    /// be too many.
    pub fn is_exact(&self, filter: FilterId) -> bool {
        self.compiled.exact.get(usize::from(filter.0)).copied().unwrap_or(false)
    }

    /// Whether no row of the block satisfies any filter, as far as its keys, resources and scopes tell.
    pub fn is_nothing(&self) -> bool {
        self.compiled.filters.iter().all(|node| matches!(node, Node::Const(false)))
    }

    /// Finds the rows of a row group for which each filter holds.
    ///
    /// # Errors
    /// When the block is damaged, or has no such row group. What `out` has then means nothing.
    pub fn group(&mut self, number: u32, out: &mut Matches, counters: &mut Counters) -> Result<()> {
        let bounds = *self.block.groups.get(number as usize).or_damaged("there is no such row group")?;
        let end =
            self.block.groups.get(number as usize + 1).map_or(self.block.meta.spans, |next| next.first_row);
        let rows = end.saturating_sub(bounds.first_row);
        if rows > crate::GROUP_ROWS as u64 {
            return Err(crate::BlockError::Damaged("a row group has more rows than it can have"));
        }
        out.clear(self.compiled.filters.len(), rows as usize);
        counters.groups += 1;
        if self.time.is_some_and(|(from, to)| bounds.min_start > to || bounds.max_end < from) {
            counters.pruned_by_time += 1;
            return Ok(());
        }
        if self.is_nothing() {
            counters.pruned_by_values += 1;
            return Ok(());
        }
        let of_duration = |leaf: usize| match &self.compiled.leaves[leaf] {
            Leaf::Dense { form: Form::Duration, judge, .. } => {
                known_of_duration(&bounds, &self.compiled.judges[*judge].ranges(Form::Duration)?)
            }
            _ => None,
        };
        if self.compiled.filters.iter().all(|node| outcome(node, &of_duration) == Some(false)) {
            counters.pruned_by_duration += 1;
            return Ok(());
        }
        let Self { block, compiled, memory, zero_ids, .. } = self;
        let mut search = GroupSearch::open(block, number, compiled, memory, zero_ids)?;
        for (node, bits) in compiled.filters.iter().zip(&mut out.filters) {
            match search.filter(node)? {
                Set::None => {}
                found => *bits = found.into_bits(rows as usize),
            }
            counters.rows_matched += bits.count() as u64;
        }
        if search.looked_at_rows {
            counters.rows_read += rows;
        } else {
            counters.pruned_by_values += u64::from(out.filters.iter().all(Bits::is_empty));
        }
        counters.bytes_touched += self.memory.touched.bytes - self.counted;
        self.counted = self.memory.touched.bytes;
        Ok(())
    }
}

/// What a condition comes to when some of its leaves are known.
fn outcome(node: &Node, known: &impl Fn(usize) -> Option<bool>) -> Option<bool> {
    match node {
        Node::Const(holds) => Some(*holds),
        Node::Leaf(leaf) => known(*leaf),
        Node::Not(of) => outcome(of, known).map(|holds| !holds),
        Node::All(of) | Node::Any(of) => {
            let decisive = matches!(node, Node::Any(_));
            let mut all = Some(!decisive);
            for node in of {
                match outcome(node, known) {
                    Some(holds) if holds == decisive => return Some(decisive),
                    Some(_) => {}
                    None => all = None,
                }
            }
            all
        }
    }
}
