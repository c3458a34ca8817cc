//! What came and what was refused, for the page of metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one server. Share it to look at it.
#[derive(Debug, Default)]
pub struct ServeCounters {
    pub(super) connections: AtomicU64,
    pub(super) refused_connections: AtomicU64,
    pub(super) failed_handshakes: AtomicU64,
    pub(super) questions: AtomicU64,
    pub(super) refused_calls: AtomicU64,
    pub(super) refused_bytes: AtomicU64,
    pub(super) garbled: AtomicU64,
    pub(super) late: AtomicU64,
    pub(super) cancelled: AtomicU64,
}

/// The counts at one moment, each since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Served {
    /// Connections that were accepted.
    pub connections: u64,
    /// Connections that were closed at once, since there were too many.
    pub refused_connections: u64,
    /// Connections that ended in TLS, or asked nothing in time.
    pub failed_handshakes: u64,
    /// Questions that came, the refused ones among them.
    pub questions: u64,
    /// Questions that were refused, since there were too many.
    pub refused_calls: u64,
    /// Questions that were refused, since there were too many bytes of them.
    pub refused_bytes: u64,
    /// Questions that could not be read, or have another version.
    pub garbled: u64,
    /// Questions whose deadline came before their answer.
    pub late: u64,
    /// Questions that were cancelled, or whose connection broke.
    pub cancelled: u64,
}

impl ServeCounters {
    /// The counts now.
    pub fn served(&self) -> Served {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Served {
            connections: get(&self.connections),
            refused_connections: get(&self.refused_connections),
            failed_handshakes: get(&self.failed_handshakes),
            questions: get(&self.questions),
            refused_calls: get(&self.refused_calls),
            refused_bytes: get(&self.refused_bytes),
            garbled: get(&self.garbled),
            late: get(&self.late),
            cancelled: get(&self.cancelled),
        }
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
