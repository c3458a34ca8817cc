//! The block's bytes: a file mapped into memory, ranges of one, or a copy in memory. The only file with `unsafe`.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::slice;
use std::sync::Arc;

use memmap2::{Advice, Mmap, MmapOptions, MmapRaw, UncheckedAdvice};
use rkyv::util::AlignedVec;

use crate::error::{BlockError, OrDamaged, Result};
use crate::header::HEADER_BYTES;
use crate::reader::far::Partial;
use crate::trailer::TRAILER_BYTES;

/// Bytes that start at an address divisible by 16 and never change.
pub(crate) enum Map {
    /// A file.
    File(Mmap),
    /// A copy.
    Memory(AlignedVec<16>),
    /// A range of a file that has come whole.
    Part(Part),
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
            Self::Part(part) => part.range.len() as u64,
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::File(mapping) => mapping,
            Self::Memory(copy) => copy,
            Self::Part(part) => part.bytes(),
        }
    }
}

/// A file of which some ranges have come, mapped as a whole.
#[derive(Clone)]
pub(crate) struct Sparse {
    raw: Arc<MmapRaw>,
    partial: Arc<dyn Partial>,
}

/// A range of a sparse file that has come whole.
pub(crate) struct Part {
    of: Sparse,
    range: Range<usize>,
}

impl Sparse {
    /// Maps a file that is to be as long as `len`.
    pub fn open(partial: Arc<dyn Partial>, len: u64) -> Result<Self> {
        let found = partial.file().metadata()?.len();
        if found != len || len < (HEADER_BYTES + TRAILER_BYTES) as u64 || usize::try_from(len).is_err() {
            return Err(BlockError::NotABlock {
                found: format!("a file of {found} bytes"),
                expected: "the length that the block is listed with",
            });
        }
        let raw = MmapOptions::new().map_raw_read_only(partial.file()).map_err(explain)?;
        let _ = raw.advise(Advice::NoHugePage);
        Ok(Self { raw: Arc::new(raw), partial })
    }

    /// Length of the file.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether the file is still what its source keeps.
    pub fn is_current(&self) -> bool {
        self.partial.is_current()
    }

    /// What came is not what it should be.
    pub fn doubt(&self) {
        self.partial.doubt();
    }

    /// Whether a range has come.
    pub fn has(&self, range: &Range<u64>) -> bool {
        self.partial.has(range)
    }

    /// Brings ranges; what lies outside of the file is left out.
    pub fn fill(&self, ranges: &[Range<u64>]) -> Result<()> {
        let within: Vec<Range<u64>> =
            ranges.iter().map(|range| range.start..range.end.min(self.len() as u64)).collect();
        Ok(self.partial.fill(&within)?)
    }

    /// As [`Sparse::fill`], of one range.
    pub fn fill_one(&self, range: Range<u64>) -> Result<()> {
        self.fill(slice::from_ref(&range))
    }

    /// The bytes of a range, which are brought if they have not come.
    pub fn bytes(&self, range: Range<u64>) -> Result<&[u8]> {
        let range = self.bring(range)?;
        Ok(self.come(range))
    }

    /// A range by itself, which is brought if it has not come.
    pub fn part(&self, range: Range<u64>) -> Result<Map> {
        let range = self.bring(range)?;
        Ok(Map::Part(Part { of: self.clone(), range }))
    }

    /// Gives the mapped pages back to the page cache.
    pub fn release_pages(&self) {
        // SAFETY: as in `Map::release_pages`: the mapping is shared with its file, so what is dropped is read again
        // from there, with the same bytes where they have come.
        #[allow(unsafe_code)]
        let advised = unsafe { self.raw.unchecked_advise(UncheckedAdvice::DontNeed) };
        // A kernel that refuses costs memory only.
        let _ = advised;
    }

    fn bring(&self, range: Range<u64>) -> Result<Range<usize>> {
        if range.start > range.end || range.end > self.len() as u64 {
            return Err(BlockError::Damaged("a section lies outside of the file"));
        }
        self.partial.fill(slice::from_ref(&range))?;
        Ok(range.start as usize..range.end as usize)
    }

    /// The bytes of a range within the file that has come.
    fn come(&self, range: Range<usize>) -> &[u8] {
        // SAFETY: the range lies within the mapping, which lives as long as `self`, and `Partial::fill` returned for
        // it: its bytes are the block's and are not written again. Other ranges of the file may be written meanwhile,
        // which is why no slice of the whole mapping is ever made: this one covers bytes that have come, and no
        // others. A source that breaks its word, or somebody else who writes to the file, gives readers other bytes:
        // point 3 of `Map::of_range` holds here, too.
        #[allow(unsafe_code)]
        unsafe {
            slice::from_raw_parts(self.raw.as_ptr().add(range.start), range.len())
        }
    }
}

impl Part {
    fn bytes(&self) -> &[u8] {
        self.of.come(self.range.clone())
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
