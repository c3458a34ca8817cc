//! Units from the shared cache and from the store.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::kept::Store;
use super::units::{UNIT, bytes_of};

/// A cache that queriers share, such as memcached or Redis. It may lose anything at any time, and whatever it
/// answers is checked.
pub trait SharedCache: Send + Sync + 'static {
    /// The values of some keys, in their order; none for what is not there. An error is as good as nothing found.
    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, String>>;

    /// Keeps values.
    fn put<'a>(&'a self, values: Vec<(String, Bytes)>) -> BoxFuture<'a, Result<(), String>>;
}

/// Units that the shared cache is asked for in one call: 2 MiB.
const AT_ONCE: usize = 32;

/// Bytes of the checksum before each value.
const SUM: usize = 8;

impl Store {
    /// Brings runs of units, in their order, and waits for them.
    pub(super) fn bring(
        self: &Arc<Self>,
        path: &Arc<str>,
        runs: Vec<Range<u32>>,
        len: u64,
    ) -> io::Result<Vec<Bytes>> {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let (store, path) = (self.clone(), path.clone());
        self.runtime.spawn(async move {
            // Whoever waits may be gone.
            let _ = tell.send(store.runs(&path, &runs, len).await);
        });
        told.recv().unwrap_or_else(|_| Err(io::Error::other("the engine is stopping")))
    }

    async fn runs(self: &Arc<Self>, path: &str, runs: &[Range<u32>], len: u64) -> io::Result<Vec<Bytes>> {
        let mut found: Vec<Option<Bytes>> = match &self.shared {
            Some(shared) => self.shared_runs(shared, path, runs, len).await,
            None => vec![None; runs.len()],
        };
        let is_missing =
            |(run, found): (&Range<u32>, &Option<Bytes>)| found.is_none().then(|| bytes_of(run, len));
        let missing: Vec<Range<u64>> = runs.iter().zip(&found).filter_map(is_missing).collect();
        if !missing.is_empty() {
            let brought = self.from.ranges(path, &missing).await?;
            let is_whole = brought.len() == missing.len()
                && brought.iter().zip(&missing).all(|(b, m)| b.len() as u64 == m.end - m.start);
            if !is_whole {
                return Err(io::Error::other(format!("{path}: other ranges came than were asked for")));
            }
            let mut brought = brought.into_iter();
            let gaps = runs.iter().zip(&mut found).filter(|(_, found)| found.is_none());
            let mut fresh = Vec::new();
            for (run, gap) in gaps {
                *gap = brought.next();
                fresh.extend(gap.clone().map(|bytes| (run.clone(), bytes)));
            }
            self.share(path, fresh);
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Runs that the shared cache has whole.
    async fn shared_runs(
        &self,
        shared: &Arc<dyn SharedCache>,
        path: &str,
        runs: &[Range<u32>],
        len: u64,
    ) -> Vec<Option<Bytes>> {
        let keys: Vec<String> = runs.iter().cloned().flatten().map(|unit| key(path, unit)).collect();
        let mut values = Vec::with_capacity(keys.len());
        // Piece by piece: the time that a call may take is meant for few units.
        for keys in keys.chunks(AT_ONCE) {
            match shared.get(keys).await {
                Ok(found) if found.len() == keys.len() => values.extend(found),
                _ => {
                    self.counters.shared_errors.fetch_add(1, Ordering::Relaxed);
                    break;
                }
            }
        }
        values.resize(keys.len(), None);
        let mut values = keys.iter().zip(values);
        let of_run = |run: &Range<u32>| {
            let units: Vec<(&String, Option<Bytes>)> = values.by_ref().take(run.len()).collect();
            let mut out = Vec::with_capacity(run.len() * UNIT as usize);
            for (unit, (key, value)) in run.clone().zip(units) {
                let bytes = bytes_of(&(unit..unit + 1), len);
                out.extend_from_slice(checked(key, value.as_deref()?, (bytes.end - bytes.start) as usize)?);
            }
            self.counters.shared_hits.fetch_add(run.len() as u64, Ordering::Relaxed);
            Some(out.into())
        };
        runs.iter().map(of_run).collect()
    }

    /// Gives the shared cache what came from the store. Nobody waits for it.
    fn share(self: &Arc<Self>, path: &str, fresh: Vec<(Range<u32>, Bytes)>) {
        let Some(shared) = self.shared.clone() else { return };
        let mut values = Vec::new();
        for (run, bytes) in fresh {
            let units = run.zip(bytes.chunks(UNIT as usize));
            values.extend(units.map(|(unit, bytes)| {
                let key = key(path, unit);
                let mut value = Vec::with_capacity(SUM + bytes.len());
                value.extend_from_slice(&sum(&key, bytes));
                value.extend_from_slice(bytes);
                (key, value.into())
            }));
        }
        let store = self.clone();
        self.runtime.spawn(async move {
            if shared.put(values).await.is_err() {
                store.counters.shared_errors.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}

/// What a unit is called in the shared cache. Blocks never change, so a unit never does.
fn key(path: &str, unit: u32) -> String {
    format!("spanloom:{path}:{unit}")
}

/// The checksum of a unit, which no other unit has: a cache that mixes up its answers is not believed either.
fn sum(key: &str, bytes: &[u8]) -> [u8; SUM] {
    xxh3_64_with_seed(bytes, xxh3_64(key.as_bytes())).to_le_bytes()
}

/// A unit's bytes, if they are as long as they should be and are what was put under the key.
fn checked<'a>(key: &str, value: &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (found, bytes) = value.split_first_chunk::<SUM>()?;
    (bytes.len() == len && sum(key, bytes) == *found).then_some(bytes)
}
