//! What the APIs of Jaeger and Zipkin share: questions of theirs as TraceQL, and answers put together from the engine's.
//!
//! | file | holds |
//! |---|---|
//! | `filter.rs` | service, operation, tags and durations as one filter of TraceQL |
//! | `names.rs` | services, operations, values |
//! | `found.rs` | traces that a filter finds, whole |

pub(crate) mod filter;
pub(crate) mod found;
pub(crate) mod names;
