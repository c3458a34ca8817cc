//! A histogram of durations with a fixed memory and a relative error below 1.6 %: each power of two of
//! nanoseconds is cut into 64 equal buckets (the log-linear layout of HdrHistogram).

use std::time::Duration;

use serde::Serialize;

/// Buckets in each power of two, as a power of two.
const CUT: u32 = 6;

/// Counts durations by size.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum: u128,
    max: u64,
}

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Quantiles {
    /// How many were measured.
    pub count: u64,
    /// Mean.
    pub mean_ms: f64,
    /// Half are below.
    pub p50_ms: f64,
    /// 90 % are below.
    pub p90_ms: f64,
    /// 99 % are below.
    pub p99_ms: f64,
    /// 99.9 % are below.
    pub p999_ms: f64,
    /// The largest.
    pub max_ms: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; (65 - CUT as usize) << CUT], count: 0, sum: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(ns)] += 1;
        self.count += 1;
        self.sum += u128::from(ns);
        self.max = self.max.max(ns);
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Self) {
        for (sum, n) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += n;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// The duration in nanoseconds that `share` (0 to 1) of all do not exceed; 0 when none was counted.
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (at, n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen >= rank {
                return upper(at).min(self.max);
            }
        }
        self.max
    }

    /// The usual quantiles.
    pub fn quantiles(&self) -> Quantiles {
        let ms = |ns: u64| ns as f64 / 1e6;
        Quantiles {
            count: self.count,
            mean_ms: self.sum as f64 / 1e6 / self.count.max(1) as f64,
            p50_ms: ms(self.quantile(0.5)),
            p90_ms: ms(self.quantile(0.9)),
            p99_ms: ms(self.quantile(0.99)),
            p999_ms: ms(self.quantile(0.999)),
            max_ms: ms(self.max),
        }
    }
}

impl std::fmt::Display for Quantiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "p50 {:.3} ms, p90 {:.3}, p99 {:.3}, p99.9 {:.3}, max {:.3} ({} measured)",
            self.p50_ms, self.p90_ms, self.p99_ms, self.p999_ms, self.max_ms, self.count
        )
    }
}

fn bucket(ns: u64) -> usize {
    if ns < 1 << CUT {
        return ns as usize;
    }
    let power = 63 - ns.leading_zeros();
    let within = (ns >> (power - CUT)) as usize & ((1 << CUT) - 1);
    ((power - CUT + 1) as usize) << CUT | within
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let (row, within) = (bucket >> CUT, bucket as u64 & ((1 << CUT) - 1));
    match row {
        0 => within,
        _ => (((1 << CUT) + within) << (row - 1)) + ((1u64 << (row - 1)) - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_a_bucket_close_to_it() {
        for ns in [0, 1, 63, 64, 65, 127, 128, 1_000, 999_999, 1 << 40, u64::MAX - 1, u64::MAX] {
            let top = upper(bucket(ns));
            assert!(top >= ns && (top - ns) as f64 <= ns as f64 / 63.0, "{ns} {top}");
        }
    }

    #[test]
    fn quantiles_count_ranks() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), 0);
        for ms in 1..=1000 {
            histogram.record(Duration::from_millis(ms));
        }
        let mut other = Histogram::default();
        other.record(Duration::from_secs(9));
        histogram.merge(&other);
        let q = histogram.quantiles();
        assert_eq!((q.count, q.max_ms), (1001, 9000.0));
        for (found, expected) in
            [(q.p50_ms, 501.0), (q.p90_ms, 901.0), (q.p99_ms, 991.0), (q.p999_ms, 1000.0)]
        {
            assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected}");
        }
    }
}
