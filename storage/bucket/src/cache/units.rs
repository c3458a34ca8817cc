//! Which units a range takes, and runs of them.

use std::ops::Range;

/// Bytes of a unit: what is brought and kept at once. Smaller ones bring less that nobody asked for; larger ones
/// take fewer requests of a shared cache.
pub const UNIT: u64 = 64 << 10;

/// Units that are missing between two that are wanted are brought along when they are no more than these: another
/// request costs more than their bytes.
const GAP: u32 = 4;

/// Most units of a run: 8 MiB.
const LONGEST: u32 = 128;

/// The units that some bytes lie in.
pub(super) fn units_of(range: &Range<u64>) -> Range<u32> {
    if range.is_empty() {
        return 0..0;
    }
    (range.start / UNIT) as u32..range.end.div_ceil(UNIT) as u32
}

/// The bytes of some units of a file of `len` bytes.
pub(super) fn bytes_of(units: &Range<u32>, len: u64) -> Range<u64> {
    u64::from(units.start) * UNIT..(u64::from(units.end) * UNIT).min(len)
}

/// Joins units, which are ascending, into runs; near ones are joined where all between them may be brought, too.
pub(super) fn runs(units: &[u32], may_bring: impl Fn(u32) -> bool) -> Vec<Range<u32>> {
    let mut out: Vec<Range<u32>> = Vec::new();
    for &unit in units {
        let last = out.last_mut().filter(|last| {
            unit - last.start < LONGEST && unit - last.end <= GAP && (last.end..unit).all(&may_bring)
        });
        match last {
            Some(last) => last.end = unit + 1,
            None => out.push(unit..unit + 1),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of ranges, some of one")]
mod tests {
    use super::*;

    #[test]
    fn a_range_lies_in_these_units() {
        let check =
            |range: Range<u64>, expected: Range<u32>| assert_eq!(units_of(&range), expected, "{range:?}");
        check(0..0, 0..0);
        check(5..5, 0..0);
        check(0..1, 0..1);
        check(0..UNIT, 0..1);
        check(UNIT - 1..UNIT + 1, 0..2);
        check(3 * UNIT..4 * UNIT + 1, 3..5);
        assert_eq!(bytes_of(&(3..5), 4 * UNIT + 7), 3 * UNIT..4 * UNIT + 7);
    }

    #[test]
    fn near_units_are_brought_together() {
        let check = |units: &[u32], here: &[u32], expected: &[Range<u32>]| {
            assert_eq!(runs(units, |unit| !here.contains(&unit)), expected, "{units:?} {here:?}");
        };
        check(&[], &[], &[]);
        check(&[1, 2, 3], &[], &[1..4]);
        check(&[1, 6], &[], &[1..7]);
        check(&[1, 7], &[], &[1..2, 7..8]);
        check(&[1, 3], &[2], &[1..2, 3..4]);
        let many: Vec<u32> = (0..300).collect();
        check(&many, &[], &[0..128, 128..256, 256..300]);
    }
}
