//! Where one thread judges traces: what is open of each block, and memory that is used again for the next trace.

use std::cell::OnceCell;
use std::sync::Arc;

use smallvec::SmallVec;
use spanloom_block::{BlockReader, BlockTraces};
use spanloom_span::TraceId;
use spanloom_traceql::eval::{Fragment, Scratch, WholeTrace};
use spanloom_traceql::plan::Plan;

use crate::QueryError;
use crate::sources::Sources;

/// The blocks that a piece of work has read, by number. It outlives the desk that reads in them.
pub(crate) struct Readers(Vec<OnceCell<BlockReader>>);

impl Readers {
    /// None so far.
    pub fn new(sources: &Sources) -> Self {
        Self(sources.blocks.iter().map(|_| OnceCell::new()).collect())
    }

    /// A block's directory, parsed when it is first asked for.
    pub fn of(&self, sources: &Sources, number: usize) -> Result<&BlockReader, QueryError> {
        let cell = &self.0[number];
        if let Some(reader) = cell.get() {
            return Ok(reader);
        }
        let block = &sources.blocks[number];
        let reader = block.listed.block.reader().map_err(|error| block.failed(error))?;
        Ok(cell.get_or_init(|| reader))
    }
}

/// Parts of one trace: the blocks that hold it with its place in each, oldest first.
pub(crate) type Places = SmallVec<[(usize, u64); 2]>;

/// Where one thread judges traces.
pub(crate) struct Desk<'a> {
    pub sources: &'a Sources,
    pub plan: &'a Plan,
    readers: &'a Readers,
    traces: Vec<Option<BlockTraces<'a>>>,
    scratch: Scratch,
}

impl<'a> Desk<'a> {
    /// A desk with nothing on it.
    pub fn new(sources: &'a Sources, plan: &'a Plan, readers: &'a Readers) -> Self {
        let traces = sources.blocks.iter().map(|_| None).collect();
        Self { sources, plan, readers, traces, scratch: Scratch::default() }
    }

    /// A block's directory.
    pub fn reader(&self, number: usize) -> Result<&'a BlockReader, QueryError> {
        self.readers.of(self.sources, number)
    }

    /// Joins the parts of a trace, wherever they lie, and shows the whole. `None` when nothing of it is left.
    ///
    /// The fragments stand in the order of `blocks`.
    pub fn whole<R>(
        &mut self,
        id: TraceId,
        blocks: &[(usize, u64)],
        judge: impl FnOnce(&mut WholeTrace<'_, '_>) -> Result<R, QueryError>,
    ) -> Result<Option<R>, QueryError> {
        let (sources, plan, readers) = (self.sources, self.plan, self.readers);
        for &(number, _) in blocks {
            if self.traces[number].is_none() {
                let reader = readers.of(sources, number)?;
                let opened = BlockTraces::new(reader, &plan.fields);
                self.traces[number] = Some(opened.map_err(|error| sources.blocks[number].failed(error))?);
            }
        }
        let mut of_blocks = SmallVec::<[_; 2]>::new();
        let (mut slots, mut passed) = (self.traces.iter_mut(), 0);
        for &(number, place) in blocks {
            let Some(Some(traces)) = slots.nth(number - passed) else { continue };
            passed = number + 1;
            of_blocks.push(traces.trace(place).map_err(|error| sources.blocks[number].failed(error))?);
        }
        let mut fragments = SmallVec::<[&mut dyn Fragment; 4]>::new();
        fragments.extend(of_blocks.iter_mut().map(|fragment| fragment as &mut dyn Fragment));
        if fragments.is_empty() {
            return Ok(None);
        }
        let judged = WholeTrace::join(id, plan, &mut fragments, &mut self.scratch)
            .map_err(QueryError::from)
            .and_then(|mut whole| judge(&mut whole));
        judged.map(Some).map_err(|error| unread(error, sources, blocks))
    }

    /// Places of a block's traces that also lie elsewhere, ascending. `ids` are the block's.
    pub fn shared_places(&self, number: usize, ids: &[[u8; 16]]) -> Result<Arc<[u32]>, QueryError> {
        let sources = self.sources;
        let block = &sources.blocks[number];
        if let Some(places) = &block.elsewhere {
            return Ok(places.clone());
        }
        let mut shared = Vec::new();
        for (place, id) in (0..).zip(ids) {
            if sources.blocks_with(&TraceId(*id))?.len() > 1 {
                shared.push(place);
            }
        }
        Ok(shared.into())
    }

    /// The blocks that hold a trace, when it is known to lie in this one.
    pub fn places(&self, id: &TraceId, number: usize, place: u64) -> Result<Places, QueryError> {
        match &self.sources.blocks[number].elsewhere {
            Some(places) if places.binary_search(&(place as u32)).is_err() => {
                Ok(SmallVec::from_slice(&[(number, place)]))
            }
            _ => self.sources.blocks_with(id),
        }
    }
}

/// An error that says of which nodes the blocks are that were being read, if it is one of reading.
fn unread(error: QueryError, sources: &Sources, blocks: &[(usize, u64)]) -> QueryError {
    let of = |&(number, _): &(usize, u64)| Some(sources.blocks[number].of_peer.as_ref()?.node.clone());
    let mut nodes: Vec<_> = blocks.iter().filter_map(of).collect();
    nodes.dedup();
    match error {
        QueryError::Read(_) if !nodes.is_empty() => QueryError::Peers { nodes, source: Box::new(error) },
        error => error,
    }
}
