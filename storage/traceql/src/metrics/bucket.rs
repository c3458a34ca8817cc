//! Powers of two, and quantiles from them.

use crate::value::Value;

/// The label that says which bucket a series counts.
pub(super) const BUCKET_LABEL: &str = "__bucket";

/// The label that says which quantile a series shows.
pub(super) const QUANTILE_LABEL: &str = "p";

/// The bucket that a value counts for, as the exponent of the least power of two that is not less than it.
/// `None` for values below 2 and what is neither int nor duration.
#[inline]
pub fn bucket_of(value: Value<'_>) -> Option<u8> {
    match value {
        Value::Int(value) | Value::Duration(value) if value >= 2 => {
            Some((u64::BITS - (value as u64 - 1).leading_zeros()) as u8)
        }
        _ => None,
    }
}

/// The power of two that a bucket is named by.
pub fn bucket_power(bucket: u8) -> f64 {
    f64::from(bucket).exp2()
}

/// A quantile of spans by bucket, ascending; `None` without spans.
pub(super) fn quantile(buckets: &[(u8, u64)], quantile: f64) -> Option<f64> {
    let spans: u64 = buckets.iter().map(|(_, count)| count).sum();
    let mut wanted = ((quantile * spans as f64).ceil() as u64).clamp(1, spans.max(1));
    let mut below = None;
    for &(bucket, count) in buckets {
        if wanted < count {
            let from = below.map_or(f64::from(bucket) - 1.0, f64::from);
            let fraction = wanted as f64 / count as f64;
            return Some((from + fraction * (f64::from(bucket) - from)).exp2());
        }
        if wanted == count {
            return Some(bucket_power(bucket));
        }
        wanted -= count;
        below = Some(bucket);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_the_least_power_that_is_not_less() {
        for (value, expected) in [
            (1, None),
            (2, Some(1)),
            (3, Some(2)),
            (4, Some(2)),
            (5, Some(3)),
            (1 << 62, Some(62)),
            (i64::MAX, Some(63)),
        ] {
            assert_eq!(bucket_of(Value::Int(value)), expected, "{value}");
            assert_eq!(bucket_of(Value::Duration(value)), expected, "{value} ns");
        }
        assert_eq!(bucket_of(Value::Float(8.0)), None);
    }

    #[test]
    fn quantiles_lie_between_powers() {
        let check = |buckets: &[(u8, u64)], of: f64, expected: Option<f64>| {
            assert_eq!(quantile(buckets, of), expected, "{of} of {buckets:?}");
        };
        check(&[], 0.5, None);
        check(&[(3, 1)], 0.0, Some(8.0));
        check(&[(3, 1)], 1.0, Some(8.0));
        // One of two: half way from 4 to 8 on a logarithmic scale.
        check(&[(3, 2)], 0.5, Some(2.5f64.exp2()));
        check(&[(3, 2), (10, 2)], 0.5, Some(8.0));
        // From the bucket below that has spans.
        check(&[(3, 2), (10, 2)], 0.75, Some(6.5f64.exp2()));
        check(&[(3, 2), (10, 2)], 1.0, Some(1024.0));
    }
}
