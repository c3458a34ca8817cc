//! The threads that search. Questions share them fairly: each is cut into pieces, and the threads go around the
//! questions piece by piece.
//!
//! Other nodes of a cluster have parts of their questions worked on here. Those are counted apart, and have every other
//! turn while somebody who asks here has pieces: so who asks here has half of the threads at least, however many others
//! ask.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use spanloom_stage::give_way;

/// What a question is made of: numbered pieces that may be done in any order and at the same time.
pub trait Work: Send + Sync + 'static {
    /// How many pieces there are so far; at least one.
    fn pieces(&self) -> usize;

    /// Whether there may be more later, of which [`Waker::wake`] tells.
    fn may_grow(&self) -> bool {
        false
    }

    /// Does a piece. False when there is no point in going on with the others.
    fn piece(&self, number: usize) -> bool;

    /// Called once, when every piece that was begun is done and none will be begun.
    fn finish(&self);
}

struct Job {
    work: Arc<dyn Work>,
    /// The piece that is next.
    next: usize,
    /// Pieces that are being done.
    begun: usize,
    number: u64,
    /// Whether another node asked.
    is_guest: bool,
}

#[derive(Default)]
struct Line {
    jobs: VecDeque<Job>,
    numbered: u64,
    is_closed: bool,
    /// Whether it is the guests' turn.
    guests_turn: bool,
}

#[derive(Default)]
struct Shared {
    line: Mutex<Line>,
    more: Condvar,
}

/// The threads. Dropping it ends them after what they are doing; questions that wait are finished as they are.
pub struct Pool {
    shared: Arc<Shared>,
    most: usize,
    threads: Vec<JoinHandle<()>>,
}

/// Tells a pool's threads that a question has more pieces.
#[derive(Clone)]
pub struct Waker(Arc<Shared>);

impl Waker {
    /// Has the threads look again.
    pub fn wake(&self) {
        // A thread that has just looked waits by the time the lock is free.
        drop(self.0.line.lock());
        self.0.more.notify_all();
    }
}

/// There is no room for another question.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Pool {
    /// Starts `threads` threads, which give way to others, for at most `questions` questions at once.
    pub fn start(threads: usize, nice: u8, questions: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let start = |number: usize| {
            let shared = shared.clone();
            let name = format!("query-{number}");
            std::thread::Builder::new().name(name).spawn(move || {
                give_way(nice);
                while shared.work() {}
            })
        };
        let threads = (0..threads.max(1)).map(start).collect::<Result<_, _>>()?;
        Ok(Self { shared, most: questions.max(1), threads })
    }

    /// How many questions are being worked on or wait.
    #[cfg(test)]
    pub fn questions(&self) -> usize {
        self.shared.line.lock().jobs.len()
    }

    /// What tells the threads that a question has more pieces.
    pub fn waker(&self) -> Waker {
        Waker(self.shared.clone())
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Takes a question.
    pub fn submit(&self, work: Arc<dyn Work>) -> Result<(), Full> {
        self.take(work, false)
    }

    /// Takes a part of another node's question; half as many as of questions.
    pub fn submit_guest(&self, work: Arc<dyn Work>) -> Result<(), Full> {
        self.take(work, true)
    }

    fn take(&self, work: Arc<dyn Work>, is_guest: bool) -> Result<(), Full> {
        let mut line = self.shared.line.lock();
        let most = if is_guest { self.most.div_ceil(2) } else { self.most };
        let there = line.jobs.iter().filter(|job| job.is_guest == is_guest).count();
        if there >= most || line.is_closed {
            return Err(Full);
        }
        line.numbered += 1;
        let number = line.numbered;
        line.jobs.push_back(Job { work, next: 0, begun: 0, number, is_guest });
        drop(line);
        self.shared.more.notify_all();
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let left = {
            let mut line = self.shared.line.lock();
            line.is_closed = true;
            for job in &mut line.jobs {
                job.next = usize::MAX;
            }
            let idle = line.jobs.iter().filter(|job| job.begun == 0).map(|job| job.work.clone());
            let idle: Vec<_> = idle.collect();
            line.jobs.retain(|job| job.begun > 0);
            idle
        };
        left.iter().for_each(|work| work.finish());
        self.shared.more.notify_all();
        for thread in self.threads.drain(..) {
            // The pool may be dropped by one of its own threads, as the last holder of a question.
            if thread.thread().id() != std::thread::current().id() {
                // A thread that panicked has nothing left to wait for.
                let _ = thread.join();
            }
        }
    }
}

impl Line {
    /// Takes out the question whose turn it is.
    fn next(&mut self) -> Option<Job> {
        let is_ready = |job: &Job| job.next < job.work.pieces();
        let turn = self.guests_turn;
        let of_turn = self.jobs.iter().position(|job| job.is_guest == turn && is_ready(job));
        let at = of_turn.or_else(|| self.jobs.iter().position(is_ready))?;
        let job = self.jobs.remove(at)?;
        self.guests_turn = !job.is_guest;
        Some(job)
    }
}

impl Shared {
    /// Waits for a piece and does it; false at the end.
    fn work(&self) -> bool {
        let (work, piece, number) = {
            let mut line = self.line.lock();
            loop {
                if let Some(mut job) = line.next() {
                    let taken = (job.work.clone(), job.next, job.number);
                    job.next += 1;
                    job.begun += 1;
                    line.jobs.push_back(job);
                    break taken;
                }
                if line.is_closed {
                    return false;
                }
                self.more.wait(&mut line);
            }
        };
        let mut ended = Ended { shared: self, number, goes_on: false, work: &work };
        // A piece that panics has left its question's state alone or behind a lock; the question ends.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work.piece(piece)));
        ended.goes_on = done.unwrap_or(false);
        true
    }

