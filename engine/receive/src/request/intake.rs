//! A body into one buffer: room is asked for before bytes are kept, the time it may take is bounded, and the
//! buffer has exactly the size of what came.
//!
//! Room is asked for as the body comes: a sender that announces a large body and stalls holds [`FIRST_ROOM`] and
//! twice what it has sent, so many of them together cannot keep the others out.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body::Body;
use spanloom_wire::{Encoding, Fault, Foreign, InflateError, inflate};
use tokio::time::Instant;

use crate::{Held, ReceiveConfig, Refusal, Sink};

/// Room asked for before anything has come.
const FIRST_ROOM: usize = 16 << 10;

/// Room asked for first when the length is not known.
const UNKNOWN_ROOM: usize = 64 << 10;

/// A body that comes slower than this is cut off in the end.
const LEAST_BYTES_PER_SECOND: usize = 16 << 10;

/// Inflating and translating more than this leaves the event loop, so that others go on.
const LONG_WORK: usize = 512 << 10;

/// Bytes and the permits for them.
pub(crate) struct Load {
    pub bytes: Bytes,
    pub held: Held,
    admitted: usize,
}

/// Collects one body.
pub(crate) struct Intake<'a, S> {
    sink: &'a S,
    limit: usize,
    read_timeout: Duration,
    began: Instant,
    received: usize,
    admitted: usize,
    held: Vec<Held>,
    buffer: Vec<u8>,
}

impl<'a, S: Sink> Intake<'a, S> {
    pub(crate) fn new(sink: &'a S, config: &ReceiveConfig) -> Self {
        Self::with_limits(sink, config.max_request_bytes, config.read_timeout)
    }

    /// At most `limit` bytes, that stall for no longer than `read_timeout`.
    pub(crate) fn with_limits(sink: &'a S, limit: usize, read_timeout: Duration) -> Self {
        Self {
            sink,
            limit,
            read_timeout,
            began: Instant::now(),
            received: 0,
            admitted: 0,
            held: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// The next piece of the body, unless it takes too long.
    pub(crate) async fn next<B>(&mut self, body: &mut B) -> Result<Option<Bytes>, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        let earned = Duration::from_millis((self.received * 1000 / LEAST_BYTES_PER_SECOND) as u64);
        let deadline = self.began + self.read_timeout + earned;
        loop {
            let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
            let frame = tokio::time::timeout_at(deadline, frame)
                .await
                .map_err(|_| Refusal::Stalled { received: self.received, limit: self.read_timeout })?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|e| Refusal::Aborted(e.to_string()))?;
            // Trailers of a request say nothing to us.
            if let Ok(data) = frame.into_data() {
                self.received += data.len();
                return Ok(Some(data));
            }
        }
    }

    /// Prepares for a body of known length, or refuses it.
    pub(crate) async fn expect(&mut self, length: usize) -> Result<(), Refusal> {
        if length > self.limit {
            return Err(Refusal::TooLarge { limit: self.limit });
        }
        self.admit(length.min(FIRST_ROOM)).await?;
        // Pages of it that nothing is written to cost no memory.
        self.buffer.reserve_exact(length);
        Ok(())
    }

    /// Keeps bytes, asking for room when there is none left.
    pub(crate) async fn keep(&mut self, data: &[u8]) -> Result<(), Refusal> {
        let length = self.buffer.len() + data.len();
        if length > self.limit {
            return Err(Refusal::TooLarge { limit: self.limit });
        }
        if length > self.admitted {
            let most = if self.buffer.capacity() >= length { self.buffer.capacity() } else { self.limit };
            let target = (self.admitted * 2).max(UNKNOWN_ROOM).min(most).max(length);
            self.admit(target - self.admitted).await?;
        }
        self.buffer.extend_from_slice(data);
        Ok(())
    }

    /// How many bytes are kept.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    async fn admit(&mut self, bytes: usize) -> Result<(), Refusal> {
        if bytes > 0 {
            self.held.push(self.sink.admit(bytes).await?);
            self.admitted += bytes;
        }
        Ok(())
    }

    /// The whole body.
    pub(crate) fn finish(mut self) -> Load {
        let held = if self.held.len() == 1 { self.held.pop() } else { None };
        let held = held.unwrap_or_else(|| Box::new(self.held));
        Load { bytes: trimmed(self.buffer), held, admitted: self.admitted }
    }
}

