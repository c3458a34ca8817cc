//! What was counted for one leaf of a plan.

use spanloom_span::TraceId;

use super::bounded::{Bounded, Labels};
use super::bucket::{BUCKET_LABEL, QUANTILE_LABEL, bucket_of};
use super::cell::{Buckets, Cell, Extreme, Sum};
use super::compare::Comparison;
use super::exemplar::{Exemplars, Places};
use super::kept::Cut;
use super::row::Row;
use crate::answer::Steps;
use crate::plan::{Leaf, Measure};
use crate::value::Value;

/// What one leaf may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most groups. Of more, those stay that come first in the order of series, and the answer is partial.
    pub max_series: usize,
    /// About how many bytes the counts may take, and the series that are made of them as text: with many samples,
    /// fewer groups are kept.
    pub max_bytes: usize,
    /// Most exemplars of a series; 0 is none.
    pub exemplars: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_series: 1000, max_bytes: 64 << 20, exemplars: 0 }
    }
}

/// A group of an accumulator. It holds for as long as the accumulator; what is added to a group that was given up
/// for another is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GroupId(u32);

/// What was counted for one leaf. Fed by any worker in any order, merged in any order.
#[derive(Debug)]
pub struct Accumulator {
    pub(super) steps: Steps,
    places: Places,
    pub(super) counts: Counts,
    in_seconds: bool,
    /// Most series that are made of them.
    pub(super) most_series: usize,
    /// About how many bytes these may take as text.
    pub(super) most_bytes: usize,
    /// Which limit it is that leaves groups out.
    pub(super) groups_cut: Cut,
}

/// Groups of one kind of cells.
pub(super) type Table<C> = Bounded<(Row<C>, Exemplars)>;

/// By what is counted.
#[derive(Debug)]
pub(super) enum Counts {
    Spans(Table<u64>),
    Least(Table<Extreme<false>>),
    Greatest(Table<Extreme<true>>),
    Sums(Table<Sum>),
    Buckets(Table<Buckets>),
    Compare(Box<Comparison>),
}

impl Accumulator {
    /// An accumulator in which nothing was counted.
    pub fn new(leaf: &Leaf, steps: Steps, limits: &Limits) -> Self {
        let fit = limits.max_bytes / Self::least_bytes(leaf, steps);
        let groups = limits.max_series.min(fit).max(1);
        let own = match &leaf.function {
            Measure::Histogram(_) => Some(BUCKET_LABEL),
            Measure::Quantile(..) => Some(QUANTILE_LABEL),
            _ => None,
        };
        let labels = Labels { names: leaf.by.iter().map(|(_, name)| name.clone()).collect(), own };
        let counts = match &leaf.function {
            Measure::Rate | Measure::Count => Counts::Spans(Bounded::labelled(groups, labels)),
            Measure::Min(_) => Counts::Least(Bounded::labelled(groups, labels)),
            Measure::Max(_) => Counts::Greatest(Bounded::labelled(groups, labels)),
            Measure::Avg(_) | Measure::Sum(_) => Counts::Sums(Bounded::labelled(groups, labels)),
            Measure::Histogram(_) | Measure::Quantile(..) => {
                Counts::Buckets(Bounded::labelled(groups, labels))
            }
            Measure::Compare(_) => Counts::Compare(Box::new(Comparison::new(limits.max_bytes, steps.count))),
        };
        let (most_series, groups_cut) = match counts {
            // Two series for each value of an attribute would be too few for people; its bytes are bounded.
            Counts::Compare(_) => (usize::MAX, Cut::Bytes),
            _ => (limits.max_series.max(1), if fit < limits.max_series { Cut::Bytes } else { Cut::Series }),
        };
        Self {
            steps,
            places: Places::new(&steps, limits.exemplars),
            counts,
            in_seconds: leaf.in_seconds,
            most_series,
            most_bytes: limits.max_bytes,
            groups_cut,
        }
    }

    /// About how many bytes the counts of one group take, which is the least that a leaf can do with.
    pub fn least_bytes(leaf: &Leaf, steps: Steps) -> usize {
        let cell = match &leaf.function {
            Measure::Rate | Measure::Count | Measure::Compare(_) => 8,
            Measure::Min(_) | Measure::Max(_) => 16,
            Measure::Avg(_) | Measure::Sum(_) => 64,
            Measure::Histogram(_) | Measure::Quantile(..) => 256,
        };
        // A group is kept for up to twice the limit of groups; see `Bounded`.
        (steps.count as usize).saturating_mul(cell).saturating_mul(2).max(1)
    }

    /// When spans are counted.
    pub fn steps(&self) -> Steps {
        self.steps
    }

    /// Whether a span counts of which this was measured (nil where nothing is).
    #[inline]
    pub fn takes(&self, measured: Value<'_>) -> bool {
        match &self.counts {
            Counts::Spans(_) => true,
            Counts::Buckets(_) => bucket_of(measured).is_some(),
            Counts::Least(_) | Counts::Greatest(_) | Counts::Sums(_) => measured.as_number().is_some(),
            Counts::Compare(_) => false,
        }
    }

