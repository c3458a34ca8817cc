//! What is asked, from parameters or from a message, checked and made into a question.

use spanloom_query::{Cursor, SearchRequest};
use spanloom_wire::query::request;

use super::legacy::{self, Durations};
use super::{cursor, logfmt};
use crate::config::QueryLimits;
use crate::params::Params;
use crate::time::{self, SECOND};
use crate::{QueryError, language};

/// How many traces.
const LIMIT: Count = Count { name: "limit", usual: 20, least: 1, key: "query.max_limit" };

/// How many spans are shown of each spanset.
const SPANS: Count = Count { name: "spss", usual: 3, least: 0, key: "query.max_spans_per_spanset" };

/// Most tags: each makes the tree of the query higher.
const MOST_TAGS: usize = 100;

/// Parameters with a meaning. Any other one is a tag, when there are neither `q` nor `tags`.
const NAMES: [&str; 11] = [
    "q",
    "tags",
    "minDuration",
    "maxDuration",
    "limit",
    "start",
    "end",
    "since",
    "spss",
    "cursor",
    "explain",
];

/// What is asked, as it was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Asked {
    query: Option<String>,
    tags: Vec<(String, String)>,
    durations: Durations,
    limit: Option<u64>,
    spans_per_spanset: Option<u64>,
    /// Nanoseconds since 1970.
    start: Option<u64>,
    /// Nanoseconds since 1970.
    end: Option<u64>,
    /// Nanoseconds before the end.
    since: Option<u64>,
    after: Option<Cursor>,
    explain: bool,
    stream: bool,
}

impl Asked {
    /// From the parameters of `/api/search`.
    pub fn from_params(params: &Params) -> Result<Self, QueryError> {
        let query = params.text("q");
        let tags = match (&query, params.get("tags")) {
            (Some(_), Some(_)) => {
                return Err(QueryError::Invalid("both q and tags are given, expected one of them".into()));
            }
            (Some(_), None) => Vec::new(),
            (None, Some(tags)) => {
                logfmt::parse(tags).map_err(|found| QueryError::Invalid(format!("tags has {found}")))?
            }
            (None, None) => other(params),
        };
        Ok(Self {
            query,
            tags,
            durations: Durations {
                min: params.duration("minDuration")?,
                max: params.duration("maxDuration")?,
            },
            limit: params.count("limit")?,
            spans_per_spanset: params.count("spss")?,
            start: params.time("start")?,
            end: params.time("end")?,
            since: params.duration("since")?,
            after: params.read("cursor", "one that an answer gave", cursor::parse)?,
            explain: params.flag("explain")?,
            stream: false,
        }
        .without_zero_range())
    }

    /// From a message, whose zero values say nothing.
    pub fn from_message(message: request::Search) -> Result<Self, QueryError> {
        let some = |value: u32| (value != 0).then_some(u64::from(value));
        let milliseconds = |value| some(value).map(|ms| ms * 1_000_000);
        let query = Some(message.query).filter(|query| !query.is_empty());
        if query.is_some() && !message.tags.is_empty() {
            return Err(QueryError::Invalid("both Query and Tags are given, expected one of them".into()));
        }
        Ok(Self {
            query,
            tags: message.tags,
            durations: Durations {
                min: milliseconds(message.min_duration_ms),
                max: milliseconds(message.max_duration_ms),
            },
            limit: some(message.limit),
            spans_per_spanset: some(message.spans_per_spanset),
            start: some(message.start).map(|seconds| seconds * SECOND),
            end: some(message.end).map(|seconds| seconds * SECOND),
            stream: true,
            ..Self::default()
        })
    }

    /// Clients that have no range say 0 and 0.
    fn without_zero_range(mut self) -> Self {
        if self.start == Some(0) && self.end == Some(0) {
            (self.start, self.end) = (None, None);
        }
        self
    }

    /// The question, for nobody yet; `now` is in nanoseconds since 1970.
    pub fn into_request(self, limits: &QueryLimits, now: u64) -> Result<SearchRequest, QueryError> {
        let (start, end) = self.range(limits, now)?;
        Ok(SearchRequest {
            tenants: Vec::new(),
            query: self.query_text(limits)?,
            start,
            end,
            limit: LIMIT.of(self.limit, limits.max_limit)?,
            spans_per_spanset: self.spans_shown(limits)?,
            after: self.after,
            stream: self.stream,
            explain: self.explain,
        })
    }

    /// 0 asks for as many as are allowed.
    fn spans_shown(&self, limits: &QueryLimits) -> Result<usize, QueryError> {
        let most = limits.max_spans_per_spanset;
        let spans = SPANS.of(self.spans_per_spanset, most)?;
        Ok(if spans == 0 { most } else { spans })
    }