impl Load {
    /// Inflates. Room for what comes out is asked for first, by what the bytes claim; when that was too little,
    /// for more, up to the limit.
    pub(crate) async fn inflate<S: Sink>(
        self,
        sink: &S,
        encoding: Encoding,
        limit: usize,
    ) -> Result<Load, Refusal> {
        if encoding == Encoding::Identity {
            return Ok(self);
        }
        let Load { bytes: packed, held: mut packed_held, .. } = self;
        let mut room = inflate::size_hint(encoding, &packed).max(packed.len()).min(limit);
        loop {
            let held = sink.admit(room).await?;
            let bytes = packed.clone();
            let (out, (again, held)) =
                work(room, (packed_held, held), move || inflate::inflate(encoding, bytes, room)).await?;
            packed_held = again;
            match out {
                Ok(bytes) => return Ok(Load { bytes, held, admitted: room }.fit(sink)),
                Err(InflateError::TooLarge { .. }) if room < limit => {
                    room = room.saturating_mul(4).min(limit);
                }
                Err(InflateError::TooLarge { .. }) => return Err(Refusal::TooLarge { limit }),
                Err(error @ InflateError::Damaged { .. }) => return Err(Refusal::Invalid(error.to_string())),
            }
        }
    }

    /// Turns the bytes into others that are no longer.
    pub(crate) async fn rewrite<S, F>(self, sink: &S, rewrite: F) -> Result<Load, Refusal>
    where
        S: Sink,
        F: FnOnce(&[u8]) -> Result<Vec<u8>, String> + Send + 'static,
    {
        let Load { bytes, held, admitted } = self;
        let (out, held) = work(bytes.len(), held, move || rewrite(&bytes)).await?;
        let bytes = trimmed(out.map_err(Refusal::Invalid)?);
        Ok(Load { bytes, held, admitted }.fit(sink))
    }

    /// Translates a foreign format to OTLP. Room for twice as much is asked for first; when that was too little,
    /// for more, up to the limit.
    pub(crate) async fn translate<S, F>(self, sink: &S, limit: usize, translate: F) -> Result<Load, Refusal>
    where
        S: Sink,
        F: Fn(&[u8], usize, &mut Vec<u8>) -> Result<u64, Foreign> + Clone + Send + 'static,
    {
        let Load { bytes: foreign, held: mut foreign_held, .. } = self;
        let mut room = (foreign.len() * 2).max(FIRST_ROOM).min(limit);
        loop {
            let held = sink.admit(room).await?;
            let (bytes, translate) = (foreign.clone(), translate.clone());
            let run = move || {
                let mut out = Vec::with_capacity(bytes.len());
                translate(&bytes, room, &mut out).map(|_| out)
            };
            let (out, (again, held)) = work(foreign.len(), (foreign_held, held), run).await?;
            foreign_held = again;
            match out {
                Ok(out) => return Ok(Load { bytes: trimmed(out), held, admitted: room }.fit(sink)),
                Err(error) if error.fault == Fault::Room && room < limit => {
                    room = room.saturating_mul(4).min(limit);
                }
                Err(error) if error.fault == Fault::Room => return Err(Refusal::TooLarge { limit }),
                Err(error) => return Err(Refusal::Invalid(error.to_string())),
            }
        }
    }

    /// Trades a permit that is much too large for a fitting one, if there is room to do so at once.
    pub(crate) fn fit<S: Sink>(mut self, sink: &S) -> Load {
        let length = self.bytes.len();
        if self.admitted - length.min(self.admitted) > length / 4 + 1024 {
            // Dropping an admission that would have to wait is safe: nothing was admitted yet.
            if let Some(Ok(held)) = sink.admit(length).now_or_never() {
                self.held = held;
                self.admitted = length;
            }
        }
        self
    }
}

/// Gives back what was reserved and not used: the bytes live as long as their traces.
fn trimmed(mut buffer: Vec<u8>) -> Bytes {
    if buffer.capacity() - buffer.len() > buffer.len() / 8 {
        buffer.shrink_to_fit();
    }
    buffer.into()
}

/// Runs work here when it is short, beside the event loop when it is long. The permits for what it works on go
/// with it: long work goes on when nobody waits for it any more.
async fn work<T: Send + 'static, H: Send + 'static>(
    bytes: usize,
    held: H,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<(T, H), Refusal> {
    if bytes <= LONG_WORK {
        return Ok((work(), held));
    }
    let done = tokio::task::spawn_blocking(move || (work(), held)).await;
    done.map_err(|e| Refusal::Internal(format!("the body could not be read: {e}")))
}