    /// A piece is done. Yields whether it was the question's last.
    fn done(&self, number: u64, goes_on: bool) -> bool {
        let mut line = self.line.lock();
        let Some(at) = line.jobs.iter().position(|job| job.number == number) else { return false };
        let job = &mut line.jobs[at];
        job.begun -= 1;
        if !goes_on {
            job.next = usize::MAX;
        }
        // What grows says so before it has grown: asked in this order, nothing is overlooked.
        let may_grow = job.next < usize::MAX && job.work.may_grow();
        let is_last = job.begun == 0 && job.next >= job.work.pieces() && !may_grow;
        if is_last {
            line.jobs.remove(at);
        }
        is_last
    }
}

/// Tells that a piece is done, however it ended: a piece that panics ends its question, and its thread goes on.
struct Ended<'a> {
    shared: &'a Shared,
    number: u64,
    goes_on: bool,
    work: &'a Arc<dyn Work>,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if self.shared.done(self.number, self.goes_on) {
            self.work.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    struct Count {
        pieces: usize,
        stop_at: usize,
        done: AtomicUsize,
        finished: Mutex<Sender<usize>>,
    }

    impl Work for Count {
        fn pieces(&self) -> usize {
            self.pieces
        }

        fn piece(&self, number: usize) -> bool {
            self.done.fetch_add(1, Ordering::SeqCst);
            number != self.stop_at
        }

        fn finish(&self) {
            self.finished.lock().send(self.done.load(Ordering::SeqCst)).unwrap();
        }
    }

    fn count(pieces: usize, stop_at: usize) -> (Arc<Count>, Receiver<usize>) {
        let (tell, told) = channel();
        (Arc::new(Count { pieces, stop_at, done: AtomicUsize::new(0), finished: Mutex::new(tell) }), told)
    }

    #[test]
    fn every_piece_is_done_once_and_then_it_is_finished() {
        let pool = Pool::start(3, 0, 10).unwrap();
        let all: Vec<_> = (1..8).map(|pieces| (pieces * 10, count(pieces * 10, usize::MAX))).collect();
        for (_, (work, _)) in &all {
            assert_eq!(pool.submit(work.clone()), Ok(()));
        }
        for (pieces, (work, told)) in all {
            assert_eq!(told.recv().unwrap(), pieces);
            drop(work);
            assert!(told.recv().is_err(), "finished once");
        }
        assert_eq!(pool.questions(), 0);
    }

    #[test]
    fn a_question_that_is_given_up_is_finished_early() {
        let pool = Pool::start(1, 0, 10).unwrap();
        let (work, told) = count(1000, 3);
        pool.submit(work).unwrap();
        assert_eq!(told.recv().unwrap(), 4);
    }

    /// Notes who has a turn; the first one waits until it is let go of.
    struct Turns {
        name: &'static str,
        pieces: usize,
        all: Arc<Mutex<Vec<&'static str>>>,
        gate: Mutex<Option<Receiver<()>>>,
        finished: Mutex<Sender<()>>,
    }

    impl Work for Turns {
        fn pieces(&self) -> usize {
            self.pieces
        }

        fn piece(&self, _: usize) -> bool {
            if let Some(gate) = self.gate.lock().take() {
                gate.recv().unwrap();
            }
            self.all.lock().push(self.name);
            true
        }

        fn finish(&self) {
            self.finished.lock().send(()).unwrap();
        }
    }

    #[test]
    fn who_asks_here_has_every_other_turn_however_many_others_ask() {
        let pool = Pool::start(1, 0, 4).unwrap();
        let ((go, gate), (tell, finished)) = (channel(), channel());
        let all = Arc::<Mutex<Vec<&'static str>>>::default();
        let turns = |name, pieces, gate| {
            let (all, finished) = (all.clone(), Mutex::new(tell.clone()));
            Arc::new(Turns { name, pieces, all, gate: Mutex::new(gate), finished })
        };
        pool.submit(turns("first", 1, Some(gate))).unwrap();
        assert_eq!(pool.submit_guest(turns("a", 3, None)), Ok(()));
        assert_eq!(pool.submit_guest(turns("b", 3, None)), Ok(()));
        assert_eq!(pool.submit_guest(turns("c", 3, None)), Err(Full), "half as many as of questions");
        pool.submit(turns("own", 3, None)).unwrap();
        go.send(()).unwrap();
        (0..4).for_each(|_| finished.recv().unwrap());
        assert_eq!(all.lock().join(" "), "first a own b own a own b a b");
    }

    #[test]
    fn there_is_a_limit_and_dropping_finishes_what_waits() {
        struct Wait(Mutex<Receiver<()>>, Mutex<Sender<()>>);
        impl Work for Wait {
            fn pieces(&self) -> usize {
                2
            }
            fn piece(&self, _: usize) -> bool {
                self.0.lock().recv().is_ok()
            }
            fn finish(&self) {
                self.1.lock().send(()).unwrap();
            }
        }
        let pool = Pool::start(1, 0, 2).unwrap();
        let (go, wait) = channel();
        let (tell, ended) = channel();
        pool.submit(Arc::new(Wait(Mutex::new(wait), Mutex::new(tell)))).unwrap();
        let (work, told) = count(5, usize::MAX);
        pool.submit(work.clone()).unwrap();
        assert_eq!(pool.submit(work), Err(Full));
        while pool.shared.line.lock().jobs.iter().all(|job| job.begun == 0) {
            std::thread::yield_now();
        }
        let dropping = std::thread::spawn(move || drop(pool));
        let done = told.recv().unwrap();
        go.send(()).unwrap();
        ended.recv().unwrap();
        dropping.join().unwrap();
        assert!(done < 5);
    }
}
