//! The blocks that a merge makes: cut at the borders of traces when one of them is large enough, so that what it holds
//! in memory is bounded.

use std::io;

use xxhash_rust::xxh3::xxh3_64;

use crate::error::{BlockError, Result};
use crate::id::BlockId;
use crate::merge::input::Input;
use crate::merge::{MergeOptions, Merged};
use crate::writer::{BlockBuilder, BuilderOptions};
use spanloom_span::Tenant;

/// Bytes of a file that wait before they are written.
const DRAIN_BYTES: usize = 1 << 20;

/// Writes the blocks, one after the other.
pub(crate) struct Outputs<'m, W> {
    options: &'m MergeOptions,
    tenant: Tenant,
    /// When the newest input was made, as its name and as its directory says.
    created: (u64, u64),
    /// Names of the inputs, ascending.
    inputs: Vec<BlockId>,
    next_output: &'m mut dyn FnMut(BlockId) -> io::Result<W>,
    open: Option<Open<W>>,
    pub done: Vec<Merged<W>>,
}

/// The block that is being written.
struct Open<W> {
    id: BlockId,
    builder: BlockBuilder,
    sink: W,
    /// What the builder holds until the end, at the last cut of a row group.
    held: usize,
}

impl<'m, W: io::Write> Outputs<'m, W> {
    /// Begins without a block. `inputs` is ascending.
    pub fn new(
        options: &'m MergeOptions,
        inputs: &[Input<'_>],
        next_output: &'m mut dyn FnMut(BlockId) -> io::Result<W>,
    ) -> Self {
        let newest = inputs.iter().map(|input| input.block.meta.created).max().unwrap_or_default();
        Self {
            options,
            tenant: inputs.first().map_or_else(Tenant::default, |input| input.block.meta.tenant.clone()),
            created: (inputs.last().map_or(0, |input| input.id.created), newest),
            inputs: inputs.iter().map(|input| input.id).collect(),
            next_output,
            open: None,
            done: Vec::new(),
        }
    }

    /// The block that a trace goes to: another one than before when that one is large enough.
    pub fn builder(&mut self, inputs: &mut [Input<'_>]) -> Result<&mut BlockBuilder> {
        if self.open.as_ref().is_some_and(|open| self.is_full(open, inputs)) {
            self.end(inputs, false)?;
        }
        if self.open.is_none() {
            let id = self.id(self.done.len() as u64);
            let sink = (self.next_output)(id).map_err(BlockError::Sink)?;
            let MergeOptions { zstd_level, group_rows, .. } = *self.options;
            let options = BuilderOptions { created: self.created.1, zstd_level, group_rows };
            let builder = BlockBuilder::new(&self.tenant, options)?;
            self.open = Some(Open { id, builder, sink, held: 0 });
            inputs.iter_mut().for_each(Input::begin_output);
        }
        let open = self.open.as_mut().ok_or(BlockError::Full("no block is open"))?;
        Ok(&mut open.builder)
    }

    /// Writes what the builder has of the file, after it cut a row group.
    pub fn drain(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.held = open.builder.growing_bytes();
        if open.builder.waiting_bytes() >= DRAIN_BYTES { open.builder.drain(&mut open.sink) } else { Ok(()) }
    }

    /// The open builder, where there is one.
    pub fn open_builder(&mut self) -> Option<&mut BlockBuilder> {
        self.open.as_mut().map(|open| &mut open.builder)
    }

    fn is_full(&self, open: &Open<W>, inputs: &[Input<'_>]) -> bool {
        let (options, meta) = (self.options, open.builder.merged_meta());
        let held = || open.held + inputs.iter().map(Input::held_bytes).sum::<usize>();
        meta.spans >= options.max_spans
            || meta.traces >= options.max_traces
            || open.builder.merged_bytes() >= options.max_bytes
            || open.held >= options.max_held_bytes
            || (meta.traces.is_multiple_of(1024) && held() >= options.max_held_bytes)
    }

    /// Ends the open block. The last one says what all of them replace.
    pub fn end(&mut self, inputs: &mut [Input<'_>], is_last: bool) -> Result<()> {
        let Some(Open { id, mut builder, mut sink, .. }) = self.open.take() else { return Ok(()) };
        let raw_bytes = inputs.iter_mut().map(Input::end_output).sum();
        let replaces = if is_last { self.inputs.clone() } else { Vec::new() };
        builder.describe(raw_bytes, self.options.level, replaces);
        let meta = builder.finish_into(&mut sink)?;
        sink.flush().map_err(BlockError::Sink)?;
        self.done.push(Merged { id, meta, sink });
        Ok(())
    }

    /// The name of a block: it follows from the inputs' names, the kind of job and the part.
    fn id(&self, part: u64) -> BlockId {
        let numbers = self.inputs.iter().flat_map(|id| [id.created, id.number]);
        let numbers = numbers.chain([self.options.salt, part]);
        let bytes: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
        BlockId { created: self.created.0, number: xxh3_64(&bytes) }
    }
}
