//! What is counted for one sample of one group.

use crate::value::{Total, Value};

/// Something that is added to, in any order.
pub(super) trait Cell: Default {
    /// Adds what another one holds.
    fn merge(&mut self, other: &Self);

    /// Whether nothing was added.
    fn is_empty(&self) -> bool;
}

impl Cell for u64 {
    fn merge(&mut self, other: &Self) {
        *self += other;
    }

    fn is_empty(&self) -> bool {
        *self == 0
    }
}

/// The least value, or the greatest one when `GREATEST`. NaN stays only when there is nothing else.
#[derive(Debug, Default)]
pub(super) struct Extreme<const GREATEST: bool>(pub Option<f64>);

impl<const GREATEST: bool> Extreme<GREATEST> {
    pub fn add(&mut self, value: f64) {
        self.0 = Some(match self.0 {
            None => value,
            Some(known) if known.is_nan() => value,
            Some(known) if value.is_nan() => known,
            Some(known) if GREATEST == value.total_cmp(&known).is_gt() => value,
            Some(known) => known,
        });
    }
}

impl<const GREATEST: bool> Cell for Extreme<GREATEST> {
    fn merge(&mut self, other: &Self) {
        if let Some(value) = other.0 {
            self.add(value);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// Numbers: how many, and their sum.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub count: u64,
    pub total: Total,
}

impl Sum {
    pub fn add(&mut self, value: Value<'_>) {
        self.count += 1;
        self.total.add(value);
    }
}

impl Cell for Sum {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.total.merge(&other.total);
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Spans by bucket, ascending; a bucket is the exponent of its power of two.
#[derive(Debug, Default)]
pub(super) struct Buckets(pub Vec<(u8, u64)>);

impl Buckets {
    pub fn add(&mut self, bucket: u8, count: u64) {
        match self.0.binary_search_by_key(&bucket, |(known, _)| *known) {
            Ok(at) => self.0[at].1 += count,
            Err(at) => self.0.insert(at, (bucket, count)),
        }
    }
}

impl Cell for Buckets {
    fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(bucket, count)| self.add(*bucket, *count));
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
