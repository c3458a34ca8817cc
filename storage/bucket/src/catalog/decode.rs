//! Reads a manifest, of which any byte may be wrong: `docs/formats/manifest.md`.

use spanloom_block::BlockId;
use xxhash_rust::xxh3::xxh3_64;

use super::column::{Input, RUN};
use super::manifest::{BlockEntry, Gone, MAX_BLOCKS, Manifest, Reason, RetiredBy};

/// First bytes of every manifest.
pub(super) const MAGIC: [u8; 8] = *b"SPLMANI\n";

/// Version of the format.
pub(super) const FORMAT: u32 = 1;

/// Bytes before the columns.
pub(super) const HEADER_BYTES: usize = 32;

/// Bytes of the checksum at the end.
const SUM_BYTES: usize = 8;

/// Most bytes of a manifest; three full lists take less.
pub const MAX_MANIFEST_BYTES: usize = 256 << 20;

/// Why bytes are no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is something else.
    #[error("it is no manifest: found {found}, expected {expected}")]
    NotOne {
        /// What is there.
        found: String,
        /// What should be there.
        expected: &'static str,
    },
    /// A later version of the program wrote it.
    #[error("the manifest has format {0}, expected {FORMAT}: was it written by a later version?")]
    Format(u32),
    /// It is not what was written.
    #[error("the manifest's checksum is {found:016x}, expected {expected:016x}")]
    Checksum {
        /// Computed.
        found: u64,
        /// Read.
        expected: u64,
    },
    /// Its checksum is right, but what it says cannot be.
    #[error("the manifest is damaged: {0}")]
    Damaged(&'static str),
}

