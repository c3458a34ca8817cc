//! What queries mean: tables of small traces, queries and the spans that are found, a row for each rule of
//! `docs/TRACEQL.md`; and laws over random traces and queries.
//!
//! | file | holds |
//! |---|---|
//! | `support.rs` | traces as text, answers as text |
//! | `traces.rs` | the trace that is judged: order, parents, roots, nested sets |
//! | `filters.rs` | operators within braces |
//! | `pipelines.rs` | stages and structural operators |
//! | `plans.rs` | what a plan says of a query |
//! | `answers.rs` | what a search answers with |
//! | `series.rs` | metrics |
//! | `random.rs` | random traces and filters |
//! | `laws.rs` | what holds for all of them |

#![allow(clippy::expect_used, reason = "a test ends where what it needs is not there")]

mod answers;
mod filters;
mod laws;
mod pipelines;
mod plans;
mod random;
mod series;
mod support;
mod traces;
