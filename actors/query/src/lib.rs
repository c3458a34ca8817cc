//! Stop 9 of 9: ask. Answers questions from live traces and blocks together.
//!
//! Live parts are asked for first and blocks are looked up after, so a trace on its way from one to the other is
//! seen in at least one of them; duplicates are removed when the parts are joined.
//!
//! | file | holds |
//! |---|---|
//! | `find.rs` | trace by id |
//! | `options.rs` | what can be set |
//! | `asked.rs` | what every kind of question has beside its own work |
//! | `kind.rs` | what kinds of questions have in common |
//! | `question.rs` | a question under way |
//! | `querier.rs` | takes questions |
//! | `search.rs` | the newest traces that a query finds |
//! | `select.rs` | the ids of all traces or spans that a query matches |
//! | `series.rs` | the series that a query makes of spans over time |
//! | `graph/` | which service calls which |
//! | `columns.rs` | what the columns of a block say to a plan |
//! | `listing.rs` | which attributes there are, and which values a field has |
//! | `explain.rs` | how an answer was found |
//! | `top.rs` | the newest traces found so far |
//! | `desk.rs` | where one thread judges traces |
//! | `progress.rs` | how far a question is |
//! | `sources.rs` | what a question works on |
//! | `live/` | live spans in columns |
//! | `peers/` | the other nodes of a cluster |
//! | `split/` | questions that other nodes work on as well |
//! | `serve.rs` | what this node answers to them |
//! | `again.rs` | questions that are put again when another node's block cannot be read |
//! | `pool.rs` | the threads that search |
//! | `far.rs` | blocks that are elsewhere, asked at the same time |
//! | `wire.rs` | what was found, as bytes between nodes |
//! | `ask.rs` | the questions over many traces, and their answers |

mod again;
mod ask;
mod asked;
mod columns;
mod desk;
mod explain;
mod far;
mod find;
mod graph;
mod kind;
mod listing;
mod live;
mod options;
mod peers;
mod pool;
mod progress;
mod querier;
mod question;
mod search;
mod select;
mod series;
mod serve;
mod sources;
mod split;
mod top;
mod wire;

pub use ask::{
    Answers, Cursor, Explain, ExplainSource, MetricsPart, MetricsRequest, SearchPart, SearchRequest,
    SearchStats, TagScope, TagType, TagValues, TagValuesRequest, Tags, TagsRequest,
};
pub use find::{FoundTrace, QueryError, Sources};
pub use graph::{GraphEdge, GraphNode, GraphRequest, NodeKind, ServiceGraph};
pub use options::QueryOptions;
pub use querier::Querier;
pub use select::{SelectRequest, Selected, SelectedSpan};
pub use serve::Serving;
pub use split::SplitCounts;
