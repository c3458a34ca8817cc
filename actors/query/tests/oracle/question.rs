//! A question of any sort, put to the engine and to the judge.

use spanloom_query::{MetricsRequest, SearchRequest, TagScope, TagValuesRequest, TagsRequest};
use spanloom_traceql::answer::{FoundTrace, Series};

use crate::ask::{House, Refused, Store as _};
use crate::dice::Dice;
use crate::query::{Expr, Field, Metrics, Spans, Spelling, Stage, pipeline_text};
use crate::series::Range;
use crate::{Filled, differ, generate_queries, judge, series, shrink, tags};

/// Traces of a page when all pages are walked.
const PAGE: usize = 3;

/// A question, and all that goes with it.
#[derive(Debug, Clone)]
pub enum Question {
    Search {
        stages: Vec<Stage>,
        start: Option<u64>,
        end: Option<u64>,
        limit: usize,
        spans_per_spanset: usize,
        walk: bool,
        spelling: Spelling,
        hints: &'static str,
    },
    Metrics {
        query: Metrics,
        range: Range,
        exemplars: usize,
        spelling: Spelling,
        hints: &'static str,
    },
    Names {
        condition: Option<Expr>,
        scope: Option<TagScope>,
    },
    Values {
        condition: Option<Expr>,
        field: Field,
    },
}

/// How a question went.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// As expected; whether there was something in the answer.
    Same {
        full: bool,
    },
    Refused(String),
    Different(String),
}

impl Outcome {
    fn of(agrees: Result<(), String>, full: bool) -> Self {
        match agrees {
            Ok(()) => Self::Same { full },
            Err(why) => Self::Different(why),
        }
    }

    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Different(_))
    }

    /// Whether it fails in the same way; a smaller query may be wrong for another reason.
    pub fn is_like(&self, other: &Self) -> bool {
        let unquoted = |text: &str| text.split('`').step_by(2).skip(1).collect::<String>();
        match (self, other) {
            (Self::Different(_), Self::Different(_)) => true,
            (Self::Refused(own), Self::Refused(other)) => unquoted(own) == unquoted(other),
            _ => false,
        }
    }
}

impl From<Refused> for Outcome {
    fn from(Refused(why): Refused) -> Self {
        Self::Refused(why)
    }
}

fn filter(condition: &Option<Expr>) -> Option<String> {
    condition.as_ref().map(|condition| Spans::Filter(Some(condition.clone())).text(Spelling::Canonical))
}

impl Question {
    pub fn random(dice: &mut Dice) -> Self {
        let spelling = if dice.percent(80) { Spelling::Canonical } else { Spelling::Long };
        let hints = match dice.below(12) {
            0 => " with(most_recent=true)",
            1 => " with(sample=0.1, span_sample=0.5)",
            2 => " with(trace_sample=true)",
            _ => "",
        };
        match dice.weighted(&[60, 35, 2, 3]) {
            0 => {
                let (start, end) = generate_queries::times(dice);
                let limit = if dice.percent(60) { 1000 } else { dice.between(1, 30) };
                let spans_per_spanset = if dice.percent(60) { 100 } else { dice.between(1, 4) };
                let stages = generate_queries::pipeline(dice);
                let walk = dice.percent(20);
                Self::Search { stages, start, end, limit, spans_per_spanset, walk, spelling, hints }
            }
            1 => {
                let query = generate_queries::metrics(dice);
                let exemplars = dice.below(4);
                Self::Metrics { query, range: generate_queries::range(dice), exemplars, spelling, hints }
            }
            2 => {
                let scopes = [TagScope::Resource, TagScope::Span, TagScope::Event, TagScope::Link];
                let scope = dice.percent(40).then(|| *dice.one(&scopes));
                Self::Names { condition: generate_queries::tag_condition(dice), scope }
            }
            _ => Self::Values {
                condition: generate_queries::tag_condition(dice),
                field: generate_queries::tag_field(dice),
            },
        }
    }

