//! An answer's body, handed out in steps. HTTP takes a step only when the reader has made room for it, so an
//! answer whose next step is not taken for long belongs to a reader that stalls; what it holds is bounded by
//! closing the connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::vitals::{Vitals, Waiting};

/// Bytes a step. Smaller answers are not watched: streams times this is little.
const STEP: usize = 64 * 1024;

/// A body whose large frames are handed out in steps.
pub struct Answer<B> {
    body: B,
    rest: Bytes,
    watch: Option<(Arc<Vitals>, Arc<Waiting>)>,
}

impl<B: Body<Data = Bytes>> Answer<B> {
    pub(super) fn new(body: B, vitals: &Arc<Vitals>) -> Self {
        let small = body.size_hint().upper().is_some_and(|most| most <= STEP as u64);
        let watch = (!small).then(|| (vitals.clone(), vitals.watch_answer()));
        Self { body, rest: Bytes::new(), watch }
    }

    fn taken(&self, more: bool) {
        if let Some((vitals, waiting)) = &self.watch {
            vitals.answer_taken(waiting, more);
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Answer<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.rest.is_empty() {
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                other => {
                    // Ended, or waiting for us to produce: in neither case for the reader.
                    self.taken(false);
                    return other;
                }
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let step = self.rest.len().min(STEP);
        let step = self.rest.split_to(step);
        self.taken(true);
        Poll::Ready(Some(Ok(Frame::data(step))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(most) = hint.upper() {
            hint.set_upper(most + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}