    /// Counts one span: the values of its labels (each field's first one), its start, what is measured of it, its
    /// trace and duration in nanoseconds. Spans out of the range, and those of which what is measured does not
    /// count, change nothing.
    pub fn observe(
        &mut self,
        labels: &[Value<'_>],
        start: u64,
        measured: Value<'_>,
        trace: TraceId,
        duration: u64,
    ) {
        let Some(sample) = self.steps.sample_of(start).filter(|_| self.takes(measured)) else { return };
        let Some(group) = self.group(labels) else { return };
        match self.counts {
            Counts::Spans(_) => self.add(group, sample, 1),
            _ => self.add_value(group, sample, measured),
        }
        self.add_exemplar(group, start, measured, trace, duration);
    }

    /// The group of some values of the labels. Ask only for groups of spans that count. `None` when it is given up
    /// for others.
    pub fn group(&mut self, labels: &[Value<'_>]) -> Option<GroupId> {
        match &mut self.counts {
            Counts::Spans(table) => table.meet(labels),
            Counts::Least(table) => table.meet(labels),
            Counts::Greatest(table) => table.meet(labels),
            Counts::Sums(table) => table.meet(labels),
            Counts::Buckets(table) => table.meet(labels),
            Counts::Compare(_) => None,
        }
        .map(GroupId)
    }

    /// Counts spans of a group, where spans are counted.
    #[inline]
    pub fn add(&mut self, group: GroupId, sample: u32, spans: u64) {
        if let Counts::Spans(table) = &mut self.counts
            && let Some(cell) = cell(table, group, sample, self.steps.count)
        {
            *cell += spans;
        }
    }

    /// Counts a span of a group, where something is measured. A value that does not count changes nothing.
    pub fn add_value(&mut self, group: GroupId, sample: u32, measured: Value<'_>) {
        let count = self.steps.count;
        let number = measured.as_number();
        match (&mut self.counts, number) {
            (Counts::Least(table), Some(value)) => {
                if let Some(cell) = cell(table, group, sample, count) {
                    cell.add(value);
                }
            }
            (Counts::Greatest(table), Some(value)) => {
                if let Some(cell) = cell(table, group, sample, count) {
                    cell.add(value);
                }
            }
            (Counts::Sums(table), Some(_)) => {
                if let Some(cell) = cell(table, group, sample, count) {
                    cell.add(measured);
                }
            }
            (Counts::Buckets(_), _) => {
                if let Some(bucket) = bucket_of(measured) {
                    self.add_bucket(group, sample, bucket, 1);
                }
            }
            _ => {}
        }
    }

    /// Counts spans of a group by bucket ([`bucket_of`]), where histograms or quantiles are made.
    pub fn add_bucket(&mut self, group: GroupId, sample: u32, bucket: u8, spans: u64) {
        if let Counts::Buckets(table) = &mut self.counts
            && let Some(cell) = cell(table, group, sample, self.steps.count)
        {
            cell.add(bucket, spans);
        }
    }

    /// Offers a span of a group as an exemplar. Every span that counts must be offered, or the choice depends on
    /// which source counted it.
    pub fn add_exemplar(
        &mut self,
        group: GroupId,
        start: u64,
        measured: Value<'_>,
        trace: TraceId,
        duration: u64,
    ) {
        if !self.wants_exemplars() {
            return;
        }
        let value = match (&self.counts, measured) {
            (Counts::Spans(_), _) => duration as f64 / 1e9,
            (_, measured) => self.scaled(measured.as_number().unwrap_or(f64::NAN)),
        };
        let places = self.places;
        let exemplars = match &mut self.counts {
            Counts::Spans(table) => table.get_mut(group.0).map(|(_, exemplars)| exemplars),
            Counts::Least(table) => table.get_mut(group.0).map(|(_, exemplars)| exemplars),
            Counts::Greatest(table) => table.get_mut(group.0).map(|(_, exemplars)| exemplars),
            Counts::Sums(table) => table.get_mut(group.0).map(|(_, exemplars)| exemplars),
            Counts::Buckets(table) => table.get_mut(group.0).map(|(_, exemplars)| exemplars),
            Counts::Compare(_) => None,
        };
        if let Some(exemplars) = exemplars {
            exemplars.offer(&places, trace, start, value);
        }
    }

    /// Whether exemplars are shown at all.
    pub fn wants_exemplars(&self) -> bool {
        !self.places.is_empty()
    }

    /// Adds what another accumulator of the same leaf, steps and limits counted.
    pub fn merge(&mut self, other: Accumulator) {
        let count = self.steps.count;
        match (&mut self.counts, other.counts) {
            (Counts::Spans(mine), Counts::Spans(other)) => merge(mine, other, count),
            (Counts::Least(mine), Counts::Least(other)) => merge(mine, other, count),
            (Counts::Greatest(mine), Counts::Greatest(other)) => merge(mine, other, count),
            (Counts::Sums(mine), Counts::Sums(other)) => merge(mine, other, count),
            (Counts::Buckets(mine), Counts::Buckets(other)) => merge(mine, other, count),
            (Counts::Compare(mine), Counts::Compare(other)) => mine.merge(*other, count),
            // Of another leaf: nothing that could be added.
            _ => {}
        }
    }

    /// How many places for exemplars there are.
    pub(super) fn places_of_exemplars(&self) -> usize {
        self.places.count()
    }

    /// Nanoseconds to seconds, where durations are measured.
    pub(super) fn scaled(&self, value: f64) -> f64 {
        if self.in_seconds { value / 1e9 } else { value }
    }
}

fn cell<C: Cell>(table: &mut Table<C>, group: GroupId, sample: u32, count: u32) -> Option<&mut C> {
    table.get_mut(group.0)?.0.at(sample, count)
}

fn merge<C: Cell>(mine: &mut Table<C>, other: Table<C>, count: u32) {
    mine.merge(other, |(row, exemplars), (other_row, other_exemplars)| {
        row.merge(other_row, count);
        exemplars.merge(&other_exemplars);
    });
}
