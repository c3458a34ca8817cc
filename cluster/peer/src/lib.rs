//! The questions that the parts of the engine ask each other: one vocabulary for a shard in this process and
//! for a node elsewhere. Roles of `actors/` meet through it and never import each other.
//!
//! | file | holds |
//! |---|---|
//! | `live.rs` | what is asked within a process: answers share the memory of the one who gives them |
//! | `node.rs` | what nodes ask each other: answers are bytes |
//! | `scan.rs` | the part of a question that another node works on |
//! | `sums.rs` | which traces a node has, as numbers |
//! | `members.rs` | the cluster as one node sees it |
//! | `tenants.rs` | each tenant's part of the ring |
//! | `error.rs` | why a question has no answer |
//! | `frame/` | the questions and answers of nodes as bytes: [`docs/formats/peer.md`](../../../docs/formats/peer.md) |
//! | `grpc/` | how those travel: one gRPC call a question |
//! | `remote/` | nodes elsewhere: a [`Peer`] by connections |
//! | `serve/` | this node as others ask it |
//! | `tls.rs` | TLS between nodes |

mod error;
pub mod frame;
mod grpc;
mod live;
mod members;
mod node;
mod remote;
mod scan;
mod serve;
mod sums;
mod tenants;
mod tls;

use std::future::Future;
use std::pin::Pin;

pub use error::PeerError;
pub use live::{FindTrace, FoundParts, Live, LiveRequest};
pub use members::{Cluster, Members, Node};
pub use node::{
    BlockList, ListBlocks, MAX_RANGES, MAX_READ_BYTES, Peer, PeerBlock, Push, PushSliced, Pushed, ReadBlock,
    TraceCopy, decode_copy,
};
pub use remote::{Deadlines, DialOptions, Dialer};
pub use scan::{MAX_SCAN_BLOCKS, ScanBlocks, ScanList, ScanQuestion, Scanned, StoreBlock};
pub use serve::{PeerService, ServeCounters, ServeOptions, Served, serve};
pub use sums::{ListTraces, MAX_TRACES, TraceList, TraceSum};
pub use tenants::{TenantRing, TenantRings};
pub use tls::{ClientTls, Identity, ServerTls, TlsError};

/// An answer on its way. Dropping it ends the work on it, where the one asked can be told.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, PeerError>> + Send + 'a>>;
