//! Which traces to cut: a pure choice over what the shard knows of each.

use super::LiveTrace;
use crate::tenants::TraceKey;

/// When a trace is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CutPolicy {
    /// Now, on the shard's clock.
    pub now_ms: u64,
    /// Cut when nothing came for this long.
    pub idle_ms: u64,
    /// Cut at this age.
    pub max_age_ms: u64,
    /// Cut at this size.
    pub max_bytes: u64,
    /// Cut the longest idle traces until this share of the live bytes is out; 0 when memory is not short.
    pub pressure: f64,
    /// Cut everything (a flush).
    pub all: bool,
}

/// What a shard holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Survey {
    /// Live traces.
    pub traces: u64,
    /// Bytes of spans in traces that may be cut now.
    pub ripe_bytes: u64,
    /// How long the longest waiting trace has been live.
    pub oldest_ms: u64,
}

impl CutPolicy {
    /// Whether a trace is to be cut whatever the memory.
    pub(super) fn ripe(&self, trace: &LiveTrace) -> bool {
        self.all
            || self.now_ms.saturating_sub(trace.last_seen_ms) >= self.idle_ms
            || self.now_ms.saturating_sub(trace.opened_ms) >= self.max_age_ms
            || trace.bytes >= self.max_bytes
    }
}

/// A candidate that is not ripe: when last seen, its bytes, its key.
pub(super) type Candidate = (u64, u64, TraceKey);

/// The longest idle candidates that together have `want` bytes; of equals the smaller key goes first.
pub(super) fn longest_idle(mut candidates: Vec<Candidate>, want: u64) -> Vec<TraceKey> {
    candidates.sort_unstable_by_key(|&(last_seen, _, key)| (last_seen, key));
    let mut sum = 0;
    let enough = |&(_, bytes, _): &Candidate| {
        let more = sum < want;
        sum += bytes;
        more
    };
    candidates.into_iter().take_while(enough).map(|(_, _, key)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use spanloom_span::TraceId;

    #[test]
    fn the_longest_idle_go_first_and_no_more_than_needed() {
        let key = |n: u8| TraceKey { tenant: 0, id: TraceId([n; 16]) };
        let all = || vec![(30, 10, key(3)), (10, 10, key(1)), (20, 10, key(2)), (10, 10, key(0))];
        let check = |want: u64, expected: &[u8]| {
            let expected: Vec<_> = expected.iter().map(|&n| key(n)).collect();
            assert_eq!(longest_idle(all(), want), expected, "{want}");
        };
        check(0, &[]);
        check(1, &[0]);
        check(10, &[0]);
        check(11, &[0, 1]);
        check(30, &[0, 1, 2]);
        check(1_000, &[0, 1, 2, 3]);
    }
}
