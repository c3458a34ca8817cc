//! Blocks into fewer, larger ones.
//!
//! Every trace of the inputs is in exactly one output, whole: its parts are joined in the order of the inputs' names,
//! oldest first, and of spans that agree the first one stays, as when a trace is joined for a reader. Values move from
//! column to column; no span is ever an object. The same inputs and options give the same bytes.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | what is asked of a merge, and its course |
//! | `output.rs` | the blocks that are made |
//! | `input.rs` | a block that is merged |
//! | `joined.rs` | traces that several inputs have parts of |
//! | `copy.rs` | rows of a table into the output |
//! | `source.rs` | values of a column into the output |
//! | `window.rs` | integers, some hundred at a time |
//!
//! **Invariant:** what a merge holds does not grow with its inputs. It is: a row group of the output; what the output
//! keeps until it is finished, which [`MergeOptions::max_held_bytes`] and [`MergeOptions::max_traces`] bound by
//! cutting it; for each input its directory and some hundred values of each column; and of the inputs' pages
//! [`MergeOptions::touched_bytes`], which are given back as the merge goes on.

mod copy;
mod input;
mod joined;
mod output;
mod source;
mod window;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::io;
use std::ops::ControlFlow;

use spanloom_span::TraceId;

use crate::columns::MARK_SHARED_ID;
use crate::error::BlockError;
use crate::id::BlockId;
use crate::meta::BlockMeta;
use crate::reader::{Block, BlockReader};
use crate::writer::trace::OpenTrace;
use crate::writer::{Boundary, GROUP_ROWS, TraceEntry};
use input::{Input, InputTrace, Placing};
use joined::Joined;
use output::Outputs;

/// Spans between two reports to who watches.
const WATCH_SPANS: u64 = 4096;

/// How blocks are merged.
#[derive(Debug, Clone, Copy)]
pub struct MergeOptions {
    /// zstd level of pages that are worth compressing, as [`crate::BuilderOptions::zstd_level`].
    pub zstd_level: Option<i32>,
    /// Rows of a row group, as [`crate::BuilderOptions::group_rows`].
    pub group_rows: usize,
    /// What the outputs' directories say of how often they were merged.
    pub level: u32,
    /// Tells the outputs' names from those of other jobs with the same inputs.
    pub salt: u64,
    /// Whether the outputs say through which log ordinal a trace is sealed: the greatest of its parts. Else 0, for
    /// blocks that leave the node whose log is meant.
    pub keeps_sealed_through: bool,
    /// An output that has so many spans, or traces, or bytes, is ended with its last trace.
    pub max_spans: u64,
    /// See [`Self::max_spans`]. A trace takes 88 bytes of memory until its output ends.
    pub max_traces: u64,
    /// See [`Self::max_spans`].
    pub max_bytes: u64,
    /// An output is ended when this much memory is held for it: trace table, dictionaries, directory.
    pub max_held_bytes: usize,
    /// Bytes of all inputs' files together that may be in memory, about. Each has an equal share; one that is larger
    /// gives its pages back each time that it may have more, which costs some 0.1 us a span.
    pub touched_bytes: u64,
    /// Most memory that may be taken for one trace of which several inputs have parts: 48 bytes a span.
    pub max_trace_bytes: u64,
}

impl Default for MergeOptions {
    fn default() -> Self {
        Self {
            zstd_level: Some(3),
            group_rows: GROUP_ROWS,
            level: 1,
            salt: 0,
            keeps_sealed_through: true,
            max_spans: 1 << 24,
            max_traces: 1 << 19,
            max_bytes: 1 << 30,
            max_held_bytes: 64 << 20,
            touched_bytes: 48 << 20,
            max_trace_bytes: crate::MAX_TRACE_BYTES,
        }
    }
}

/// Which traces and spans are kept. Asked in ascending order of trace ids; the answers must not depend on anything
/// else than what is asked, or the same merge gives other bytes.
pub trait Keep {
    /// Whether anything of a trace is kept.
    fn keeps_trace(&mut self, id: &TraceId) -> bool;

    /// Whether rows of a trace that is kept are asked for. If not, none of them is left out.
    fn looks_at_rows(&mut self, id: &TraceId) -> bool {
        let _ = id;
        false
    }

    /// Whether a row of an input's table of spans is kept.
    fn keeps_row(&mut self, input: &BlockId, row: u64) -> bool {
        let _ = (input, row);
        true
    }
}

/// Keeps everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeepAll;

impl Keep for KeepAll {
    fn keeps_trace(&mut self, _: &TraceId) -> bool {
        true
    }
}

