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
//! | `sum.rs` | sums that are exact |
//! | `tags.rs` | naive names and values |
//! | `graph.rs` | the graph of services, made naively |
//! | `generate_traces.rs`, `generate_queries.rs` | random stores and questions |
//! | `question.rs` | a question of any sort, put to both |
//! | `filled.rs` | a store that was pushed, and what the judge knows of it |
//! | `ask.rs` | the engine |
//! | `unrest.rs` | its blocks shipped, joined and deleted by two nodes over a store that fails, all the time |
//! | `cluster.rs` | several nodes, of which any is asked while some are silent |
//! | `differ.rs`, `shrink.rs` | the first difference of two answers, and the least store and query that show it |
//! | `judged.rs` | the judge held against answers reckoned by hand |
//!
//! Each store has one to three tenants that share trace ids, and lies in a house that keeps spans in its own manner.
//! Some questions are asked again while and after its spans are sealed, and pushed and sealed anew: the answers stay.
//!
//! `ORACLE_STORES` says how many stores (some 90 answers each), `ORACLE_SEED` with which they begin, `ORACLE_TRACES` how
//! many traces each has (20 to 60 without; 20,000 fill more than one row group of a block), and `ORACLE_FAILURES` how
//! many failures are told before the test ends. `ORACLE_UNREST` says how many stores are asked while their blocks are
//! moved about, `ORACLE_CLUSTER` how many of a cluster.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail by panicking, and tells how it went"
)]

mod ask;
mod cluster;
mod contrast;
mod dice;
mod differ;
mod field;
mod filled;
mod generate_queries;
mod generate_traces;
mod graph;
mod judge;
mod judged;
mod model;
mod query;
mod question;
mod series;
mod shrink;
mod sum;
mod tags;
mod unrest;

use std::cell::Cell;
use std::collections::BTreeMap;

use spanloom_span::{Tenant, encode};

use crate::ask::{House, MANNERS, Seal};
use crate::cluster::{ClusterHouse, SHAPES, Seen};
use crate::dice::Dice;
use crate::filled::Filled;
use crate::generate_queries::Scene;
use crate::generate_traces::{Request, Store};
use crate::question::{Outcome, Question};
use crate::unrest::Unrest;

const STORES: u64 = 112;
const QUESTIONS: usize = 50;
/// Questions that are asked again at every later age.
const LASTING: usize = 10;

/// How far a store has come when a question is put to it. Its spans are the same all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    /// As it was pushed: some spans live, some in blocks.
    Pushed,
    /// A new store whose live spans are sealed in the midst of the question.
    Between(Seal),
    /// While all live spans are sealed.
    Sealing,
    Sealed,
    /// Every second request was pushed again.
    Again,
    SealedAgain,
}

/// One after the other.
const AGES: [Age; 5] = [Age::Pushed, Age::Sealing, Age::Sealed, Age::Again, Age::SealedAgain];

/// The engine, and how many stores it was given.
struct Bench {
    /// One for each of [`MANNERS`].
    houses: Vec<House>,
    stores: Cell<u64>,
}

impl Bench {
    fn open() -> Self {
        Self { houses: MANNERS.map(House::open).into(), stores: Cell::new(0) }
    }

    fn house(&self, store: &Store) -> &House {
        &self.houses[store.manner]
    }

    /// Pushes a store for tenants of its own.
    fn fill(&self, store: &Store) -> Filled {
        self.stores.set(self.stores.get() + 1);
        let name = |number| Tenant::new(&format!("store-{}-{number}", self.stores.get())).unwrap();
        let filled = Filled::new((0..store.tenants).map(name).collect(), store.clone());
        for request in &store.requests {
            self.push(store, &filled, request);
            if request.seal {
                self.house(store).flush();
            }
        }
        filled
    }

    fn push(&self, store: &Store, filled: &Filled, request: &Request) {
        self.house(store).push(&filled.tenants[request.tenant], encode::traces_data(&request.spans));
    }

