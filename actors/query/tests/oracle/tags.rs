//! Naive names and values of tags.
