//! A query run over the spans of one trace.
//!
//! | file | holds |
//! |---|---|
//! | `fragment.rs` | what a source must tell of its part of a trace |
//! | `model.rs` | a decoded trace as a fragment |
//! | `place.rs` | the spans of fragments in order, each once |
//! | `whole.rs` | fragments joined into a whole trace |
//! | `tree.rs` | parents and children |
//! | `judge.rs` | a pipeline run over a whole trace |
//! | `structure.rs` | structural operators |
//! | `aggregate.rs` | functions over the spans of a spanset |
//! | `found.rs` | what a search answers with |

mod aggregate;
mod found;
mod fragment;
mod judge;
mod model;
mod place;
mod structure;
mod tree;
mod whole;

pub use found::found_trace;
pub use fragment::{Fragment, Identity, ParentId, ReadError};
pub use judge::{Matched, Spanset, judge};
pub use model::ModelFragment;
pub use place::Scratch;
pub use tree::Tree;
pub use whole::WholeTrace;
