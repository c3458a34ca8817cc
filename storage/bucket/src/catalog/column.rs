//! Columns of numbers in runs: `docs/formats/manifest.md`, section "Runs".

use super::decode::ManifestError;

/// Most numbers of a run.
pub(super) const RUN: usize = 128;

/// What all numbers of a run may be multiples of, so that rounded times take no room for their zeros.
const SCALES: [u64; 4] = [1, 1_000, 1_000_000, 1_000_000_000];

/// Appends a run of at most [`RUN`] numbers.
pub(super) fn put_run(out: &mut Vec<u8>, values: &[u64]) {
    let scale = scale(|scale| values.iter().all(|value| value.is_multiple_of(scale)));
    pack(out, scale, values.iter().map(|value| value / SCALES[scale]));
}

/// Appends a run of at most [`RUN`] differences.
pub(super) fn put_differences(out: &mut Vec<u8>, values: &[i64]) {
    let scale = scale(|scale| values.iter().all(|value| value.unsigned_abs().is_multiple_of(scale)));
    let zigzag = |value: i64| ((value << 1) ^ (value >> 63)) as u64;
    pack(out, scale, values.iter().map(|value| zigzag(value / SCALES[scale] as i64)));
}

/// The place of the greatest scale that fits.
fn scale(fits: impl Fn(u64) -> bool) -> usize {
    SCALES.iter().rposition(|scale| fits(*scale)).unwrap_or(0)
}

fn pack(out: &mut Vec<u8>, scale: usize, values: impl Iterator<Item = u64> + Clone) {
    let base = values.clone().min().unwrap_or(0);
    let most = values.clone().max().unwrap_or(0) - base;
    let width = u64::BITS - most.leading_zeros();
    out.extend([width as u8, scale as u8]);
    put_varint(out, base);
    let (mut held, mut bits) = (0u128, 0);
    for value in values {
        held |= u128::from(value - base) << bits;
        bits += width;
        while bits >= 8 {
            out.push(held as u8);
            held >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 {
        out.push(held as u8);
    }
}

/// Appends a number in groups of seven bits, the lowest first.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The bytes that were not read yet.
#[derive(Debug)]
pub(super) struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// The next bytes.
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], ManifestError> {
        let (bytes, rest) =
            self.0.split_at_checked(len).ok_or(ManifestError::Damaged("it ends too early"))?;
        self.0 = rest;
        Ok(bytes)
    }

    /// The next number in groups of seven bits.
    pub fn varint(&mut self) -> Result<u64, ManifestError> {
        let mut value = 0u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.bytes(1)?[0];
            let part = u64::from(byte & 0x7f);
            if part << shift >> shift != part {
                break;
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ManifestError::Damaged("a number has more than 64 bits"))
    }

    /// The next run, of so many numbers, at most [`RUN`].
    pub fn run(&mut self, len: usize) -> Result<[u64; RUN], ManifestError> {
        let (scale, mut values) = self.unpack(len)?;
        for value in &mut values[..len] {
            *value =
                value.checked_mul(scale).ok_or(ManifestError::Damaged("a number has more than 64 bits"))?;
        }
        Ok(values)
    }

    /// The next run of differences.
    pub fn differences(&mut self, len: usize) -> Result<[i64; RUN], ManifestError> {
        let (scale, values) = self.unpack(len)?;
        let mut differences = [0; RUN];
        for (difference, value) in differences.iter_mut().zip(&values[..len]) {
            let small = (value >> 1) as i64 ^ -((value & 1) as i64);
            *difference = small
                .checked_mul(scale as i64)
                .ok_or(ManifestError::Damaged("a difference has more than 64 bits"))?;
        }
        Ok(differences)
    }

    fn unpack(&mut self, len: usize) -> Result<(u64, [u64; RUN]), ManifestError> {
        let head = self.bytes(2)?;
        let width = u32::from(head[0]);
        let scale =
            *SCALES.get(usize::from(head[1])).ok_or(ManifestError::Damaged("a run has no such scale"))?;
        if width > u64::BITS || len > RUN {
            return Err(ManifestError::Damaged("a run has numbers of more than 64 bits"));
        }
        let base = self.varint()?;
        let packed = self.bytes((len * width as usize).div_ceil(8))?;
        let mut values = [0; RUN];
        let (mut held, mut bits, mut next) = (0u128, 0, packed.iter());
        for value in &mut values[..len] {
            while bits < width {
                held |= u128::from(next.next().copied().unwrap_or(0)) << bits;
                bits += 8;
            }
            let low = (held & ((1u128 << width) - 1)) as u64;
            held >>= width;
            bits -= width;
            *value = base.checked_add(low).ok_or(ManifestError::Damaged("a number has more than 64 bits"))?;
        }
        Ok((scale, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_read_as_they_were_written() {
        let check = |values: &[u64], bytes: usize| {
            let mut out = Vec::new();
            put_run(&mut out, values);
            assert_eq!(out.len(), bytes, "{values:?}");
            let mut input = Input(&out);
            assert_eq!(input.run(values.len()).unwrap()[..values.len()], *values);
            assert!(input.0.is_empty());
        };
        check(&[], 3);
        check(&[0], 3);
        check(&[7; 128], 3);
        check(&[0, u64::MAX], 3 + 16);
        check(&[u64::MAX; 3], 12);
        check(&[5_000_000, 6_000_000, 8_000_000], 3 + 1);
        check(&[5_000_001, 6_000_001, 8_000_001], 2 + 4 + 9);
        check(&(0..128).map(|n| n * 1_000).collect::<Vec<_>>(), 3 + 7 * 16);
    }

    #[test]
    fn differences_read_as_they_were_written() {
        let check = |values: &[i64], bytes: usize| {
            let mut out = Vec::new();
            put_differences(&mut out, values);
            assert_eq!(out.len(), bytes, "{values:?}");
            assert_eq!(Input(&out).differences(values.len()).unwrap()[..values.len()], *values);
        };
        check(&[0], 3);
        check(&[-1, 1], 3 + 1);
        check(&[-2_000_000_000, 1_000_000_000], 3 + 1);
        check(&[i64::MIN, i64::MAX, 0], 3 + 24);
    }

    #[test]
    fn no_bytes_are_a_run_of_more_than_they_hold() {
        for bad in [
            &[][..],
            &[65, 0, 0],
            &[8, 4, 0, 1, 1],
            &[8, 0, 0, 1],
            &[1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 3],
            &[1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 3],
            &[0, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        ] {
            assert!(Input(bad).run(2).is_err(), "{bad:x?}");
        }
    }
}
