//! Blocks as files for other programs: Parquet, a row for each span, and OTLP JSON, a trace on each line.
//! `docs/EXPORT.md` says what is in them.
//!
//! | file | holds |
//! |---|---|
//! | `export.rs` | what is asked of an export, and its course: trace by trace |
//! | `parquet_file.rs` | rows into row groups of a Parquet file |
//! | `schema.rs` | which columns a row has |
//! | `row.rs` | a span's row, shredded into its columns |
//! | `leaf.rs` | the values of one column, until its row group is written |
//! | `value.rs` | an attribute's value as text with its type |
//! | `json_lines.rs` | traces as lines of OTLP JSON |
//! | `error.rs` | what can go wrong |
//!
//! **Invariant:** what an export holds does not grow with its blocks. It is: a trace, a row group or a line, and what
//! the Parquet footer says of each row group.

mod error;
mod export;
mod json_lines;
mod leaf;
mod parquet_file;
mod row;
mod schema;
mod value;

pub use error::ExportError;
pub use export::{About, ExportOptions, Exported, Format, Input, Progress, export};
pub use json_lines::MAX_LINE_BYTES;
pub use schema::SCHEMA_VERSION;
