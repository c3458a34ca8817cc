//! Parameters of a request, and what is said when one is wrong: its name, what was found, what was expected.

use std::str::FromStr;

use crate::{QueryError, time};

/// Most characters of a wrong value that are shown.
const MOST_SHOWN: usize = 200;

/// What stands behind the `?`, in the order given. A parameter without a value is as good as none; of one that is
/// given twice the first counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(pub Vec<(String, String)>);

impl Params {
    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// The same, as it is handed on.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// A number or whatever else is read by its type.
    pub fn parsed<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, QueryError> {
        self.read(name, expected, |value| value.parse().ok())
    }

    /// A count.
    pub fn count(&self, name: &str) -> Result<Option<u64>, QueryError> {
        self.parsed(name, "a whole number")
    }

    /// Yes or no.
    pub fn flag(&self, name: &str) -> Result<bool, QueryError> {
        let flag = self.read(name, "true or false", |value| match value {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            _ => None,
        });
        flag.map(Option::unwrap_or_default)
    }

    /// A point in time, nanoseconds since 1970.
    pub fn time(&self, name: &str) -> Result<Option<u64>, QueryError> {
        self.read(
            name,
            "seconds or nanoseconds since 1970, or a time such as 2026-01-02T03:04:05Z",
            time::point,
        )
    }

    /// A duration, nanoseconds.
    pub fn duration(&self, name: &str) -> Result<Option<u64>, QueryError> {
        self.read(name, "a duration such as 100ms or 1h30m", time::duration)
    }

    /// A parameter by its own rules.
    pub fn read<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, QueryError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| wrong(name, value, expected))
    }
}

/// What is said of a parameter that is wrong.
pub(crate) fn wrong(name: &str, found: &str, expected: &str) -> QueryError {
    QueryError::Invalid(format!("{name} is {:?}, expected {expected}", shown(found)))
}

/// A value by its beginning, when it is long.
pub(crate) fn shown(value: &str) -> &str {
    value.char_indices().nth(MOST_SHOWN).map_or(value, |(end, _)| &value[..end])
}
