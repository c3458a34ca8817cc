//! OTLP/JSON to OTLP protobuf: an `ExportTraceServiceRequest` as text, written as bytes while it is read.
//!
//! OTLP's JSON is protobuf's JSON with its own rules: trace and span ids are hexadecimal, enums are numbers (names
//! are taken too), unknown fields are skipped. Field names come in lowerCamelCase or as in the proto file. 64-bit
//! integers come as strings or numbers, and `null` means absent. What a request may not have, each with an error
//! that says where: a field given twice, two values in one `AnyValue`, an id of the wrong length, a number out of
//! range, nesting deeper than [`MAX_DEPTH`], bytes that are not UTF-8.
//!
//! The result is never longer than the text. Sources: the OTLP specification (section "JSON Protobuf Encoding"),
//! <https://protobuf.dev/programming-guides/json/>.
//!
//! | file | holds |
//! |---|---|
//! | `schema.rs` | the messages: which field has which number and kind |
//! | `read.rs` | one walk over the text, driven by the schema |

mod read;
mod schema;
#[cfg(test)]
mod tests;

/// Most levels of values within values. The check of the protobuf form may ask for fewer.
pub const MAX_DEPTH: usize = 64;

/// Why a text is not an OTLP/JSON request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the JSON is wrong at {} (line {line} column {column}): {message}", PathText(path))]
pub struct JsonError {
    /// Where, such as `resourceSpans[0].scopeSpans[2].spans[1].traceId`; empty at the top.
    pub path: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1.
    pub column: usize,
    /// What was found and what was expected.
    pub message: String,
}

struct PathText<'a>(&'a str);

impl std::fmt::Display for PathText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "its top" } else { self.0 })
    }
}

/// Translates a request.
pub fn to_proto(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    read::translate(json)
}
