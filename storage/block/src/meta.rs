//! What is known of a block without reading its data.

use spanloom_span::Tenant;

use crate::error::{BlockError, OrDamaged, Result};
use crate::id::BlockId;

/// What is known of a block without reading its data. Times are in nanoseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockMeta {
    /// Whose spans they are.
    pub tenant: Tenant,
    /// Version of the format.
    pub version: u32,
    /// When the block was made.
    pub created: u64,
    /// How many spans.
    pub spans: u64,
    /// How many traces.
    pub traces: u64,
    /// Bytes that the spans had as OTLP.
    pub raw_bytes: u64,
    /// Earliest start of a span.
    pub min_start: u64,
    /// Latest end of a span.
    pub max_end: u64,
    /// Least log ordinal through which a trace was sealed.
    pub min_sealed_through: u64,
    /// Greatest log ordinal through which a trace was sealed.
    pub max_sealed_through: u64,
    /// Length of the file.
    pub file_bytes: u64,
    /// Where the part begins that is no row group's: dictionaries, tables, ids, filter, directory and trailer. What
    /// lies before is read row group by row group.
    pub tail: u64,
    /// How often the block was merged: 0 as it was sealed, else what its maker gave it.
    pub level: u32,
    /// The blocks that this one, with those that were made together with it, stands for. Empty but in the last of
    /// them: when that one is listed, the blocks that are named here may go.
    pub replaces: Vec<BlockId>,
}

/// Version of what [`BlockMeta::to_bytes`] writes.
const SUMMARY_VERSION: u32 = 1;

/// Most bytes of a block that a summary may be of: room is made for a bit for each of its units.
const MAX_FILE_BYTES: u64 = 1 << 40;

/// Numbers of a summary.
const NUMBERS: usize = 11;

impl BlockMeta {
    /// A summary for whoever is to read the block from elsewhere, little-endian: its version (`u32`), the format's
    /// (`u32`), the numbers from `created` to `tail` in the order of the fields and the level (`u64` each), the
    /// tenant's name up to the end. What the block replaces is left out.
    pub fn to_bytes(&self) -> Vec<u8> {
        let numbers: [u64; NUMBERS] = [
            self.created,
            self.spans,
            self.traces,
            self.raw_bytes,
            self.min_start,
            self.max_end,
            self.min_sealed_through,
            self.max_sealed_through,
            self.file_bytes,
            self.tail,
            self.level.into(),
        ];
        let mut out = Vec::with_capacity(8 + 8 * NUMBERS + self.tenant.as_str().len());
        out.extend_from_slice(&SUMMARY_VERSION.to_le_bytes());
        out.extend_from_slice(&self.version.to_le_bytes());
        numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        out.extend_from_slice(self.tenant.as_str().as_bytes());
        out
    }

    /// Reads a summary. What it says of the block is believed no further than the block bears it out when it is read.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        const WHAT: &str = "the summary of a block has other bytes than it should";
        let (version, rest) = bytes.split_first_chunk::<4>().or_damaged(WHAT)?;
        let found = u32::from_le_bytes(*version);
        if found != SUMMARY_VERSION {
            return Err(BlockError::NotABlock {
                found: format!("a summary of version {found}"),
                expected: "a summary of version 1",
            });
        }
        let (version, rest) = rest.split_first_chunk::<4>().or_damaged(WHAT)?;
        let (numbers, tenant) = rest.split_at_checked(8 * NUMBERS).or_damaged(WHAT)?;
        let (numbers, _) = numbers.as_chunks::<8>();
        let number = |at: usize| numbers.get(at).map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let (file_bytes, tail) = (number(8), number(9));
        (tail <= file_bytes && file_bytes <= MAX_FILE_BYTES).then_some(()).or_damaged(WHAT)?;
        let tenant = std::str::from_utf8(tenant).ok().and_then(|name| Tenant::new(name).ok());
        Ok(Self {
            tenant: tenant.or_damaged(WHAT)?,
            version: u32::from_le_bytes(*version),
            created: number(0),
            spans: number(1),
            traces: number(2),
            raw_bytes: number(3),
            min_start: number(4),
            max_end: number(5),
            min_sealed_through: number(6),
            max_sealed_through: number(7),
            file_bytes,
            tail,
            level: u32::try_from(number(10)).ok().or_damaged(WHAT)?,
            replaces: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read_as_it_was_written_and_a_part_of_it_is_refused() {
        let meta = BlockMeta {
            tenant: Tenant::new("shop").unwrap(),
            version: crate::FORMAT_VERSION,
            created: 1,
            spans: 2,
            traces: 3,
            raw_bytes: 4,
            min_start: 5,
            max_end: u64::MAX,
            min_sealed_through: 7,
            max_sealed_through: 8,
            file_bytes: 10,
            tail: 9,
            level: u32::MAX,
            replaces: Vec::new(),
        };
        let bytes = meta.to_bytes();
        assert_eq!(BlockMeta::from_bytes(&bytes).unwrap(), meta);
        for len in 0..=8 + 8 * NUMBERS {
            assert!(BlockMeta::from_bytes(&bytes[..len]).is_err(), "{len} bytes");
        }
        for wrong in [
            BlockMeta { tail: 11, ..meta.clone() },
            BlockMeta { file_bytes: MAX_FILE_BYTES + 1, ..meta.clone() },
        ] {
            assert!(BlockMeta::from_bytes(&wrong.to_bytes()).is_err(), "{wrong:?}");
        }
    }
}
