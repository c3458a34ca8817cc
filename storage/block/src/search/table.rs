//! The trace table in bulk: where each trace lies and when it was.

use std::ops::Range;
use std::sync::OnceLock;

use spanloom_span::TraceId;

use crate::columns::Field;
use crate::error::{OrDamaged, Result};
use crate::reader::BlockReader;
use crate::search::bits::Bits;

/// The trace table, unpacked: 24 bytes a trace. A trace's place is its number, 0 for the least id.
pub struct TraceTable<'a> {
    ids: &'a [[u8; 16]],
    /// First row of each trace, and the end of the last one's; strictly ascending.
    first_rows: Vec<u64>,
    starts: Vec<u64>,
    durations: Vec<u64>,
    newest_first: OnceLock<Vec<u32>>,
}

impl<'a> TraceTable<'a> {
    /// Unpacks the table.
    pub fn open(reader: &'a BlockReader) -> Result<Self> {
        let block = reader.contents();
        let ids = block.ids()?;
        // As long as the ids, which are there.
        let unpack = |field| -> Result<Vec<u64>> {
            let mut out = vec![0; ids.len()];
            if !ids.is_empty() {
                block.trace_column(field)?.read(0, &mut out)?;
            }
            Ok(out)
        };
        let mut first_rows = unpack(Field::FirstRow)?;
        first_rows.push(block.meta.spans);
        let is_ascending = first_rows.windows(2).all(|pair| pair[0] < pair[1]);
        (is_ascending && first_rows[0] == 0 && u32::try_from(ids.len()).is_ok())
            .then_some(())
            .or_damaged("the rows of the traces are out of order")?;
        let (starts, durations) = (unpack(Field::Start)?, unpack(Field::Duration)?);
        Ok(Self { ids, first_rows, starts, durations, newest_first: OnceLock::new() })
    }

    /// How many traces.
    pub fn len(&self) -> u32 {
        self.ids.len() as u32
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The traces' ids, ascending.
    pub fn ids(&self) -> &'a [[u8; 16]] {
        self.ids
    }

    /// The trace at a place.
    ///
    /// # Panics
    /// When there are fewer traces, as the other methods that take a place.
    pub fn id(&self, place: u32) -> TraceId {
        TraceId(self.ids[place as usize])
    }

    /// The place of a trace.
    pub fn place_of(&self, id: &TraceId) -> Option<u32> {
        self.ids.binary_search(&id.0).ok().map(|place| place as u32)
    }

    /// A trace's rows in the table of spans.
    pub fn rows(&self, place: u32) -> Range<u64> {
        self.first_rows[place as usize]..self.first_rows[place as usize + 1]
    }

    /// A trace's earliest start, nanoseconds since 1970.
    pub fn start(&self, place: u32) -> u64 {
        self.starts[place as usize]
    }

    /// The earliest starts, by place.
    pub fn starts(&self) -> &[u64] {
        &self.starts
    }

    /// A trace's latest end minus its earliest start, in nanoseconds.
    pub fn duration(&self, place: u32) -> u64 {
        self.durations[place as usize]
    }

    /// The newest start of a trace; `None` when there are none.
    pub fn newest_start(&self) -> Option<u64> {
        self.starts.iter().max().copied()
    }

    /// All places, those of the newest traces first, of equal starts the least id first. Sorted when first asked for.
    pub fn newest_first(&self) -> &[u32] {
        self.newest_first.get_or_init(|| {
            let mut places: Vec<u32> = (0..self.len()).collect();
            places.sort_unstable_by_key(|&place| (std::cmp::Reverse(self.start(place)), place));
            places
        })
    }

    /// The trace that a row belongs to, looked for from a place on, which must not lie behind it. Near ones are found
    /// fastest.
    pub fn place_of_row(&self, row: u64, from: u32) -> Option<u32> {
        let mut low = from as usize;
        let mut step = 1;
        // The first row of the trace after the one at `low + step` is beyond the row, or there is none.
        while self.first_rows.get(low + step).is_some_and(|&first| first <= row) {
            low += step;
            step *= 2;
        }
        let high = (low + step).min(self.ids.len());
        let after = self.first_rows.get(low + 1..high).unwrap_or_default();
        let place = low + after.partition_point(|&first| first <= row);
        (place < self.ids.len() && row < self.first_rows[place + 1]).then_some(place as u32)
    }

    /// Shows the places of the traces that have rows in a set, ascending, each once. `first_row` is the row that the
    /// set's first bit stands for.
    pub fn touched(&self, first_row: u64, rows: &Bits, mut see: impl FnMut(u32)) {
        let mut end = 0;
        let mut place = 0;
        for (at, &word) in rows.words().iter().enumerate() {
            let mut left = word;
            while left != 0 {
                let row = first_row + at as u64 * 64 + u64::from(left.trailing_zeros());
                if row >= end {
                    let Some(found) = self.place_of_row(row, place) else { return };
                    place = found;
                    end = self.first_rows[place as usize + 1];
                    see(place);
                }
                // The rest of the word may lie in the same trace.
                let rest = end - (first_row + at as u64 * 64);
                left = if rest >= 64 { 0 } else { left & u64::MAX << rest };
            }
        }
    }
}
