//! "What do you hold of this trace?", and the copy: `docs/formats/peer.md`, "Find trace".

use bytes::Bytes;
use spanloom_span::TraceId;

use super::fields::without_payload;
use super::{Fields, FrameError, Kind, Message, Writer};
use crate::{FindTrace, TraceCopy};

impl Message for FindTrace {
    const KIND: Kind = Kind::FindTrace;

    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        head.tenant(&self.tenant);
        head.raw(&self.id.0);
        Ok(Vec::new())
    }

    fn read(head: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError> {
        without_payload(&payload)?;
        Ok(Self { tenant: head.tenant()?, id: TraceId(head.array("trace id")?) })
    }
}

impl Message for TraceCopy {
    const KIND: Kind = Kind::TraceCopy;

    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        head.u64(self.blocks);
        head.u64(self.live_parts);
        Ok(vec![self.spans])
    }

    fn read(head: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError> {
        Ok(Self { blocks: head.u64("blocks")?, live_parts: head.u64("live parts")?, spans: payload })
    }
}
