//! Polls workers in an order that the seed picks, kills them anywhere, and moves the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::BoxFuture;

use crate::workers::{self, Role};
use crate::world::{SECOND, Shared};

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Worker {
    role: Role,
    life: BoxFuture<'static, ()>,
    woken: Arc<Woken>,
}

pub struct Executor {
    shared: Shared,
    workers: Vec<Worker>,
}

impl Executor {
    pub fn new(shared: Shared) -> Self {
        Self { shared, workers: Vec::new() }
    }

    pub fn start(&mut self, role: Role) {
        let worker = self.born(role);
        self.workers.push(worker);
    }

    fn born(&self, role: Role) -> Worker {
        let life = Box::pin(workers::live(role.clone(), self.shared.clone()));
        let woken = Arc::new(Woken(true.into()));
        Worker { role, life, woken }
    }

    /// Runs the workers for so many steps.
    pub fn run(&mut self, steps: u64) {
        for _ in 0..steps {
            let (dice, pick) = {
                let chance = &mut self.shared.world().chance;
                (chance.below(1000), chance.next())
            };
            let woken: Vec<usize> = (0..self.workers.len())
                .filter(|at| self.workers[*at].woken.0.load(Ordering::Relaxed))
                .collect();
            if dice < 5 {
                let at = pick as usize % self.workers.len();
                self.workers[at] = self.born(self.workers[at].role.clone());
                self.shared.world().count("killed");
            } else if dice < 10 {
                // Everybody stands still for a while, and what is in flight arrives.
                self.shared.wait(std::time::Duration::from_nanos(pick % (150 * SECOND)));
            } else if woken.is_empty() || dice < 400 {
                self.shared.world().advance();
            } else {
                let at = woken[pick as usize % woken.len()];
                let worker = &mut self.workers[at];
                worker.woken.0.store(false, Ordering::Relaxed);
                let waker = Waker::from(worker.woken.clone());
                let ended = worker.life.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
                assert!(!ended, "a worker lives until it is killed");
            }
        }
    }

    /// Kills all workers.
    pub fn stop(&mut self) {
        self.workers.clear();
    }

    /// Runs one thing to its end, alone.
    pub fn finish<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(value) => return value,
                Poll::Pending => assert!(self.shared.world().advance(), "waits for nothing"),
            }
        }
    }
}
