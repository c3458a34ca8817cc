//! One field against constants.

/// What a value is held against.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// The value is nil.
    Nil,
    /// The value is not nil.
    NotNil,
}
