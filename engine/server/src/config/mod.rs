//! The configuration: YAML in, checked, documented.
//!
//! Every key has a default that works. A key that does not exist is an error which names the nearest one;
//! `${NAME}` and `${NAME:-default}` are filled in from the environment first.
//!
//! | file | holds |
//! |---|---|
//! | `keys.rs` | every key, its default and how to choose it |
//! | `store_keys.rs`, `cluster_keys.rs` | those of the store, of the cluster |
//! | `read.rs` | text to configuration, with clear errors |
//! | `derive.rs` | checks across keys, and what the roles are given |
//! | `store.rs`, `cluster.rs` | what the store is given, what the cluster is |
//! | `page.rs` | `docs/CONFIG.md` |
//! | `section.rs` | the macro that declares keys |
//! | `units.rs` | durations and sizes |

mod cluster;
mod cluster_keys;
mod derive;
mod hidden;
mod keys;
mod page;
mod read;
pub(crate) mod section;
mod store;
mod store_keys;
pub mod units;

pub use cluster_keys::{ClusterSection, PresetKey};
pub use keys::{
    Config, DurabilityKey, HostingKey, LimitsConfig, LogConfig, MemoryConfig, QueryConfig, ReceiveSection,
    SealConfig, TraceConfig,
};
pub use page::page;
pub use read::{ConfigError, from_file, from_text};
