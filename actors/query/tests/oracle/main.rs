//! The engine against a naive judge: random traces, random questions, equal answers in equal order.
//!
//! The judge follows `docs/TRACEQL.md` section by section and shares no code with the engine but the owned form
//! of spans and the types of questions and answers.
//!
//! | file | holds |
//! |---|---|
//! | `dice.rs` | chance that can be repeated |
//! | `model.rs` | naive traces |
//! | `query.rs` | a query as a tree of its own, and its text |
//! | `field.rs` | naive values of fields and expressions |
//! | `judge.rs` | naive pipelines and search |
//! | `series.rs`, `contrast.rs` | naive metrics; `compare` |
//! | `tags.rs` | naive names and values |
//! | `generate_traces.rs`, `generate_queries.rs` | random stores and questions |
//! | `ask.rs` | the engine |
//! | `differ.rs`, `shrink.rs` | the first difference of two answers, and the least store and query that show it |
//! | `judged.rs` | the judge held against answers reckoned by hand |
//!
//! `ORACLE_STORES` says how many stores (50 questions each), `ORACLE_SEED` with which they begin, and
//! `ORACLE_FAILURES` how many failures are told before the test ends.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail by panicking, and tells how it went")]

mod ask;
mod contrast;
mod dice;
mod differ;
mod field;
mod generate_queries;
mod generate_traces;
mod judge;
mod judged;
mod model;
mod query;
mod series;
mod shrink;
mod tags;

use std::cell::Cell;

use spanloom_query::{MetricsRequest, SearchRequest};
use spanloom_span::{Tenant, encode};

use crate::ask::{House, Store as _, Unanswered};
use crate::dice::Dice;
use crate::generate_traces::Store;
use crate::query::{Metrics, Spelling, Stage, pipeline_text};
use crate::series::Range;

const STORES: u64 = 200;
const QUESTIONS: usize = 50;
/// Traces of a page when all pages are walked.
const PAGE: usize = 3;

/// A question, and all that goes with it.
#[derive(Debug, Clone)]
enum Question {
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
    Metrics { query: Metrics, range: Range, exemplars: usize, spelling: Spelling, hints: &'static str },
}

/// How a question went.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    /// As expected; whether there was something in the answer.
    Same { full: bool },
    NotYet,
    Refused(String),
    Different(String),
}

impl Outcome {
    fn is_failure(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Different(_))
    }

    /// Whether it fails in the same way; a smaller query may be wrong for another reason.
    fn is_like(&self, other: &Self) -> bool {
        let unquoted = |text: &str| text.split('`').step_by(2).skip(1).collect::<String>();
        match (self, other) {
            (Self::Different(_), Self::Different(_)) => true,
            (Self::Refused(own), Self::Refused(other)) => unquoted(own) == unquoted(other),
            _ => false,
        }
    }
}

impl From<Unanswered> for Outcome {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Refused(why) => Self::Refused(why),
            Unanswered::NotYet => Self::NotYet,
        }
    }
}

impl Question {
    fn random(dice: &mut Dice) -> Self {
        let spelling = if dice.percent(80) { Spelling::Canonical } else { Spelling::Long };
        let hints = match dice.below(12) {
            0 => " with(most_recent=true)",
            1 => " with(sample=0.1, span_sample=0.5)",
            2 => " with(trace_sample=true)",
            _ => "",
        };
        if dice.percent(65) {
            let (start, end) = generate_queries::times(dice);
            let limit = if dice.percent(60) { 1000 } else { dice.between(1, 30) };
            let spans_per_spanset = if dice.percent(60) { 100 } else { dice.between(1, 4) };
            let stages = generate_queries::pipeline(dice);
            let walk = dice.percent(20);
            Self::Search { stages, start, end, limit, spans_per_spanset, walk, spelling, hints }
        } else {
            let query = generate_queries::metrics(dice);
            let exemplars = dice.below(4);
            Self::Metrics { query, range: generate_queries::range(dice), exemplars, spelling, hints }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Search { stages, spelling, hints, .. } => pipeline_text(stages, *spelling) + hints,
            Self::Metrics { query, spelling, hints, .. } => query.text(*spelling) + hints,
        }
    }

    fn told(&self) -> String {
        let around = match self {
            Self::Search { start, end, limit, spans_per_spanset, .. } => {
                format!("start {start:?} end {end:?} limit {limit} spss {spans_per_spanset}")
            }
            Self::Metrics { range, exemplars, .. } => format!("{range:?} exemplars {exemplars}"),
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
        }
    }

    /// Asks the engine and the judge.
    fn put(&self, house: &House, tenant: &Tenant, traces: &[model::Trace]) -> Outcome {
        let outcome = match self {
            Self::Search { .. } => self.put_search(house, tenant, traces),
            Self::Metrics { .. } => self.put_metrics(house, tenant, traces),
        };
        outcome.unwrap_or_else(Outcome::from)
    }