impl Manifest {
    /// Reads a manifest.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let body = check(bytes)?;
        let u32_at = |at: usize| body[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let counts = [12, 16, 20].map(|at| u32_at(at) as usize);
        if counts.iter().any(|count| *count > MAX_BLOCKS) {
            return Err(ManifestError::Damaged("it lists more blocks than are possible"));
        }
        let version = body[24..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let mut input = Input(&body[HEADER_BYTES..]);
        let blocks = take_blocks(&mut input, counts[0])?;
        let gone = take_gone(&mut input, counts[1])?;
        let aside = take_aside(&mut input, counts[2])?;
        if !input.0.is_empty() {
            return Err(ManifestError::Damaged("there are bytes behind its lists"));
        }
        let manifest = Self { version, blocks, gone, aside };
        if manifest.gone.iter().any(|gone| manifest.block(gone.id).is_some())
            || manifest.aside.iter().any(|id| manifest.block(*id).is_some() || manifest.gone(*id).is_some())
        {
            return Err(ManifestError::Damaged("a block is in two lists"));
        }
        Ok(manifest)
    }
}

/// Checks magic, format and checksum; yields what the checksum covers, at least a header.
fn check(bytes: &[u8]) -> Result<&[u8], ManifestError> {
    let not_one = |found: String, expected| ManifestError::NotOne { found, expected };
    if bytes.len() > MAX_MANIFEST_BYTES || bytes.len() < HEADER_BYTES + SUM_BYTES {
        return Err(not_one(format!("{} bytes", bytes.len()), "40 bytes to 256 MiB"));
    }
    if bytes[..8] != MAGIC {
        return Err(not_one(format!("first bytes {:02x?}", &bytes[..8]), "\"SPLMANI\\n\""));
    }
    let format = bytes[8..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    if format > FORMAT {
        return Err(ManifestError::Format(format));
    }
    let (body, sum) = bytes.split_at(bytes.len() - SUM_BYTES);
    let (found, expected) = (xxh3_64(body), sum.first_chunk().map_or(0, |sum| u64::from_le_bytes(*sum)));
    if found != expected {
        return Err(ManifestError::Checksum { found, expected });
    }
    if format != FORMAT {
        return Err(ManifestError::Damaged("there is no such format"));
    }
    Ok(body)
}

fn take_blocks(input: &mut Input<'_>, count: usize) -> Result<Vec<BlockEntry>, ManifestError> {
    let mut ids = Ids::begin(input, count)?;
    let mut end = if count > 0 { input.varint()? } else { 0 };
    let mut blocks = Vec::new();
    while blocks.len() < count {
        let len = (count - blocks.len()).min(RUN);
        let ids = ids.run(input, len)?;
        let bytes = input.run(len)?;
        let tails = input.run(len)?;
        let traces = input.run(len)?;
        let spans = input.run(len)?;
        let raw_bytes = input.run(len)?;
        let ends = input.differences(len)?;
        let lasts = input.differences(len)?;
        let levels = input.run(len)?;
        for (at, id) in ids.into_iter().enumerate() {
            end = end.wrapping_add(ends[at] as u64);
            let tail = bytes[at].checked_sub(tails[at]);
            blocks.push(BlockEntry {
                id,
                bytes: bytes[at],
                tail: tail.ok_or(ManifestError::Damaged("a block's metadata lies outside of it"))?,
                traces: traces[at],
                spans: spans[at],
                raw_bytes: raw_bytes[at],
                min_start: end.wrapping_sub(lasts[at] as u64),
                max_end: end,
                level: u32::try_from(levels[at])
                    .map_err(|_| ManifestError::Damaged("a level has no 32 bits"))?,
            });
        }
    }
    Ok(blocks)
}

fn take_gone(input: &mut Input<'_>, count: usize) -> Result<Vec<Gone>, ManifestError> {
    let mut ids = Ids::begin(input, count)?;
    let mut since = if count > 0 { input.varint()? } else { 0 };
    let mut gone = Vec::new();
    while gone.len() < count {
        let len = (count - gone.len()).min(RUN);
        let ids = ids.run(input, len)?;
        let sinces = input.differences(len)?;
        let deleted = input.run(len)?;
        let bytes = input.run(len)?;
        let reasons = input.run(len)?;
        for (at, id) in ids.into_iter().enumerate() {
            since = since.wrapping_add(sinces[at] as u64);
            let when = match deleted[at].checked_sub(1) {
                None => Some(0),
                Some(after) => since.checked_add(after).filter(|when| *when != 0),
            };
            gone.push(Gone {
                id,
                since,
                deleted: when.ok_or(ManifestError::Damaged("a block was deleted at no time"))?,
                bytes: bytes[at],
                reason: reason(reasons[at])?,
            });
        }
    }
    Ok(gone)
}

fn take_aside(input: &mut Input<'_>, count: usize) -> Result<Vec<BlockId>, ManifestError> {
    let mut ids = Ids::begin(input, count)?;
    let mut aside = Vec::new();
    while aside.len() < count {
        aside.extend(ids.run(input, (count - aside.len()).min(RUN))?);
    }
    Ok(aside)
}

/// Reads ids, which must ascend.
struct Ids {
    created: u64,
    last: Option<BlockId>,
}

impl Ids {
    fn begin(input: &mut Input<'_>, count: usize) -> Result<Self, ManifestError> {
        Ok(Self { created: if count > 0 { input.varint()? } else { 0 }, last: None })
    }

    fn run(&mut self, input: &mut Input<'_>, len: usize) -> Result<Vec<BlockId>, ManifestError> {
        let (after, numbers) = (input.run(len)?, input.run(len)?);
        let mut ids = Vec::with_capacity(len);
        for (after, number) in after.into_iter().zip(numbers).take(len) {
            let created = self.created.checked_add(after);
            let id = BlockId { created: created.unwrap_or(0), number };
            if created.is_none() || self.last.is_some_and(|last| last >= id) {
                return Err(ManifestError::Damaged("its blocks do not ascend"));
            }
            (self.created, self.last) = (id.created, Some(id));
            ids.push(id);
        }
        Ok(ids)
    }
}

/// The number of a reason in the file.
pub(super) fn reason_number(reason: Reason) -> u64 {
    match reason {
        Reason::Compacted => 0,
        Reason::Redacted => 1,
        Reason::Emptied => 2,
        Reason::Orphaned => 3,
        Reason::Retired(RetiredBy::Age) => 4,
        Reason::Retired(RetiredBy::Bytes) => 5,
        Reason::Retired(RetiredBy::Disk) => 6,
    }
}

fn reason(number: u64) -> Result<Reason, ManifestError> {
    Ok(match number {
        0 => Reason::Compacted,
        1 => Reason::Redacted,
        2 => Reason::Emptied,
        3 => Reason::Orphaned,
        4 => Reason::Retired(RetiredBy::Age),
        5 => Reason::Retired(RetiredBy::Bytes),
        6 => Reason::Retired(RetiredBy::Disk),
        _ => return Err(ManifestError::Damaged("there is no such reason")),
    })
}
