//! What is asked, from parameters or from a message, checked and made into a question.

use spanloom_query::MetricsRequest;
use spanloom_wire::query::request;

use crate::config::QueryLimits;
use crate::params::Params;
use crate::search::asked::{after, within};
use crate::time::{self, SECOND};
use crate::{QueryError, language};

/// How far back a question without a start looks.
const DEFAULT_SINCE: u64 = 3600 * SECOND;

/// Shortest step: samples have times in milliseconds.
const SHORTEST_STEP: u64 = 1_000_000;

/// Samples over time, or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `query_range`.
    Range,
    /// `query`.
    Instant,
}

/// What is asked, as it was said. Times in nanoseconds, points in time since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    shape: Shape,
    query: Option<String>,
    start: Option<u64>,
    end: Option<u64>,
    since: Option<u64>,
    step: Option<u64>,
    exemplars: Option<u64>,
    max_series: usize,
    stream: bool,
}

impl Asked {
    /// From parameters.
    pub fn from_params(shape: Shape, params: &Params) -> Result<Self, QueryError> {
        let is_range = shape == Shape::Range;
        let step = if is_range {
            params.read("step", "seconds or a duration such as 30s", time::step)?
        } else {
            None
        };
        Ok(Self {
            shape,
            query: params.text("q").or_else(|| params.text("query")),
            start: params.time("start")?,
            end: params.time("end")?,
            since: params.duration("since")?,
            step,
            exemplars: if is_range { params.count("exemplars")? } else { None },
            max_series: params.parsed("maxSeries", "a whole number")?.unwrap_or(0),
            stream: false,
        })
    }

    /// From a message, whose zero values say nothing.
    pub fn from_message(shape: Shape, message: request::Metrics) -> Self {
        let some = |value: u64| (value != 0).then_some(value);
        Self {
            shape,
            query: Some(message.query).filter(|query| !query.is_empty()),
            start: some(message.start),
            end: some(message.end),
            since: None,
            step: some(message.step),
            exemplars: some(message.exemplars.into()),
            max_series: message.max_series as usize,
            stream: true,
        }
    }

    /// The question, for nobody yet; `now` is in nanoseconds since 1970.
    pub fn into_request(self, limits: &QueryLimits, now: u64) -> Result<MetricsRequest, QueryError> {
        let Some(query) = self.query else {
            return Err(QueryError::Invalid(
                "there is no query, expected the parameter q, such as { } | rate()".into(),
            ));
        };
        language::metrics(&query, limits.max_query_bytes)?;
        let end = self.end.unwrap_or(now);
        let start = self.start.unwrap_or(end.saturating_sub(self.since.unwrap_or(DEFAULT_SINCE)));
        let length = after(start, end)?;
        within("query.max_metrics_range", length, time::nanos(limits.max_metrics_range))?;
        let step = match self.shape {
            Shape::Range => Some(self.step.unwrap_or_else(|| time::default_step(start, end))),
            Shape::Instant => None,
        };
        if let Some(step) = step {
            check_step(step, length, limits.max_intervals)?;
        }
        let exemplars = match self.shape {
            Shape::Range => self.exemplars.map_or(limits.max_exemplars, |n| limit(n, limits.max_exemplars)),
            Shape::Instant => 0,
        };
        Ok(MetricsRequest {
            tenants: Vec::new(),
            query,
            start,
            end,
            step,
            exemplars,
            max_series: self.max_series,
            stream: self.stream,
        })
    }
}

/// More than the most is the most, as readers are used to.
fn limit(count: u64, most: usize) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX).min(most)
}

fn check_step(step: u64, length: u64, max_intervals: u64) -> Result<(), QueryError> {
    if step < SHORTEST_STEP {
        let found = time::print(step);
        return Err(QueryError::Invalid(format!("step is {found}, expected at least 1ms")));
    }
    let intervals = length.div_ceil(step);
    if intervals <= max_intervals {
        return Ok(());
    }
    let (step, least) = (time::print(step), time::print(least_step(length, max_intervals)));
    const LIMIT: &str = "query.max_intervals";
    let message = format!(
        "a step of {step} makes {intervals} intervals, expected at most {max_intervals} ({LIMIT}), which is a step of \
         at least {least}"
    );
    Err(QueryError::OverLimit { limit: LIMIT, message })
}

/// The shortest step of whole milliseconds that makes at most so many intervals.
fn least_step(length: u64, max_intervals: u64) -> u64 {
    length.div_ceil(max_intervals.max(1)).div_ceil(SHORTEST_STEP) * SHORTEST_STEP
}
