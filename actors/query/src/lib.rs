//! Stop 9 of 9: ask. Answers questions from live traces and blocks together.
//!
//! Live parts are asked for first and blocks are looked up after, so a trace on its way from one to the other is
//! seen in at least one of them; duplicates are removed when the parts are joined.
//!
//! | file | holds |
//! |---|---|
//! | `find.rs` | trace by id |
//! | `sources.rs` | what a question works on |
//! | `live/` | live spans, searched in place |
//! | `pool.rs` | the threads that search |
//! | `ask.rs` | the questions over many traces, and their answers |

mod ask;
mod find;
mod live;
mod pool;
mod sources;

pub use ask::{
    Answers, Cursor, Explain, ExplainSource, MetricsPart, MetricsRequest, SearchPart, SearchRequest,
    SearchStats, TagScope, TagType, TagValues, TagValuesRequest, Tags, TagsRequest,
};
pub use find::{FoundTrace, Querier, QueryError, Sources};
