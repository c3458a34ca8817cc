//! The slice and the place in it. Nothing here looks past the end or believes a length.

use crate::foreign::{Fault, Foreign};

use super::Limits;

/// A place in a message.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    whole: &'a [u8],
    /// What is left of it. Kept instead of a position: then a read is one comparison and one step.
    rest: &'a [u8],
    pub(super) limits: Limits,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(whole: &'a [u8], limits: Limits) -> Result<Self, Foreign> {
        if whole.len() > limits.max_bytes {
            return Err(over(0, whole.len(), "bytes in the message", limits.max_bytes));
        }
        Ok(Self { whole, rest: whole, limits })
    }

    /// Bytes read so far.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.whole.len() - self.rest.len()
    }

    /// Bytes that are left.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// What is left.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Goes on with what is left after a part of [`Cursor::rest`].
    #[inline]
    pub(super) fn go_on(&mut self, rest: &'a [u8]) {
        self.rest = rest;
    }

    /// What was read since a position.
    #[inline]
    pub(super) fn since(&self, position: usize) -> &'a [u8] {
        self.whole.get(position..self.at()).unwrap_or_default()
    }

    /// Passes over these bytes if they come next.
    #[inline]
    pub(super) fn again(&mut self, bytes: &[u8]) -> bool {
        match self.rest.split_at_checked(bytes.len()) {
            Some((next, rest)) if next == bytes => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Foreign> {
        match self.rest.split_first() {
            Some((byte, rest)) => {
                self.rest = rest;
                Ok(*byte)
            }
            None => Err(self.truncated(1)),
        }
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Foreign> {
        match self.rest.split_first_chunk::<N>() {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(*bytes)
            }
            None => Err(self.truncated(N)),
        }
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Foreign> {
        match self.rest.split_at_checked(count) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(self.truncated(count)),
        }
    }

    /// A string's bytes, after its length was read.
    #[inline]
    pub(super) fn string(&mut self, length: usize) -> Result<&'a [u8], Foreign> {
        if length > self.limits.max_string_bytes {
            return Err(over(self.at(), length, "bytes in a string", self.limits.max_string_bytes));
        }
        self.take(length)
    }

    /// Whether a container of so many elements, each of at least `least` bytes, can be.
    #[inline]
    pub(super) fn container(&self, count: usize, least: usize) -> Result<(), Foreign> {
        if count > self.limits.max_elements {
            return Err(over(self.at(), count, "elements in a container", self.limits.max_elements));
        }
        match count.checked_mul(least) {
            Some(bytes) if bytes <= self.left() => Ok(()),
            _ => Err(self.truncated(count.saturating_mul(least))),
        }
    }

    #[cold]
    fn truncated(&self, wanted: usize) -> Foreign {
        let found = match self.left() {
            0 => "the end".to_owned(),
            1 => "1 byte".to_owned(),
            left => format!("{left} bytes"),
        };
        Foreign::new(Fault::Truncated, self.at(), found, format!("at least {wanted}"))
    }
}

/// A count over a limit.
#[cold]
pub(super) fn over(at: usize, found: usize, what: &str, limit: usize) -> Foreign {
    Foreign::new(Fault::Limit, at, format!("{found} {what}"), format!("at most {limit}"))
}

/// Something that is not of its format.
#[cold]
pub(super) fn malformed(at: usize, found: String, expected: &'static str) -> Foreign {
    Foreign::new(Fault::Malformed, at, found, expected)
}
