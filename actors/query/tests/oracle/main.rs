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
//! | `question.rs` | a question of any sort, put to both |
//! | `ask.rs` | the engine |
//! | `differ.rs`, `shrink.rs` | the first difference of two answers, and the least store and query that show it |
//! | `judged.rs` | the judge held against answers reckoned by hand |
//!
//! `ORACLE_STORES` says how many stores (50 questions each), `ORACLE_SEED` with which they begin, `ORACLE_TRACES` how
//! many traces each has (20 to 60 without; 20,000 fill more than one row group of a block), and `ORACLE_FAILURES` how
//! many failures are told before the test ends.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail by panicking, and tells how it went"
)]

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
mod question;
mod series;
mod shrink;
mod tags;

use std::cell::Cell;
use std::collections::BTreeMap;

use spanloom_span::{Tenant, encode};

use crate::ask::{House, Store as _};
use crate::dice::Dice;
use crate::generate_traces::Store;
use crate::question::{Outcome, Question};

const STORES: u64 = 200;
const QUESTIONS: usize = 50;

/// A store that was pushed, and what the judge knows of it.
pub struct Filled {
    /// Whose it is; each store has a tenant of its own.
    pub tenant: Tenant,
    /// As they are judged.
    pub traces: Vec<model::Trace>,
    /// As they were pushed.
    pub requests: Vec<spanloom_span::model::Trace>,
}

/// The engine, and how many stores it was given.
struct Bench {
    house: House,
    tenants: Cell<u64>,
}

impl Bench {
    /// Pushes a store for a tenant of its own.
    fn fill(&self, store: &Store) -> Filled {
        self.tenants.set(self.tenants.get() + 1);
        let tenant = Tenant::new(&format!("store-{}", self.tenants.get())).unwrap();
        for request in &store.requests {
            self.house.push(&tenant, encode::traces_data(&request.spans));
            if request.seal {
                self.house.flush();
            }
        }
        Filled { tenant, traces: model::gather(&store.all()), requests: store.all() }
    }

    fn put(&self, store: &Store, question: &Question) -> Outcome {
        question.put(&self.house, &self.fill(store))
    }

    /// The failure made small, and told.
    fn tell(&self, seed: u64, store: &Store, question: &Question, failure: &Outcome) -> String {
        // What fails now and then has three chances.
        let fails =
            |store: &Store, question: &Question| (0..3).any(|_| self.put(store, question).is_like(failure));
        if !fails(store, question) {
            let (Outcome::Different(why) | Outcome::Refused(why)) = failure else {
                return String::new();
            };
            let asked = question.told();
            return format!(
                "seed {seed}, which fails now and then (not when asked again)\n{asked}\n  {why}\n"
            );
        }
        let question = &shrink::shrink(question.clone(), Question::less, |q| fails(store, q));
        let store = &shrink::shrink(store.clone(), shrink::smaller_stores, |s| fails(s, question));
        let question = &shrink::shrink(question.clone(), Question::less, |q| fails(store, q));
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
    let traces = setting("ORACLE_TRACES", 0) as usize;
    let most_failures = setting("ORACLE_FAILURES", 1) as usize;
    let bench = Bench { house: House::open(), tenants: Cell::new(0) };
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut failures = Vec::new();
    for seed in first_seed..first_seed + stores {
        let mut dice = Dice::new(seed);
        let store = generate_traces::store(&mut dice, (traces > 0).then_some(traces));
        let filled = bench.fill(&store);
        for _ in 0..QUESTIONS {
            let question = Question::random(&mut dice);
            let outcome = question.put(&bench.house, &filled);
            let (asked, full) = counts.entry(question.sort()).or_default();
            *asked += 1;
            match &outcome {
                Outcome::Same { full: is_full } => *full += usize::from(*is_full),
                _ => failures.push(bench.tell(seed, &store, &question, &outcome)),
            }
            assert!(failures.len() < most_failures, "\n{}", failures.join("\n"));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    for (sort, (asked, full)) in counts {
        println!("{sort}: {asked} answers agree, {full} of them not empty ({} %)", full * 100 / asked);
        assert!(full * 4 >= asked, "found {full} full answers of {asked}, expected a quarter at least");
    }
}
