//! Nodes that ask each other over real sockets of the loopback address.
//!
//! | file | holds |
//! |---|---|
//! | `fake.rs` | a peer that answers as the test says, and remembers what it was asked |
//! | `raw.rs` | a client and a server that know HTTP/2 alone, to say what ours never say |
//! | `questions.rs` | every question and every error there and back, large and many |
//! | `bounds.rs` | deadlines, cancellation, and what is refused when it is too much |
//! | `outages.rs` | dead nodes, restarts, nodes that break off or fall silent |
//! | `strangers.rs` | other versions, other programs, damaged and hostile bytes, on both sides |
//! | `tls.rs` | certificates that fit, and that do not |
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test answers by panicking
#![allow(clippy::single_range_in_vec_init)] // one range of a block is meant

mod bounds;
mod fake;
mod outages;
mod questions;
mod raw;
mod strangers;
mod tls;
