//! Polls workers in an order that the seed picks, kills them anywhere, and moves the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

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
    /// Stopped by its machine until then, in the middle of what it does.
    frozen: u64,
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
        let worker = self.born(role, 0);
        self.workers.push(worker);
    }

    fn born(&self, role: Role, down: u64) -> Worker {
        let life = Box::pin(workers::live(role.clone(), self.shared.clone(), Duration::from_nanos(down)));
        Worker { role, life, woken: Arc::new(Woken(true.into())), frozen: 0 }
    }

    /// Runs the workers for so many steps.
    pub fn run(&mut self, steps: u64) {
        for _ in 0..steps {
            let (now, dice, pick, time) = {
                let world = &mut *self.shared.world();
                let longest = [10, 60, 150, 700][world.chance.below(4) as usize] * SECOND;
                (
                    world.now,
                    world.chance.below(1000),
                    world.chance.next() as usize,
                    world.chance.below(longest),
                )
            };
            let ready = |worker: &Worker| worker.woken.0.load(Ordering::Relaxed) && worker.frozen <= now;
            let ready: Vec<usize> = (0..self.workers.len()).filter(|at| ready(&self.workers[*at])).collect();
            let any = pick % self.workers.len();
            match dice {
                0..4 => {
                    self.workers[any] = self.born(self.workers[any].role.clone(), time);
                    self.shared.world().count("killed");
                }
                4..12 => {
                    self.workers[any].frozen = now + time;
                    self.shared.world().at(now + time, |world| world.count("frozen"));
                }
                12..15 => self.shared.wait(Duration::from_nanos(time.min(150 * SECOND))),
                15..400 => _ = self.shared.world().advance(),
                _ if ready.is_empty() => _ = self.shared.world().advance(),
                _ => self.poll(ready[pick % ready.len()]),
            }
        }
    }

    fn poll(&mut self, at: usize) {
        let worker = &mut self.workers[at];
        worker.woken.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(worker.woken.clone());
        let ended = worker.life.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        assert!(!ended, "a worker lives until it is killed");
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
