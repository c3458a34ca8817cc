//! Which spans a trace has, as a number: two copies of a trace that have the same spans have the same digest, whatever
//! way each came to its spans.
//!
//! A digest is the sum of a number for each span, which its id and kind give; spans that agree in both are one. So the
//! digests of parts that have no span in common add up to that of the whole. It says nothing of the spans' contents.
//! Of copies that differ one in 2^32 is taken to be equal; how many spans each has is to be compared as well.

/// A span's share of its trace's digest, of its id as a big-endian integer and OTLP's number of its kind. The digest is
/// the sum of these modulo 2^32 (`docs/formats/block.md`, "Digests").
pub fn of_span(id: u64, kind: i32) -> u32 {
    // The finalizer of SplitMix64, on an odd multiple of the kind and the id.
    let mut x = id ^ u64::from(kind as u32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_never_change() {
        // Kept in files: of another value old blocks would lie.
        let found = [of_span(0, 0), of_span(1, 0), of_span(1, 2), of_span(u64::MAX, -1)];
        assert_eq!(found, [0, 1_452_414_493, 3_203_108_257, 983_259_074]);
    }
}
