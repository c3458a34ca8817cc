//! Whose spans they are. A tenant's name is carried with every request, log frame, actor and block.

use std::fmt;
use std::sync::Arc;

/// Most bytes in a tenant's name.
pub const MAX_TENANT_BYTES: usize = 150;

/// The name that spans get when the sender gives none.
pub const DEFAULT_TENANT: &str = "single-tenant";

/// A checked tenant name: 1 to 150 bytes of letters, digits and `!-_.*'()`, and neither `.` nor `..`, so that
/// it can name a folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(Arc<str>);

/// Why a text is not a tenant's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantError {
    /// Empty, or longer than [`MAX_TENANT_BYTES`].
    #[error("the tenant's name has {0} bytes, expected 1 to {MAX_TENANT_BYTES}")]
    Length(usize),
    /// A character outside the allowed ones.
    #[error("the tenant's name has {0:?}, expected letters, digits and !-_.*'()")]
    Character(char),
    /// `.` or `..`
    #[error("the tenant's name is {0:?}, which names a folder")]
    Dots(String),
}

impl Tenant {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, TenantError> {
        if name.is_empty() || name.len() > MAX_TENANT_BYTES {
            return Err(TenantError::Length(name.len()));
        }
        if let Some(c) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || "!-_.*'()".contains(*c))) {
            return Err(TenantError::Character(c));
        }
        if name == "." || name == ".." {
            return Err(TenantError::Dots(name.to_owned()));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self(DEFAULT_TENANT.into())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_a_folder_are_refused() {
        for good in ["a", "team-1", "x.y_(z)!*'", &"t".repeat(150)] {
            assert_eq!(Tenant::new(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "a/b", "a|b", "a b", "é", &"t".repeat(151)] {
            assert!(Tenant::new(bad).is_err(), "{bad:?}");
        }
    }
}