    fn query_text(&self, limits: &QueryLimits) -> Result<String, QueryError> {
        let durations = self.durations;
        if let (Some(min), Some(max)) = (durations.min, durations.max)
            && max < min
        {
            let (min, max) = (time::print(min), time::print(max));
            let wrong =
                format!("minDuration is {min} and maxDuration is {max}, expected the minimum to be less");
            return Err(QueryError::Invalid(wrong));
        }
        match &self.query {
            Some(text) => {
                let query = language::search(text, limits.max_query_bytes)?;
                match durations == Durations::default() {
                    true => Ok(text.clone()),
                    false => Ok(durations.bound(query).to_string()),
                }
            }
            None => {
                self.check_tags()?;
                let text = legacy::query(&self.tags, durations)?.to_string();
                language::search(&text, limits.max_query_bytes)?;
                Ok(text)
            }
        }
    }

    fn check_tags(&self) -> Result<(), QueryError> {
        if self.tags.len() > MOST_TAGS {
            let found = self.tags.len();
            return Err(QueryError::Invalid(format!("{found} tags are given, expected at most {MOST_TAGS}")));
        }
        let mut names: Vec<&str> = self.tags.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                let name = crate::params::shown(pair[0]);
                Err(QueryError::Invalid(format!("the tag {name:?} is given twice, expected it once")))
            }
            None => Ok(()),
        }
    }

    /// Start and end, nanoseconds since 1970. Without any, what is recent, with no end: fresh spans are never
    /// hidden.
    fn range(&self, limits: &QueryLimits, now: u64) -> Result<(Option<u64>, Option<u64>), QueryError> {
        let (start, end) = match (self.start, self.end, self.since) {
            (Some(start), Some(end), _) => (start, Some(end)),
            (None, Some(end), Some(since)) => (end.saturating_sub(since), Some(end)),
            (None, None, Some(since)) => (now.saturating_sub(since), None),
            (None, None, None) => (now.saturating_sub(time::nanos(limits.recent)), None),
            (Some(_), None, _) => return Err(alone("start", "end")),
            (None, Some(_), None) => return Err(alone("end", "start")),
        };
        let length = match end {
            Some(end) => after(start, end)?,
            None => now.saturating_sub(start),
        };
        // What is recent was configured and not asked for.
        let is_asked = self.end.is_some() || self.since.is_some();
        if is_asked {
            within("query.max_search_range", length, time::nanos(limits.max_search_range))?;
        }
        Ok((Some(start), end))
    }
}

fn alone(given: &str, missing: &str) -> QueryError {
    QueryError::Invalid(format!("{given} is given without {missing}, expected both or neither"))
}

/// How long a range is; it must not be empty or backwards.
pub(crate) fn after(start: u64, end: u64) -> Result<u64, QueryError> {
    let (start_s, end_s) = (seconds(start), seconds(end));
    end.checked_sub(start).filter(|length| *length > 0).ok_or_else(|| {
        QueryError::Invalid(format!("start is {start_s} and end is {end_s}, expected end after start"))
    })
}

/// Seconds since 1970, with a fraction if there is one.
fn seconds(nanos: u64) -> String {
    match nanos % SECOND {
        0 => (nanos / SECOND).to_string(),
        fraction => format!("{}.{fraction:09}", nanos / SECOND).trim_end_matches('0').to_owned(),
    }
}

/// Refuses a range that is longer than allowed; 0 allows any.
pub(crate) fn within(limit: &'static str, length: u64, most: u64) -> Result<(), QueryError> {
    if most == 0 || length <= most {
        return Ok(());
    }
    let (length, most) = (time::print(length), time::print(most));
    let message = format!("the time from start to end is {length}, expected at most {most} ({limit})");
    Err(QueryError::OverLimit { limit, message })
}

/// A parameter that is a count within bounds.
struct Count {
    name: &'static str,
    /// When nothing is said.
    usual: usize,
    least: usize,
    /// The key of the most.
    key: &'static str,
}

impl Count {
    /// The count that is asked for, at most `most`.
    fn of(&self, value: Option<u64>, most: usize) -> Result<usize, QueryError> {
        let Some(value) = value else { return Ok(self.usual.min(most)) };
        let found = usize::try_from(value).unwrap_or(usize::MAX);
        if (self.least..=most).contains(&found) {
            return Ok(found);
        }
        let Self { name, least, key, .. } = self;
        let message = format!("{name} is {value}, expected {least} to {most} ({key})");
        Err(match found > most {
            true => QueryError::OverLimit { limit: key, message },
            false => QueryError::Invalid(message),
        })
    }
}

/// Parameters without a meaning of their own, as tags.
fn other(params: &Params) -> Vec<(String, String)> {
    let others = params.0.iter().filter(|(name, value)| !NAMES.contains(&name.as_str()) && !value.is_empty());
    others.cloned().collect()
}