/// How far a merge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MergeProgress {
    /// Spans of the inputs that are done with.
    pub spans: u64,
    /// Spans of all inputs.
    pub of: u64,
}

/// A block that a merge made. Its bytes were written and flushed, not synced.
#[derive(Debug)]
pub struct Merged<W> {
    /// Its name: the same for the same inputs, salt and part.
    pub id: BlockId,
    /// What is known of it.
    pub meta: BlockMeta,
    /// Where it was written.
    pub sink: W,
}

/// What became of the inputs' traces and spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MergeStats {
    /// Traces in the outputs.
    pub traces: u64,
    /// Spans in the outputs.
    pub spans: u64,
    /// Spans left out, since one with the same id and kind came before.
    pub duplicates: u64,
    /// Traces of which nothing was to be kept.
    pub dropped_traces: u64,
    /// Spans that were not to be kept, those of dropped traces counted.
    pub dropped_spans: u64,
}

/// The outputs of a merge, ascending by trace id and disjoint. None when nothing was to be kept: then nothing says
/// what is replaced, and it is for the caller to retire the inputs.
#[derive(Debug)]
pub struct MergeReport<W> {
    /// The blocks. The last one names the inputs as replaced.
    pub outputs: Vec<Merged<W>>,
    /// What became of traces and spans.
    pub stats: MergeStats,
}

/// Why a merge ended early. Its inputs are unchanged; what was written of its outputs is to be removed.
#[derive(Debug)]
pub struct MergeError {
    /// The input that could not be read, where it is one.
    pub block: Option<BlockId>,
    /// What was wrong.
    pub error: BlockError,
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.block {
            Some(block) => write!(f, "block {block}: {}", self.error),
            None => self.error.fmt(f),
        }
    }
}

impl std::error::Error for MergeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<BlockError> for MergeError {
    fn from(error: BlockError) -> Self {
        Self { block: None, error }
    }
}

impl MergeError {
    fn of(block: BlockId, error: BlockError) -> Self {
        let is_of_input = !matches!(error, BlockError::Full(_) | BlockError::Write(_) | BlockError::Sink(_));
        Self { block: is_of_input.then_some(block), error }
    }
}

/// Merges blocks of one tenant. `next_output` opens what an output is written to; `watch` is told how far the merge is
/// and ends it when it wants to, between two traces.
///
/// With one input and a [`Keep`] that leaves something out, this rewrites a block.
pub fn merge<W: io::Write>(
    inputs: &[(BlockId, Block)],
    options: &MergeOptions,
    keep: &mut dyn Keep,
    watch: &mut dyn FnMut(MergeProgress) -> ControlFlow<()>,
    next_output: &mut dyn FnMut(BlockId) -> io::Result<W>,
) -> Result<MergeReport<W>, MergeError> {
    let mut sorted: Vec<&(BlockId, Block)> = inputs.iter().collect();
    sorted.sort_unstable_by_key(|(id, _)| *id);
    if sorted.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(BlockError::Inputs("one of them is named twice").into());
    }
    if sorted.windows(2).any(|pair| pair[0].1.meta().tenant != pair[1].1.meta().tenant) {
        return Err(BlockError::Inputs("they are of several tenants").into());
    }
    let reader = |(id, block): &&(BlockId, Block)| -> Result<_, MergeError> {
        let reader = block.reader().map_err(|error| MergeError::of(*id, error))?;
        // Its directory was read.
        reader.contents().sections.release_pages();
        Ok((*id, reader))
    };
    let readers: Vec<(BlockId, BlockReader)> = sorted.iter().map(reader).collect::<Result<_, _>>()?;
    let share = options.touched_bytes / readers.len().max(1) as u64;
    let mut opened = Vec::with_capacity(readers.len());
    for (id, reader) in &readers {
        opened.push(Input::new(*id, reader.contents(), share).map_err(|error| MergeError::of(*id, error))?);
    }
    let of = opened.iter().map(|input| input.block.meta.spans).sum();
    let mut course = Course {
        outputs: Outputs::new(options, &opened, next_output),
        inputs: opened,
        options,
        keep,
        stats: MergeStats::default(),
        progress: MergeProgress { spans: 0, of },
        trace: OpenTrace::default(),
        joined: Joined::default(),
        orphans: Vec::new(),
    };
    course.run(watch)?;
    course.outputs.end(&mut course.inputs, true)?;
    Ok(MergeReport { outputs: course.outputs.done, stats: course.stats })
}

/// Which orphan of its trace a parent's code means, if it means one.
fn orphan_of(code: u64) -> Option<u64> {
    code.checked_sub(2).filter(|code| code.is_multiple_of(2)).map(|code| code / 2)
}

