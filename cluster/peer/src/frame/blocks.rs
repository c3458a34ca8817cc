//! "Which blocks do you have?", and the list: `docs/formats/peer.md`, "List blocks".

use bytes::Bytes;

use super::fields::without_payload;
use super::{Fields, FrameError, Kind, Message, Writer};
use crate::{BlockList, ListBlocks, PeerBlock};

impl Message for ListBlocks {
    const KIND: Kind = Kind::ListBlocks;

    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        head.tenant(&self.tenant);
        Ok(Vec::new())
    }

    fn read(head: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError> {
        without_payload(&payload)?;
        Ok(Self { tenant: head.tenant()? })
    }
}

impl Message for BlockList {
    const KIND: Kind = Kind::BlockList;

    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        head.u64(self.run);
        head.count(self.blocks.len(), "list of blocks")?;
        let mut metas = Vec::with_capacity(self.blocks.len());
        for block in self.blocks {
            head.text(&block.name, "block name")?;
            head.u8(u8::from(block.is_live));
            head.u64(block.tail);
            head.count(block.meta.len(), "block summary")?;
            ascending(&block.sealed)?;
            head.count(block.sealed.len(), "list of sealed traces")?;
            block.sealed.iter().for_each(|place| head.u32(*place));
            metas.push(block.meta);
        }
        Ok(metas)
    }

    fn read(head: &mut Fields<'_>, mut payload: Bytes) -> Result<Self, FrameError> {
        let run = head.u64("run")?;
        let count = head.u32("count of blocks")?;
        let mut blocks = Vec::new(); // grows with what is there: the count is only claimed
        for _ in 0..count {
            blocks.push(read_block(head, &mut payload)?);
        }
        without_payload(&payload)?;
        Ok(Self { run, blocks })
    }
}

fn read_block(head: &mut Fields<'_>, metas: &mut Bytes) -> Result<PeerBlock, FrameError> {
    let name = head.text("block name")?.into();
    let is_live = match head.u8("block flags")? {
        0 => false,
        1 => true,
        _ => return Err(FrameError::Field { field: "block flags", problem: "are neither 0 nor 1" }),
    };
    let tail = head.u64("block tail")?;
    let meta_len = head.u32("block summary")? as usize;
    if meta_len > metas.len() {
        return Err(FrameError::Field { field: "block summary", problem: "is longer than the payload" });
    }
    let sealed = head.u32s("list of sealed traces")?;
    ascending(&sealed)?;
    Ok(PeerBlock { name, meta: metas.split_to(meta_len), tail, is_live, sealed })
}

fn ascending(places: &[u32]) -> Result<(), FrameError> {
    if places.is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    Err(FrameError::Field { field: "list of sealed traces", problem: "is not ascending" })
}
