//! This node as others ask it: connections, bounded in number and in patience, ending gracefully.
//!
//! | file | holds |
//! |---|---|
//! | `options.rs` | the limits |
//! | `connections.rs` | the accept loop and the life of a connection |
//! | `service.rs` | one question: its deadline, its bounds, its way to the peer and back |
//! | `counters.rs` | what came and what was refused |

mod connections;
mod counters;
mod options;
mod service;

pub use connections::serve;
pub use counters::{ServeCounters, Served};
pub use options::ServeOptions;
pub use service::PeerService;
