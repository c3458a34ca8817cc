//! A text of the configuration that nobody is shown.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A secret of the configuration: a key, a token, a password. Wherever the configuration is shown it is `***`, and empty
/// where it is empty.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// The text itself; `None` when it is empty.
    pub(crate) fn reveal(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|text| !text.is_empty())
    }

    fn shown(&self) -> &'static str {
        if self.0.is_empty() { "" } else { "***" }
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.shown(), f)
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_not_shown() {
        let check = |yaml: &str, expected: &str| {
            let found: Hidden = serde_saphyr::from_str(yaml).unwrap();
            assert_eq!(serde_json::to_string(&found).unwrap(), expected);
            assert_eq!(format!("{found:?}"), expected);
        };
        check("\"\"", "\"\"");
        check("wJalrXUtnFEMI", "\"***\"");
    }
}
