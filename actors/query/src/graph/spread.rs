//! How durations are spread: counted in buckets whose bounds grow by two hundredths, so that a quantile is known to one.
//! As DDSketch does it (Masson, Rim, Lee: "DDSketch", VLDB 2019): sums of sketches are those of all that was counted.

use std::collections::BTreeMap;

/// How much longer a bucket's upper bound is than its lower one.
const GROWTH: f64 = 1.02;

/// Durations counted by bucket. At most 2,300 buckets, since there are so many in 64 bits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Spread {
    counts: BTreeMap<u16, u64>,
    total: u64,
}

impl Spread {
    /// Counts a duration.
    pub fn add(&mut self, nanos: u64) {
        *self.counts.entry(bucket(nanos)).or_default() += 1;
        self.total += 1;
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: Self) {
        for (bucket, count) in other.counts {
            *self.counts.entry(bucket).or_default() += count;
        }
        self.total += other.total;
    }

    /// The duration that `share` of all, from 0 to 1, do not exceed; 0 of none.
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (bucket, count) in &self.counts {
            seen += count;
            if seen >= rank {
                return middle(*bucket);
            }
        }
        0
    }
}

/// 0 is a bucket of its own.
fn bucket(nanos: u64) -> u16 {
    match nanos {
        0 => 0,
        nanos => 1 + ((nanos as f64).ln() / GROWTH.ln()).ceil() as u16,
    }
}

/// What lies between the bounds of a bucket, equally far from both as a ratio.
fn middle(bucket: u16) -> u64 {
    match bucket.checked_sub(1) {
        None => 0,
        Some(power) => (GROWTH.powi(power.into()) * 2.0 / (1.0 + GROWTH)).round().max(1.0) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantiles_are_known_to_a_hundredth(
            left in prop::collection::vec(any::<u64>().prop_map(|n| n >> (n % 64)), 0..50),
            right in prop::collection::vec(any::<u64>().prop_map(|n| n >> (n % 64)), 1..50),
            share in 0.0..=1.0f64,
        ) {
            let spread = |durations: &[u64]| {
                let mut spread = Spread::default();
                durations.iter().for_each(|nanos| spread.add(*nanos));
                spread
            };
            let mut all = [left.clone(), right.clone()].concat();
            let mut merged = spread(&left);
            merged.merge(spread(&right));
            prop_assert_eq!(&merged, &spread(&all));
            all.sort_unstable();
            let rank = ((all.len() as f64 * share).ceil() as usize).clamp(1, all.len());
            let (exact, found) = (all[rank - 1] as f64, merged.quantile(share) as f64);
            prop_assert!((found - exact).abs() <= exact * 0.0101 + 0.5, "{} {}", found, exact);
        }
    }

    #[test]
    fn none_take_no_time() {
        assert_eq!(Spread::default().quantile(0.5), 0);
    }
}
