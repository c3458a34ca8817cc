//! What the columns of a block say to a plan: the rows that its filters hold for, the traces that are worth judging,
//! and counts.

use std::ops::Range;

use spanloom_block::{Bits, BlockReader, Counters, Measure as Columns, NO_GROUP, Result, TraceTable};
use spanloom_traceql::ast::{Field, Intrinsic};
use spanloom_traceql::metrics::{Accumulator, GroupId};
use spanloom_traceql::plan::{FilterId, Leaf, Measure, Needs, Plan};
use spanloom_traceql::value::Value;

/// Most groups of a block that are told apart while it is counted from its columns.
const MAX_GROUPS: usize = 1 << 16;

/// The rows of a block that the filters of a plan hold for.
pub(crate) struct Matches<'a> {
    pub table: TraceTable<'a>,
    /// For each row group its first row and, by filter, the rows that may match.
    groups: Vec<(u64, spanloom_block::Matches)>,
    /// Whether the rows of a filter are exactly those that match.
    exact: Vec<bool>,
    /// What was looked at.
    pub counters: Counters,
}

impl<'a> Matches<'a> {
    /// Reads them. With a time, row groups of which no span overlaps it are left out.
    pub fn read(reader: &'a BlockReader, plan: &Plan, time: Option<(u64, u64)>) -> Result<Self> {
        let table = TraceTable::open(reader)?;
        let mut scan = reader.scan(&plan.fields, &plan.filters)?;
        if let Some((start, end)) = time {
            scan = scan.within(start, end);
        }
        let mut groups = Vec::with_capacity(reader.groups().len());
        let mut counters = Counters::default();
        for (number, group) in (0..).zip(reader.groups()) {
            let mut found = spanloom_block::Matches::default();
            scan.group(number, &mut found, &mut counters)?;
            groups.push((group.first_row, found));
        }
        let filters = (0..plan.filters.len()).map(|filter| FilterId(filter as u16));
        let exact = filters.map(|filter| scan.is_exact(filter)).collect();
        Ok(Self { table, groups, exact, counters })
    }

    /// Whether some row matches some filter.
    pub fn is_some(&self) -> bool {
        self.groups.iter().any(|(_, found)| found.filters().iter().any(|rows| !rows.is_empty()))
    }

    /// Shows the rows of a range that match a filter, counted from the range's begin.
    pub fn within(&self, filter: FilterId, rows: Range<u64>, see: &mut dyn FnMut(u32)) {
        let mut at = self.groups.partition_point(|(first, _)| *first <= rows.start).saturating_sub(1);
        while let Some((first, found)) = self.groups.get(at).filter(|(first, _)| *first < rows.end) {
            if let Some(bits) = found.filter(filter) {
                let from = rows.start.saturating_sub(*first) as usize;
                let to = ((rows.end - first) as usize).min(bits.len());
                let matching = (from..to).filter(|&row| bits.has(row));
                matching.for_each(|row| see((first + row as u64 - rows.start) as u32));
            }
            at += 1;
        }
    }

    /// The rows of a filter, by row group.
    pub fn rows(&self, filter: FilterId) -> Vec<Bits> {
        self.groups.iter().map(|(_, found)| found.filter(filter).cloned().unwrap_or_default()).collect()
    }

    /// Adds a row of the block to sets of rows by row group.
    pub fn set(&self, rows: &mut [Bits], row: u64) {
        let group = self.groups.partition_point(|(first, _)| *first <= row).wrapping_sub(1);
        if let (Some((first, _)), Some(rows)) = (self.groups.get(group), rows.get_mut(group)) {
            rows.set((row - first) as usize);
        }
    }

    /// Whether the rows of a filter are exactly those that match.
    pub fn is_exact(&self, filter: FilterId) -> bool {
        self.exact.get(usize::from(filter.0)).copied().unwrap_or(false)
    }

    /// Places of traces with rows for which the plan's needs are met, ascending; of the `shared` ones, of which
    /// rows may lie elsewhere, those with any row that matches any filter, or `every` one; of the `sealed` ones, which
    /// do not count here, none.
    pub fn candidates(&self, needs: &Needs, shared: &[u32], sealed: &[u32], every: bool) -> Vec<u32> {
        let count = self.table.len() as usize;
        let mut sealed = sealed.iter().copied().peekable();
        let mut counts = |place: &u32| sealed.next_if_eq(place).is_none();
        if *needs == Needs::Nothing {
            return (0..count as u32).filter(counts).collect();
        }
        let filters = self.exact.len();
        let mut holds = vec![Bits::none(count); filters];
        for (first_row, bits) in &self.groups {
            for (filter, rows) in bits.filters().iter().enumerate() {
                let holds = &mut holds[filter];
                self.table.touched(*first_row, rows, |place| holds.set(place as usize));
            }
        }
        let any = |place: usize| holds.iter().any(|holds| holds.has(place));
        let met = |place: usize| {
            needs.met(&mut |filter: FilterId| holds.get(usize::from(filter.0)).is_some_and(|h| h.has(place)))
        };
        let mut shared = shared.iter().copied().peekable();
        let mut out = Vec::new();
        for place in 0..count {
            let counts = counts(&(place as u32));
            let is_shared = shared.next_if_eq(&(place as u32)).is_some();
            if counts && if is_shared { every || any(place) } else { met(place) } {
                out.push(place as u32);
            }
        }
        out
    }
}

