//! Reading JSON: one tokenizer, and two ways to read a request with it.
//!
//! Formats that are protobuf's JSON go through [`translate`] or [`each`], driven by a table of their messages, and
//! are written as protobuf while they are read. Others pull their values out one by one with [`pull::Json`].
//!
//! What holds for every format with a table: field names come in lowerCamelCase or as in the proto file; 64-bit
//! integers come as strings or numbers, enums by number or name; `null` means absent; unknown fields are skipped,
//! however deep. Refused, each with an error that says where: a field given twice, two values of a `oneof`, a
//! number out of range, nesting deeper than [`MAX_DEPTH`], bytes that are not UTF-8, halves of surrogate pairs.
//!
//! Source: <https://protobuf.dev/programming-guides/json/>.
//!
//! | file | holds |
//! |---|---|
//! | `text.rs` | JSON, token by token: structure, words |
//! | `text/` | its strings, its numbers, and skipping |
//! | `pull.rs` | values one by one, as their reader asks for them |
//! | `schema.rs` | what a table of messages says: which field has which number and kind |
//! | `walk.rs` | one walk over the text, driven by a table |
//! | `flaw.rs` | errors |

mod flaw;
pub mod pull;
pub mod schema;
#[cfg(test)]
mod tests;
mod text;
mod walk;

pub use flaw::JsonError;
pub use walk::{each, translate};

/// Most levels of values within values.
pub const MAX_DEPTH: usize = 64;
