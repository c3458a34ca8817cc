//! A node's name: what stays the same when the node restarts.

use std::fmt;
use std::sync::Arc;

use crate::Error;

/// Longest name in bytes: that of a DNS label, and so of a pod.
pub const NAME_MAX: usize = 63;

/// The name of a node, unique in its cluster: 1 to 63 ASCII letters, digits, `.`, `-` and `_`, beginning with a
/// letter or digit. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, Error> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if !first || name.len() > NAME_MAX || !name.bytes().all(good) {
            return Err(Error::Name(name.chars().take(NAME_MAX + 1).collect()));
        }
        Ok(Self(name.into()))
    }

    /// Nobody's name: stands for whoever listens at an address, whose name is not known yet.
    pub(crate) fn whoever() -> Self {
        Self("".into())
    }

    pub(crate) fn is_whoever(&self) -> bool {
        self.0.is_empty()
    }

    /// As text.
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
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let check = |name: &str, good: bool| assert_eq!(NodeName::new(name).is_ok(), good, "{name:?}");
        check("a", true);
        check("spanloom-ingester-0", true);
        check("10.0.0.7_b", true);
        check(&"n".repeat(63), true);
        check(&"n".repeat(64), false);
        check("", false);
        check("-a", false);
        check("a b", false);
        check("a\n", false);
        check("ä", false);
    }
}
