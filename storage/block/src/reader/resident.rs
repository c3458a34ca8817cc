//! Which blocks may hold memory: those that were read last, up to a limit.
//!
//! A block that is asked for a trace that it has takes memory: its parsed directory on the heap, and the pages of its
//! file that were touched. It is then *resident*. Resident blocks stand in a ring; when the ring holds more than its
//! limits allow, the block that was not read for longest lets all of that go, and takes it again when it is next read.
//!
//! **Invariant:** a block stands in the ring if and only if it is resident. Both change under the ring's lock alone.
//! What is beyond the limits is held by readers that have not finished yet, and goes with the last of them.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use crate::reader::contents::Contents;
use crate::reader::opened::Opened;
use crate::reader::section::Mapping;

/// How much the resident blocks may hold together. The block that was read last stays, however large it is.
///
/// Neither is a configuration key. Reading a trace from a block that is not resident takes about twice as long as
/// from one that is (0.1 ms for 0.05 ms, when the file is in the page cache), so larger limits gain little; and the
/// defaults are small beside `memory.budget`, so smaller ones gain little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResidentLimits {
    /// Bytes of parsed directories on the heap. A block of 130,000 spans with 50 columns has some 16 KB, so the
    /// default is enough for 250 of them.
    pub directory_bytes: u64,
    /// Bytes of the blocks' files: any page of a resident block may be in the process's memory, and where the page
    /// cache has large pages one read brings in most of them. The default is a dozen blocks of 5 MB.
    pub mapped_bytes: u64,
}

impl Default for ResidentLimits {
    fn default() -> Self {
        Self { directory_bytes: 4 << 20, mapped_bytes: 64 << 20 }
    }
}

/// What resident blocks hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResidentUsage {
    /// How many blocks.
    pub blocks: usize,
    /// Bytes that their parsed directories take, at most.
    pub directory_bytes: u64,
    /// Bytes of their files, of which any may be in memory.
    pub mapped_bytes: u64,
}

impl ResidentUsage {
    fn add(&mut self, of: Self) {
        self.blocks += of.blocks;
        self.directory_bytes += of.directory_bytes;
        self.mapped_bytes += of.mapped_bytes;
    }

    fn subtract(&mut self, of: Self) {
        self.blocks -= of.blocks;
        self.directory_bytes -= of.directory_bytes;
        self.mapped_bytes -= of.mapped_bytes;
    }

    fn with(mut self, of: Self) -> Self {
        self.add(of);
        self
    }

    fn exceeds(&self, limits: &ResidentLimits) -> bool {
        self.directory_bytes > limits.directory_bytes || self.mapped_bytes > limits.mapped_bytes
    }
}

/// The resident blocks among those that were opened with it, within limits.
#[derive(Default)]
pub struct ResidentSet {
    limits: ResidentLimits,
    ring: Mutex<Ring>,
}

/// The resident blocks, in the order in which they are looked at when there are too many.
#[derive(Default)]
struct Ring {
    entries: VecDeque<Entry>,
    usage: ResidentUsage,
}

struct Entry {
    /// A block that nobody lists any more has let go of everything; its entry goes when its turn comes.
    block: Weak<Opened>,
    usage: ResidentUsage,
}

impl ResidentSet {
    /// No block is resident.
    pub fn new(limits: ResidentLimits) -> Self {
        Self { limits, ring: Mutex::default() }
    }

    /// What the resident blocks hold now. A block that was dropped counts until its turn comes.
    pub fn usage(&self) -> ResidentUsage {
        self.ring.lock().usage
    }

    /// Makes a block resident, and others no longer where the limits are exceeded.
    pub(crate) fn admit(&self, block: &Arc<Opened>) -> Arc<Resident> {
        let mut ring = self.ring.lock();
        if let Some(resident) = block.slot.get() {
            return resident; // another reader was faster
        }
        let resident = Arc::new(Resident::new(block.mapping.clone()));
        block.slot.fill(resident.clone());
        let gone = ring.make_room(block.usage(), &self.limits);
        ring.push(Entry { block: Arc::downgrade(block), usage: block.usage() });
        drop(ring);
        // Giving pages back asks the kernel: not under the lock.
        drop(gone);
        resident
    }
}

impl Ring {
    fn push(&mut self, entry: Entry) {
        self.usage.add(entry.usage);
        self.entries.push_back(entry);
    }

    /// Takes blocks out until another one fits or none is left. A block that was read again since it was last looked
    /// at gets another turn (the clock algorithm), but each only once a call, so that this ends whatever readers do.
    fn make_room(&mut self, wanted: ResidentUsage, limits: &ResidentLimits) -> Vec<Arc<Resident>> {
        let mut gone = Vec::new();
        let mut turns = self.entries.len();
        while self.usage.with(wanted).exceeds(limits) {
            let Some(entry) = self.entries.pop_front() else { break };
            self.usage.subtract(entry.usage);
            let Some(block) = entry.block.upgrade() else { continue };
            if turns > 0 && block.slot.forget_use() {
                turns -= 1;
                self.push(entry);
                continue;
            }
            gone.extend(block.slot.empty());
        }
        gone
    }
}

/// Where a block keeps what it holds while it is resident.
#[derive(Default)]
pub(crate) struct Slot(Mutex<SlotState>);

#[derive(Default)]
struct SlotState {
    resident: Option<Arc<Resident>>,
    /// Whether it was read again since it came into the ring, or since the ring looked at it last.
    used: bool,
}

impl Slot {
    /// What the block holds, if it is resident; that counts as a use.
    pub fn get(&self) -> Option<Arc<Resident>> {
        let mut state = self.0.lock();
        state.used = true;
        state.resident.clone()
    }

    fn fill(&self, resident: Arc<Resident>) {
        *self.0.lock() = SlotState { resident: Some(resident), used: false };
    }

    fn forget_use(&self) -> bool {
        std::mem::take(&mut self.0.lock().used)
    }

    fn empty(&self) -> Option<Arc<Resident>> {
        self.0.lock().resident.take()
    }
}

/// What a resident block holds.
pub(crate) struct Resident {
    pub pages: Arc<Pages>,
    /// The parsed directory, once a reader needed it.
    pub contents: OnceLock<Arc<Contents>>,
}

impl Resident {
    fn new(mapping: Arc<Mapping>) -> Self {
        Self { pages: Arc::new(Pages::new(mapping)), contents: OnceLock::new() }
    }
}

/// The right to touch a block's pages. They are given back to the page cache when the last holder drops it. Where a
/// block became resident again while a reader still held the right of before, the first of the two to go costs the
/// other some page faults.
pub(crate) struct Pages(Arc<Mapping>);

impl Pages {
    pub fn new(mapping: Arc<Mapping>) -> Self {
        Self(mapping)
    }
}

impl Deref for Pages {
    type Target = Mapping;

    fn deref(&self) -> &Mapping {
        &self.0
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.0.bytes().release_pages();
    }
}

#[cfg(test)]
mod tests;
