//! A block of which only some ranges are on this machine. The others are brought when they are first read.

use std::any::Any;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use crate::error::{BlockError, Result};
use crate::map::Sparse;
use crate::meta::BlockMeta;
use crate::reader::opened::Opened;
use crate::reader::resident::ResidentSet;

/// Where a block's bytes come from that are not on this machine.
pub trait Source: Send + Sync {
    /// The block's ranges that are here, with what brings the others. What was opened before may be asked for on,
    /// though it is no longer what this gives.
    fn open(&self) -> io::Result<Arc<dyn Partial>>;
}

/// Some ranges of a block in a file, and what brings the others.
pub trait Partial: Send + Sync {
    /// A file that is as long as the block. Ranges that were brought have the block's bytes, and are not written again
    /// while the file is open.
    fn file(&self) -> &File;

    /// Brings ranges of the block, which lie within it; returns when they are in the file. Quick where they are.
    ///
    /// Blocks its thread until the bytes have come, so it is not for a runtime's worker.
    fn fill(&self, ranges: &[Range<u64>]) -> io::Result<()>;

    /// Whether a range is in the file.
    fn has(&self, range: &Range<u64>) -> bool;

    /// Whether this is still what [`Source::open`] gives. If not, it goes when nobody reads it any more.
    fn is_current(&self) -> bool {
        true
    }

    /// What came is not what the block's checksums say: whatever is opened from now on is to begin with nothing. This one
    /// stays as it is for those who read it.
    fn doubt(&self) {}

    /// Keeps what was made of the file for as long as the file is kept.
    fn keep(&self, made: Arc<dyn Any + Send + Sync>);
}

/// A block that is elsewhere.
pub(crate) struct Far {
    /// What is known of it without its bytes.
    pub meta: BlockMeta,
    /// Where in the file the metadata begins: all that is not of a row group.
    tail: u64,
    source: Arc<dyn Source>,
    set: Arc<ResidentSet>,
    opened: Mutex<Weak<Opened>>,
    pub newest_start: OnceLock<u64>,
}

/// Bytes of the directory and trailer of most blocks. With the filter before them they are read in one go.
const USUAL_DIRECTORY: u64 = 48 << 10;

impl Far {
    pub fn new(meta: BlockMeta, tail: u64, source: Arc<dyn Source>, set: Arc<ResidentSet>) -> Self {
        let (opened, newest_start) = (Mutex::default(), OnceLock::new());
        Self { meta, tail, source, set, opened, newest_start }
    }

    /// The block, if it is open.
    pub fn if_open(&self) -> Option<Arc<Opened>> {
        self.opened.try_lock()?.upgrade().filter(|opened| opened.is_current())
    }

    /// The block, opened now unless it is. Whoever comes meanwhile waits.
    pub fn opened(&self) -> Result<Arc<Opened>> {
        let mut slot = self.opened.lock();
        if let Some(opened) = slot.upgrade().filter(|opened| opened.is_current()) {
            return Ok(opened);
        }
        let partial = self.source.open()?;
        let sparse = Sparse::open(partial.clone(), self.meta.file_bytes)?;
        // 12 bits an id, and the directory behind them.
        let last = (self.meta.traces.saturating_mul(3) / 2).saturating_add(USUAL_DIRECTORY);
        let opened = Opened::far(sparse, &self.meta, last, self.tail, self.set.clone());
        if opened.as_ref().is_err_and(|error| !matches!(error, BlockError::Io(_))) {
            partial.doubt();
        }
        let opened = Arc::new(opened?);
        partial.keep(opened.clone());
        *slot = Arc::downgrade(&opened);
        Ok(opened)
    }
}
