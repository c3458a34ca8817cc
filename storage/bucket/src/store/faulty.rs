//! A store of objects that fails, delays and damages by lot, around another one. For tests and simulations: the same
//! seed and the same calls, in the same order, give the same faults.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::objects::{Found, Got, Objects, StoreError, Swapped, Upload, Version};

const NAME: &str = "faulty store";

/// How often what goes wrong: each a probability from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Faults {
    /// A call fails and had no effect.
    pub before: f64,
    /// A call has its effect, and then fails.
    pub after: f64,
    /// A conditional write says that another writer came first; it had its effect or had none, by lot.
    pub conflict: f64,
    /// What was read has a flipped bit, or its end is missing.
    pub damage: f64,
    /// A call takes longer, by any time up to `longest_delay`.
    pub slow: f64,
    /// How much longer at most.
    pub longest_delay: Duration,
}

/// Lets time pass: that of a simulation, or a runtime's.
pub type Sleep = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// A store around another one, in which things go wrong.
pub struct Faulty<O> {
    inner: Arc<O>,
    lots: Mutex<(StdRng, Faults)>,
    sleep: Option<Sleep>,
    dead: AtomicBool,
    calls: AtomicU64,
    faults: AtomicU64,
}

/// What the lots say of a call.
struct Fate {
    before: bool,
    after: bool,
    conflict: bool,
    damage: bool,
    delay: Option<Duration>,
    /// For whatever else is to be chosen.
    which: u64,
}

impl<O: Objects> Faulty<O> {
    /// Around a store. Without [`Faulty::with_sleep`] nothing is slow.
    pub fn new(inner: Arc<O>, seed: u64, faults: Faults) -> Self {
        let lots = Mutex::new((StdRng::seed_from_u64(seed), faults));
        let dead = AtomicBool::new(false);
        Self { inner, lots, sleep: None, dead, calls: AtomicU64::new(0), faults: AtomicU64::new(0) }
    }

    /// What lets time pass for slow calls.
    pub fn with_sleep(mut self, sleep: Sleep) -> Self {
        self.sleep = Some(sleep);
        self
    }

    /// The store within, where nothing goes wrong.
    pub fn inner(&self) -> &Arc<O> {
        &self.inner
    }

    /// From now on other faults, or none.
    pub fn set_faults(&self, faults: Faults) {
        self.lots.lock().1 = faults;
    }

    /// From now on every call fails without effect, or none does for this reason any more.
    pub fn set_dead(&self, dead: bool) {
        self.dead.store(dead, Ordering::SeqCst);
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many of them went wrong. Slow ones are not counted.
    pub fn faults(&self) -> u64 {
        self.faults.load(Ordering::SeqCst)
    }

    /// Draws the same number of lots for every call, so that one fault does not change those of later calls.
    fn fate(&self) -> Fate {
        let (rng, faults) = &mut *self.lots.lock();
        let mut lot = |probability: f64| rng.random_bool(probability.clamp(0.0, 1.0));
        let (before, after) = (lot(faults.before), lot(faults.after));
        let (conflict, damage, slow) = (lot(faults.conflict), lot(faults.damage), lot(faults.slow));
        let delay = faults.longest_delay.mul_f64(rng.random_range(0.0..=1.0));
        let which = rng.random();
        Fate { before, after, conflict, damage, delay: slow.then_some(delay), which }
    }

    /// One call, as the lots say.
    async fn call<T>(
        &self,
        action: &'static str,
        path: &str,
        effect: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<(T, Fate), StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let fate = self.fate();
        if let (Some(delay), Some(sleep)) = (fate.delay, &self.sleep) {
            sleep(delay).await;
        }
        if self.dead.load(Ordering::SeqCst) {
            return Err(self.fault(action, path, "the store is dead"));
        }
        if fate.before {
            return Err(self.fault(action, path, "the request was lost"));
        }
        let value = effect.await?;
        if fate.after {
            return Err(self.fault(action, path, "the answer was lost"));
        }
        Ok((value, fate))
    }

    fn fault(&self, action: &'static str, path: &str, reason: &str) -> StoreError {
        self.faults.fetch_add(1, Ordering::SeqCst);
        StoreError::Failed { action, store: NAME.into(), path: path.to_owned(), reason: reason.to_owned() }
    }

    fn damaged(&self, bytes: Bytes, fate: &Fate) -> Bytes {
        if !fate.damage || bytes.is_empty() {
            return bytes;
        }
        self.faults.fetch_add(1, Ordering::SeqCst);
        let at = (fate.which >> 4) as usize % bytes.len();
        if fate.which & 8 == 0 {
            return bytes.slice(..at);
        }
        let mut changed = bytes.to_vec();
        changed[at] ^= 1 << (fate.which & 7);
        changed.into()
    }

    async fn swap_by_lot(
        &self,
        path: &str,
        bytes: Bytes,
        expected: Option<&Version>,
    ) -> Result<Swapped, StoreError> {
        let fate = self.fate();
        if fate.conflict && fate.which & 1 == 0 {
            self.faults.fetch_add(1, Ordering::SeqCst);
            self.calls.fetch_add(1, Ordering::SeqCst);
            return Ok(Swapped::Conflict);
        }
        let (swapped, _) = self.call("writing", path, self.inner.swap(path, bytes, expected)).await?;
        if fate.conflict && swapped != Swapped::Conflict {
            self.faults.fetch_add(1, Ordering::SeqCst);
            return Ok(Swapped::Conflict);
        }
        Ok(swapped)
    }
}

impl<O: Objects> Objects for Faulty<O> {
    fn get<'a>(
        &'a self,
        path: &'a str,
        unless: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Got, StoreError>> {
        Box::pin(async move {
            let (got, fate) = self.call("reading", path, self.inner.get(path, unless)).await?;
            Ok(match got {
                Got::Object(bytes, version) => Got::Object(self.damaged(bytes, &fate), version),
                got => got,
            })
        })
    }

