//! The block's bytes: a file mapped into memory, or a copy in memory. The only file with `unsafe`.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;

use memmap2::{Advice, Mmap, MmapOptions, UncheckedAdvice};
use rkyv::util::AlignedVec;

use crate::error::{BlockError, OrDamaged, Result};
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
    /// Maps a whole file for reading.
    pub fn open(file: &File) -> Result<Self> {
        let found = file.metadata()?.len();
        if found < (HEADER_BYTES + TRAILER_BYTES) as u64 || usize::try_from(found).is_err() {
            return Err(BlockError::NotABlock {
                found: format!("a file of {found} bytes"),
                expected: "at least a header and a trailer",
            });
        }
        Self::of_range(file, 0, found)
    }

    /// Maps a part of a file once more: the pages that are touched through it are those of the part alone, however
    /// many the kernel brings along, and they are given back apart from those of the whole. The part must lie
    /// within the file.
    pub fn open_part(file: &File, part: Range<u64>) -> Result<Self> {
        Self::of_range(file, part.start, part.end.saturating_sub(part.start))
    }

    fn of_range(file: &File, offset: u64, len: u64) -> Result<Self> {
        let len = usize::try_from(len).ok().or_damaged("a part of the file is larger than memory")?;
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
        // The range lies within the file: it is the whole of it, or a section that was compared with its length.
        #[allow(unsafe_code)]
        let mapping = unsafe { MmapOptions::new().offset(offset).len(len).map(file) }.map_err(explain)?;
        // A touched byte would otherwise bring 2 MiB of the page cache into the process's memory, and does so all the
        // same where the cache has the file in pages that large (seen with Linux 6.18). Then, and with a kernel that
        // does not know the advice, a block that is read takes as much memory as its file is long: that is what
        // `ResidentLimits` counts.
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

    /// Bytes of the file that may come into the process's memory by being read.
    pub fn mapped_bytes(&self) -> u64 {
        match self {
            Self::File(mapping) => mapping.len() as u64,
            Self::Memory(_) => 0,
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::File(mapping) => mapping,
            Self::Memory(copy) => copy,
        }
    }
}

/// Where a process may have no further mapping, the system says that there is no memory.
fn explain(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::OutOfMemory => io::Error::new(
            error.kind(),
            format!("{error}: a block takes two mappings, of which Linux allows a process vm.max_map_count"),
        ),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_the_bytes_of_its_range() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes: Vec<u8> = (0..20_000u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = File::open(&path).unwrap();
        assert_eq!(Map::open(&file).unwrap().bytes(), bytes);
        for (from, to) in [(0, 20_000), (64, 64), (4096, 8192), (8176, 8208), (12_304, 20_000)] {
            let part = Map::open_part(&file, from..to).unwrap();
            assert_eq!(part.bytes(), &bytes[from as usize..to as usize], "{from}..{to}");
            assert_eq!(part.mapped_bytes(), to - from);
            part.release_pages();
            assert_eq!(part.bytes(), &bytes[from as usize..to as usize], "{from}..{to}");
        }
    }
}
