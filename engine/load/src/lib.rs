//! The load generator behind `spanloom load`: it makes seeded, realistic traces, sends them over OTLP, measures
//! what the server does with them, and reads a sample back to compare it field by field.
//!
//! It promises that the same seed and options give the same bytes, that no request's fate is left uncounted, that
//! latency is measured from the intended moment of sending, and that it always ends.
//!
//! | file | holds |
//! |---|---|
//! | `profile.rs` | the named sizes of spans, and what each holds |
//! | `topology.rs`, `shop.rs` | the terms of a shop, and the shop |
//! | `attributes.rs`, `pattern.rs`, `resource.rs` | what spans and resources carry |
//! | `random.rs` | random numbers that are the same with every version |
//! | `compile.rs`, `encode.rs` | the shop as encoded templates, and a span written from one |
//! | `plan.rs`, `generator.rs` | the tree of a trace, and the stream of requests |
//! | `fingerprint.rs`, `sample.rs` | what is remembered to compare with what is read back |
//! | `options.rs`, `error.rs` | the flags, and why a load cannot be run |
//! | `transport.rs`, `export.rs`, `sender.rs` | connections, OTLP exports, and what becomes of requests |
//! | `jaeger.rs` | the same as the datagrams of Jaeger clients |
//! | `ack_log.rs` | the log of acknowledged requests, for harnesses that kill servers |
//! | `verify.rs`, `process.rs`, `histogram.rs` | reading back, the server's process, latencies |
//! | `run.rs`, `progress.rs`, `report.rs` | a whole load, how far it is, and what it measured |

pub mod ack_log;
mod attributes;
mod compile;
mod encode;
pub mod error;
mod export;
pub mod fingerprint;
pub mod generator;
pub mod histogram;
mod jaeger;
pub mod options;
mod pattern;
mod plan;
pub mod process;
pub mod profile;
mod progress;
pub mod random;
pub mod report;
mod resource;
mod run;
pub mod sample;
mod sender;
mod shop;
mod topology;
pub mod transport;
pub mod verify;

pub use ack_log::{AckLog, Acknowledged};
pub use error::LoadError;
pub use generator::{Generator, GeneratorOptions, Request};
pub use options::{Compression, LoadOptions, Protocol};
pub use profile::Profile;
pub use progress::Progress;
pub use report::LoadReport;
pub use run::run;
pub use transport::{Answer, Broken};
