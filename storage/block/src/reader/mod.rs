//! A block that is read in place.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | a block as it is listed, and as it is read |
//! | `opened.rs` | what stays of a block while it is listed |
//! | `far.rs` | a block that is elsewhere |
//! | `last.rs` | what is known of a block from its last bytes |
//! | `resident.rs` | which blocks may hold their directory and their pages in memory |
//! | `contents.rs` | what the directory says |
//! | `section.rs` | sections, checked once |
//! | `traces.rs` | the trace table |
//! | `column.rs` | the values of a column in a row group |
//! | `table.rs` | rows of a table, one after the other |
//! | `trace.rs` | a trace rebuilt |
//!
//! **Invariant:** opening reads header, trailer and directory alone; no length from the file is trusted before it
//! was compared with what the file holds.

pub(crate) mod column;
pub(crate) mod contents;
pub(crate) mod far;
mod last;
mod opened;
pub(crate) mod resident;
pub(crate) mod section;
pub(crate) mod table;
pub(crate) mod trace;
pub(crate) mod traces;

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use spanloom_span::TraceId;
use spanloom_span::model::Trace;

use crate::columns::Field;
use crate::directory::Group;
use crate::error::{OrDamaged, Result};
use crate::map::Map;
use crate::meta::BlockMeta;
use crate::reader::contents::Contents;
use crate::reader::far::Far;
use crate::reader::opened::Opened;
use crate::reader::resident::Resident;
use crate::search::TraceTable;

pub use far::{Partial, Source};
pub use last::LastBytes;
pub use resident::{ResidentLimits, ResidentSet, ResidentUsage};
pub use traces::TraceSummary;

/// Most bytes that a trace may take in memory when it is read by [`Block::trace`], about.
pub const MAX_TRACE_BYTES: u64 = 1 << 30;

/// A block as it is listed: mapped into memory, or held there. Cheap to clone; all clones share one mapping.
///
/// It takes 0.6 KB of heap and the pages of its filter. What reading takes beyond that, it holds only while
/// it is resident: see [`ResidentSet`].
#[derive(Clone)]
pub struct Block {
    place: Place,
}

#[derive(Clone)]
enum Place {
    Here(Arc<Opened>),
    Far(Arc<Far>),
}

/// A block as it is read: its directory is parsed and in memory, so that nothing more than a lookup stands between a
/// question and a column. Got by [`Block::reader`]; clones share the directory.
///
/// The directory and the pages that were touched stay in memory at least for as long as the reader is held. So hold
/// it for a question, not for longer.
#[derive(Clone)]
pub struct BlockReader {
    contents: Arc<Contents>,
}

/// A trace's place in a block, and what is held for reading it.
struct Held {
    place: u64,
    opened: Arc<Opened>,
    resident: Arc<Resident>,
}

