//! Random numbers whose sequence never changes: the same seed gives the same traces with every version of the
//! crate and on every machine.
//!
//! The generator is xoshiro256++ (Blackman and Vigna, <https://prng.di.unimi.it/>), seeded by splitmix64. The
//! distributions use additions, multiplications and bit operations alone, since the mathematical functions of
//! C libraries differ in their last digit.

/// One step of splitmix64: a good hash of a 64-bit number.
pub fn splitmix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A seeded sequence of random numbers.
#[derive(Debug, Clone)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// Starts the sequence that belongs to a seed.
    pub fn new(seed: u64) -> Self {
        let mut at = seed;
        let state = std::array::from_fn(|_| {
            let word = splitmix(at);
            at = at.wrapping_add(0x9e37_79b9_7f4a_7c15);
            word
        });
        Self { state }
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let out = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        out
    }

    /// 64 random bits that are not all zero, as ids must be.
    #[inline]
    pub fn nonzero(&mut self) -> u64 {
        loop {
            let bits = self.bits();
            if bits != 0 {
                return bits;
            }
        }
    }

    /// A whole number below `n`, all alike; 0 when `n` is 0.
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(n)) >> 32) as u32
    }

    /// A number from 0 up to, but not including, 1.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// True in `per_mille` of 1000 cases.
    #[inline]
    pub fn chance(&mut self, per_mille: u16) -> bool {
        per_mille >= 1000 || self.below(1000) < u32::from(per_mille)
    }

    /// A whole number below the law's `n`, the low ones favoured.
    #[inline]
    pub fn zipf(&mut self, law: Zipf) -> u32 {
        let drawn = exp2(self.unit() * law.top) - 1.0;
        (drawn as u32).min(law.n.saturating_sub(1))
    }

    /// Nearly normal, mean 0 and deviation 1: the sum of four uniform numbers, so never beyond 3.5.
    #[inline]
    pub fn normal(&mut self) -> f64 {
        let bits = self.bits();
        let sum = (bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48);
        (sum as f64 * (1.0 / 65536.0) - 2.0) * 1.732_050_807_568_877_2
    }

    /// Log-normal: half the draws are below `median`; `sigma` is the deviation in powers of two.
    #[inline]
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * exp2(sigma * self.normal())
    }
}

/// Zipf's law with exponent 1 over the whole numbers below `n`: the first is drawn most, the second half as often.
#[derive(Debug, Clone, Copy)]
pub struct Zipf {
    n: u32,
    top: f64,
}

impl Zipf {
    /// The law for numbers below `n`.
    pub fn new(n: u32) -> Self {
        Self { n, top: log2(f64::from(n) + 1.0) }
    }
}

/// Two to the power of `x`, for |x| < 1000, to seven digits.
#[inline]
fn exp2(x: f64) -> f64 {
    let whole = x.floor();
    let f = (x - whole) * std::f64::consts::LN_2;
    let series =
        1.0 + f * (1.0 + f / 2.0 * (1.0 + f / 3.0 * (1.0 + f / 4.0 * (1.0 + f / 5.0 * (1.0 + f / 6.0)))));
    series * f64::from_bits(((whole as i64 + 1023) as u64) << 52)
}

/// The logarithm to base two of `x` >= 1, by squaring, to 20 binary places.
#[inline]
fn log2(x: f64) -> f64 {
    let exponent = (x.to_bits() >> 52) as i64 - 1023;
    let mut m = f64::from_bits(x.to_bits() & 0x000f_ffff_ffff_ffff | (1023 << 52));
    let (mut out, mut place) = (exponent as f64, 0.5);
    for _ in 0..20 {
        m *= m;
        if m >= 2.0 {
            m /= 2.0;
            out += place;
        }
        place /= 2.0;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_of_a_seed_never_changes() {
        let mut random = Random::new(1);
        let got: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(got, [14971601782005023387, 13781649495232077965, 1847458086238483744]);
        assert_eq!((random.below(1000), random.below(0)), (746, 0));
    }

    #[test]
    fn distributions_have_their_shape() {
        let mut random = Random::new(7);
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let deviation = (draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n)).sqrt();
        assert!(mean.abs() < 0.02 && (deviation - 1.0).abs() < 0.02, "{mean} {deviation}");
        let below = (0..n).filter(|_| random.log_normal(300.0, 1.5) < 300.0).count();
        assert!((49_000..51_000).contains(&below), "{below}");
        let first = (0..n).filter(|_| random.zipf(Zipf::new(10_000)) == 0).count();
        assert!((6_000..9_000).contains(&first), "a Zipf's first of 10,000 has 7.5 %, found {first}");
        assert!((0..n).all(|_| random.zipf(Zipf::new(7)) < 7 && random.below(3) < 3));
        for x in [-20.5, -1.0, 0.0, 0.3, 0.999, 1.0, 13.7] {
            assert!((exp2(x) / f64::exp2(x) - 1.0).abs() < 1e-4, "{x}");
        }
        for x in [1.0, 2.0, 3.0, 10_001.0] {
            assert!((log2(x) - f64::log2(x)).abs() < 1e-5, "{x}");
        }
    }
}
