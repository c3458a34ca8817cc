//! Columns for metrics: start, duration and group of the rows of a row group that count.
//!
//! A group is what the fields of `by` are in a span. Where the span's class decides them the group is found once for
//! each class; else the row is asked, and values of a dictionary are told apart by their codes.

use hashbrown::HashMap;
use spanloom_traceql::ast;
use spanloom_traceql::value::Value;

use crate::columns::Field;
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::BlockReader;
use crate::search::bits::Bits;
use crate::search::lookup::rows::MAX_REMEMBERED;
use crate::search::lookup::{Found, Lookup, OfTrace, SpanRow};
use crate::search::table::TraceTable;
use crate::search::values::ValueSet;

/// The group of rows beyond the limit on groups.
pub const NO_GROUP: u32 = u32::MAX;

/// Rows that are read at once.
const PIECE: u64 = 1024;

/// Most codes of dictionaries that are remembered.
const MAX_CODES: usize = 1 << 18;

/// The rows of a class have several groups.
const MIXED: u32 = u32::MAX - 1;
const UNKNOWN: u32 = u32::MAX - 2;

/// Columns of some rows of a row group, which count.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'m> {
    /// The rows within the group, ascending.
    pub rows: &'m [u32],
    /// Their starts, nanoseconds since 1970.
    pub starts: &'m [u64],
    /// Their durations in nanoseconds; empty when they were not asked for.
    pub durations: &'m [u64],
    /// Their groups: see [`Measure::group`]. [`NO_GROUP`] beyond the limit.
    pub groups: &'m [u32],
}

/// Reads the columns of one block after the other row group. Groups keep their numbers within the block.
pub struct Measure<'a> {
    lookup: Lookup<'a>,
    table: &'a TraceTable<'a>,
    fields: usize,
    values: ValueSet,
    groups: Groups,
    /// Group of each class, of the row group that was read last.
    of_classes: Vec<u32>,
    /// Numbers of values by field, table, type and code.
    of_codes: HashMap<(u32, u8, u8, u64), u32, foldhash::fast::FixedState>,
    out: Buffers,
}

#[derive(Default)]
struct Buffers {
    rows: Vec<u32>,
    starts: Vec<u64>,
    durations: Vec<u64>,
    groups: Vec<u32>,
    keys: Vec<u64>,
    offsets: Vec<u64>,
    all_durations: Vec<u64>,
}

/// Groups as a tree: each is the group of the fields before, and a value more.
struct Groups {
    /// Group and value that each is made of; the first is the one of no fields.
    parts: Vec<(u32, u32)>,
    numbers: HashMap<(u32, u32), u32, foldhash::fast::FixedState>,
    /// Most entries of the tree.
    limit: usize,
    is_full: bool,
}

impl Groups {
    fn with(&mut self, group: u32, value: u32) -> u32 {
        if group == NO_GROUP {
            return NO_GROUP;
        }
        if let Some(&number) = self.numbers.get(&(group, value)) {
            return number;
        }
        if self.parts.len() >= self.limit {
            self.is_full = true;
            return NO_GROUP;
        }
        let number = self.parts.len() as u32;
        self.parts.push((group, value));
        self.numbers.insert((group, value), number);
        number
    }
}

impl<'a> Measure<'a> {
    /// Starts with no groups. `by` are fields that a block alone knows; of fields of events and links the first value
    /// counts. At most `max_groups` groups are told apart.
    pub fn new(
        reader: &'a BlockReader,
        table: &'a TraceTable<'a>,
        by: &[ast::Field],
        max_groups: usize,
    ) -> Result<Self> {
        let limit = max_groups.saturating_mul(by.len().max(1)).saturating_add(1).min(UNKNOWN as usize);
        let groups = Groups { parts: vec![(0, 0)], numbers: HashMap::default(), limit, is_full: false };
        Ok(Self {
            lookup: Lookup::new(reader.contents(), by)?,
            table,
            fields: by.len(),
            values: ValueSet::default(),
            groups,
            of_classes: Vec::new(),
            of_codes: HashMap::default(),
            out: Buffers::default(),
        })
    }

    /// Whether there were more groups than the limit allows.
    pub fn is_full(&self) -> bool {
        self.groups.is_full
    }

