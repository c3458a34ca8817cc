//! A question of any sort, put to the engine and to the judge.

use spanloom_query::{
    Cursor, GraphRequest, MetricsRequest, SearchRequest, TagScope, TagValuesRequest, TagsRequest,
};
use spanloom_span::TraceId;
use spanloom_traceql::answer::{Exemplar, FoundTrace};

use crate::ask::{Refused, Store};
use crate::dice::Dice;
use crate::differ::Exemplars;
use crate::filled::{Filled, Judged};
use crate::generate_queries::{self, Scene};
use crate::query::{Expr, Field, Metrics, Spans, Spelling, Stage, pipeline_text};
use crate::series::Range;
use crate::{differ, graph, judge, series, shrink, tags};

/// Earliest and latest time asked for.
pub type Times = (Option<u64>, Option<u64>);

/// A question on behalf of some tenants.
#[derive(Debug, Clone)]
pub struct Question {
    /// By number, each once, in any order; at least one.
    pub tenants: Vec<usize>,
    pub asks: Asks,
}

/// What is asked, and all that goes with it.
#[derive(Debug, Clone)]
pub enum Asks {
    Search {
        stages: Vec<Stage>,
        times: Times,
        limit: usize,
        spans_per_spanset: usize,
        after: Option<Cursor>,
        /// Traces of a page, when all pages are walked.
        walk: Option<usize>,
        spelling: Spelling,
        hints: &'static str,
    },
    Metrics {
        query: Metrics,
        range: Range,
        exemplars: usize,
        /// 0 is no limit.
        max_series: usize,
        spelling: Spelling,
        hints: &'static str,
    },
    Names {
        condition: Option<Expr>,
        scope: Option<TagScope>,
        times: Times,
        /// 0 is no limit.
        limit: usize,
    },
    Values {
        condition: Option<Expr>,
        field: Field,
        times: Times,
        /// 0 is no limit.
        limit: usize,
    },
    /// The graph of services.
    Graph(Times),
    /// A trace by its id.
    Trace(TraceId),
}

/// How a question went.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// As expected.
    Same {
        /// Whether there was something in the answer.
        full: bool,
        /// Those that were shown, in words. The judge does not choose them; they stay as spans are sealed.
        exemplars: String,
    },
    Refused(String),
    Different(String),
}

impl Outcome {
    fn of(agrees: Result<(), String>, full: bool) -> Self {
        match agrees {
            Ok(()) => Self::Same { full, exemplars: String::new() },
            Err(why) => Self::Different(why),
        }
    }

    pub fn is_full(&self) -> bool {
        matches!(self, Self::Same { full: true, .. })
    }

    pub fn is_failure(&self) -> bool {
        !matches!(self, Self::Same { .. })
    }

