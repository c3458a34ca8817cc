//! What every kind of question has beside its own work: who waits for the answer, and what was done so far.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::QueryError;
use crate::again::Parts;
use crate::kind::Claimed;
use crate::progress::Progress;

/// How often parts of an answer are sent while it grows.
const PART_EVERY: Duration = Duration::from_millis(100);

/// A question under way, whose answer comes in parts of type `T`.
pub(crate) struct Asked<T> {
    pub progress: Progress,
    claimed: Claimed,
    answer: Parts<T>,
    last_part: Mutex<Instant>,
    failed: AtomicBool,
}

impl<T> Asked<T> {
    /// A question that is answered to `answer`.
    pub fn new(progress: Progress, answer: Parts<T>) -> Self {
        Self {
            progress,
            claimed: Claimed::default(),
            answer,
            last_part: Mutex::new(Instant::now()),
            failed: AtomicBool::new(false),
        }
    }

    /// Traces that lie in several places and are judged already.
    pub fn claimed(&self) -> &Claimed {
        &self.claimed
    }

    /// Whether there is no point in going on.
    pub fn is_over(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.answer.is_closed() || self.progress.is_late()
    }

    /// Returns when nobody waits for the answer any more.
    pub async fn is_given_up(&self) {
        self.answer.closed().await;
    }

    /// Ends the question, with its last part or with why there is none.
    pub fn finish(&self, last: impl FnOnce() -> T) {
        if self.failed.load(Ordering::Relaxed) || self.answer.is_closed() {
            return;
        }
        match self.progress.unfinished() {
            Some(error) => self.fail(error),
            None => self.send(Ok(last())),
        }
    }

    /// Ends the question with an error.
    pub fn fail(&self, error: QueryError) {
        if !self.failed.swap(true, Ordering::Relaxed) {
            self.send(Err(error));
        }
    }

    fn send(&self, part: Result<T, QueryError>) {
        // Whoever asked may have gone.
        let _ = self.answer.blocking_send(part);
    }

    /// Sends a part when it is time for one.
    pub fn send_when_due(&self, part: impl FnOnce() -> T) {
        let Some(mut last) = self.last_part.try_lock().filter(|last| last.elapsed() >= PART_EVERY) else {
            return;
        };
        // Room is kept for the last part; what does not fit now comes with the next.
        if self.answer.capacity() > 1 {
            self.send(Ok(part()));
        }
        // From when it is made: parts that take long come seldom.
        *last = Instant::now();
    }
}
