//! One field against constants.

use super::pattern::Pattern;
use super::set::ValueSet;
use crate::value::{CompareOp, OwnedValue, Value, compare};

/// What a value is held against.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// The value is nil.
    Nil,
    /// The value is not nil.
    NotNil,
    /// The value is this boolean (not an array of it): `{ .a }`, `{ !.a }`.
    Is(bool),
    /// `value op constant`.
    Compare(CompareOp, OwnedValue),
    /// `value = constant` for one of the constants.
    OneOf(ValueSet),
    /// `value != constant` for each of the constants, which can all be compared with each other.
    NoneOf(ValueSet),
    /// `value =~ pattern` for one of the patterns.
    Regex(Pattern),
    /// `value !~ pattern` for each of the patterns.
    NotRegex(Pattern),
}

impl Matcher {
    /// Whether it holds for one value of the field.
    #[inline]
    pub fn matches(&self, value: Value<'_>) -> bool {
        match self {
            Matcher::Nil => value == Value::Nil,
            Matcher::NotNil => value != Value::Nil,
            Matcher::Is(wanted) => value == Value::Bool(*wanted),
            Matcher::Compare(op, constant) => compare(*op, value, constant.as_value()),
            Matcher::OneOf(set) => set.contains(value),
            Matcher::NoneOf(set) => set.excludes(value),
            Matcher::Regex(pattern) => pattern.matches(value),
            Matcher::NotRegex(pattern) => pattern.excludes(value),
        }
    }

    /// Whether it can hold for a field that is not there. Of all matchers only [`Matcher::Nil`] can.
    pub fn matches_nil(&self) -> bool {
        matches!(self, Matcher::Nil)
    }
}
