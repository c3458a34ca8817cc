//! What the ring promises, tried on clusters of all kinds.
//!
//! | file | what |
//! |---|---|
//! | `cluster.rs` | clusters by chance and clusters that grow |
//! | `owners.rs` | who owns a token, against a walk that is written down plainly |
//! | `quorum.rs` | readers find what a majority took, through every step of membership |
//! | `balance.rs` | how equal the shares are |
//! | `movement.rs` | what moves when nodes come and go |
//! | `tenants.rs` | shards of tenants, and owners of jobs |
//! | `health.rs` | who stands in for whom |
//! | `golden.rs` | choices and owners that may never change |
#![allow(clippy::unwrap_used)]

mod balance;
mod cluster;
mod golden;
mod health;
mod movement;
mod owners;
mod quorum;
mod tenants;