impl Block {
    /// Maps a block's file. The file must not be written to while it is mapped; it may be unlinked.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_in(path, &Arc::default())
    }

    /// As [`Block::open`], for one of many blocks, which hold memory for reading within common limits.
    pub fn open_in(path: impl AsRef<Path>, set: &Arc<ResidentSet>) -> Result<Self> {
        let file = File::open(path)?;
        let opened = Opened::new(Map::open(&file)?, Some(&file), set.clone())?;
        Ok(Self { place: Place::Here(Arc::new(opened)) })
    }

    /// Takes a block's bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        Self::from_bytes_in(bytes, &Arc::default())
    }

    /// As [`Block::from_bytes`], for one of many blocks, which hold memory for reading within common limits.
    pub fn from_bytes_in(bytes: Vec<u8>, set: &Arc<ResidentSet>) -> Result<Self> {
        let opened = Opened::new(Map::copy(&bytes), None, set.clone())?;
        Ok(Self { place: Place::Here(Arc::new(opened)) })
    }

    /// A block that is elsewhere, of which `meta` is known: nothing of it is read before it is asked for. Its metadata,
    /// which is all that is not of a row group, begins at `tail` of its file.
    pub fn far(meta: BlockMeta, tail: u64, source: Arc<dyn Source>, set: &Arc<ResidentSet>) -> Self {
        Self { place: Place::Far(Arc::new(Far::new(meta, tail, source, set.clone()))) }
    }

    /// Brings all metadata of a block that is elsewhere, in one go, where it is not here: whoever asks for its traces'
    /// ids, or searches it, needs it. Nothing is done for a block that is here.
    pub fn bring_metadata(&self) -> Result<()> {
        match &self.place {
            Place::Here(_) => Ok(()),
            Place::Far(far) => far.opened()?.bring_metadata(),
        }
    }

    /// Whether reading it may take bytes from elsewhere, and so block the thread.
    pub fn is_far(&self) -> bool {
        matches!(self.place, Place::Far(_))
    }

    fn opened(&self) -> Result<Arc<Opened>> {
        match &self.place {
            Place::Here(opened) => Ok(opened.clone()),
            Place::Far(far) => far.opened(),
        }
    }

    /// The bytes of a range of the block's file, for whoever reads it from elsewhere. They are not checked here.
    ///
    /// # Errors
    /// When the range does not lie within the file; of a block that is elsewhere itself, when it cannot be brought.
    pub fn bytes(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let opened = self.opened()?;
        // Pages that are touched are counted as those of any reader.
        let _resident = opened.resident();
        opened.mapping.bytes().get(range).map(<[u8]>::to_vec)
    }

    /// What is known of the block without reading its data.
    pub fn meta(&self) -> &BlockMeta {
        match &self.place {
            Place::Here(opened) => &opened.meta,
            Place::Far(far) => &far.meta,
        }
    }

    /// Whether the trace may be in the block. False is certain; true is wrong for about one absent trace in 200.
    /// A filter that cannot be read excludes nothing. Touches one page, of the filter.
    pub fn may_contain(&self, id: &TraceId) -> bool {
        match &self.place {
            Place::Here(opened) => opened.may_contain(id),
            Place::Far(far) => far.opened().map_or(true, |opened| opened.may_contain(id)),
        }
    }

    /// As [`Block::may_contain`], without waiting: true where bytes would have to be brought to know it.
    pub fn may_contain_now(&self, id: &TraceId) -> bool {
        match &self.place {
            Place::Here(opened) => opened.may_contain(id),
            Place::Far(far) => far.if_open().is_none_or(|opened| opened.may_contain(id)),
        }
    }

    /// The place of a trace among the block's traces, 0 for the least id; `None` when it is not in this block. Does
    /// without the directory.
    pub fn find(&self, id: &TraceId) -> Result<Option<u64>> {
        Ok(self.place_of(id)?.map(|held| held.place))
    }

    /// The traces' ids, ascending. Does without the directory.
    pub fn trace_ids(&self) -> Result<impl Iterator<Item = TraceId> + use<>> {
        let opened = self.opened()?;
        let pages = opened.resident().pages.clone();
        let count = opened.ids(&pages)?.len();
        Ok((0..count).map_while(move |place| opened.ids(&pages).ok()?.get(place).map(|&id| TraceId(id))))
    }

    /// The block with its directory, which is parsed now unless it is in memory.
    ///
    /// # Errors
    /// When the directory is not what it was at opening: the file was changed since.
    pub fn reader(&self) -> Result<BlockReader> {
        let opened = self.opened()?;
        Ok(BlockReader { contents: opened.contents(&opened.resident())? })
    }

    /// The spans of a trace in this block, as they came; `None` when there are none.
    pub fn trace(&self, id: &TraceId) -> Result<Option<Trace>> {
        self.trace_within(id, MAX_TRACE_BYTES)
    }

    /// As [`Block::trace`], with the limit on memory given.
    pub fn trace_within(&self, id: &TraceId, limit_bytes: u64) -> Result<Option<Trace>> {
        let Some(held) = self.place_of(id)? else { return Ok(None) };
        held.opened.contents(&held.resident)?.rebuild(*id, held.place, limit_bytes).map(Some)
    }

    /// Log ordinal through which a trace is sealed; `None` when it is not in this block.
    pub fn sealed_through(&self, id: &TraceId) -> Result<Option<u64>> {
        let Some(held) = self.place_of(id)? else { return Ok(None) };
        held.opened.contents(&held.resident)?.trace_column(Field::SealedThrough)?.get(held.place).map(Some)
    }

    /// The newest of the traces' starts: a trace starts with the earliest of its spans in this block. 0 when there are
    /// none. Found by reading the starts of all traces when it is first asked for, and kept.
    pub fn newest_start(&self) -> Result<u64> {
        let known = match &self.place {
            Place::Here(here) => &here.newest_start,
            Place::Far(far) => &far.newest_start,
        };
        if let Some(known) = known.get() {
            return Ok(*known);
        }
        let reader = self.reader()?;
        let newest = TraceTable::open(&reader)?.newest_start().unwrap_or_default();
        Ok(*known.get_or_init(|| newest))
    }

    /// What the trace table says of the trace at a place: 0 for the least id.
    pub fn summary(&self, place: u64) -> Result<TraceSummary> {
        self.reader()?.summary(place)
    }

    /// The place of a trace, and what is held for reading it.
    fn place_of(&self, id: &TraceId) -> Result<Option<Held>> {
        let far;
        let opened = match &self.place {
            Place::Here(opened) => opened,
            Place::Far(of) => {
                far = of.opened()?;
                &far
            }
        };
        if !opened.may_contain(id) {
            return Ok(None);
        }
        let resident = opened.resident();
        let found = opened.ids(&resident.pages)?.binary_search(&id.0);
        Ok(found.ok().map(|place| Held { place: place as u64, opened: opened.clone(), resident }))
    }
}