    fn ranges<'a>(
        &'a self,
        path: &'a str,
        ranges: &'a [Range<u64>],
    ) -> BoxFuture<'a, Result<Vec<Bytes>, StoreError>> {
        Box::pin(async move {
            let (mut found, mut fate) = self.call("reading", path, self.inner.ranges(path, ranges)).await?;
            if let Some(at) = (fate.which as usize).checked_rem(found.len()) {
                // The length is what was asked for: a store that reads less has failed.
                fate.which |= 8;
                found[at] = self.damaged(std::mem::take(&mut found[at]), &fate);
            }
            Ok(found)
        })
    }

    fn put<'a>(&'a self, path: &'a str, from: Upload) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.call("writing", path, self.inner.put(path, from)).await.map(|_| ()) })
    }

    fn swap<'a>(
        &'a self,
        path: &'a str,
        bytes: Bytes,
        expected: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        Box::pin(self.swap_by_lot(path, bytes, expected))
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.call("deleting", path, self.inner.delete(path)).await.map(|_| ()) })
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<Found>, StoreError>> {
        Box::pin(async move { Ok(self.call("listing", folder, self.inner.list(folder)).await?.0) })
    }

    fn folders<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move { Ok(self.call("listing", folder, self.inner.folders(folder)).await?.0) })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::store::memory::Memory;

    fn faulty(seed: u64, faults: Faults) -> Faulty<Memory> {
        Faulty::new(Arc::new(Memory::new()), seed, faults)
    }

    /// Memory answers at once.
    #[track_caller]
    fn now<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().expect("an answer at once")
    }

    fn upload() -> Upload {
        Upload::Bytes(Bytes::from_static(b"some bytes"))
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let faults = Faults { before: 0.2, after: 0.2, conflict: 0.3, damage: 0.3, ..Faults::default() };
        let course = |seed| {
            let store = faulty(seed, faults);
            let each = |n: u64| {
                let path = format!("a/{}", n % 5);
                let put = now(store.put(&path, upload())).is_ok();
                let swapped = now(store.swap(&path, Bytes::new(), None)).map_err(|error| error.to_string());
                (put, swapped, format!("{:?}", now(store.get(&path, None))))
            };
            let course: Vec<_> = (0..100).map(each).collect();
            assert!(store.faults() > 20 && store.faults() < store.calls(), "{}", store.faults());
            course
        };
        assert_eq!(course(7), course(7));
        assert_ne!(course(7), course(8));
    }

    #[test]
    fn faults_come_before_or_after_the_effect() {
        let before = faulty(1, Faults { before: 1.0, ..Faults::default() });
        assert!(now(before.put("a", upload())).is_err() && before.inner().is_empty());
        let after = faulty(1, Faults { after: 1.0, ..Faults::default() });
        assert!(now(after.put("a", upload())).is_err() && after.inner().len() == 1);
        let dead = faulty(1, Faults::default());
        dead.set_dead(true);
        assert!(now(dead.put("a", upload())).is_err() && now(dead.list("")).is_err());
        dead.set_dead(false);
        assert!(now(dead.put("a", upload())).is_ok());
    }

    #[test]
    fn conflicts_come_before_and_after_the_effect() {
        let store = faulty(3, Faults { conflict: 1.0, ..Faults::default() });
        let mut effects = [0, 0];
        for n in 0..100 {
            let path = format!("a/{n}");
            assert_eq!(now(store.swap(&path, Bytes::new(), None)).unwrap(), Swapped::Conflict);
            let written = now(store.inner().get(&path, None)).unwrap() != Got::Absent;
            effects[usize::from(written)] += 1;
        }
        assert!(effects[0] > 20 && effects[1] > 20, "{effects:?}");
    }

    #[test]
    fn ranges_are_damaged_but_never_short() {
        let store = faulty(5, Faults { damage: 1.0, ..Faults::default() });
        now(store.inner().put("a", upload())).unwrap();
        for _ in 0..50 {
            let found = now(store.ranges("a", &[0..4, 4..10])).unwrap();
            assert_eq!((found[0].len(), found[1].len()), (4, 6));
            assert_ne!([&found[0][..], &found[1][..]].concat(), b"some bytes");
        }
    }

    #[test]
    fn slow_calls_wait_on_the_clock_they_are_given() {
        let waited = Arc::new(Mutex::new(Vec::new()));
        let note = waited.clone();
        let sleep: Sleep = Arc::new(move |delay| {
            note.lock().push(delay);
            Box::pin(async {})
        });
        let longest = Duration::from_secs(9);
        let faults = Faults { slow: 1.0, longest_delay: longest, ..Faults::default() };
        let store = faulty(1, faults).with_sleep(sleep);
        for _ in 0..10 {
            now(store.put("a", upload())).unwrap();
        }
        let waited = waited.lock();
        assert!(waited.len() == 10 && waited.iter().all(|delay| *delay <= longest), "{waited:?}");
        assert!(waited.iter().any(|delay| *delay > longest / 3), "{waited:?}");
    }
}
