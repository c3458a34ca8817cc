//! The frames of the questions that nodes ask each other, as `docs/formats/peer.md` describes them: a header with
//! version and checksums, a small head of plain fields, and the payload as it is.
//!
//! Neither side copies a payload here: what is encoded is a list of slices, and what is decoded is a slice of what
//! came in. The heads are written field by field, in little endian, and not as rkyv archives: an archive wants its
//! bytes aligned, which those of a network are not, so each would be copied before it could be looked at; and one
//! message could be archived in many ways, where here it has exactly one form, so that whatever decodes encodes to
//! the same bytes.
//!
//! | file | holds |
//! |---|---|
//! | `header.rs` | the 24 bytes that every frame begins with |
//! | `fields.rs` | how a head's fields are written and read |
//! | `push.rs`, `trace.rs`, `blocks.rs`, `read.rs`, `members.rs`, `traces.rs`, `scan.rs` | the heads, a question and its answer each |
//! | `error.rs` | why bytes are no frame, or a message does not fit one |

mod blocks;
mod error;
mod fields;
mod header;
mod members;
mod push;
mod read;
mod scan;
mod trace;
mod traces;

use bytes::Bytes;

pub use error::FrameError;
pub use fields::{Fields, Writer};
pub use header::{HEADER_BYTES, Header, Kind, MAGIC, VERSION};
pub use members::{KnownHere, KnownThere};
pub use read::Pieces;
pub use traces::{ListTenants, TenantList};

/// A question or an answer that can be framed.
pub trait Message: Sized {
    /// What says in the header that it is this message.
    const KIND: Kind;

    /// Writes the head; the payload is what is returned, in this order.
    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError>;

    /// Reads the head to its end; the payload is all of the frame's.
    fn read(head: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError>;
}

/// A frame on its way out.
#[derive(Debug)]
pub struct Encoded {
    /// Header and head.
    pub front: Vec<u8>,
    /// The payload, in pieces that were not copied; none is empty.
    pub payload: Vec<Bytes>,
    /// Bytes of the payload.
    pub payload_len: usize,
}

impl Encoded {
    /// Bytes of the whole frame.
    pub fn len(&self) -> usize {
        self.front.len() + self.payload_len
    }

    /// Never: a frame has a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The frame in one piece, which copies it.
    pub fn to_bytes(&self) -> Bytes {
        let mut whole = Vec::with_capacity(self.len());
        whole.extend_from_slice(&self.front);
        self.payload.iter().for_each(|piece| whole.extend_from_slice(piece));
        whole.into()
    }
}

/// Frames a message.
pub fn encode<M: Message>(message: M) -> Result<Encoded, FrameError> {
    let mut writer = Writer::after_header();
    let mut payload = message.write(&mut writer)?;
    payload.retain(|piece| !piece.is_empty());
    let payload_len = payload.iter().map(Bytes::len).sum();
    let mut front = writer.into_bytes();
    header::fill(&mut front, M::KIND, &payload, payload_len)?;
    Ok(Encoded { front, payload, payload_len })
}

/// Reads a frame that is in one piece.
pub fn decode<M: Message>(frame: &Bytes) -> Result<M, FrameError> {
    let header = Header::parse(frame)?;
    if frame.len() as u64 != header.frame_len() {
        return Err(FrameError::Length { found: frame.len() as u64, expected: header.frame_len() });
    }
    let front = HEADER_BYTES + header.head_len as usize;
    decode_parts(&header, &frame[..front], frame.slice(front..))
}

/// Reads a frame of which header and head are in one piece, and the payload in another.
pub fn decode_parts<M: Message>(header: &Header, front: &[u8], payload: Bytes) -> Result<M, FrameError> {
    header.check(front, &payload)?;
    if header.kind != M::KIND as u8 {
        return Err(FrameError::Kind { found: header.kind, expected: M::KIND as u8 });
    }
    let mut fields = Fields::new(&front[HEADER_BYTES..]);
    let message = M::read(&mut fields, payload)?;
    fields.end()?;
    Ok(message)
}