    /// Asks a store that comes to an age from the one before.
    fn at<R>(&self, store: &Store, filled: &Filled, age: Age, ask: impl FnOnce() -> R) -> R {
        match age {
            Age::Pushed => {}
            Age::Between(seal) => return self.house(store).sealing_at(seal, ask),
            Age::Sealing => return self.house(store).while_sealing(ask),
            Age::Again => store.requests.iter().step_by(2).for_each(|again| self.push(store, filled, again)),
            Age::Sealed | Age::SealedAgain => self.house(store).flush(),
        }
        ask()
    }

    /// Asks a new store as it was pushed and at an age.
    fn put(&self, store: &Store, question: &Question, age: Age) -> Outcome {
        let (house, filled) = (self.house(store), self.fill(store));
        if let Age::Between(_) = age {
            return self.at(store, &filled, age, || question.put(house, &filled));
        }
        let first = question.put(house, &filled);
        let upto = AGES.iter().position(|known| *known == age).unwrap_or(0);
        AGES[1..=upto].iter().fold(first, |before, age| match before.is_failure() {
            true => before,
            false => self.at(store, &filled, *age, || question.put(house, &filled)).after(&before),
        })
    }

    /// The failure made small, and told.
    fn tell(&self, seed: u64, store: &Store, question: &Question, age: Age, failure: &Outcome) -> String {
        // What fails now and then has three chances.
        let fails = |store: &Store, question: &Question| {
            (0..3).any(|_| self.put(store, question, age).is_like(failure))
        };
        if !fails(store, question) {
            let (asked, why) = (question.told(), failure.why());
            return format!(
                "seed {seed}, which fails now and then (not when asked again), {age:?}, manner {}\n{asked}\n  {why}\n",
                store.manner
            );
        }
        let question = &shrink::shrink(question.clone(), Question::less, |q| fails(store, q));
        let store = &shrink::shrink(store.clone(), shrink::smaller_stores, |s| fails(s, question));
        let question = &shrink::shrink(question.clone(), Question::less, |q| fails(store, q));
        let small = self.put(store, question, age);
        let why = if small.is_failure() { small.why() } else { failure.why() };
        format!(
            "seed {seed} (again with ORACLE_SEED={seed} ORACLE_STORES=1), {age:?}\n{}{}\n  {why}\n",
            shrink::told(store),
            question.told()
        )
    }
}

/// What came of all questions.
#[derive(Default)]
struct Tally {
    /// By sort: how many answers, and how many of them not empty.
    counts: BTreeMap<&'static str, (usize, usize)>,
    failures: Vec<String>,
}