/// A merge under way.
struct Course<'a, 'm, W> {
    inputs: Vec<Input<'a>>,
    outputs: Outputs<'m, W>,
    options: &'m MergeOptions,
    keep: &'m mut dyn Keep,
    stats: MergeStats,
    progress: MergeProgress,
    trace: OpenTrace,
    joined: Joined,
    orphans: Vec<u64>,
}

/// A trace of an input that has a part of it.
type TracePart = (usize, InputTrace);

impl<W: io::Write> Course<'_, '_, W> {
    fn run(&mut self, watch: &mut dyn FnMut(MergeProgress) -> ControlFlow<()>) -> Result<(), MergeError> {
        let mut heap = BinaryHeap::new();
        for (at, input) in self.inputs.iter_mut().enumerate() {
            heap.extend(input.next_id().map(|id| Reverse((id, at))));
            input.release_excess();
        }
        let (mut parts, mut told) = (Vec::<TracePart>::new(), 0);
        while let Some(Reverse((id, at))) = heap.pop() {
            parts.clear();
            parts.push((at, self.next_trace(at)?));
            while let Some(Reverse((_, at))) = heap.peek().filter(|Reverse((next, _))| *next == id) {
                let at = *at;
                heap.pop();
                parts.push((at, self.next_trace(at)?));
            }
            self.put(id, &parts)?;
            for (at, _) in &parts {
                let input = &mut self.inputs[*at];
                heap.extend(input.next_id().map(|id| Reverse((id, *at))));
                // It may be long until it is this input's turn again.
                input.release_excess();
            }
            self.progress.spans += parts.iter().map(|(_, part)| part.rows.end - part.rows.start).sum::<u64>();
            if self.progress.spans - told >= WATCH_SPANS || heap.is_empty() {
                told = self.progress.spans;
                if watch(self.progress).is_break() {
                    return Err(BlockError::Cancelled.into());
                }
            }
        }
        Ok(())
    }

    fn next_trace(&mut self, at: usize) -> Result<InputTrace, MergeError> {
        let input = &mut self.inputs[at];
        input.next_trace().map_err(|error| MergeError::of(input.id, error))
    }

    /// Puts a trace into an output, or leaves it out.
    fn put(&mut self, id: TraceId, parts: &[TracePart]) -> Result<(), MergeError> {
        let rows: u64 = parts.iter().map(|(_, part)| part.rows.end - part.rows.start).sum();
        if !self.keep.keeps_trace(&id) {
            self.stats.dropped_traces += 1;
            self.stats.dropped_spans += rows;
            return self.pass_over(parts);
        }
        let looks = self.keep.looks_at_rows(&id);
        match parts {
            [(at, part)] if part.is_known && !looks => {
                self.stats.spans += rows;
                self.stats.traces += 1;
                self.move_whole(*at, part)
            }
            _ => self.join(id, parts, looks),
        }
    }

    /// Moves a trace that one input has, all of it: what its trace table says of it stays right.
    fn move_whole(&mut self, at: usize, part: &InputTrace) -> Result<(), MergeError> {
        let builder = self.outputs.builder(&mut self.inputs)?;
        builder.begin_merged(part.entry.id)?;
        let id = self.inputs[at].id;
        let failed = |error| MergeError::of(id, error);
        let entry = TraceEntry {
            first_row: builder.merged_meta().spans,
            sealed_through: if self.options.keeps_sealed_through { part.entry.sealed_through } else { 0 },
            ..part.entry
        };
        let placing = Placing { parent: None, trace_start: entry.start, input_start: entry.start };
        let orphans = part.orphans.end - part.orphans.start;
        for row in part.rows.clone() {
            let builder = self.outputs.open_builder().ok_or(BlockError::Full("no block is open"))?;
            let input = &mut self.inputs[at];
            let boundary = input.open_row(row).map_err(failed)?;
            let scope = input.scope(builder).map_err(failed)?;
            let mark = builder.merged_mark(boundary, scope);
            let taken = input.take_row(row, scope, mark, &placing, builder).map_err(failed)?;
            if orphan_of(taken.parent).is_some_and(|orphan| orphan >= orphans) {
                return Err(failed(BlockError::Damaged("an orphan is out of range")));
            }
            if taken.did_cut {
                self.outputs.drain()?;
            }
        }
        let copied = self.inputs[at].orphans(part.orphans.clone(), &mut self.orphans);
        copied.map_err(failed)?;
        if let Some(builder) = self.outputs.open_builder() {
            builder.end_merged(&entry, &self.orphans);
        }
        Ok(())
    }

