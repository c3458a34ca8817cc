//! A frame on its way out.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::sync::OwnedSemaphorePermit;

use super::PREFIX_BYTES;
use crate::frame::{self, Encoded, FrameError, Message};

/// A payload up to this is copied behind its head, so that it travels in one DATA frame with it.
const COPIED_BYTES: usize = 4096;

/// The body of a gRPC call: one message, and at the end of an answer its status. The payload's pieces are handed on
/// as they are, each in DATA frames of its own.
#[derive(Debug)]
pub(crate) struct FrameBody {
    pieces: std::vec::IntoIter<Bytes>,
    trailers: Option<HeaderMap>,
    /// Counts as being worked on until the last byte was handed on.
    _permits: Vec<OwnedSemaphorePermit>,
}

impl FrameBody {
    /// Frames a message that may have so many bytes.
    pub(crate) fn new<M: Message>(message: M, limit: usize) -> Result<Self, FrameError> {
        let encoded = frame::encode(message)?;
        if encoded.len() > limit {
            return Err(FrameError::TooLarge { found: encoded.len() as u64, limit: limit as u64 });
        }
        Ok(Self { pieces: pieces(encoded).into_iter(), trailers: None, _permits: Vec::new() })
    }

    /// The same, with a status after it.
    pub(crate) fn ending_with(self, trailers: HeaderMap, permits: Vec<OwnedSemaphorePermit>) -> Self {
        Self { trailers: Some(trailers), _permits: permits, ..self }
    }
}

fn pieces(frame: Encoded) -> Vec<Bytes> {
    let len = frame.len() as u32; // `encode` refuses longer ones
    let is_small = frame.payload_len <= COPIED_BYTES;
    let room = PREFIX_BYTES + frame.front.len() + if is_small { frame.payload_len } else { 0 };
    let mut first = Vec::with_capacity(room);
    first.push(0); // not compressed
    first.extend_from_slice(&len.to_be_bytes());
    first.extend_from_slice(&frame.front);
    if is_small {
        frame.payload.iter().for_each(|piece| first.extend_from_slice(piece));
        return vec![first.into()];
    }
    let mut pieces = Vec::with_capacity(1 + frame.payload.len());
    pieces.push(first.into());
    pieces.extend(frame.payload);
    pieces
}

impl Body for FrameBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if let Some(piece) = this.pieces.next() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.len() == 0 && self.trailers.is_none()
    }
}
