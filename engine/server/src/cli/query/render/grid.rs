//! Samples in columns of time: as many columns as there is room for, whatever the number of samples.

use super::super::answer::{Sample, Series};
use super::number::{clock, duration, moment};
use super::text::{fill, width};

const MILLISECOND: u64 = 1_000_000;

/// A column is at most so wide when there are few samples.
const WIDEST_SAMPLE: usize = 8;

/// Which samples stand in which column. Times in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    first: u64,
    step: u64,
    /// Samples from the first to the last time, both included.
    count: u64,
    /// Columns, at least 1.
    pub columns: usize,
}

impl Grid {
    /// A grid over all times of these series, in at most so many columns; nothing without a sample.
    pub fn over(series: &[Series], most: usize) -> Option<Self> {
        let times = || series.iter().flat_map(|one| &one.samples).map(|sample| sample.timestamp_ms);
        let (first, last) = (times().min()?, times().max()?);
        // Samples stand at multiples of the step from the first one on.
        let step = times().fold(0, |step, time| greatest_common(step, time - first));
        let count = (last - first).checked_div(step).unwrap_or(0).saturating_add(1);
        let most = most.max(1);
        let columns = match usize::try_from(count) {
            Ok(count) if count <= most => count * (most / count).clamp(1, WIDEST_SAMPLE),
            _ => most,
        };
        Some(Self { first, step, count, columns })
    }

    /// The columns of a sample's time.
    fn columns_of(&self, time: u64) -> std::ops::Range<usize> {
        let at = time.saturating_sub(self.first).checked_div(self.step).unwrap_or(0);
        let column = |at: u64| (u128::from(at) * self.columns as u128 / u128::from(self.count)) as usize;
        let from = column(at).min(self.columns - 1);
        from..column(at.saturating_add(1)).clamp(from + 1, self.columns)
    }

    /// For each column the largest of its samples; nothing where there are none, and of those that are no numbers.
    pub fn largest(&self, samples: &[Sample]) -> Vec<Option<f64>> {
        self.put(samples, f64::max)
    }

    /// For each column the sum of its samples; of one sample in several columns, the sample in each.
    pub fn sums(&self, samples: &[Sample]) -> Vec<Option<f64>> {
        self.put(samples, |known, value| known + value)
    }

    fn put(&self, samples: &[Sample], join: impl Fn(f64, f64) -> f64) -> Vec<Option<f64>> {
        let mut out = vec![None; self.columns];
        for sample in samples.iter().filter(|sample| sample.value.is_finite()) {
            for cell in &mut out[self.columns_of(sample.timestamp_ms)] {
                *cell = Some(cell.map_or(sample.value, |known| join(known, sample.value)));
            }
        }
        out
    }

    /// From when to when, and what a column is, each on a line where they are wider than `most`; `joined` says what
    /// becomes of several samples in one column.
    pub fn caption(&self, joined: &str, most: usize) -> String {
        let (first, last) = (self.nanos(0), self.nanos(self.count - 1));
        let digits = if self.step.is_multiple_of(1000) { 0 } else { 3 };
        if self.count == 1 {
            return format!("at {}", moment(first, digits));
        }
        let times = format!("{} to {}", moment(first, digits), moment(last, digits));
        let step = duration(self.step.saturating_mul(MILLISECOND));
        let columns = match self.count.div_ceil(self.columns as u64) {
            1 => format!("a sample every {step}"),
            samples => format!("a sample every {step}, up to {samples} in a column ({joined})"),
        };
        let fits = width(&times) + width(&columns) + 2 <= most;
        format!("{times}{}{columns}", if fits { ", " } else { "\n" })
    }

    /// Times below the columns: at the left, in the middle and at the right, as many as there is room for.
    pub fn axis(&self) -> String {
        let last = self.nanos(self.count - 1);
        let range = last.saturating_sub(self.nanos(0));
        let text = |sample: u64| clock(self.nanos(sample), range);
        let (first, end) = (text(0), text(self.count - 1));
        let mut out = first.clone();
        let middle = text(self.count / 2);
        let at = self.columns / 2;
        if self.count > 2 && at >= width(&first) + 2 && self.columns >= at + width(&middle) + width(&end) + 2
        {
            fill(&mut out, at);
            out.push_str(&middle);
        }
        if self.count > 1 && self.columns >= width(&out) + width(&end) + 2 {
            fill(&mut out, self.columns - width(&end));
            out.push_str(&end);
        }
        out
    }

    /// The time of a sample, nanoseconds since 1970.
    fn nanos(&self, sample: u64) -> u64 {
        self.first.saturating_add(self.step.saturating_mul(sample)).saturating_mul(MILLISECOND)
    }
}

fn greatest_common(mut left: u64, mut right: u64) -> u64 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(samples: &[(u64, f64)]) -> Vec<Series> {
        let samples = samples.iter().map(|&(timestamp_ms, value)| Sample { timestamp_ms, value }).collect();
        vec![Series { samples, ..Series::default() }]
    }

    #[test]
    fn samples_stand_in_columns_of_time() {
        let check = |samples: &[(u64, f64)], most: usize, expected: &[Option<f64>]| {
            let series = series(samples);
            let grid = Grid::over(&series, most).unwrap();
            assert_eq!(grid.largest(&series[0].samples), expected, "{samples:?}");
        };
        check(&[(7, 1.0)], 3, &[Some(1.0); 3]);
        check(&[(0, 1.0), (10, 2.0)], 5, &[Some(1.0), Some(1.0), Some(2.0), Some(2.0)]);
        check(&[(0, 1.0), (10, 2.0), (40, 3.0)], 5, &[Some(1.0), Some(2.0), None, None, Some(3.0)]);
        check(&[(0, 1.0), (10, 5.0), (20, 3.0), (30, f64::NAN)], 2, &[Some(5.0), Some(3.0)]);
        check(&[(0, f64::INFINITY), (10, -1.0)], 2, &[None, Some(-1.0)]);
        // Times that no step joins take no more than the columns.
        check(&[(0, 1.0), (1, 2.0), (u64::MAX, 3.0)], 2, &[Some(2.0), Some(3.0)]);
        assert_eq!(Grid::over(&series(&[]), 9), None);
        let sums = series(&[(0, 1.0), (10, 5.0), (20, 3.0), (30, 4.0)]);
        assert_eq!(Grid::over(&sums, 2).unwrap().sums(&sums[0].samples), [Some(6.0), Some(7.0)]);
    }

    #[test]
    fn the_axis_has_as_many_times_as_fit() {
        let hour: Vec<(u64, f64)> = (0..61).map(|at| (1_700_000_000_000 + at * 60_000, 1.0)).collect();
        let check = |most: usize, axis: &str, caption: &str| {
            let grid = Grid::over(&series(&hour), most).unwrap();
            assert_eq!((grid.axis().as_str(), grid.caption("the largest", 99).as_str()), (axis, caption));
        };
        check(
            61,
            "22:13:20                      22:43:20               23:13:20",
            "2023-11-14T22:13:20Z to 2023-11-14T23:13:20Z, a sample every 1m",
        );
        check(
            20,
            "22:13:20    23:13:20",
            "2023-11-14T22:13:20Z to 2023-11-14T23:13:20Z, a sample every 1m, up to 4 in a column (the largest)",
        );
        check(
            12,
            "22:13:20",
            "2023-11-14T22:13:20Z to 2023-11-14T23:13:20Z, a sample every 1m, up to 6 in a column (the largest)",
        );
    }
}
