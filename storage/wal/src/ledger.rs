//! Which segments are still needed: each counts its spans that are not yet in a synced block.
//!
//! **Invariant:** a segment is released only when it has no unsealed span and a later segment, whose header
//! tells the log's ordinals, is durable. A damaged segment is set aside instead of deleted.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::WalError;
use crate::disk::{Disk, join};
use crate::segment::{aside_name, segment_name};

/// The account of the log's segments. Clones share one account; every method may be called from any thread.
#[derive(Clone)]
pub struct SegmentLedger {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    dir: String,
    /// Ascending by number, and so by first ordinal.
    segments: Mutex<Vec<Segment>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Segment {
    pub id: u64,
    pub first_seq: u64,
    pub bytes: u64,
    pub unsealed: u64,
    /// When its first frame with unsealed spans was appended, in milliseconds since 1970.
    pub oldest_ms: Option<u64>,
    pub closed: bool,
    pub damaged: bool,
}

/// What the log holds, for gauges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerFigures {
    /// Segment files, the open one included.
    pub segments: u64,
    /// Their bytes, without room that is only reserved.
    pub bytes: u64,
    /// Spans that are in no synced block.
    pub unsealed_spans: u64,
    /// When the oldest segment that has such spans got its first of them, in milliseconds since 1970.
    pub oldest_unsealed_ms: Option<u64>,
}

/// What a release did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Released {
    /// Segments that were deleted.
    pub deleted: Vec<u64>,
    /// Damaged segments that were renamed to `<name>.aside`.
    pub set_aside: Vec<u64>,
    /// Bytes of the deleted ones.
    pub bytes: u64,
}

impl SegmentLedger {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &str) -> Self {
        Self { shared: Arc::new(Shared { disk, dir: dir.to_owned(), segments: Mutex::default() }) }
    }

    /// Spans of the frame `seq` are in a synced block. Returns whether the segment still had that many
    /// unsealed; if not, none are left unsealed there and somebody counted wrong.
    pub fn sealed(&self, seq: u64, spans: u64) -> bool {
        self.sealed_all([(seq, spans)]) == 0
    }

    /// [`SegmentLedger::sealed`] for many pairs of ordinal and spans. Returns how many of the spans no segment
    /// had to account for.
    pub fn sealed_all(&self, parts: impl IntoIterator<Item = (u64, u64)>) -> u64 {
        let mut segments = self.shared.segments.lock();
        let mut excess = 0;
        for (seq, spans) in parts {
            let unsealed = match position(&segments, seq) {
                Some(at) => &mut segments[at].unsealed,
                None => &mut 0,
            };
            excess += spans.saturating_sub(*unsealed);
            *unsealed = unsealed.saturating_sub(spans);
        }
        excess
    }

    /// The segment that holds, or held, or will hold this ordinal. `None` if it is older than every segment.
    pub fn segment_of(&self, seq: u64) -> Option<u64> {
        let segments = self.shared.segments.lock();
        position(&segments, seq).map(|at| segments[at].id)
    }

    /// The lowest ordinal that a segment may hold; `None` without segments.
    pub fn first_seq(&self) -> Option<u64> {
        self.shared.segments.lock().first().map(|segment| segment.first_seq)
    }

    /// The segments that [`SegmentLedger::release`] would let go, in any order.
    pub fn releasable(&self) -> Vec<u64> {
        let segments = self.shared.segments.lock();
        segments.iter().filter(|segment| segment.is_releasable()).map(|segment| segment.id).collect()
    }

    /// Deletes every segment that is no longer needed, and sets the damaged ones among them aside. After an
    /// error the ones that remain are still accounted for, and the next release tries again.
    ///
    /// The deletion is not synced: a segment that comes back after a crash is replayed, and its spans are found
    /// to be sealed. Where that is not enough there is [`SegmentLedger::sync`].
    pub fn release(&self) -> Result<Released, WalError> {
        self.release_if(|_| true)
    }

    /// Makes the deletions of [`SegmentLedger::release`] durable: what was deleted does not come back after a crash.
    pub fn sync(&self) -> Result<(), WalError> {
        let dir = &self.shared.dir;
        self.shared.disk.sync_dir(dir).map_err(WalError::io("syncing", dir))
    }

    pub(crate) fn release_if(&self, also: impl Fn(&Segment) -> bool) -> Result<Released, WalError> {
        let mut segments = self.shared.segments.lock();
        let go = |segment: &mut Segment| segment.is_releasable() && also(segment);
        let mut going: Vec<Segment> = segments.extract_if(.., go).collect();
        drop(segments);
        let mut released = Released::default();
        while let Some(segment) = going.pop() {
            if let Err(error) = self.let_go(&segment) {
                going.push(segment);
                let mut segments = self.shared.segments.lock();
                segments.append(&mut going);
                segments.sort_by_key(|segment| segment.id);
                return Err(error);
            }
            if segment.damaged {
                released.set_aside.push(segment.id);
            } else {
                released.deleted.push(segment.id);
                released.bytes += segment.bytes;
            }
        }
        Ok(released)
    }

    fn let_go(&self, segment: &Segment) -> Result<(), WalError> {
        let path = join(&self.shared.dir, &segment_name(segment.id));
        if segment.damaged {
            let aside = join(&self.shared.dir, &aside_name(segment.id));
            self.shared.disk.rename(&path, &aside).map_err(WalError::io("setting aside", &path))
        } else {
            self.shared.disk.remove(&path).map_err(WalError::io("deleting", &path))
        }
    }

    /// What the log holds now.
    pub fn figures(&self) -> LedgerFigures {
        let segments = self.shared.segments.lock();
        LedgerFigures {
            segments: segments.len() as u64,
            bytes: segments.iter().map(|segment| segment.bytes).sum(),
            unsealed_spans: segments.iter().map(|segment| segment.unsealed).sum(),
            oldest_unsealed_ms: segments.iter().find(|s| s.unsealed > 0).and_then(|s| s.oldest_ms),
        }
    }

    /// A segment exists. Its number is above all others.
    pub(crate) fn add(&self, segment: Segment) {
        self.shared.segments.lock().push(segment);
    }

    /// The newest segment got a group.
    pub(crate) fn appended(&self, segment: u64, bytes: u64, spans: u64, time_ms: u64) {
        let mut segments = self.shared.segments.lock();
        if let Some(newest) = segments.last_mut().filter(|newest| newest.id == segment) {
            newest.bytes += bytes;
            newest.unsealed += spans;
            newest.oldest_ms = newest.oldest_ms.or((spans > 0).then_some(time_ms));
        }
    }

    /// A segment's header is durable: those before it get no more frames and may be released.
    pub(crate) fn close_before(&self, segment: u64) {
        self.shared.segments.lock().iter_mut().for_each(|older| older.closed |= older.id < segment);
    }
}

impl Segment {
    fn is_releasable(&self) -> bool {
        self.closed && self.unsealed == 0
    }
}

/// The last segment that begins at or before `seq`. (An empty one has the first ordinal of the next.)
fn position(segments: &[Segment], seq: u64) -> Option<usize> {
    segments.partition_point(|segment| segment.first_seq <= seq).checked_sub(1)
}

impl std::fmt::Debug for SegmentLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.shared.segments.lock().iter()).finish()
    }
}