    /// The values that make a group, field by field.
    pub fn group(&self, group: u32) -> Vec<Value<'_>> {
        let mut out = Vec::with_capacity(self.fields);
        let mut at = group;
        while at != 0
            && out.len() < self.fields
            && let Some(&(before, value)) = self.groups.parts.get(at as usize)
        {
            out.push(self.values.get(value).unwrap_or(Value::Nil));
            at = before;
        }
        out.reverse();
        out
    }

    /// The value of a group's last field.
    pub fn last_value(&self, group: u32) -> Value<'_> {
        let value = self.groups.parts.get(group as usize).filter(|_| group != 0 && self.fields > 0);
        value.and_then(|&(_, value)| self.values.get(value)).unwrap_or(Value::Nil)
    }

    /// The rows of a row group that are in a set, in pieces, ascending.
    pub fn pieces<'m>(&'m mut self, group: u32, rows: &'m Bits, durations: bool) -> Result<Pieces<'m, 'a>> {
        self.of_classes.clear();
        let open = self.lookup.group(group)?;
        if rows.len() as u64 > open.spans.len() {
            return Err(BlockError::Damaged("a row group has another count of rows"));
        }
        let first_row = open.first_row;
        Ok(Pieces { measure: self, group, first_row, rows, durations, next: 0, place: 0 })
    }

    /// Reads the rows of a piece that are in `words`. Gives the place of the trace of the last.
    fn read(&mut self, at: &Piece, words: &[u64], durations: bool, place: u32) -> Result<u32> {
        let &Piece { group, first_row, from, to } = at;
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        let spans = &mut self.lookup.group(group)?.spans;
        spans.fill(Field::Start, from..to, &mut out.offsets)?;
        spans.keys_of(from..to, &mut out.keys)?;
        if durations {
            spans.fill(Field::Duration, from..to, &mut out.all_durations)?;
        }
        let place = self.add_starts(first_row + from, &mut out.offsets, place)?;
        for (at, &word) in words.iter().enumerate() {
            let base = at * 64;
            if word == u64::MAX {
                out.rows.extend((base..base + 64).map(|row| (from as usize + row) as u32));
                continue;
            }
            let mut left = word;
            while left != 0 {
                out.rows.push(from as u32 + base as u32 + left.trailing_zeros());
                left &= left - 1;
            }
        }
        let first = from as u32;
        let Buffers { rows, starts, offsets, all_durations, durations: kept, .. } = &mut out;
        starts.extend(rows.iter().map(|row| offsets[(row - first) as usize]));
        if durations {
            kept.extend(rows.iter().map(|row| all_durations[(row - first) as usize]));
        }
        let grouped = self.add_groups(group, first_row, from, &mut out);
        self.out = out;
        grouped.map(|()| place)
    }

    /// Adds the starts of the traces to those of their spans.
    fn add_starts(&self, first_row: u64, starts: &mut [u64], from: u32) -> Result<u32> {
        let mut place = from;
        let mut at = 0;
        while at < starts.len() {
            let row = first_row + at as u64;
            place = self.table.place_of_row(row, place).or_damaged("a row belongs to no trace")?;
            let end = (self.table.rows(place).end - first_row).min(starts.len() as u64) as usize;
            let start = self.table.start(place);
            starts[at..end].iter_mut().for_each(|offset| *offset = offset.wrapping_add(start));
            at = end;
        }
        Ok(place)
    }

    fn add_groups(&mut self, group: u32, first_row: u64, from: u64, out: &mut Buffers) -> Result<()> {
        let Buffers { rows, groups, keys, .. } = out;
        if self.fields == 0 {
            groups.resize(rows.len(), 0);
            return Ok(());
        }
        let mut place = 0;
        for &row in rows.iter() {
            let key = keys[(u64::from(row) - from) as usize];
            let known = self.of_classes.get(key as usize).copied().unwrap_or(UNKNOWN);
            groups.push(match known {
                UNKNOWN | MIXED => {
                    let at = SpanRow { group, row: row.into() };
                    let known = if known == MIXED { MIXED } else { self.of_class(at, key)? };
                    if known == MIXED { self.of_row(at, first_row, &mut place)? } else { known }
                }
                known => known,
            });
        }
        Ok(())
    }

    /// The group of all rows of a class, or [`MIXED`].
    fn of_class(&mut self, at: SpanRow, key: u64) -> Result<u32> {
        let mut out = 0;
        for field in 0..self.fields {
            let found = self.lookup.of_class(at, field)?;
            if found == Found::ByRow {
                out = MIXED;
                break;
            }
            let value = self.number(at, field, found)?;
            out = self.groups.with(out, value);
        }
        let key = key as usize;
        if key < MAX_REMEMBERED && self.lookup.group(at.group)?.spans.has_classes() {
            if self.of_classes.len() <= key {
                self.of_classes.resize(key + 1, UNKNOWN);
            }
            self.of_classes[key] = out;
        }
        Ok(out)
    }

    /// The group of a row.
    fn of_row(&mut self, at: SpanRow, first_row: u64, place: &mut u32) -> Result<u32> {
        let mut out = 0;
        for field in 0..self.fields {
            let value = match self.lookup.of_row(at, field)? {
                Found::ByRow => {
                    let row = first_row + at.row;
                    *place = self.table.place_of_row(row, *place).or_damaged("a row belongs to no trace")?;
                    let of = OfTrace {
                        id: &self.table.ids()[*place as usize],
                        first_row: self.table.rows(*place).start,
                        place: (*place).into(),
                    };
                    let mut first = None;
                    let values = &mut self.values;
                    self.lookup.see(at, of, field, &mut |value| {
                        first.get_or_insert_with(|| values.number(value));
                    })?;
                    first.unwrap_or_else(|| self.values.number(Value::Nil))
                }
                found => self.number(at, field, found)?,
            };
            out = self.groups.with(out, value);
            if out == NO_GROUP {
                break;
            }
        }
        Ok(out)
    }

    /// The number of the value that was found.
    fn number(&mut self, at: SpanRow, field: usize, found: Found) -> Result<u32> {
        let code = self.lookup.code(at.group, found)?;
        let (Found::Value { table, value_type, .. }, Some(code)) = (found, code) else {
            return self.number_of(at, found);
        };
        let key = (field as u32, table as u8, value_type as u8, code);
        if let Some(&number) = self.of_codes.get(&key) {
            return Ok(number);
        }
        let number = self.number_of(at, found)?;
        if self.of_codes.len() < MAX_CODES {
            self.of_codes.insert(key, number);
        }
        Ok(number)
    }

    fn number_of(&mut self, at: SpanRow, found: Found) -> Result<u32> {
        let mut number = 0;
        let values = &mut self.values;
        self.lookup.show(at.group, found, &mut |value| number = values.number(value))?;
        Ok(number)
    }
}

