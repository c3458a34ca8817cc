//! Many integers of a sequence at once.

use crate::error::{OrDamaged, Result};
use crate::seq::SeqView;

/// Many integers of a sequence at once.
pub(crate) trait Unpack {
    /// Fills `out` with the values from `from` on; an error when the sequence ends before.
    fn unpack(&self, from: u64, out: &mut [u64]) -> Result<()>;
}

impl Unpack for SeqView<'_> {
    fn unpack(&self, from: u64, out: &mut [u64]) -> Result<()> {
        let done = match self {
            Self::Const { value, len } => {
                let end = from.checked_add(out.len() as u64).filter(|end| end <= len);
                end.map(|_| out.fill(*value))
            }
            Self::Packed(packed) => packed.unpack(from, out),
            Self::Dict { distinct, codes } => codes.unpack(from, out).and_then(|()| {
                out.iter_mut().try_for_each(|value| {
                    *value = distinct.get(*value)?;
                    Some(())
                })
            }),
        };
        done.or_damaged("an integer lies outside of its sequence")
    }
}
