//! Requests as JSON into protobuf, driven by a table of their messages: written while they are read.
//!
//! What holds for every format here: field names come in lowerCamelCase or as in the proto file; 64-bit integers
//! come as strings or numbers, enums by number or name; `null` means absent; unknown fields are skipped, however
//! deep. Refused, each with an error that says where: a field given twice, two values of a `oneof`, a number out
//! of range, nesting deeper than [`MAX_DEPTH`], bytes that are not UTF-8.
//!
//! Source: <https://protobuf.dev/programming-guides/json/>.
//!
//! | file | holds |
//! |---|---|
//! | `schema.rs` | what a table of messages says: which field has which number and kind |
//! | `walk.rs` | one walk over the text, driven by a table: messages, lists, maps |
//! | `scalar.rs` | values that are not made of others |
//! | `text.rs` | JSON, token by token |
//! | `skip.rs` | values that nobody asked for |
//! | `flaw.rs` | errors |

mod flaw;
mod scalar;
pub mod schema;
mod skip;
#[cfg(test)]
mod tests;
mod text;
mod walk;

pub use flaw::JsonError;
pub use walk::{each, translate};

/// Most levels of values within values.
pub const MAX_DEPTH: usize = 64;
