//! A question under way: what every kind of question has beside its own work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use foldhash::HashSet;
use parking_lot::Mutex;
use spanloom_span::TraceId;
use tokio::sync::mpsc;

use crate::QueryError;
use crate::progress::Progress;
use crate::sources::Sources;

/// How often parts of an answer are sent while it grows.
const PART_EVERY: Duration = Duration::from_millis(100);

/// A question under way, whose answer comes in parts of type `T`.
pub(crate) struct Asked<T> {
    pub progress: Progress,
    /// Blocks, by number: each is a piece of work. Live spans come first, then the youngest blocks, which are likely to
    /// hold the newest traces.
    pieces: Vec<usize>,
    /// Traces that lie in several places and are judged already.
    claimed: Mutex<HashSet<TraceId>>,
    answer: mpsc::Sender<Result<T, QueryError>>,
    last_part: Mutex<Instant>,
    failed: AtomicBool,
}

impl<T> Asked<T> {
    /// A question that is put to these sources and answered to `answer`.
    pub fn new(
        sources: &Sources,
        mut progress: Progress,
        answer: mpsc::Sender<Result<T, QueryError>>,
    ) -> Self {
        let pieces: Vec<usize> = (0..sources.blocks.len()).rev().collect();
        progress.plan(sources, pieces.len());
        Self {
            progress,
            pieces,
            claimed: Mutex::default(),
            answer,
            last_part: Mutex::new(Instant::now()),
            failed: AtomicBool::new(false),
        }
    }

    /// How many pieces of work there are; at least one, so that somebody finishes the question.
    pub fn pieces(&self) -> usize {
        self.pieces.len().max(1)
    }

    /// Takes a trace that lies in several places; false when it was taken before.
    pub fn claim(&self, id: &TraceId) -> bool {
        self.claimed.lock().insert(*id)
    }

    /// Whether there is no point in going on.
    pub fn is_over(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.answer.is_closed() || self.progress.is_late()
    }

    /// Does a piece of work, which is about a block, and sends the part that `part` makes when it is time for one. False when there is no
    /// point in going on.
    pub fn piece(
        &self,
        number: usize,
        run: impl FnOnce(usize) -> Result<(), QueryError>,
        part: Option<impl FnOnce() -> T>,
    ) -> bool {
        let Some(&block) = self.pieces.get(number).filter(|_| !self.is_over()) else { return false };
        if let Err(error) = run(block) {
            self.fail(error);
            return false;
        }
        self.progress.piece_done();
        if let Some(part) = part {
            self.send_when_due(part);
        }
        !self.is_over()
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

    fn fail(&self, error: QueryError) {
        if !self.failed.swap(true, Ordering::Relaxed) {
            self.send(Err(error));
        }
    }

    fn send(&self, part: Result<T, QueryError>) {
        // Whoever asked may have gone.
        let _ = self.answer.blocking_send(part);
    }

    fn send_when_due(&self, part: impl FnOnce() -> T) {
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
