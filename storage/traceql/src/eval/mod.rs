//! A query run over the spans of one trace.
//!
//! | file | holds |
//! |---|---|
//! | `fragment.rs` | what a source must tell of its part of a trace |

mod fragment;

pub use fragment::{Fragment, Identity, ParentId, ReadError};
