//! A block searched: which rows satisfy a question's filters.
//!
//! | file | holds |
//! |---|---|
//! | `scan.rs` | filters over a block, row group by row group |
//! | `node.rs` | a filter over the columns of one block |
//! | `group.rs` | filters over one row group: by class, then by column, then by row |
//! | `attribute.rs` | the rows in which an attribute or a field matches |
//! | `column.rs` | the values of a column that match |
//! | `judge.rs` | a matcher made ready for columns |
//! | `source.rs` | where an attribute comes from |
//! | `rows.rs` | rows of a table by class or shape, and the places of their values |
//! | `ids.rs` | traces and parents of rows |
//! | `reckon.rs` | conditions over several values, row by row |
//! | `bits.rs` | sets of rows |
//! | `counters.rs` | what a search has looked at |
//!
//! **Invariant:** a search holds memory for one row group and for what it found out about dictionaries, and for no
//! more than the block's bytes bear out.

pub(crate) mod attribute;
pub(crate) mod bits;
pub(crate) mod column;
pub(crate) mod counters;
pub(crate) mod group;
pub(crate) mod ids;
pub(crate) mod judge;
pub(crate) mod node;
pub(crate) mod reckon;
pub(crate) mod rows;
pub(crate) mod scan;
pub(crate) mod source;

pub use bits::Bits;
pub use counters::Counters;
pub use scan::{Matches, Scan};
