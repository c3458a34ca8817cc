//! Live spans: searched where they are, in the bytes of the requests that brought them.
//!
//! | file | holds |
//! |---|---|
//! | `part.rs` | a trace's spans of one request |

mod part;

pub use part::LivePart;
