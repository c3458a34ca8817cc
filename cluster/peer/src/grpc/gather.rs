//! A frame on its way in.
//!
//! Memory grows with what has come, never with what a length claims. Header and head are copied together, which are
//! small. A payload that came in one DATA frame is kept as it came; one that came in more is joined by one copy.

use bytes::{Bytes, BytesMut};

use super::PREFIX_BYTES;
use crate::frame::{self, FrameError, HEADER_BYTES, Header, Message};

/// Smaller chunks are copied together as they come, so that many tiny ones take no more room than their bytes.
const CHUNK_BYTES: usize = 16 << 10;

/// Smaller payloads are copied, so that one that is kept for long does not keep alive the connection's read buffer,
/// which may be of that size.
const KEPT_BYTES: usize = 64 << 10;

/// Collects the chunks of a gRPC message that is a frame.
#[derive(Debug)]
pub(crate) struct Gather {
    limit: usize,
    /// The message's prefix, the frame's header, and the head.
    front: BytesMut,
    header: Option<Header>,
    payload: Chunks,
}

/// A whole message whose checksums were not looked at yet.
#[derive(Debug)]
pub(crate) struct Gathered {
    header: Header,
    front: BytesMut,
    payload: Bytes,
}

#[derive(Debug, Default)]
struct Chunks {
    whole: Vec<Bytes>,
    small: BytesMut,
    len: usize,
}

impl Gather {
    /// Takes a frame of at most so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, front: BytesMut::new(), header: None, payload: Chunks::default() }
    }

    /// Takes the next chunk.
    pub(crate) fn push(&mut self, mut chunk: Bytes) -> Result<(), FrameError> {
        if self.header.is_none() {
            self.fill_front(&mut chunk, PREFIX_BYTES + HEADER_BYTES);
            if self.front.len() < PREFIX_BYTES + HEADER_BYTES {
                return Ok(());
            }
            self.header = Some(self.checked_header()?);
        }
        let Some(header) = &self.header else { return Ok(()) };
        let (head_len, payload_len) = (header.head_len as usize, header.payload_len as usize);
        self.fill_front(&mut chunk, PREFIX_BYTES + HEADER_BYTES + head_len);
        if self.payload.len + chunk.len() > payload_len {
            return Err(self.wrong_length(chunk.len()));
        }
        self.payload.push(chunk);
        Ok(())
    }

    /// Bytes of the frame, once its header came; what has come may be less.
    pub(crate) fn claimed(&self) -> Option<usize> {
        self.header.as_ref().map(|header| header.frame_len() as usize)
    }

    /// Ends it.
    pub(crate) fn finish(self) -> Result<Gathered, FrameError> {
        let Some(header) = self.header else {
            let found = self.front.len().saturating_sub(PREFIX_BYTES) as u64;
            return Err(FrameError::Length { found, expected: HEADER_BYTES as u64 });
        };
        if (self.front.len() - PREFIX_BYTES + self.payload.len) as u64 != header.frame_len() {
            return Err(self.wrong_length(0));
        }
        Ok(Gathered { header, front: self.front, payload: self.payload.joined() })
    }

    fn fill_front(&mut self, chunk: &mut Bytes, until: usize) {
        let missing = until.saturating_sub(self.front.len()).min(chunk.len());
        self.front.extend_from_slice(&chunk.split_to(missing));
    }

    fn checked_header(&self) -> Result<Header, FrameError> {
        let (prefix, header) = self.front.split_at(PREFIX_BYTES);
        if prefix[0] != 0 {
            return Err(FrameError::Compressed(prefix[0]));
        }
        let message_len = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
        let header = Header::parse(header)?;
        if u64::from(message_len) != header.frame_len() {
            return Err(FrameError::Length { found: message_len.into(), expected: header.frame_len() });
        }
        if header.frame_len() > self.limit as u64 {
            return Err(FrameError::TooLarge { found: header.frame_len(), limit: self.limit as u64 });
        }
        Ok(header)
    }

    fn wrong_length(&self, more: usize) -> FrameError {
        let found = (self.front.len() - PREFIX_BYTES + self.payload.len + more) as u64;
        FrameError::Length { found, expected: self.header.map_or(0, |header| header.frame_len()) }
    }
}