    /// For the count of answers.
    pub fn sort(&self) -> &'static str {
        match self {
            Self::Search { .. } => "search",
            Self::Metrics { .. } => "metrics",
            Self::Names { .. } => "names of tags",
            Self::Values { .. } => "values of tags",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Search { stages, spelling, hints, .. } => pipeline_text(stages, *spelling) + hints,
            Self::Metrics { query, spelling, hints, .. } => query.text(*spelling) + hints,
            Self::Names { condition, .. } | Self::Values { condition, .. } => {
                filter(condition).unwrap_or_default()
            }
        }
    }

    pub fn told(&self) -> String {
        let around = match self {
            Self::Search { start, end, limit, spans_per_spanset, .. } => {
                format!("start {start:?} end {end:?} limit {limit} spss {spans_per_spanset}")
            }
            Self::Metrics { range, exemplars, .. } => format!("{range:?} exemplars {exemplars}"),
            Self::Names { scope, .. } => format!("names of tags, scope {scope:?}"),
            Self::Values { field, .. } => format!("values of {}", field.text(Spelling::Canonical)),
        };
        format!("{}\n  {around}", self.text())
    }

    fn smaller(&self) -> Vec<Self> {
        match self {
            Self::Search { stages, start, end, limit, spans_per_spanset, walk, .. } => {
                let with = |stages, start, end| Self::Search {
                    stages,
                    start,
                    end,
                    limit: *limit,
                    spans_per_spanset: *spans_per_spanset,
                    walk: *walk,
                    spelling: Spelling::Canonical,
                    hints: "",
                };
                let mut out = Vec::new();
                if start.is_some() || end.is_some() {
                    out.push(with(stages.clone(), None, None));
                }
                let fewer = shrink::smaller_stages(stages);
                out.extend(fewer.into_iter().map(|stages| with(stages, *start, *end)));
                out
            }
            Self::Metrics { query, range, exemplars, .. } => {
                let smaller = shrink::smaller_metrics(query).into_iter();
                let with = |query| Self::Metrics {
                    query,
                    range: *range,
                    exemplars: *exemplars,
                    spelling: Spelling::Canonical,
                    hints: "",
                };
                smaller.map(with).collect()
            }
            Self::Names { condition: Some(_), scope } => vec![Self::Names { condition: None, scope: *scope }],
            Self::Values { condition: Some(_), field } => {
                vec![Self::Values { condition: None, field: field.clone() }]
            }
            Self::Names { .. } | Self::Values { .. } => Vec::new(),
        }
    }

    /// The same, one by one.
    pub fn less(&self) -> shrink::Smaller<'_, Self> {
        Box::new(self.smaller().into_iter())
    }

    /// Asks the engine and the judge.
    pub fn put(&self, house: &House, filled: &Filled) -> Outcome {
        let outcome = match self {
            Self::Search { stages, start, end, limit, spans_per_spanset, walk, .. } => {
                let request = SearchRequest {
                    tenants: vec![filled.tenant.clone()],
                    query: self.text(),
                    start: *start,
                    end: *end,
                    limit: *limit,
                    spans_per_spanset: *spans_per_spanset,
                    stream: *walk,
                    explain: *walk,
                    after: None,
                };
                let expected = judge::search(&filled.traces, stages, *start, *end, *spans_per_spanset);
                search(house, request, &expected, *walk)
            }
            Self::Metrics { query, range, exemplars, .. } => {
                let request = MetricsRequest {
                    tenants: vec![filled.tenant.clone()],
                    query: self.text(),
                    start: range.start,
                    end: range.end,
                    step: range.step,
                    exemplars: *exemplars,
                    max_series: 0,
                    stream: *exemplars % 2 == 1,
                };
                let expected = series::metrics(&filled.traces, query, range);
                let agrees = |found: Vec<Series>| differ::series(&found, &expected, *exemplars);
                house.metrics(request).map(|found| Outcome::of(agrees(found), !expected.is_empty()))
            }
            Self::Names { condition, scope } => names(house, filled, condition, *scope),
            Self::Values { condition, field } => field_values(house, filled, condition, field),
        };
        outcome.unwrap_or_else(Outcome::from)
    }
}

fn search(
    house: &House,
    mut request: SearchRequest,
    expected: &[FoundTrace],
    walk: bool,
) -> Result<Outcome, Refused> {
    let (found, _) = house.search(request.clone())?;
    let mut agrees = differ::traces(&found, &expected[..expected.len().min(request.limit)]);
    if walk && agrees.is_ok() {
        request.limit = PAGE;
        let mut walked = Vec::new();
        loop {
            let (page, next) = house.search(request.clone())?;
            let is_last = page.is_empty() || next.is_none();
            walked.extend(page);
            if is_last || walked.len() > expected.len() {
                break;
            }
            request.after = next;
        }
        agrees = differ::traces(&walked, expected).map_err(|why| format!("pages of {PAGE}: {why}"));
    }
    Ok(Outcome::of(agrees, !expected.is_empty()))
}

fn names(
    house: &House,
    filled: &Filled,
    condition: &Option<Expr>,
    scope: Option<TagScope>,
) -> Result<Outcome, Refused> {
    let request = TagsRequest {
        tenants: vec![filled.tenant.clone()],
        scope,
        query: filter(condition),
        ..TagsRequest::default()
    };
    let found = house.tags(request)?;
    let agrees = tags::names(&found, &filled.traces, &filled.requests, condition.as_ref(), scope);
    Ok(Outcome::of(agrees, found.scopes.iter().any(|(_, names)| !names.is_empty())))
}

fn field_values(
    house: &House,
    filled: &Filled,
    condition: &Option<Expr>,
    field: &Field,
) -> Result<Outcome, Refused> {
    let request = TagValuesRequest {
        tenants: vec![filled.tenant.clone()],
        field: field.text(Spelling::Canonical),
        query: filter(condition),
        ..TagValuesRequest::default()
    };
    let found = house.tag_values(request)?;
    let agrees = tags::field_values(&found, &filled.traces, &filled.requests, condition.as_ref(), field);
    Ok(Outcome::of(agrees, !found.values.is_empty()))
}
