//! A memory budget: permits by bytes, given back when they are dropped.
//!
//! The budget counts what is held, whoever holds it. [`Budget::acquire`] waits for room, [`Budget::force`] takes
//! it without asking (for copies that free more than they take).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

/// Counts bytes held against a limit.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
    waiting: AtomicUsize,
    freed: Notify,
    // For threads without a runtime (replay).
    blocked: Mutex<()>,
    freed_blocking: Condvar,
}

/// Bytes taken from a [`Budget`]; dropping it gives them back.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
            blocked: Mutex::new(()),
            freed_blocking: Condvar::new(),
        })
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes held now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes bytes if there is room. One permit larger than the limit is given when nothing else is held, so
    /// that a single large request can pass.
    pub fn try_acquire(self: &Arc<Self>, bytes: usize) -> Option<Permit> {
        let room = |used: usize| (used == 0 || used + bytes <= self.limit).then_some(used + bytes);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Relaxed, room).ok()?;
        Some(Permit { budget: self.clone(), bytes })
    }

    /// Takes bytes, waiting at most `patience` for room.
    pub async fn acquire(self: &Arc<Self>, bytes: usize, patience: Duration) -> Option<Permit> {
        if let Some(permit) = self.try_acquire(bytes) {
            return Some(permit);
        }
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let wait = async {
            loop {
                let freed = self.freed.notified();
                if let Some(permit) = self.try_acquire(bytes) {
                    return permit;
                }
                freed.await;
            }
        };
        let permit = tokio::time::timeout(patience, wait).await.ok();
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        permit
    }

    /// Takes bytes, blocking the thread until there is room or `give_up` says so (asked every 10 ms).
    pub fn acquire_blocking(self: &Arc<Self>, bytes: usize, give_up: impl Fn() -> bool) -> Option<Permit> {
        loop {
            if let Some(permit) = self.try_acquire(bytes) {
                return Some(permit);
            }
            if give_up() {
                return None;
            }
            let mut guard = self.blocked.lock();
            self.freed_blocking.wait_for(&mut guard, Duration::from_millis(10));
        }
    }

    /// Takes bytes whether or not there is room.
    pub fn force(self: &Arc<Self>, bytes: usize) -> Permit {
        self.used.fetch_add(bytes, Ordering::AcqRel);
        Permit { budget: self.clone(), bytes }
    }
}

impl Permit {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sets the bytes held to what turned out to be held.
    pub fn resize(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.budget.used.fetch_add(bytes - self.bytes, Ordering::AcqRel);
        } else {
            self.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
    }

    fn give_back(&self, bytes: usize) {
        self.budget.used.fetch_sub(bytes, Ordering::AcqRel);
        if self.budget.waiting.load(Ordering::Acquire) > 0 {
            self.budget.freed.notify_waiters();
        }
        self.budget.freed_blocking.notify_one();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_given_back() {
        let budget = Budget::new(100);
        let mut a = budget.try_acquire(60).unwrap();
        assert!(budget.try_acquire(50).is_none());
        a.resize(40);
        let b = budget.try_acquire(50).unwrap();
        assert_eq!(budget.used(), 90);
        drop((a, b));
        assert_eq!(budget.used(), 0);
        let large = budget.try_acquire(1_000).expect("one large request passes alone");
        assert!(budget.try_acquire(1).is_none());
        drop(large);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_room_or_patience() {
        let budget = Budget::new(100);
        let held = budget.try_acquire(100).unwrap();
        assert!(budget.acquire(1, Duration::from_millis(5)).await.is_none());
        let waiter = tokio::spawn({
            let budget = budget.clone();
            async move { budget.acquire(1, Duration::from_secs(60)).await.is_some() }
        });
        tokio::task::yield_now().await;
        drop(held);
        assert!(waiter.await.unwrap());
    }
}