impl Tally {
    /// Counts an outcome; a failure is told by `tell`.
    fn count(&mut self, question: &Question, outcome: &Outcome, tell: impl FnOnce() -> String) {
        let (asked, full) = self.counts.entry(question.sort()).or_default();
        *asked += 1;
        match outcome {
            Outcome::Same { full: is_full, .. } => *full += usize::from(*is_full),
            _ => self.failures.push(tell()),
        }
        assert!(
            self.failures.len() < setting("ORACLE_FAILURES", 1) as usize,
            "\n{}",
            self.failures.join("\n")
        );
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
    let bench = Bench::open();
    let mut tally = Tally::default();
    for seed in first_seed..first_seed + stores {
        let mut dice = Dice::new(seed);
        let store = generate_traces::store(&mut dice, (traces > 0).then_some(traces));
        let (house, filled, scene) = (bench.house(&store), bench.fill(&store), Scene::of(&store));
        let mut lasting = Vec::new();
        for number in 0..QUESTIONS {
            let question = Question::random(&mut dice, &scene);
            let outcome = question.put(house, &filled);
            tally.count(&question, &outcome, || bench.tell(seed, &store, &question, Age::Pushed, &outcome));
            if number < LASTING {
                lasting.push((question, outcome));
            }
        }
        let full = lasting.iter().filter(|(_, outcome)| outcome.is_full());
        for ((question, before), seal) in full.zip([Seal::BeforeListing, Seal::AfterListing]) {
            let outcome = bench.put(&store, question, Age::Between(seal)).after(before);
            tally.count(question, &outcome, || {
                bench.tell(seed, &store, question, Age::Between(seal), &outcome)
            });
        }
        for age in &AGES[1..] {
            let ask = || lasting.iter().map(|(question, _)| question.put(house, &filled)).collect();
            let outcomes: Vec<Outcome> = bench.at(&store, &filled, *age, ask);
            for ((question, before), outcome) in lasting.iter().zip(outcomes) {
                let outcome = outcome.after(before);
                tally.count(question, &outcome, || bench.tell(seed, &store, question, *age, &outcome));
            }
        }
    }
    let Tally { counts, failures } = tally;
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    for (sort, (asked, full)) in counts {
        println!("{sort}: {asked} answers agree, {full} of them not empty ({} %)", full * 100 / asked);
        assert!(full * 4 >= asked, "found {full} full answers of {asked}, expected a quarter at least");
    }
}

/// Blocks are shipped, joined and deleted at full speed by two nodes, over a store that loses requests and answers, is
/// slow, reads in part and is dead now and then: every answer is right, or an error.
#[test]
fn answers_stay_right_while_blocks_are_moved_about() {
    let (first_seed, stores) = (setting("ORACLE_SEED", 1), setting("ORACLE_UNREST", 8));
    let mut tally = Tally::default();
    let (mut joins, mut faults, mut again) = (0, 0, 0);
    for seed in first_seed..first_seed + stores {
        let mut dice = Dice::new(seed ^ 0x7575);
        let mut store = generate_traces::store(&mut dice, None);
        unrest::first_versions_alone(&mut store);
        let scene = Scene::of(&store);
        let mut unrest = Unrest::begin(seed, MANNERS[store.manner]);
        let name = |number| Tenant::new(&format!("unrest-{number}")).unwrap();
        let filled = Filled::new((0..store.tenants).map(name).collect(), store.clone());
        unrest.fill(&store, &filled);
        let mut ask = |unrest: &Unrest, question: &Question, when: &str| {
            let outcome = question.put(unrest.house(), &filled);
            tally.count(question, &outcome, || {
                format!("seed {seed}, {when}\n{}\n  {}\n", question.told(), outcome.why())
            });
        };
        let questions: Vec<Question> = (0..QUESTIONS).map(|_| Question::random(&mut dice, &scene)).collect();
        for (number, question) in questions.iter().enumerate() {
            match number % 10 {
                3 => unrest.push_again(&store, &filled, number),
                7 => unrest.house().flush(),
                _ => {}
            }
            ask(&unrest, question, "amid unrest");
        }
        unrest.end(&filled.tenants);
        for question in &questions[..LASTING] {
            ask(&unrest, question, "when all is quiet");
        }
        unrest.ask_the_other();
        for question in &questions[..LASTING] {
            ask(&unrest, question, "by the node that has nothing of its own");
        }
        joins += unrest.joins();
        faults += unrest.faults();
        again += unrest.house().asked_again();
    }
    assert!(tally.failures.is_empty(), "\n{}", tally.failures.join("\n"));
    let answers: usize = tally.counts.values().map(|(asked, _)| asked).sum();
    println!(
        "{stores} stores: {answers} answers agree amid {joins} joins and {faults} faults, {again} asked again"
    );
    assert!(joins > stores && faults > stores * 10, "found {joins} joins and {faults} faults, expected more");
}

/// Any node of a cluster is asked, while others are silent in one way or another: the answer is right, or says that it
/// may not be, exactly when so many are silent that it may not be.
#[test]
fn every_node_answers_for_the_cluster() {
    let (first_seed, stores) = (setting("ORACLE_SEED", 1), setting("ORACLE_CLUSTER", 15));
    let mut tally = Tally::default();
    let clusters: Vec<ClusterHouse> = SHAPES.map(ClusterHouse::open).into();
    let mut seen = Seen::default();
    for seed in first_seed..first_seed + stores {
        let mut dice = Dice::new(seed ^ 0xc105);
        let mut store = generate_traces::store(&mut dice, None);
        unrest::first_versions_alone(&mut store);
        let scene = Scene::of(&store);
        let cluster = &clusters[(seed % SHAPES.len() as u64) as usize];
        // Names that come before and after those of live spans.
        let which = if dice.percent(50) { "cluster" } else { "metropolis" };
        let name = |number| Tenant::new(&format!("{which}-{seed}-{number}")).unwrap();
        let filled = Filled::new((0..store.tenants).map(name).collect(), store.clone());
        cluster.fill(&mut dice, &store, &filled);
        for _ in 0..QUESTIONS {
            let question = Question::random(&mut dice, &scene);
            let trouble = cluster.trouble(&mut dice);
            let outcome = cluster.put(&question, &filled, &trouble);
            seen.count(&trouble);
            tally.count(&question, &outcome, || {
                format!(
                    "seed {seed}, {}, {trouble:?}\n{}\n  {}\n",
                    cluster.told(),
                    question.told(),
                    outcome.why()
                )
            });
            cluster.go_on(&mut dice, &filled.tenants);
        }
    }
    assert!(tally.failures.is_empty(), "\n{}", tally.failures.join("\n"));
    println!("{stores} stores of clusters: {seen:?}");
    for cluster in &clusters {
        println!("{}: {:?}", cluster.told(), cluster.split_counts());
    }
    seen.check(stores);
}

/// Blocks of a store are worked on by all queriers, of which some refuse, hang, are slow, fail or garble: the answer is
/// right, and everything that can happen to a part of a question has happened.
#[test]
fn blocks_of_a_store_are_searched_together() {
    let (first_seed, stores) = (setting("ORACLE_SEED", 1), setting("ORACLE_SPLIT", 10));
    let mut tally = Tally::default();
    let clusters: Vec<ClusterHouse> = cluster::STORES.map(ClusterHouse::open).into();
    for seed in first_seed..first_seed + stores {
        let mut dice = Dice::new(seed ^ 0x5917);
        let mut store = generate_traces::store(&mut dice, None);
        // Questions about several tenants are not split.
        store.requests.iter_mut().for_each(|request| request.tenant = 0);
        store.tenants = 1;
        unrest::first_versions_alone(&mut store);
        let scene = Scene::of(&store);
        let cluster = &clusters[(seed % clusters.len() as u64) as usize];
        let tenant = Tenant::new(&format!("split-{seed}")).unwrap();
        let filled = Filled::new(vec![tenant], store.clone());
        cluster.fill(&mut dice, &store, &filled);
        cluster.ship(&mut dice);
        for _ in 0..QUESTIONS {
            let question = Question::random(&mut dice, &scene);
            let trouble = cluster.no_trouble(&mut dice);
            let outcome = cluster.put(&question, &filled, &trouble);
            tally.count(&question, &outcome, || {
                let told = cluster.told();
                format!("seed {seed}, {told}, {trouble:?}\n{}\n  {}\n", question.told(), outcome.why())
            });
        }
    }
    assert!(tally.failures.is_empty(), "\n{}", tally.failures.join("\n"));
    for cluster in &clusters {
        println!("{}:", cluster.told());
        for (node, counts) in cluster.split_counts().into_iter().enumerate() {
            println!("  n{node}: {counts:?}");
            let happened =
                [counts.questions, counts.blocks_here, counts.blocks_there, counts.blocks_for_others];
            let failed = [counts.busy, counts.missing, counts.slow, counts.garbled, counts.failed];
            let all = happened.iter().chain(&failed).all(|count| *count > 0);
            assert!(stores < 10 || all, "found {counts:?}, expected each of it to have happened");
        }
    }
}
