//! "Send me these bytes of a block", and the pieces: `docs/formats/peer.md`, "Read block".

use bytes::Bytes;

use super::fields::without_payload;
use super::{Fields, FrameError, Kind, Message, Writer};
use crate::{MAX_RANGES, ReadBlock};

/// Pieces of a block, one for each range that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pieces(pub Vec<Bytes>);

impl Message for ReadBlock {
    const KIND: Kind = Kind::ReadBlock;

    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        head.tenant(&self.tenant);
        head.u64(self.run);
        head.text(&self.name, "block name")?;
        few(self.ranges.len(), "list of ranges")?;
        head.count(self.ranges.len(), "list of ranges")?;
        for range in self.ranges {
            forward(range.start, range.end)?;
            head.u64(range.start);
            head.u64(range.end);
        }
        Ok(Vec::new())
    }

    fn read(head: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError> {
        without_payload(&payload)?;
        let tenant = head.tenant()?;
        let run = head.u64("run")?;
        let name = head.text("block name")?.into();
        let count = head.u32("count of ranges")? as usize;
        few(count, "list of ranges")?;
        let mut ranges = Vec::with_capacity(count);
        for _ in 0..count {
            let (start, end) = (head.u64("range")?, head.u64("range")?);
            forward(start, end)?;
            ranges.push(start..end);
        }
        Ok(Self { tenant, run, name, ranges })
    }
}

impl Message for Pieces {
    const KIND: Kind = Kind::Pieces;

    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        few(self.0.len(), "list of pieces")?;
        head.count(self.0.len(), "list of pieces")?;
        for piece in &self.0 {
            head.count(piece.len(), "piece")?;
        }
        Ok(self.0)
    }

    fn read(head: &mut Fields<'_>, mut payload: Bytes) -> Result<Self, FrameError> {
        let lens = head.u32s("list of pieces")?;
        few(lens.len(), "list of pieces")?;
        let mut pieces = Vec::with_capacity(lens.len());
        for len in lens {
            if len as usize > payload.len() {
                return Err(FrameError::Field { field: "piece", problem: "is longer than the payload" });
            }
            pieces.push(payload.split_to(len as usize));
        }
        without_payload(&payload)?;
        Ok(Self(pieces))
    }
}

fn few(count: usize, field: &'static str) -> Result<(), FrameError> {
    if count <= MAX_RANGES {
        return Ok(());
    }
    Err(FrameError::Field { field, problem: "has more than 256 entries" })
}

fn forward(start: u64, end: u64) -> Result<(), FrameError> {
    if start <= end {
        return Ok(());
    }
    Err(FrameError::Field { field: "range", problem: "ends before it begins" })
}
