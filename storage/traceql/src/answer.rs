//! What a question is answered with.

use spanloom_span::model::AnyValue;
use spanloom_span::{SpanId, TraceId};

/// A trace that was found. `docs/TRACEQL.md`, section "Searching".
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FoundTrace {
    /// The trace.
    pub id: TraceId,
    /// Service of its root; `None` without a root.
    pub root_service: Option<String>,
    /// Name of its root; `None` without a root.
    pub root_name: Option<String>,
    /// Earliest start, nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds.
    pub duration: u64,
    /// Its services, ascending by name.
    pub services: Vec<ServiceStats>,
    /// What the query left of it; never empty.
    pub spansets: Vec<FoundSpanset>,
}

/// The spans of one service within a trace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceStats {
    /// `service.name`; empty when there is none.
    pub service: String,
    /// Its spans.
    pub spans: u64,
    /// Those with status error.
    pub errors: u64,
}

/// A spanset of a trace that was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FoundSpanset {
    /// Such as `count()` and `by(name)`.
    pub attributes: Vec<(String, AnyValue)>,
    /// The first spans, as many as were asked for.
    pub spans: Vec<FoundSpan>,
    /// How many spans it has.
    pub matched: u64,
}

/// A span that was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FoundSpan {
    /// Its id.
    pub id: SpanId,
    /// Its name.
    pub name: String,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds.
    pub duration: u64,
    /// The fields that the query mentions.
    pub attributes: Vec<(String, AnyValue)>,
}

/// A series. `docs/TRACEQL.md`, section "Metrics".
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// Names and values, in the order of the query.
    pub labels: Vec<(String, AnyValue)>,
    /// Nanoseconds since 1970 and value, ascending; a time without a value is left out.
    pub samples: Vec<(u64, f64)>,
    /// Spans behind the samples.
    pub exemplars: Vec<Exemplar>,
}

/// A span behind a sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exemplar {
    /// Its trace.
    pub trace: TraceId,
    /// Nanoseconds since 1970: the span's start.
    pub at: u64,
    /// What was measured: the field's value (durations in seconds), or the span's duration in seconds.
    pub value: f64,
}

/// Most samples of a series.
pub const MAX_SAMPLES: u32 = 100_000;

/// When spans are counted: the times of the samples, and what each covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Time of the first sample, nanoseconds since 1970.
    pub first: u64,
    /// Nanoseconds between samples, above 0.
    pub step: u64,
    /// How many samples, at least 1.
    pub count: u32,
    /// Whether a span that starts exactly `step` before the first sample counts (an instant query's range includes
    /// both ends).
    pub closed: bool,
}

impl Steps {
    /// The samples of a range, rounded outwards to multiples of the step. `None` when the step is 0, the range is
    /// backwards or has more than [`MAX_SAMPLES`] samples.
    pub fn range(start: u64, end: u64, step: u64) -> Option<Self> {
        if step == 0 || end < start {
            return None;
        }
        let first = start - start % step;
        let last = end.checked_next_multiple_of(step)?;
        let count = u32::try_from((last - first) / step).ok()?.checked_add(1)?;
        (count <= MAX_SAMPLES).then_some(Self { first, step, count, closed: false })
    }

    /// One sample over a whole range. `None` when the range is backwards or at the end of time.
    pub fn instant(start: u64, end: u64) -> Option<Self> {
        let step = end.checked_sub(start)?.max(1);
        Some(Self { first: end.max(start.checked_add(step)?), step, count: 1, closed: true })
    }

    /// The sample that a span starting at `start` counts for.
    #[inline]
    pub fn sample_of(&self, start: u64) -> Option<u32> {
        let Some(after) = start.checked_sub(self.first) else {
            // Before the first sample's time, so the first sample or none.
            let before = self.first - start;
            return (before < self.step || self.closed && before == self.step).then_some(0);
        };
        let sample = after.div_ceil(self.step);
        (sample < u64::from(self.count)).then_some(sample as u32)
    }

    /// Time of a sample, nanoseconds since 1970.
    pub fn time(&self, sample: u32) -> u64 {
        self.first.saturating_add(self.step.saturating_mul(sample.into()))
    }

    /// Earliest and latest start of a span that counts, both included.
    pub fn bounds(&self) -> (u64, u64) {
        let before = match self.first.checked_sub(self.step) {
            Some(before) if !self.closed => before.saturating_add(1),
            Some(before) => before,
            None => 0,
        };
        (before, self.time(self.count.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_rounded_outwards() {
        let steps = Steps::range(105, 195, 10).unwrap();
        assert_eq!(steps, Steps { first: 100, step: 10, count: 11, closed: false });
        assert_eq!(steps.bounds(), (91, 200));
        let check =
            |start: u64, expected: Option<u32>| assert_eq!(steps.sample_of(start), expected, "{start}");
        check(90, None);
        check(91, Some(0));
        check(100, Some(0));
        check(101, Some(1));
        check(110, Some(1));
        check(200, Some(10));
        check(201, None);
        assert_eq!(Steps::range(0, 0, 10).unwrap().bounds(), (0, 0));
        assert_eq!(Steps::range(0, 10, 0), None);
        assert_eq!(Steps::range(11, 10, 1), None);
        assert_eq!(Steps::range(0, u64::MAX, 1), None);
        assert_eq!(Steps::range(0, u64::from(MAX_SAMPLES) * 10, 10), None);
        assert!(Steps::range(0, u64::from(MAX_SAMPLES - 1) * 10, 10).is_some());
    }

    #[test]
    fn an_instant_covers_both_ends() {
        let steps = Steps::instant(100, 200).unwrap();
        assert_eq!(steps.bounds(), (100, 200));
        let check =
            |start: u64, expected: Option<u32>| assert_eq!(steps.sample_of(start), expected, "{start}");
        check(99, None);
        check(100, Some(0));
        check(200, Some(0));
        check(201, None);
        assert_eq!(Steps::instant(u64::MAX, u64::MAX), None);
    }
}
