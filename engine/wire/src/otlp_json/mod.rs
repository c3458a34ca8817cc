//! OTLP/JSON to OTLP protobuf: an `ExportTraceServiceRequest` as text, written as bytes while it is read.
//!
//! OTLP's JSON is protobuf's JSON (see [`crate::json_in`]) with its own rules: trace and span ids are hexadecimal,
//! enums are numbers (names are taken too), unknown fields are skipped. Ids of the wrong length are refused.
//!
//! The result is never longer than the text. Source: the OTLP specification (section "JSON Protobuf Encoding").

mod schema;
#[cfg(test)]
mod tests;

pub use crate::json_in::{JsonError, MAX_DEPTH};

/// Translates a request.
pub fn to_proto(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    crate::json_in::translate(json, &schema::REQUEST).map_err(|flaw| flaw.json_error(json))
}