/// Where a piece lies.
struct Piece {
    group: u32,
    /// First row of the group.
    first_row: u64,
    /// Rows within the group.
    from: u64,
    to: u64,
}

/// The rows of a row group that are in a set, in pieces.
pub struct Pieces<'m, 'a> {
    measure: &'m mut Measure<'a>,
    group: u32,
    first_row: u64,
    rows: &'m Bits,
    durations: bool,
    next: u64,
    /// Place of the trace that was read last.
    place: u32,
}

impl<'a> Pieces<'_, 'a> {
    /// The next piece that has rows; `None` at the end.
    pub fn next_piece(&mut self) -> Result<Option<Measured<'_>>> {
        Ok(self.next_with_groups()?.map(|(piece, _)| piece))
    }

    /// As [`Pieces::next_piece`], and whom to ask what a group is.
    pub fn next_with_groups(&mut self) -> Result<Option<(Measured<'_>, &Measure<'a>)>> {
        let Self { group, first_row, rows, .. } = *self;
        loop {
            let from = self.next;
            let to = (from + PIECE).min(rows.len() as u64);
            let words = rows.words().get((from / 64) as usize..to.div_ceil(64) as usize);
            let Some(words) = words.filter(|_| from < to) else { return Ok(None) };
            self.next = to;
            if words.iter().any(|&word| word != 0) {
                let piece = Piece { group, first_row, from, to };
                self.place = self.measure.read(&piece, words, self.durations, self.place)?;
                break;
            }
        }
        let Buffers { rows, starts, durations, groups, .. } = &self.measure.out;
        Ok(Some((Measured { rows, starts, durations, groups }, &*self.measure)))
    }
}

impl Buffers {
    fn clear(&mut self) {
        let Self { rows, starts, durations, groups, keys, offsets, all_durations } = self;
        for list in [starts, durations, keys, offsets, all_durations] {
            list.clear();
        }
        rows.clear();
        groups.clear();
    }
}
