//! Nodes elsewhere: a [`Peer`](crate::Peer) by connections.
//!
//! | file | holds |
//! |---|---|
//! | `options.rs` | how to dial, and what is waited for how long |
//! | `dialer.rs` | one remote peer for each address |
//! | `peer.rs` | the questions |
//! | `call.rs` | one question: its deadline, its bound, its way there and back |
//! | `link.rs` | one connection: made when it is needed, and again after a pause when it broke |

mod call;
mod dialer;
mod link;
mod options;
mod peer;

pub use dialer::Dialer;
pub use options::{Deadlines, DialOptions};