    fn put_search(
        &self,
        house: &House,
        tenant: &Tenant,
        traces: &[model::Trace],
    ) -> Result<Outcome, Unanswered> {
        let Self::Search { stages, start, end, limit, spans_per_spanset, walk, .. } = self else {
            return Err(Unanswered::NotYet);
        };
        let mut request = SearchRequest {
            tenants: vec![tenant.clone()],
            query: self.text(),
            start: *start,
            end: *end,
            limit: *limit,
            spans_per_spanset: *spans_per_spanset,
            stream: *walk,
            explain: *walk,
            after: None,
        };
        let expected = judge::search(traces, stages, *start, *end, *spans_per_spanset);
        let full = !expected.is_empty();
        let (found, _) = house.search(request.clone())?;
        let first = &expected[..expected.len().min(*limit)];
        if let Err(why) = differ::traces(&found, first) {
            return Ok(Outcome::Different(why));
        }
        if *walk {
            request.limit = PAGE;
            let mut walked = Vec::new();
            loop {
                let (page, next) = house.search(request.clone())?;
                let more = page.len() == PAGE && next.is_some();
                walked.extend(page);
                if !more || walked.len() > expected.len() {
                    break;
                }
                request.after = next;
            }
            if let Err(why) = differ::traces(&walked, &expected) {
                return Ok(Outcome::Different(format!("pages of {PAGE}: {why}")));
            }
        }
        Ok(Outcome::Same { full })
    }

    fn put_metrics(
        &self,
        house: &House,
        tenant: &Tenant,
        traces: &[model::Trace],
    ) -> Result<Outcome, Unanswered> {
        let Self::Metrics { query, range, exemplars, .. } = self else {
            return Err(Unanswered::NotYet);
        };
        let request = MetricsRequest {
            tenants: vec![tenant.clone()],
            query: self.text(),
            start: range.start,
            end: range.end,
            step: range.step,
            exemplars: *exemplars,
            max_series: 0,
            stream: false,
        };
        let expected = series::metrics(traces, query, range);
        let found = house.metrics(request)?;
        let full = !expected.is_empty();
        Ok(match differ::series(&found, &expected, *exemplars) {
            Ok(()) => Outcome::Same { full },
            Err(why) => Outcome::Different(why),
        })
    }
}

/// The engine, and how many stores it was given.
struct Bench {
    house: House,
    tenants: Cell<u64>,
}

impl Bench {
    /// Pushes a store for a tenant of its own.
    fn fill(&self, store: &Store) -> (Tenant, Vec<model::Trace>) {
        self.tenants.set(self.tenants.get() + 1);
        let tenant = Tenant::new(&format!("store-{}", self.tenants.get())).unwrap();
        for request in &store.requests {
            self.house.push(&tenant, encode::traces_data(&request.spans));
            if request.seal {
                self.house.flush();
            }
        }
        (tenant, model::gather(&store.all()))
    }

    fn put(&self, store: &Store, question: &Question) -> Outcome {
        let (tenant, traces) = self.fill(store);
        question.put(&self.house, &tenant, &traces)
    }

    /// The failure made small, and told.
    fn tell(&self, seed: u64, store: &Store, question: &Question, failure: &Outcome) -> String {
        let fails = |store: &Store, question: &Question| self.put(store, question).is_like(failure);
        let question = &shrink::shrink(question.clone(), Question::smaller, |q| fails(store, q));
        let store = &shrink::shrink(store.clone(), shrink::smaller_stores, |s| fails(s, question));
        let question = &shrink::shrink(question.clone(), Question::smaller, |q| fails(store, q));
        let small = self.put(store, question);
        let (Outcome::Different(why) | Outcome::Refused(why)) = (match small.is_failure() {
            true => &small,
            false => failure,
        }) else {
            return String::new();
        };
        format!(
            "seed {seed} (again with ORACLE_SEED={seed} ORACLE_STORES=1)\n{}{}\n  {why}\n",
            shrink::told(store),
            question.told()
        )
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, expected a number")),
        Err(_) => otherwise,
    }
}

#[test]
fn the_engine_answers_as_the_judge_does() {
    let first_seed = setting("ORACLE_SEED", 1);
    let stores = setting("ORACLE_STORES", STORES);
    let most_failures = setting("ORACLE_FAILURES", 1) as usize;
    let bench = Bench { house: House::open(), tenants: Cell::new(0) };
    let (mut asked, mut full, mut unanswered) = (0, 0, 0);
    let mut failures = Vec::new();
    for seed in first_seed..first_seed + stores {
        let mut dice = Dice::new(seed);
        let store = generate_traces::store(&mut dice);
        let (tenant, traces) = bench.fill(&store);
        for _ in 0..QUESTIONS {
            let question = Question::random(&mut dice);
            let outcome = question.put(&bench.house, &tenant, &traces);
            match &outcome {
                Outcome::NotYet => unanswered += 1,
                Outcome::Same { full: is_full } => {
                    asked += 1;
                    full += usize::from(*is_full);
                }
                _ => failures.push(bench.tell(seed, &store, &question, &outcome)),
            }
            assert!(failures.len() < most_failures, "\n{}", failures.join("\n"));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    println!("{asked} answers compared, {full} of them not empty; {unanswered} questions not taken yet");
    assert!(full * 4 >= asked, "found {full} full answers of {asked}, expected a quarter at least");
}
