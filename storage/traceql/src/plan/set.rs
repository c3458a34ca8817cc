//! Many constants as one lookup.

use std::collections::HashSet;
use std::sync::Arc;

use crate::value::{OwnedValue, Value, elements};

/// The constants that one field is compared with by equality. Clones share one.
#[derive(Debug, Clone, Default)]
pub struct ValueSet(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    constants: Vec<OwnedValue>,
    texts: HashSet<Box<[u8]>>,
    /// Ints and durations.
    whole: HashSet<i64>,
    /// Ints and durations as floats, then floats: their bits, zero without sign.
    whole_as_floats: HashSet<u64>,
    floats: HashSet<u64>,
    others: Vec<OwnedValue>,
}

impl ValueSet {
    /// A set of constants; those that are equal to nothing are left out.
    pub fn new(constants: impl IntoIterator<Item = OwnedValue>) -> Self {
        let mut inner = Inner::default();
        for constant in constants {
            let fresh = match constant.as_value() {
                Value::Text(text) => inner.texts.insert(text.into()),
                Value::Int(value) | Value::Duration(value) => {
                    inner.whole_as_floats.insert(bits(value as f64));
                    inner.whole.insert(value)
                }
                Value::Float(value) => !value.is_nan() && inner.floats.insert(bits(value)),
                Value::Bool(_) | Value::Status(_) | Value::Kind(_) => {
                    let fresh = !inner.others.contains(&constant);
                    inner.others.extend(fresh.then(|| constant.clone()));
                    fresh
                }
                _ => false,
            };
            inner.constants.extend(fresh.then_some(constant));
        }
        Self(Arc::new(inner))
    }

    /// The constants, in the order of the query, each once.
    pub fn constants(&self) -> &[OwnedValue] {
        &self.0.constants
    }

    /// Whether `value = constant` holds for one of the constants.
    #[inline]
    pub fn contains(&self, value: Value<'_>) -> bool {
        match value {
            Value::Array(body) => elements(body).any(|element| self.contains_single(element)),
            value => self.contains_single(value),
        }
    }

    /// Whether `value != constant` holds for each of the constants, which are all of one class: a value of another
    /// class does not go with them.
    #[inline]
    pub fn excludes(&self, value: Value<'_>) -> bool {
        match value {
            Value::Array(body) => !elements(body).any(|element| self.contains_single(element)),
            value => {
                Class::of(value).is_some_and(|class| self.class() == Some(class))
                    && !self.contains_single(value)
            }
        }
    }

    #[inline]
    fn contains_single(&self, value: Value<'_>) -> bool {
        let inner = &*self.0;
        match value {
            Value::Text(text) => inner.texts.contains(text),
            Value::Int(value) | Value::Duration(value) => {
                inner.whole.contains(&value)
                    || !inner.floats.is_empty() && inner.floats.contains(&bits(value as f64))
            }
            Value::Float(value) => {
                let bits = bits(value);
                inner.floats.contains(&bits) || inner.whole_as_floats.contains(&bits)
            }
            Value::Bool(_) | Value::Status(_) | Value::Kind(_) => {
                inner.others.iter().any(|constant| constant.as_value() == value)
            }
            _ => false,
        }
    }

    fn class(&self) -> Option<Class> {
        self.0.constants.first().and_then(|constant| Class::of(constant.as_value()))
    }
}

fn bits(value: f64) -> u64 {
    if value == 0.0 { 0 } else { value.to_bits() }
}

/// Values of one class can be compared with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Strings.
    Text,
    /// Ints, floats and durations.
    Number,
    /// Booleans.
    Bool,
    /// Statuses.
    Status,
    /// Kinds.
    Kind,
}

impl Class {
    /// The class of a value, if it has one.
    #[inline]
    pub fn of(value: Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Text(_) => Class::Text,
            Value::Int(_) | Value::Float(_) | Value::Duration(_) => Class::Number,
            Value::Bool(_) => Class::Bool,
            Value::Status(_) => Class::Status,
            Value::Kind(_) => Class::Kind,
            _ => return None,
        })
    }
}
