//! Names of nodes and of zones, checked once.

use std::fmt;
use std::sync::Arc;

/// Most bytes in a node's name: what a DNS label, and so a host's or a pod's name, may have.
pub const MAX_NAME_BYTES: usize = 63;

/// The name of a node: 1 to 63 bytes of ASCII letters, digits and `-_.`, the first of them a letter or digit.
/// Names are compared byte by byte; `A` and `a` are two nodes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

/// The name of a zone, by the same rules as a node's name; or none, which is a zone like any other: members that
/// name no zone are taken to share one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(Arc<str>);

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or longer than [`MAX_NAME_BYTES`].
    #[error("the {what}'s name has {found} bytes, expected 1 to {MAX_NAME_BYTES}")]
    Length {
        /// Whose name: `node` or `zone`.
        what: &'static str,
        /// Bytes that it has.
        found: usize,
    },
    /// A character outside the allowed ones.
    #[error("the {what}'s name has {found:?}, expected ASCII letters, digits and -_.")]
    Character {
        /// Whose name: `node` or `zone`.
        what: &'static str,
        /// The first such character.
        found: char,
    },
    /// It starts with `-`, `_` or `.`.
    #[error("the {what}'s name starts with {found:?}, expected an ASCII letter or digit")]
    Start {
        /// Whose name: `node` or `zone`.
        what: &'static str,
        /// The first character.
        found: char,
    },
}

fn checked(what: &'static str, name: &str) -> Result<Arc<str>, NameError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(NameError::Length { what, found: name.len() });
    }
    if let Some(found) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(*c))) {
        return Err(NameError::Character { what, found });
    }
    match name.chars().next() {
        Some(found) if !found.is_ascii_alphanumeric() => Err(NameError::Start { what, found }),
        _ => Ok(name.into()),
    }
}

impl NodeName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, NameError> {
        checked("node", name).map(Self)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Zone {
    /// Checks a name; an empty one is [`Zone::none`].
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.is_empty() { Ok(Self::none()) } else { checked("zone", name).map(Self) }
    }

    /// The zone of members that name none.
    pub fn none() -> Self {
        Self("".into())
    }

    /// The name; empty for none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_say_what_was_found() {
        for good in ["a", "spanloom-0", "10.0.0.1", "Node_7.rack-2", &"n".repeat(63)] {
            assert_eq!(NodeName::new(good).unwrap().as_str(), good);
            assert_eq!(Zone::new(good).unwrap().as_str(), good);
        }
        let check = |bad: &str, expected: &str| {
            assert_eq!(NodeName::new(bad).unwrap_err().to_string(), expected, "{bad:?}");
        };
        check("", "the node's name has 0 bytes, expected 1 to 63");
        check(&"n".repeat(64), "the node's name has 64 bytes, expected 1 to 63");
        check("a b", "the node's name has ' ', expected ASCII letters, digits and -_.");
        check("knoté", "the node's name has 'é', expected ASCII letters, digits and -_.");
        check("-a", "the node's name starts with '-', expected an ASCII letter or digit");
        check("..", "the node's name starts with '.', expected an ASCII letter or digit");
        assert_eq!(Zone::new("").unwrap(), Zone::none());
        let zone = Zone::new("a/b").unwrap_err().to_string();
        assert_eq!(zone, "the zone's name has '/', expected ASCII letters, digits and -_.");
    }
}