    /// What is wrong.
    pub fn why(&self) -> &str {
        match self {
            Self::Same { .. } => "",
            Self::Refused(why) | Self::Different(why) => why,
        }
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

    /// Of the same question at a later time, when the spans are the same but lie elsewhere.
    pub fn after(self, before: &Self) -> Self {
        match (&self, before) {
            (Self::Same { exemplars: now, .. }, Self::Same { exemplars: then, .. }) if now != then => {
                Self::Different(format!("exemplars:\n     found {now}\n    before {then}"))
            }
            _ => self,
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

/// How many exemplars a hint allows.
const EXEMPLARS: [(&str, usize); 3] =
    [(" with(exemplars=0)", 0), (" with(exemplars=1)", 1), (" with(exemplars=5)", 5)];

impl Question {
    pub fn random(dice: &mut Dice, scene: &Scene) -> Self {
        let mut left: Vec<usize> = (0..scene.tenants).collect();
        // One of them as a rule, else several or all.
        let count = if dice.percent(60) { 1 } else { dice.between(1, scene.tenants) };
        let tenants = (0..count).map(|_| left.swap_remove(dice.below(left.len()))).collect();
        Self { tenants, asks: Asks::random(dice, scene) }
    }

    /// For the count of answers.
    pub fn sort(&self) -> &'static str {
        match self.asks {
            Asks::Search { .. } => "search",
            Asks::Metrics { .. } => "metrics",
            Asks::Names { .. } => "names of tags",
            Asks::Values { .. } => "values of tags",
            Asks::Graph(_) => "graphs",
            Asks::Trace(_) => "a trace by id",
        }
    }

    pub fn told(&self) -> String {
        format!("of tenants {:?}: {}", self.tenants, self.asks.told())
    }

    /// The same with one thing less, one by one.
    pub fn less(&self) -> shrink::Smaller<'_, Self> {
        let fewer = shrink::without_one(&self.tenants).into_iter().filter(|tenants| !tenants.is_empty());
        let fewer = fewer.map(|tenants| Self { tenants, asks: self.asks.clone() });
        let smaller = self.asks.smaller().into_iter();
        let smaller = smaller.map(|asks| Self { tenants: self.tenants.clone(), asks });
        Box::new(fewer.chain(smaller))
    }

    /// Asks the engine and the judge.
    pub fn put(&self, house: &dyn Store, filled: &Filled) -> Outcome {
        let judged = filled.judged(&self.tenants);
        self.asks.put(house, &judged).unwrap_or_else(Outcome::from)
    }
}

impl Asks {
    fn random(dice: &mut Dice, scene: &Scene) -> Self {
        let spelling = if dice.percent(80) { Spelling::Canonical } else { Spelling::Long };
        let hints = match dice.below(12) {
            0 => " with(most_recent=true)",
            1 => " with(sample=0.1, span_sample=0.5)",
            2 => " with(trace_sample=true)",
            _ => "",
        };
        match dice.weighted(&[51, 34, 4, 6, 2, 3]) {
            0 => {
                let limit = if dice.percent(60) { 1000 } else { dice.between(1, 30) };
                let spans_per_spanset = if dice.percent(60) { 100 } else { dice.between(1, 4) };
                let stages = generate_queries::pipeline(dice);
                let walk = dice.percent(20).then(|| dice.between(1, 6));
                let after = dice.percent(15).then(|| generate_queries::cursor(dice, scene));
                let times = generate_queries::times(dice, scene);
                Self::Search { stages, times, limit, spans_per_spanset, after, walk, spelling, hints }
            }
            1 => {
                let query = generate_queries::metrics(dice);
                let exemplars = dice.below(4);
                let hints = if dice.percent(10) { dice.one(&EXEMPLARS).0 } else { hints };
                // What a limit leaves of series that are reckoned with others is not said.
                let may_be_cut =
                    matches!(&query, Metrics::Leaf { function, .. } if function.name() != "compare");
                let max_series = if may_be_cut && dice.percent(20) { dice.between(1, 6) } else { 0 };
                let range = generate_queries::range(dice, scene);
                Self::Metrics { query, range, exemplars, max_series, spelling, hints }
            }
            2 => {
                let scopes = [TagScope::Resource, TagScope::Span, TagScope::Event, TagScope::Link];
                let scope = dice.percent(40).then(|| *dice.one(&scopes));
                let condition = generate_queries::tag_condition(dice);
                let times = generate_queries::times(dice, scene);
                Self::Names { condition, scope, times, limit: dice.below(10).saturating_sub(6) }
            }
            3 => {
                let condition = generate_queries::tag_condition(dice);
                let field = generate_queries::tag_field(dice);
                let times = generate_queries::times(dice, scene);
                Self::Values { condition, field, times, limit: dice.below(10).saturating_sub(6) }
            }
            4 => Self::Trace(dice.one(&scene.traces).1),
            _ => Self::Graph(generate_queries::times(dice, scene)),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Search { stages, spelling, hints, .. } => pipeline_text(stages, *spelling) + hints,
            Self::Metrics { query, spelling, hints, .. } => query.text(*spelling) + hints,
            Self::Names { condition, .. } | Self::Values { condition, .. } => {
                filter(condition).unwrap_or_default()
            }
            Self::Graph(_) => String::new(),
            Self::Trace(id) => id.to_string(),
        }
    }

    fn told(&self) -> String {
        let around = match self {
            Self::Search { times, limit, spans_per_spanset, after, walk, .. } => {
                format!(
                    "times {times:?} limit {limit} spss {spans_per_spanset} after {after:?} walk {walk:?}"
                )
            }
            Self::Metrics { range, exemplars, max_series, .. } => {
                format!("{range:?} exemplars {exemplars} max series {max_series}")
            }
            Self::Names { scope, times, limit, .. } => {
                format!("names of tags, scope {scope:?} times {times:?} limit {limit}")
            }
            Self::Values { field, times, limit, .. } => {
                format!("values of {} times {times:?} limit {limit}", field.text(Spelling::Canonical))
            }
            Self::Graph(times) => format!("the graph of services, times {times:?}"),
            Self::Trace(_) => "a trace by id".to_owned(),
        };
        format!("{}\n  {around}", self.text())
    }

    fn smaller(&self) -> Vec<Self> {
        match self {
            Self::Search { stages, times, limit, spans_per_spanset, after, walk, .. } => {
                let with = |stages, times, after| Self::Search {
                    stages,
                    times,
                    limit: *limit,
                    spans_per_spanset: *spans_per_spanset,
                    after,
                    walk: *walk,
                    spelling: Spelling::Canonical,
                    hints: "",
                };
                let mut out = Vec::new();
                if *times != (None, None) {
                    out.push(with(stages.clone(), (None, None), *after));
                }
                if after.is_some() {
                    out.push(with(stages.clone(), *times, None));
                }
                let fewer = shrink::smaller_stages(stages);
                out.extend(fewer.into_iter().map(|stages| with(stages, *times, *after)));
                out
            }
            Self::Metrics { query, range, exemplars, max_series, .. } => {
                let smaller = shrink::smaller_metrics(query).into_iter();
                let with = |query| Self::Metrics {
                    query,
                    range: *range,
                    exemplars: *exemplars,
                    max_series: *max_series,
                    spelling: Spelling::Canonical,
                    hints: "",
                };
                smaller.map(with).collect()
            }
            Self::Names { condition, scope, times, limit } => {
                let with = |condition, times| Self::Names { condition, scope: *scope, times, limit: *limit };
                smaller_listing(condition, *times).map(|(condition, times)| with(condition, times)).collect()
            }
            Self::Values { condition, field, times, limit } => {
                let with =
                    |condition, times| Self::Values { condition, field: field.clone(), times, limit: *limit };
                smaller_listing(condition, *times).map(|(condition, times)| with(condition, times)).collect()
            }
            Self::Graph((None, None)) | Self::Trace(_) => Vec::new(),
            Self::Graph(_) => vec![Self::Graph((None, None))],
        }
    }

    fn put(&self, house: &dyn Store, judged: &Judged) -> Result<Outcome, Refused> {
        let tenants = judged.tenants.clone();
        match self {
            Self::Search { stages, times: (start, end), limit, spans_per_spanset, after, walk, .. } => {
                let request = SearchRequest {
                    tenants,
                    query: self.text(),
                    start: *start,
                    end: *end,
                    limit: *limit,
                    spans_per_spanset: *spans_per_spanset,
                    stream: walk.is_some(),
                    explain: walk.is_some(),
                    after: *after,
                };
                let mut expected = judge::search(&judged.traces, stages, *start, *end, *spans_per_spanset);
                expected.retain(|found| after.is_none_or(|after| judge::is_behind(found, &after)));
                search(house, request, &expected, *walk)
            }
            Self::Metrics { query, range, exemplars, max_series, hints, .. } => {
                let request = MetricsRequest {
                    tenants,
                    query: self.text(),
                    start: range.start,
                    end: range.end,
                    step: range.step,
                    exemplars: *exemplars,
                    max_series: *max_series,
                    stream: *exemplars % 2 == 1,
                };
                let (shown, most) = (shown(query, range, *exemplars, hints), most_series(*max_series));
                metrics(house, request, series::metrics(&judged.traces, query, range), most, &shown)
            }
            Self::Names { condition, scope, times, limit } => {
                let request = TagsRequest {
                    tenants,
                    scope: *scope,
                    query: filter(condition),
                    start: times.0,
                    end: times.1,
                    limit: *limit,
                };
                let found = house.tags(request)?;
                let agrees = tags::names(&found, judged, condition.as_ref(), *times, *scope, *limit);
                Ok(Outcome::of(agrees, found.scopes.iter().any(|(_, names)| !names.is_empty())))
            }
            Self::Values { condition, field, times, limit } => {
                let request = TagValuesRequest {
                    tenants,
                    field: field.text(Spelling::Canonical),
                    query: filter(condition),
                    start: times.0,
                    end: times.1,
                    limit: *limit,
                };
                let found = house.tag_values(request)?;
                let agrees = tags::field_values(&found, judged, condition.as_ref(), *times, field, *limit);
                Ok(Outcome::of(agrees, !found.values.is_empty()))
            }
            Self::Graph((start, end)) => {
                let time = (start.unwrap_or(0), end.unwrap_or(u64::MAX));
                graphs(house, GraphRequest { tenants, start: time.0, end: time.1 }, judged)
            }
            Self::Trace(id) => {
                let expected = judged.traces.iter().find(|trace| trace.id == *id);
                let agrees = differ::whole_trace(house.trace(&tenants, *id)?.as_ref(), expected);
                Ok(Outcome::of(agrees, expected.is_some()))
            }
        }
    }
}

/// How many series an answer may have; 0 asks for all.
fn most_series(asked: usize) -> usize {
    if asked == 0 { usize::MAX } else { asked }
}

/// What exemplars the answer to a query may have.
fn shown(query: &Metrics, range: &Range, asked: usize, hints: &str) -> Exemplars {
    let hinted = EXEMPLARS.iter().find(|(hint, _)| *hint == hints).map(|(_, most)| *most);
    Exemplars {
        most: hinted.unwrap_or(usize::MAX).min(asked),
        within: range.bounds(),
        is_whole: series::shows_whole_groups(query),
    }
}

fn smaller_listing(
    condition: &Option<Expr>,
    times: Times,
) -> impl Iterator<Item = (Option<Expr>, Times)> + use<> {
    let without_condition = condition.is_some().then_some((None, times));
    let at_any_time = (times != (None, None)).then(|| (condition.clone(), (None, None)));
    without_condition.into_iter().chain(at_any_time)
}

fn graphs(house: &dyn Store, request: GraphRequest, judged: &Judged) -> Result<Outcome, Refused> {
    let expected = graph::expected(&judged.traces, request.start, request.end);
    let found = house.graph(request)?;
    Ok(Outcome::of(expected.compare(&found), expected.is_full()))
}

fn search(
    house: &dyn Store,
    mut request: SearchRequest,
    expected: &[FoundTrace],
    walk: Option<usize>,
) -> Result<Outcome, Refused> {
    let (found, _) = house.search(request.clone())?;
    let mut agrees = differ::traces(&found, &expected[..expected.len().min(request.limit)]);
    if let (Some(page), true) = (walk, agrees.is_ok()) {
        request.limit = page;
        let mut walked = Vec::new();
        loop {
            let (traces, next) = house.search(request.clone())?;
            let is_last = traces.is_empty() || next.is_none();
            walked.extend(traces);
            if is_last || walked.len() > expected.len() {
                break;
            }
            request.after = next;
        }
        agrees = differ::traces(&walked, expected).map_err(|why| format!("pages of {page}: {why}"));
    }
    Ok(Outcome::of(agrees, !expected.is_empty()))
}

fn metrics(
    house: &dyn Store,
    request: MetricsRequest,
    mut expected: Vec<spanloom_traceql::answer::Series>,
    most: usize,
    shown: &Exemplars,
) -> Result<Outcome, Refused> {
    let (found, partial) = house.metrics(request)?;
    let is_cut = expected.len() > most;
    expected.truncate(most);
    let agrees = match (differ::series(&found, &expected, shown), partial) {
        (Ok(()), Some(why)) if !is_cut => {
            Err(format!("found a part of the answer ({why}), expected all of it"))
        }
        (Ok(()), None) if is_cut => Err(format!("found nothing said of series beyond {most}, expected that")),
        (agrees, _) => agrees,
    };
    let exemplars: Vec<&Vec<Exemplar>> = found.iter().map(|series| &series.exemplars).collect();
    let exemplars = format!("{exemplars:?}");
    Ok(match Outcome::of(agrees, !expected.is_empty()) {
        Outcome::Same { full, .. } => Outcome::Same { full, exemplars },
        failure => failure,
    })
}