    /// Moves a trace of which several inputs have parts, or of which rows are left out.
    fn join(&mut self, id: TraceId, parts: &[TracePart], looks: bool) -> Result<(), MergeError> {
        self.joined.clear();
        self.trace.clear();
        let mut asked = 0;
        for (at, part) in parts {
            let input = &mut self.inputs[*at];
            let (name, keep) = (input.id, &mut *self.keep);
            let of = input.part(part);
            let wants = |row| {
                let wanted = !looks || keep.keeps_row(&name, row);
                asked += u64::from(!wanted);
                wanted
            };
            let limit = self.options.max_trace_bytes;
            let added = self.joined.add(&of, &mut self.trace, &mut input.heads, limit, wants);
            added.map_err(|error| MergeError::of(name, error))?;
        }
        self.stats.dropped_spans += asked;
        self.stats.duplicates += self.joined.duplicates;
        if self.joined.spans == 0 {
            self.stats.dropped_traces += 1;
            return self.pass_over(parts);
        }
        self.stats.traces += 1;
        self.stats.spans += self.joined.spans;
        self.orphans.clear();
        self.orphans.extend_from_slice(self.trace.link(&mut self.joined.parents));
        let builder = self.outputs.builder(&mut self.inputs)?;
        builder.begin_merged(id)?;
        let sealed = parts.iter().map(|(_, part)| part.entry.sealed_through).max().unwrap_or_default();
        let mut entry = TraceEntry {
            id,
            first_row: builder.merged_meta().spans,
            start: self.joined.start,
            duration: self.joined.end.wrapping_sub(self.joined.start),
            root_row: 0,
            errors: 0,
            sealed_through: if self.options.keeps_sealed_through { sealed } else { 0 },
            marks: if self.trace.has_shared_id { MARK_SHARED_ID } else { 0 },
            digest: self.trace.digest,
        };
        let (mut row, mut place, mut root) = (0, 0, None);
        for (at, part) in parts {
            self.move_kept(*at, part, &mut entry, (&mut row, &mut place), &mut root)?;
        }
        if let Some(builder) = self.outputs.open_builder() {
            builder.end_merged(&entry, &self.orphans);
        }
        Ok(())
    }

    /// Moves those rows of a part that stay. `row` counts the rows of all parts, `place` those that stay.
    fn move_kept(
        &mut self,
        at: usize,
        part: &InputTrace,
        entry: &mut TraceEntry,
        (counted, place): (&mut u64, &mut u64),
        root: &mut Option<(u64, u64, i32)>,
    ) -> Result<(), MergeError> {
        let id = self.inputs[at].id;
        let failed = |error| MergeError::of(id, error);
        // What began with rows that are left out begins with the next one that stays.
        let mut begun = Boundary::None;
        for row in part.rows.clone() {
            let builder = self.outputs.open_builder().ok_or(BlockError::Full("no block is open"))?;
            let input = &mut self.inputs[at];
            begun = begun.max(input.open_row(row).map_err(failed)?);
            *counted += 1;
            if !self.joined.keeps(*counted - 1) {
                input.skip_row().map_err(failed)?;
                continue;
            }
            let scope = input.scope(builder).map_err(failed)?;
            let mark = builder.merged_mark(std::mem::take(&mut begun), scope);
            let parent = self.joined.parents.get(*place as usize).copied();
            let placing = Placing { parent, trace_start: entry.start, input_start: part.entry.start };
            let taken = input.take_row(row, scope, mark, &placing, builder).map_err(failed)?;
            let orphan = parent.and_then(orphan_of).and_then(|orphan| self.orphans.get(orphan as usize));
            let is_root = match (parent, orphan) {
                (Some(0), _) => taken.parent_is_zero.unwrap_or(true),
                (_, orphan) => orphan == Some(&0),
            };
            let first = (taken.start, taken.span_id, taken.kind);
            if is_root && root.is_none_or(|root| first < root) {
                *root = Some(first);
                entry.root_row = *place + 1;
            }
            entry.errors += u64::from(taken.code == 2);
            *place += 1;
            if taken.did_cut {
                self.outputs.drain()?;
            }
        }
        Ok(())
    }

    /// Passes over the rows of a trace that is left out.
    fn pass_over(&mut self, parts: &[TracePart]) -> Result<(), MergeError> {
        for (at, part) in parts {
            let input = &mut self.inputs[*at];
            input.pass_over(part.rows.clone()).map_err(|error| MergeError::of(input.id, error))?;
        }
        Ok(())
    }
}
