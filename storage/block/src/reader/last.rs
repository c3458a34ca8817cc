//! What is known of a block from its last bytes alone.

use crate::directory::Directory;
use crate::error::Result;
use crate::meta::BlockMeta;
use crate::trailer::Trailer;

/// What the last bytes of a block say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastBytes {
    /// What is known of the block.
    Meta(BlockMeta),
    /// More is needed: so many bytes from the end.
    Needs(u64),
}

impl BlockMeta {
    /// Reads the last bytes of a block whose file has `file_len`; 64 KiB of them mostly do.
    pub fn from_last_bytes(last: &[u8], file_len: u64) -> Result<LastBytes> {
        let trailer = Trailer::of_last(last, file_len)?;
        let version = Trailer::version(last)?.unwrap_or(crate::FORMAT_VERSION);
        let needed = file_len - trailer.offset;
        let Some(from) = (last.len() as u64).checked_sub(needed) else { return Ok(LastBytes::Needs(needed)) };
        let from = from as usize;
        let bytes = last.get(from..from + trailer.len as usize).unwrap_or_default();
        let directory = Directory::read(bytes, trailer.sum, trailer.offset)?;
        Ok(LastBytes::Meta(BlockMeta { version, file_bytes: file_len, ..directory.meta }))
    }
}
