//! What is watched of a connection, so that one whose other end stalls is closed: whether the first bytes came,
//! whether a write has been blocked for long, whether an answer lies there and is not taken.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::ServeConfig;

/// The length of HTTP/2's preface. No HTTP/1.1 request is as short; from here on, header timeouts and pings
/// watch the reading side.
const FIRST_BYTES: u64 = 24;

/// Not waiting for the other end.
const NOT_WAITING: u64 = 0;

/// A connection's state. Moments are milliseconds since it began, plus one.
pub(super) struct Vitals {
    began: Instant,
    read_bytes: AtomicU64,
    write_blocked_since: AtomicU64,
    answers: Mutex<Vec<Weak<Waiting>>>,
}

/// Since when an answer has been waiting for its reader.
pub(super) struct Waiting(AtomicU64);

impl Vitals {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            read_bytes: AtomicU64::new(0),
            write_blocked_since: AtomicU64::new(NOT_WAITING),
            answers: Mutex::new(Vec::new()),
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64 + 1
    }

    /// Starts watching an answer.
    pub(super) fn watch_answer(&self) -> Arc<Waiting> {
        let waiting = Arc::new(Waiting(AtomicU64::new(self.now())));
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|answer| answer.strong_count() > 0);
        answers.push(Arc::downgrade(&waiting));
        waiting
    }

    /// Part of an answer was taken, and more lies ready (or not).
    pub(super) fn answer_taken(&self, waiting: &Waiting, more: bool) {
        waiting.0.store(if more { self.now() } else { NOT_WAITING }, Relaxed);
    }

    /// Why the connection should be closed, if it should.
    pub(super) fn stalled(&self, config: &ServeConfig) -> Option<&'static str> {
        let now = self.now();
        let longer = |since: u64, limit: std::time::Duration| {
            since != NOT_WAITING && now.saturating_sub(since) > limit.as_millis() as u64
        };
        if self.read_bytes.load(Relaxed) < FIRST_BYTES && longer(1, config.header_read_timeout) {
            return Some("it did not say what it wants");
        }
        if longer(self.write_blocked_since.load(Relaxed), config.write_timeout) {
            return Some("it takes no bytes");
        }
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = answers.iter().filter_map(Weak::upgrade);
        open.any(|answer| longer(answer.0.load(Relaxed), config.write_timeout))
            .then_some("it does not take its answer")
    }
}

/// A socket that keeps the vitals.
pub(super) struct WatchedIo {
    stream: TcpStream,
    vitals: Arc<Vitals>,
}

impl WatchedIo {
    pub(super) fn new(stream: TcpStream, vitals: Arc<Vitals>) -> Self {
        Self { stream, vitals }
    }

    fn wrote<T>(&self, poll: Poll<T>) -> Poll<T> {
        let blocked = &self.vitals.write_blocked_since;
        match poll {
            Poll::Ready(_) => blocked.store(NOT_WAITING, Relaxed),
            Poll::Pending if blocked.load(Relaxed) == NOT_WAITING => {
                blocked.store(self.vitals.now(), Relaxed)
            }
            Poll::Pending => {}
        }
        poll
    }
}

impl AsyncRead for WatchedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.vitals.read_bytes.fetch_add((buf.filled().len() - before) as u64, Relaxed);
        poll
    }
}

impl AsyncWrite for WatchedIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.wrote(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
