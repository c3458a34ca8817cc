//! What is to go, where it lies in a block, and a block without it.

use std::ops::Range;

use spanloom_block::{Block, BlockError, BlockId, BlockTraces, Keep, TraceTable};
use spanloom_span::TraceId;

/// What is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doomed {
    /// These traces, whole.
    Traces(Vec<TraceId>),
    /// These spans, each by its trace, its id as a big-endian integer and OTLP's code of its kind, which together tell
    /// it from others. What else there is of their traces stays.
    Spans(Vec<(TraceId, u64, i32)>),
}

impl Doomed {
    /// In order and each once, as it is looked up.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        match &mut self {
            Self::Traces(traces) => {
                traces.sort_unstable();
                traces.dedup();
            }
            Self::Spans(spans) => {
                spans.sort_unstable();
                spans.dedup();
            }
        }
        self
    }

    /// The traces of it, ascending, each once.
    fn traces(&self) -> Vec<TraceId> {
        match self {
            Self::Traces(traces) => traces.clone(),
            Self::Spans(spans) => {
                let mut traces: Vec<TraceId> = spans.iter().map(|(trace, ..)| *trace).collect();
                traces.dedup();
                traces
            }
        }
    }

    /// The spans of a trace that are to go.
    fn spans_of(&self, trace: &TraceId) -> &[(TraceId, u64, i32)] {
        let Self::Spans(spans) = self else { return &[] };
        let from = spans.partition_point(|(of, ..)| of < trace);
        let count = spans[from..].partition_point(|(of, ..)| of == trace);
        &spans[from..from + count]
    }
}

/// What a block has of what is to go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Hits {
    /// Traces that go whole, ascending.
    whole: Vec<TraceId>,
    /// Traces of which rows go, ascending.
    partly: Vec<TraceId>,
    /// Those rows, ascending.
    rows: Vec<u64>,
    /// Spans that go.
    pub spans: u64,
}

impl Hits {
    /// Looks for it. May wait for the disk, or the store.
    pub fn find(block: &Block, doomed: &Doomed) -> Result<Self, BlockError> {
        let mut places = Vec::new();
        for trace in doomed.traces() {
            if let Some(place) = block.find(&trace)? {
                places.push((trace, place));
            }
        }
        let mut hits = Self::default();
        if places.is_empty() {
            return Ok(hits);
        }
        let reader = block.reader()?;
        let table = TraceTable::open(&reader)?;
        let of_place = |place: u64| -> Result<Range<u64>, BlockError> {
            let place = u32::try_from(place).ok().filter(|place| *place < table.len());
            Ok(table.rows(place.ok_or(BlockError::Damaged("a trace lies outside of the trace table"))?))
        };
        if matches!(doomed, Doomed::Traces(_)) {
            for (trace, place) in places {
                let rows = of_place(place)?;
                hits.spans += rows.end - rows.start;
                hits.whole.push(trace);
            }
            return Ok(hits);
        }
        let mut traces = BlockTraces::new(&reader, &[])?;
        for (trace, place) in places {
            let (spans, first) = (doomed.spans_of(&trace), of_place(place)?.start);
            let keys = traces.trace(place)?.span_keys()?;
            let before = hits.rows.len();
            let is_doomed = |(id, kind): (u64, i32)| spans.binary_search(&(trace, id, kind)).is_ok();
            hits.rows.extend((first..).zip(keys).filter(|(_, key)| is_doomed(*key)).map(|(row, _)| row));
            if hits.rows.len() > before {
                hits.partly.push(trace);
            }
        }
        hits.spans = hits.rows.len() as u64;
        Ok(hits)
    }

    /// Traces that go, whole or in part.
    pub fn traces(&self) -> impl Iterator<Item = &TraceId> {
        self.whole.iter().chain(&self.partly)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.partly.is_empty()
    }
}

/// Keeps all of a block but what is to go.
pub(crate) struct Without<'h>(pub &'h Hits);

impl Keep for Without<'_> {
    fn keeps_trace(&mut self, id: &TraceId) -> bool {
        self.0.whole.binary_search(id).is_err()
    }

    fn looks_at_rows(&mut self, id: &TraceId) -> bool {
        self.0.partly.binary_search(id).is_ok()
    }

    fn keeps_row(&mut self, _: &BlockId, row: u64) -> bool {
        self.0.rows.binary_search(&row).is_err()
    }
}

#[cfg(test)]
#[path = "doomed_tests.rs"]
mod tests;
