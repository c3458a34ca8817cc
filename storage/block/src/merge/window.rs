//! A sequence read one value after the other, unpacked some hundred at a time.

use std::cell::Cell;
use std::rc::Rc;

use crate::error::{OrDamaged, Result};
use crate::seq::SeqView;

/// Values that are unpacked together. A merge has a window for each column of each of its inputs, and all of them
/// should stay in the caches.
const WINDOW: u64 = 128;

/// Bytes of a mapping that come into the process's memory when one of them is touched, at most: the kernel maps what
/// lies around it, too, and where the page cache has large pages all of the page.
const FAULT_BYTES: u64 = 2 << 20;

/// How many bytes of an input's mapping may have come into memory since its pages were given back, about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touched(Rc<Cell<u64>>);

impl Touched {
    /// How many.
    #[inline]
    pub fn bytes(&self) -> u64 {
        self.0.get()
    }

    /// Some more were touched.
    pub fn add(&self, bytes: u64) {
        self.0.set(self.0.get().saturating_add(bytes.max(FAULT_BYTES)));
    }

    /// The pages were given back.
    pub fn clear(&self) {
        self.0.set(0);
    }
}

/// A sequence, and those of its values that are unpacked.
pub(crate) struct Window<'a> {
    values: Vec<u64>,
    from: u64,
    next: u64,
    seq: Box<SeqView<'a>>,
    touched: Touched,
}

impl<'a> Window<'a> {
    /// Begins before the first value. What is read counts as touched.
    pub fn new(seq: SeqView<'a>, touched: &Touched) -> Self {
        Self { values: Vec::new(), from: 0, next: 0, seq: Box::new(seq), touched: touched.clone() }
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

    /// Something else of the input was read for a value.
    pub fn touch(&self) {
        self.touched.add(0);
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
        if !matches!(*self.seq, SeqView::Const { .. }) {
            self.touched.add(0);
        }
        if let Err(error) = self.seq.read(from, &mut self.values) {
            self.values.clear();
            return Err(error);
        }
        let value = self.values.get((at - from) as usize).copied();
        value.or_damaged("an integer lies outside of its sequence")
    }
}
