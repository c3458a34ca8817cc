//! Which ranges of an object are read together.

use std::ops::Range;

/// One request: what it reads, and which of the wanted ranges lie in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub range: Range<u64>,
    pub wanted: Vec<usize>,
}

/// Joins ranges that are at most `gap` bytes apart, as long as what is read together stays within `most` bytes.
/// Every range that is not empty lies whole in one of the reads, which ascend.
pub(super) fn coalesce(ranges: &[Range<u64>], gap: u64, most: u64) -> Vec<Read> {
    let mut order: Vec<usize> = (0..ranges.len()).filter(|&at| !ranges[at].is_empty()).collect();
    order.sort_by_key(|&at| (ranges[at].start, ranges[at].end));
    let mut reads: Vec<Read> = Vec::new();
    for at in order {
        let range = &ranges[at];
        if let Some(last) = reads.last_mut() {
            let end = last.range.end.max(range.end);
            let near = range.start <= last.range.end.saturating_add(gap);
            if near && (end - last.range.start <= most || range.end <= last.range.end) {
                last.range.end = end;
                last.wanted.push(at);
                continue;
            }
        }
        reads.push(Read { range: range.clone(), wanted: vec![at] });
    }
    reads
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(ranges: &[(u64, u64)], gap: u64, most: u64, expected: &[(u64, u64, &[usize])]) {
        let ranges: Vec<_> = ranges.iter().map(|&(start, end)| start..end).collect();
        let got: Vec<_> = coalesce(&ranges, gap, most);
        let got: Vec<_> =
            got.iter().map(|read| (read.range.start, read.range.end, &read.wanted[..])).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn neighbours_are_read_together() {
        check(&[], 10, 100, &[]);
        check(&[(5, 5)], 10, 100, &[]);
        check(&[(0, 10), (20, 30)], 10, 100, &[(0, 30, &[0, 1])]);
        check(&[(0, 10), (20, 30)], 9, 100, &[(0, 10, &[0]), (20, 30, &[1])]);
        check(&[(20, 30), (0, 10)], 10, 29, &[(0, 10, &[1]), (20, 30, &[0])]);
        check(&[(0, 200), (10, 20), (190, 210)], 10, 100, &[(0, 200, &[0, 1]), (190, 210, &[2])]);
        check(&[(0, 10), (0, 10)], 0, 0, &[(0, 10, &[0, 1])]);
        check(&[(u64::MAX - 1, u64::MAX), (0, 1)], u64::MAX, u64::MAX, &[(0, u64::MAX, &[1, 0])]);
    }

    proptest! {
        #[test]
        fn every_range_lies_in_one_read(
            ranges in prop::collection::vec((0u64..1000, 0u64..100), 0..20), gap in 0u64..200, most in 0u64..300,
        ) {
            let ranges: Vec<_> = ranges.into_iter().map(|(start, len)| start..start + len).collect();
            let reads = coalesce(&ranges, gap, most);
            let mut seen: Vec<usize> = reads.iter().flat_map(|read| read.wanted.iter().copied()).collect();
            seen.sort();
            let expected: Vec<usize> = (0..ranges.len()).filter(|&at| !ranges[at].is_empty()).collect();
            prop_assert_eq!(seen, expected);
            for read in &reads {
                let longest = read.wanted.iter().map(|&at| ranges[at].end - ranges[at].start).max().unwrap();
                prop_assert!(read.range.end - read.range.start <= most.max(longest));
                for &at in &read.wanted {
                    prop_assert!(read.range.start <= ranges[at].start && ranges[at].end <= read.range.end);
                }
            }
        }
    }
}