impl Gathered {
    /// Checks and reads it.
    pub(crate) fn decode<M: Message>(self) -> Result<M, FrameError> {
        frame::decode_parts(&self.header, &self.front[PREFIX_BYTES..], self.payload)
    }
}

impl Chunks {
    fn push(&mut self, chunk: Bytes) {
        self.len += chunk.len();
        if chunk.len() < CHUNK_BYTES {
            self.small.extend_from_slice(&chunk);
            return;
        }
        self.end_small();
        self.whole.push(chunk);
    }

    fn end_small(&mut self) {
        if !self.small.is_empty() {
            self.whole.push(self.small.split().freeze());
        }
    }

    fn joined(mut self) -> Bytes {
        self.end_small();
        match self.whole.as_slice() {
            [] => Bytes::new(),
            [one] if one.len() >= KEPT_BYTES => one.clone(),
            chunks => chunks.concat().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{KnownHere, encode};

    fn message(payload: Bytes) -> Vec<u8> {
        let frame = encode(KnownHere(payload)).unwrap().to_bytes();
        let mut message = vec![0];
        message.extend_from_slice(&(frame.len() as u32).to_be_bytes());
        message.extend_from_slice(&frame);
        message
    }

    fn gather(chunks: impl IntoIterator<Item = Bytes>) -> Result<KnownHere, FrameError> {
        let mut gather = Gather::new(1 << 20);
        chunks.into_iter().try_for_each(|chunk| gather.push(chunk))?;
        gather.finish()?.decode()
    }

    #[test]
    fn chunks_of_any_size_come_to_the_same() {
        for len in [0, 1, 100, CHUNK_BYTES - 1, CHUNK_BYTES, KEPT_BYTES, 200_000] {
            let payload: Bytes = (0..len).map(|at| at as u8).collect();
            let message = Bytes::from(message(payload.clone()));
            for size in [1, 7, 28, 29, 30, 1000, CHUNK_BYTES, CHUNK_BYTES + 1, message.len()] {
                let chunks = (0..message.len()).step_by(size);
                let chunks = chunks.map(|at| message.slice(at..message.len().min(at + size)));
                assert_eq!(gather(chunks), Ok(KnownHere(payload.clone())), "{len} by {size}");
            }
        }
    }

    #[test]
    fn a_large_payload_in_one_chunk_is_not_copied_and_a_small_one_keeps_nothing_alive() {
        for (len, is_shared) in [(KEPT_BYTES, true), (KEPT_BYTES - 1, false)] {
            let message = Bytes::from(message(vec![7; len].into()));
            let front = message.len() - len;
            let payload = message.slice(front..);
            let KnownHere(found) = gather([message.slice(..front), payload.clone()]).unwrap();
            assert_eq!(found.as_ptr() == payload.as_ptr(), is_shared, "{len}");
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let message = message(vec![1; 10].into());
        for len in 0..message.len() {
            let found = gather([Bytes::copy_from_slice(&message[..len])]);
            assert!(matches!(found, Err(FrameError::Length { .. })), "{len}: {found:?}");
        }
        let mut longer = message.clone();
        longer.push(0);
        assert_eq!(gather([longer.into()]), Err(FrameError::Length { found: 35, expected: 34 }));
        let mut lying = message.clone();
        lying[4] += 1;
        assert_eq!(gather([lying.into()]), Err(FrameError::Length { found: 35, expected: 34 }));
        let mut compressed = message.clone();
        compressed[0] = 1;
        assert_eq!(gather([compressed.into()]), Err(FrameError::Compressed(1)));
        let mut huge = message;
        huge[1..5].copy_from_slice(&(24 + (1_u32 << 30)).to_be_bytes());
        huge[PREFIX_BYTES + 12..PREFIX_BYTES + 16].copy_from_slice(&(1_u32 << 30).to_le_bytes());
        assert_eq!(
            gather([huge.into()]),
            Err(FrameError::TooLarge { found: 24 + (1 << 30), limit: 1 << 20 })
        );
    }
}
