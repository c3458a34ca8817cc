//! What a store has done, as plain counters; whoever runs the process makes metrics of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What is asked of a store in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// An object or a range of one is read.
    Get,
    /// An object's length is asked for.
    Head,
    /// An object is written in one request.
    Put,
    /// An object is written if nobody else wrote it.
    Swap,
    /// An upload in parts begins, goes on, ends or is given up.
    Part,
    /// A page of a listing is read.
    List,
    /// An object is deleted.
    Delete,
}

impl Operation {
    /// All of them, in the order of [`StoreCounters::operations`].
    pub const ALL: [Self; 7] =
        [Self::Get, Self::Head, Self::Put, Self::Swap, Self::Part, Self::List, Self::Delete];

    /// Its name, for the label of a metric.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
            Self::Put => "put",
            Self::Swap => "swap",
            Self::Part => "part",
            Self::List => "list",
            Self::Delete => "delete",
        }
    }
}

/// In which way a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No connection came about, or it broke.
    Connection,
    /// There was no answer in time.
    Timeout,
    /// The store asks for fewer requests (429, 503).
    Throttled,
    /// The store has a fault (5xx).
    Server,
    /// Less came back than was asked for, or something else.
    Short,
    /// The store refuses the credentials.
    Refused,
    /// The store does not do that.
    Rejected,
    /// This machine could not read or write a file.
    Local,
}

impl Kind {
    /// All of them, in the order of [`StoreCounters::errors`].
    pub const ALL: [Self; 8] = [
        Self::Connection,
        Self::Timeout,
        Self::Throttled,
        Self::Server,
        Self::Short,
        Self::Refused,
        Self::Rejected,
        Self::Local,
    ];

    /// Its name, for the label of a metric.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Throttled => "throttled",
            Self::Server => "server",
            Self::Short => "short",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
            Self::Local => "local",
        }
    }

    /// Whether another try may do better.
    pub(super) const fn passes(self) -> bool {
        matches!(self, Self::Connection | Self::Timeout | Self::Throttled | Self::Server | Self::Short)
    }
}

/// The upper bounds of [`OperationCounters::latency`], in seconds; what took longer is counted in one more.
pub const LATENCY_BOUNDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How one operation went.
#[derive(Debug, Default)]
pub struct OperationCounters {
    /// Requests that ended, well or not. A hedged one counts once, a retried one each time.
    pub requests: AtomicU64,
    /// Those of them that failed.
    pub failed: AtomicU64,
    /// The time that they took, in nanoseconds.
    pub nanoseconds: AtomicU64,
    /// How many took how long: up to each of [`LATENCY_BOUNDS`], not cumulated, and longer.
    pub latency: [AtomicU64; LATENCY_BOUNDS.len() + 1],
}

/// What a store has done since it was opened.
#[derive(Debug, Default)]
pub struct StoreCounters {
    operations: [OperationCounters; Operation::ALL.len()],
    errors: [AtomicU64; Kind::ALL.len()],
    /// Bytes of objects that were read.
    pub bytes_in: AtomicU64,
    /// Bytes of objects that were written.
    pub bytes_out: AtomicU64,
    /// Requests that were sent again after one failed.
    pub retries: AtomicU64,
    /// Reads that were asked beside one that had no answer yet.
    pub hedges_started: AtomicU64,
    /// Those of them that answered first.
    pub hedges_won: AtomicU64,
    /// Conditional writes that met another writer, or their own first try.
    pub conflicts: AtomicU64,
    /// Uploads in parts that were given up.
    pub uploads_aborted: AtomicU64,
}

impl StoreCounters {
    /// How an operation went.
    pub fn operation(&self, operation: Operation) -> &OperationCounters {
        &self.operations[operation as usize]
    }

    /// How often something failed in this way.
    pub fn errors(&self, kind: Kind) -> u64 {
        self.errors[kind as usize].load(Ordering::Relaxed)
    }

    /// A request has ended.
    pub(super) fn ended(&self, operation: Operation, took: Duration, failed: Option<Kind>) {
        let counters = self.operation(operation);
        add(&counters.requests, 1);
        add(&counters.nanoseconds, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        let bucket = LATENCY_BOUNDS.partition_point(|bound| *bound < took.as_secs_f64());
        add(&counters.latency[bucket], 1);
        if let Some(kind) = failed {
            add(&counters.failed, 1);
            add(&self.errors[kind as usize], 1);
        }
    }
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_own_place() {
        for (at, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, at, "{}", operation.name());
        }
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at, "{}", kind.name());
        }
    }

    #[test]
    fn latencies_are_counted_up_to_their_bound() {
        let counters = StoreCounters::default();
        for (micros, bucket) in [(0, 0), (1_000, 0), (1_001, 1), (9_999_999, 11), (10_000_001, 12)] {
            counters.ended(Operation::Head, Duration::from_micros(micros), None);
            let found = &counters.operation(Operation::Head).latency[bucket];
            assert_ne!(found.swap(0, Ordering::Relaxed), 0, "{micros} us");
        }
        counters.ended(Operation::Get, Duration::ZERO, Some(Kind::Timeout));
        assert_eq!(counters.errors(Kind::Timeout), 1);
        assert_eq!(counters.operation(Operation::Get).failed.load(Ordering::Relaxed), 1);
        assert_eq!(counters.operation(Operation::Head).failed.load(Ordering::Relaxed), 0);
    }
}
