//! "Keep these spans", and that they are kept: `docs/formats/peer.md`, "Push".

use bytes::Bytes;

use super::fields::without_payload;
use super::{Fields, FrameError, Kind, Message, Writer};
use crate::{Push, PushSliced, Pushed};

impl Message for Push {
    const KIND: Kind = Kind::Push;

    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        head.tenant(&self.tenant);
        Ok(vec![self.request])
    }

    fn read(head: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError> {
        Ok(Self { tenant: head.tenant()?, request: payload })
    }
}

impl Message for PushSliced {
    const KIND: Kind = Kind::PushSliced;

    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        head.tenant(&self.tenant);
        head.count(self.index.len(), "slices")?;
        Ok(vec![self.index, self.request])
    }

    fn read(head: &mut Fields<'_>, mut payload: Bytes) -> Result<Self, FrameError> {
        let (tenant, index) = (head.tenant()?, head.u32("slices")? as usize);
        if index > payload.len() {
            return Err(FrameError::Field { field: "slices", problem: "are longer than the payload" });
        }
        let index = payload.split_to(index);
        Ok(Self { tenant, request: payload, index })
    }
}

impl Message for Pushed {
    const KIND: Kind = Kind::Pushed;

    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        head.u64(self.spans);
        head.u64(self.refused_spans);
        head.text(&self.message, "message")?;
        Ok(Vec::new())
    }

    fn read(head: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError> {
        without_payload(&payload)?;
        Ok(Self {
            spans: head.u64("spans")?,
            refused_spans: head.u64("refused spans")?,
            message: head.text("message")?.to_owned(),
        })
    }
}