impl BlockReader {
    /// What the directory says.
    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// What is known of the block without reading its data.
    pub fn meta(&self) -> &BlockMeta {
        &self.contents.meta
    }

    /// The row groups, with what their spans' times are between.
    pub fn groups(&self) -> &[Group] {
        &self.contents.groups
    }

    /// The row group of a row, a span of the block. A trace's rows lie in one row group, or in several that follow
    /// each other.
    pub fn group_of(&self, row: u64) -> Option<u32> {
        Some(row)
            .filter(|&row| row < self.meta().spans)
            .and_then(|row| self.contents.group_of(row))
            .map(|g| g.0)
    }

    /// The rows of the trace at a place.
    pub fn trace_rows(&self, place: u64) -> Result<Range<u64>> {
        Ok(self.contents.trace_row(place)?.rows)
    }

    /// Where in the file the row group's values lie; empty when it has none or does not exist. Row groups follow each
    /// other, but for those that lie whole within one trace of a sealed block, which may interleave with the next.
    /// With what lies from [`BlockMeta::tail`] on, this is all that reading the row group takes.
    pub fn group_bytes(&self, group: u32) -> Range<u64> {
        self.contents.group_bytes(group)
    }

    /// Gives the pages of the block's file that are in memory back to the system, for who reads a block from end to end.
    /// What is read again is brought again.
    pub fn release_pages(&self) {
        self.contents.sections.release_pages();
    }

    /// Log ordinal through which the trace at a place is sealed.
    pub fn sealed_through(&self, place: u64) -> Result<u64> {
        self.contents.trace_column(Field::SealedThrough)?.get(place)
    }

    /// The traces' ids with the log ordinals through which they are sealed, ascending by id.
    pub fn sealed(&self) -> Result<impl Iterator<Item = Result<(TraceId, u64)>> + '_> {
        let ids = self.contents.ids()?;
        let sealed =
            if ids.is_empty() { None } else { Some(self.contents.trace_column(Field::SealedThrough)?) };
        Ok(ids.iter().enumerate().map(move |(place, &id)| {
            let sealed = sealed.or_damaged("the trace table lacks a column")?;
            Ok((TraceId(id), sealed.get(place as u64)?))
        }))
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block").field("meta", self.meta()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for BlockReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockReader").field("meta", self.meta()).finish_non_exhaustive()
    }
}
