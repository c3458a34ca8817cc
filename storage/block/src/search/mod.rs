//! A block searched.

pub(crate) mod bits;
