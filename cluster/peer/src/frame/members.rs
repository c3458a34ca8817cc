//! What each side knows of the members: `docs/formats/peer.md`, "Exchange members". What is in it is
//! `spanloom_swim`'s matter.

use bytes::Bytes;

use super::{Fields, FrameError, Kind, Message, Writer};

/// What the one who asks knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownHere(pub Bytes);

/// What the one who was asked knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownThere(pub Bytes);

impl Message for KnownHere {
    const KIND: Kind = Kind::ExchangeMembers;

    fn write(self, _: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        Ok(vec![self.0])
    }

    fn read(_: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError> {
        Ok(Self(payload))
    }
}

impl Message for KnownThere {
    const KIND: Kind = Kind::Members;

    fn write(self, _: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        Ok(vec![self.0])
    }

    fn read(_: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError> {
        Ok(Self(payload))
    }
}
