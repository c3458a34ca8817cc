//! Which blocks there are in a store of objects, and what is to be done with them.
//!
//! A tenant's blocks are those that its manifest lists: one small object, replaced by compare-and-swap. Readers take
//! it whole, whoever changes it commits a [`Change`]; nothing is ever learnt by listing the store, but for what only
//! a listing can find: objects that nobody lists, and the blocks of a manifest that was lost.
//!
//! | file | what |
//! |---|---|
//! | `manifest.rs` | the manifest: blocks that are listed, blocks that are gone |
//! | `change.rs` | what may be changed in it, and which changes come too late |
//! | `encode.rs`, `decode.rs`, `column.rs` | its bytes: `docs/formats/manifest.md` |
//! | `names.rs` | what objects are called |
//! | `store.rs` | the catalog: reading and committing, over a store |
//! | `tenants.rs` | the list of tenants |
//! | `rebuild.rs` | a manifest made anew from the blocks |
//! | `plan/` | what to compact, retire, delete and sweep: pure |
//! | `steps/` | how that is done without losing a span, whoever dies in between |

mod change;
mod column;
mod decode;
mod encode;
mod manifest;
mod names;
pub mod plan;
mod rebuild;
pub mod steps;
mod store;
mod tenants;

pub use change::{Change, Stale};
pub use decode::{MAX_MANIFEST_BYTES, ManifestError};
pub use manifest::{BlockEntry, Gone, MAX_BLOCKS, Manifest, Reason, RetiredBy};
pub use names::{ObjectName, TENANTS_PATH, block_path, damaged_path, manifest_path};
pub use rebuild::{ReadBlock, ReadEntry, ReadError, Rebuilt};
pub use store::{Catalog, CatalogError, Pace, Timing};
pub use tenants::{TenantsError, TenantsList};
