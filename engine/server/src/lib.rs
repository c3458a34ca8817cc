//! Spanloom as a library: the engine that the binary runs, for programs that embed it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use spanloom_server::{Engine, SpanBatch, Tenant, TraceId};
//!
//! let engine = Engine::builder().data_dir("./my-data").start().await?;
//! # let otlp_bytes = Vec::new();
//! engine.push(&Tenant::default(), SpanBatch::from_otlp(otlp_bytes)).await?;
//! let found = engine.trace(&Tenant::default(), TraceId::parse("1")?).await?;
//! engine.stop().await?;
//! # Ok(()) }
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `engine.rs` | the engine: start, push, trace, search, metrics, flush, stop |
//! | `builder.rs` | how it is put together |
//! | `batch.rs` | spans to push |
//! | `redact/` | spans deleted from all blocks, with lines in the audit log |
//! | `listen.rs` | the engine behind listeners and the query API |
//! | `status.rs` | what the status page and the metrics show |
//! | `cluster/` | membership: who is there, and who owns what |
//! | `among.rs`, `node.rs` | this node among others, and as others ask it |
//! | `lock.rs` | one engine a data directory |
//! | `config/` | the configuration |
//! | `cli/` | the command line |

mod among;
pub mod batch;
pub mod builder;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod engine;
mod listen;
mod lock;
mod node;
pub mod redact;
mod status;
mod store;

pub use batch::SpanBatch;
pub use builder::{Builder, StartError};
pub use config::Config;
pub use engine::{Engine, PushError, Started, TraceError};
pub use redact::RedactError;
pub use spanloom_api::{RedactRequest, RedactWhat, Redacted, RewrittenBlock};
pub use spanloom_ingest::{Accepted, Refusal};
pub use spanloom_query::{
    Answers, Cursor, Explain, ExplainSource, FoundTrace, GraphEdge, GraphNode, GraphRequest, MetricsPart,
    MetricsRequest, NodeKind, QueryError, SearchPart, SearchRequest, SearchStats, ServiceGraph,
};
pub use spanloom_span::{SpanId, Tenant, TraceId, model};
pub use spanloom_traceql::answer;
