//! The load generator behind `spanloom load`.
//!
//! | file | holds |
//! |---|---|
//! | `random.rs` | random numbers that are the same with every version |
//! | `topology.rs`, `shop.rs` | the terms of a shop, and the shop |
//! | `attributes.rs`, `pattern.rs`, `resource.rs`, `profile.rs` | what spans carry, and how much of it |
//! | `compile.rs`, `encode.rs` | the shop as encoded templates, and a span written from one |
//! | `plan.rs`, `generator.rs` | the tree of a trace, and the stream of requests |
//! | `fingerprint.rs`, `sample.rs` | what is remembered to compare with what is read back |

mod attributes;
mod compile;
mod encode;
pub mod fingerprint;
pub mod generator;
mod pattern;
mod plan;
pub mod profile;
pub mod random;
mod resource;
pub mod sample;
mod shop;
mod topology;

pub use generator::{Generator, GeneratorOptions, Request};
pub use profile::Profile;
