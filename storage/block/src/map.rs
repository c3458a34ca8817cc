//! The block's bytes: a file mapped into memory, or a copy in memory. The only file with `unsafe`.

use std::fs::File;
use std::path::Path;

use memmap2::{Advice, Mmap, UncheckedAdvice};
use rkyv::util::AlignedVec;

use crate::error::{BlockError, Result};
use crate::header::HEADER_BYTES;
use crate::trailer::TRAILER_BYTES;

/// Bytes that start at an address divisible by 16 and never change.
pub(crate) enum Map {
    /// A file.
    File(Mmap),
    /// A copy.
    Memory(AlignedVec<16>),
}

impl Map {
    /// Maps a file for reading.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        let found = file.metadata()?.len();
        if found < (HEADER_BYTES + TRAILER_BYTES) as u64 || usize::try_from(found).is_err() {
            return Err(BlockError::NotABlock {
                found: format!("a file of {found} bytes"),
                expected: "at least a header and a trailer",
            });
        }
        // SAFETY: the mapping is read-only and private to this value, so nothing in this process writes to it
        // through Rust. What remains is another writer of the same file, which would change bytes under a shared
        // borrow:
        // 1. A block is written aside, synced, renamed into place and from then on never written, truncated or
        //    reused, only unlinked; an unlinked file keeps its pages for as long as it is mapped.
        // 2. The directory belongs to one process, which holds a lock on it.
        // 3. Should someone truncate the file all the same, the kernel ends the process with SIGBUS: no bytes of
        //    other memory are ever read. Should someone overwrite it, readers see other bytes; they are plain
        //    integers without invalid values, all offsets among them are checked at every use and never twice,
        //    and no reference to `str`, `bool` or an enum is ever made from the mapping.
        // The length given to the mapping is the file's own.
        #[allow(unsafe_code)]
        let mapping = unsafe { Mmap::map(&file)? };
        // A touched byte would otherwise bring 2 MiB of the page cache into the process's memory. A kernel that
        // does not know the advice costs memory only.
        let _ = mapping.advise(Advice::NoHugePage);
        Ok(Self::File(mapping))
    }

    /// Gives the mapped pages back to the page cache; the next reader brings in again what it needs.
    pub fn release_pages(&self) {
        let Self::File(mapping) = self else { return };
        // SAFETY: the mapping is shared with its file and never written, so a page that is dropped is read again
        // from the file, with the same bytes: a reader that holds a reference into it sees no change. (The advice
        // is unchecked because private or anonymous pages would come back as zeros.)
        #[allow(unsafe_code)]
        let advised = unsafe { mapping.unchecked_advise(UncheckedAdvice::DontNeed) };
        // A kernel that refuses costs memory only.
        let _ = advised;
    }

    /// Copies bytes to where they are aligned.
    pub fn copy(bytes: &[u8]) -> Self {
        let mut copy = AlignedVec::with_capacity(bytes.len());
        copy.extend_from_slice(bytes);
        Self::Memory(copy)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::File(mapping) => mapping,
            Self::Memory(copy) => copy,
        }
    }
}
