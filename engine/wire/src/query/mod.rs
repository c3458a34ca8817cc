//! The query API's messages: requests over gRPC read, answers written as JSON and as protobuf.
//!
//! | file | holds | message |
//! |---|---|---|
//! | `inspected.rs` | what an answer took | `SearchMetrics`, `MetadataMetrics` |
//! | `attributes.rs` | names with values | `KeyValue` |
//! | `search.rs` | traces that were found | `SearchResponse` |
//! | `tags.rs` | names of attributes, and their values | `SearchTagsResponse`, `…V2Response`, `SearchTagValues…` |
//! | `series.rs` | series | `QueryRangeResponse`, `QueryInstantResponse` |
//! | `request.rs` | what is asked over gRPC | `SearchRequest`, `SearchTagsRequest`, … |
//!
//! Names and numbers of fields are those of `pkg/tempopb/tempo.proto` (Apache-2.0), which clients are built from.
//! The JSON is the dialect that they decode strictly, so that one unknown key fails the whole answer:
//! lowerCamelCase, zero values and empty lists left out, 64-bit integers as strings, 32-bit ones as numbers,
//! `"NaN"` and `"Infinity"` as strings.
//!
//! An answer is written straight into one buffer.

mod attributes;
mod inspected;
pub mod request;
pub mod search;
pub mod series;
pub mod tags;
#[cfg(test)]
mod tests;

pub use inspected::Inspected;
