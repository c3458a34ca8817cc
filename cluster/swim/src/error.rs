//! What can be wrong with a value that somebody gave, or with bytes that somebody sent.

/// Why a value or some bytes were refused. Nothing was changed by them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A node's gossip address. Others cannot send there; give one that they can.
    #[error("`{0}` is no address to gossip to: expected one host's address and a port other than 0")]
    Address(String),
    /// A node's record has a field that cannot be announced.
    #[error("the record's {field} is {found}, expected {expected}")]
    Record {
        /// Which field.
        field: &'static str,
        /// What it was.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A node cannot be removed.
    #[error("{name} cannot be removed: {why}")]
    Removal {
        /// Which.
        name: spanloom_ring::NodeName,
        /// Why not.
        why: &'static str,
    },
    /// A key of the seal.
    #[error("a key of {0} bytes, expected 32")]
    Key(usize),
    /// The options contradict themselves.
    #[error("the gossip option {0}")]
    Options(&'static str),
    /// Bytes that no node of this version writes. Asking again gives the same.
    #[error("malformed gossip: {0}")]
    Malformed(&'static str),
    /// The state of another cluster: its label differs.
    #[error("state of another cluster")]
    OtherCluster,
}
