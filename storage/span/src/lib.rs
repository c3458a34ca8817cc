//! What a span is: ids, tenants, values, the sliced batch of a request, and the whole trace.
//!
//! Spans are kept as the OTLP bytes they came in. This crate holds the one walk that checks those bytes and
//! slices them by trace ([`slice`]), the views that read them in place ([`view`]), and the owned form of an
//! answered trace ([`model`]) with its way back to bytes ([`encode`]).
//!
//! | file | holds |
//! |---|---|
//! | `id.rs` | trace and span ids |
//! | `tenant.rs` | whose spans they are |
//! | `proto.rs` | protobuf wire format: a bounded reader, a writer |
//! | `batch.rs` | a checked request, its bytes as they came, sliced by trace |
//! | `extract.rs` | some of its traces as a request of its own |
//! | `index.rs` | its slices as bytes, for whoever is sent the request |
//! | `slice.rs` | stop 2 of the walk: bytes in, batch out |
//! | `view.rs` | a span's fields read in place |
//! | `model.rs` | owned spans, resources, traces: what an answer is made of |
//! | `decode.rs` | bytes to the owned form |
//! | `encode.rs` | the owned form to OTLP bytes |
//! | `join.rs` | parts of a trace into one, duplicates removed |
//!
//! **Invariant:** no runtime and no IO here.

pub mod batch;
pub mod decode;
pub mod encode;
mod extract;
pub mod id;
pub mod index;
pub mod join;
pub mod model;
pub mod proto;
pub mod slice;
pub mod tenant;
pub mod view;

pub use batch::{Batch, ResourceSlice, ScopeSlice, SpanSlice, TraceGroup, TracePart};
pub use id::{SpanId, TraceId};
pub use tenant::Tenant;