/// Whether a leaf was counted.
pub(crate) enum Counted {
    /// Every span of the block but those of shared traces.
    Yes {
        /// How many spans were counted.
        spans: u64,
    },
    /// Nothing was: its spans have to be counted trace by trace.
    No,
}

/// Counts the spans of a block for a leaf, those of the `shared` traces left out. When it says no, `counted` may hold
/// some of them and is of no use.
pub(crate) fn count(
    reader: &BlockReader,
    plan: &Plan,
    leaf: &Leaf,
    matches: &Matches<'_>,
    shared: &[u32],
    counted: &mut Accumulator,
) -> Result<Counted> {
    let filter = leaf.simple_filter().filter(|&filter| {
        matches.is_exact(filter) && plan.filter(filter).is_some_and(|filter| !filter.reads_trace)
    });
    let (Some(filter), false) = (filter, matches!(leaf.function, Measure::Compare(_))) else {
        return Ok(Counted::No);
    };
    let mut by: Vec<Field> = leaf.by.iter().filter_map(|(field, _)| plan.field(*field).cloned()).collect();
    // What is measured is one field more, unless it is the duration, which is there anyway.
    let measured = match leaf.measured().and_then(|field| plan.field(field)) {
        None => Measured::Nothing,
        Some(Field::Intrinsic(Intrinsic::Duration)) => Measured::Duration,
        Some(field) => {
            by.push(field.clone());
            Measured::Field
        }
    };
    let mut columns = Columns::new(reader, &matches.table, &by, MAX_GROUPS)?;
    let wants_durations = measured == Measured::Duration || counted.wants_exemplars();
    let mut tally = Tally { counted, measured, labels: leaf.by.len(), known: Vec::new(), place: 0, spans: 0 };
    for (number, (first_row, bits)) in (0..).zip(&matches.groups) {
        let Some(rows) = bits.filter(filter) else { continue };
        let rows = without(rows, *first_row, &matches.table, shared);
        let mut pieces = columns.pieces(number, &rows, wants_durations)?;
        while let Some((piece, values)) = pieces.next_with_groups()? {
            if piece.groups.contains(&NO_GROUP) {
                return Ok(Counted::No);
            }
            tally.add(*first_row, &piece, values, &matches.table);
        }
    }
    Ok(Counted::Yes { spans: tally.spans })
}

/// Spans of a block on their way into an accumulator.
struct Tally<'c> {
    counted: &'c mut Accumulator,
    measured: Measured,
    /// How many of a group's fields are labels.
    labels: usize,
    /// The accumulator's group of each of the block's; `None` within when it is given up for others.
    known: Vec<Option<Option<GroupId>>>,
    /// Place of the trace that was looked up last.
    place: u32,
    spans: u64,
}

impl Tally<'_> {
    /// Counts the spans of a piece.
    fn add(
        &mut self,
        first_row: u64,
        piece: &spanloom_block::Measured<'_>,
        values: &Columns<'_>,
        table: &TraceTable<'_>,
    ) {
        let Self { counted, measured, labels, known, place, spans } = self;
        let steps = counted.steps();
        *spans += piece.rows.len() as u64;
        for (at, (&start, &number)) in piece.starts.iter().zip(piece.groups).enumerate() {
            let Some(sample) = steps.sample_of(start) else { continue };
            let duration = piece.durations.get(at).copied().unwrap_or(0);
            let value = match measured {
                Measured::Nothing => Value::Nil,
                Measured::Duration => Value::Duration(i64::try_from(duration).unwrap_or(i64::MAX)),
                Measured::Field => values.last_value(number),
            };
            if *measured != Measured::Nothing && !counted.takes(value) {
                continue;
            }
            let group = number as usize;
            if known.len() <= group {
                known.resize(group + 1, None);
            }
            let find = || counted.group(values.group(number).get(..*labels).unwrap_or_default());
            let Some(group) = *known[group].get_or_insert_with(find) else { continue };
            match measured {
                Measured::Nothing => counted.add(group, sample, 1),
                _ => counted.add_value(group, sample, value),
            }
            if counted.wants_exemplars()
                && let Some(found) = table.place_of_row(first_row + u64::from(piece.rows[at]), *place)
            {
                *place = found;
                counted.add_exemplar(group, start, value, table.id(found), duration);
            }
        }
    }
}

/// What is measured of each span.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Measured {
    Nothing,
    Duration,
    /// A field, which is read as if it were one more label.
    Field,
}

/// The rows without those of the traces at some places.
fn without(rows: &Bits, first_row: u64, table: &TraceTable<'_>, places: &[u32]) -> Bits {
    let mut rows = rows.clone();
    for &place in places {
        let of = table.rows(place);
        let within = |row: u64| row.saturating_sub(first_row).min(rows.len() as u64) as usize;
        let (from, to) = (within(of.start), within(of.end));
        rows.clear_range(from..to);
    }
    rows
}
