//! A sequence read one value after the other, unpacked some hundred at a time.

use crate::error::{OrDamaged, Result};
use crate::seq::SeqView;

/// Values that are unpacked together. A merge has a window for each column of each of its inputs, and all of them
/// should stay in the caches.
const WINDOW: u64 = 128;

/// A sequence, and those of its values that are unpacked.
pub(crate) struct Window<'a> {
    values: Vec<u64>,
    from: u64,
    next: u64,
    seq: Box<SeqView<'a>>,
}

impl<'a> Window<'a> {
    /// Begins before the first value.
    pub fn new(seq: SeqView<'a>) -> Self {
        Self { values: Vec::new(), from: 0, next: 0, seq: Box::new(seq) }
    }

    /// The value at `at`. Values in ascending order cost least.
    #[inline]
    pub fn get(&mut self, at: u64) -> Result<u64> {
        match self.values.get(at.wrapping_sub(self.from) as usize) {
            Some(value) => Ok(*value),
            None => self.unpack(at),
        }
    }

    /// The next value.
    #[inline]
    pub fn next(&mut self) -> Result<u64> {
        let value = self.get(self.next)?;
        self.next += 1;
        Ok(value)
    }

    /// Passes over a value.
    pub fn skip(&mut self) {
        self.next += 1;
    }

    #[cold]
    fn unpack(&mut self, at: u64) -> Result<u64> {
        let from = at / WINDOW * WINDOW;
        let count = self.seq.len().saturating_sub(from).min(WINDOW);
        self.values.clear();
        self.values.resize(count as usize, 0);
        self.from = from;
        if let Err(error) = self.seq.read(from, &mut self.values) {
            self.values.clear();
            return Err(error);
        }
        let value = self.values.get((at - from) as usize).copied();
        value.or_damaged("an integer lies outside of its sequence")
    }
}
