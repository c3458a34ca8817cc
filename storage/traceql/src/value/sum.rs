//! Sums that do not depend on the order of what is added: exact until they are read, then rounded once.

use super::Value;

/// Bits of a limb.
const LIMB: u32 = 64;

/// Where the ones of an integer stand: the unit of a sum is the least float, 2^-1074.
const ONES: u32 = 1074;

/// More limbs than a sum has: 2^1024 is 2098 units' bits, and sums of 2^64 such have 64 more.
const MOST_LIMBS: u64 = 48;

/// An exact sum of floats and integers: a fixed-point number of which only the limbs in use are kept.
///
/// The limbs are a two's complement number, the lowest first; the last one is the sign alone (0 or all ones).
#[derive(Debug, Clone, Default)]
pub struct ExactSum {
    /// The limb that `limbs[0]` is, counted from the unit.
    low: u32,
    limbs: Vec<u64>,
    /// Whether infinity, minus infinity and NaN were added.
    special: [bool; 3],
}

impl ExactSum {
    /// Adds a float.
    pub fn add_float(&mut self, value: f64) {
        const FRACTION: u64 = (1 << 52) - 1;
        if !value.is_finite() {
            let which = if value.is_nan() { 2 } else { usize::from(value < 0.0) };
            self.special[which] = true;
            return;
        }
        let bits = value.to_bits();
        let (exponent, fraction) = ((bits >> 52 & 0x7ff) as u32, bits & FRACTION);
        let (mantissa, at) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        self.add_bits(mantissa, at, value.is_sign_negative());
    }

    /// Adds an integer.
    pub fn add_whole(&mut self, value: i128) {
        let (bits, negative) = (value.unsigned_abs(), value < 0);
        self.add_bits(bits as u64, ONES, negative);
        self.add_bits((bits >> LIMB) as u64, ONES + LIMB, negative);
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &ExactSum) {
        for (mine, theirs) in self.special.iter_mut().zip(other.special) {
            *mine |= theirs;
        }
        let Some((&sign, limbs)) = other.limbs.split_last() else { return };
        for (at, &limb) in (other.low..).zip(limbs) {
            self.add_bits(limb, at * LIMB, false);
        }
        if sign != 0 {
            self.add_bits(1, (other.low + limbs.len() as u32) * LIMB, true);
        }
    }

    /// The sum, rounded to the nearest float, ties to even.
    pub fn value(&self) -> f64 {
        match self.special {
            [false, false, false] => {}
            [true, false, false] => return f64::INFINITY,
            [false, true, false] => return f64::NEG_INFINITY,
            _ => return f64::NAN,
        }
        let negative = self.limbs.last().is_some_and(|sign| *sign != 0);
        let mut limbs = self.limbs.clone();
        if negative {
            let mut carry = true;
            for limb in &mut limbs {
                (*limb, carry) = (!*limb).overflowing_add(carry.into());
            }
        }
        let size = round(&limbs, self.low);
        if negative { -size } else { size }
    }

    /// The lowest limb that is kept, the limbs from there on, the lowest first, of which the last is the sign alone, and
    /// which of infinity (1), minus infinity (2) and NaN (4) were added.
    pub(crate) fn parts(&self) -> (u32, &[u64], u8) {
        let special = (0..).zip(self.special).map(|(bit, is_there)| u8::from(is_there) << bit).sum();
        (self.low, &self.limbs, special)
    }

    /// A sum of its parts; `None` when they are of none.
    pub(crate) fn of_parts(low: u64, limbs: Vec<u64>, special: u8) -> Option<Self> {
        let is_sign = limbs.last().is_none_or(|sign| *sign == 0 || *sign == u64::MAX);
        let top = low.checked_add(limbs.len() as u64)?;
        let is_sum = is_sign && special < 8 && top <= MOST_LIMBS;
        is_sum.then(|| Self { low: low as u32, limbs, special: [1, 2, 4].map(|bit| special & bit != 0) })
    }

    /// Adds `bits` shifted left by `at`, or takes them away.
    fn add_bits(&mut self, bits: u64, at: u32, negative: bool) {
        if bits == 0 {
            return;
        }
        let wide = u128::from(bits) << (at % LIMB);
        let first = self.make_room(at / LIMB);
        let mut carry = false;
        let parts = [wide as u64, (wide >> LIMB) as u64].into_iter().chain(std::iter::repeat(0));
        for (place, (limb, part)) in self.limbs[first..].iter_mut().zip(parts).enumerate() {
            if place >= 2 && !carry {
                break;
            }
            let step = if negative { u64::overflowing_sub } else { u64::overflowing_add };
            let (once, over) = step(*limb, part);
            let (twice, over_again) = step(once, carry.into());
            (*limb, carry) = (twice, over || over_again);
        }
        if let Some(&last) = self.limbs.last()
            && last != 0
            && last != u64::MAX
        {
            self.limbs.push(if last >> 63 == 1 { u64::MAX } else { 0 });
        }
    }

    /// Makes room for a limb, the one above it and the sign; gives its index.
    fn make_room(&mut self, limb: u32) -> usize {
        if self.limbs.is_empty() {
            self.low = limb;
            self.limbs.push(0);
        }
        if limb < self.low {
            let missing = (self.low - limb) as usize;
            self.limbs.splice(0..0, std::iter::repeat_n(0, missing));
            self.low = limb;
        }
        let index = (limb - self.low) as usize;
        let sign = self.limbs.last().copied().unwrap_or_default();
        if self.limbs.len() < index + 3 {
            self.limbs.resize(index + 3, sign);
        }
        index
    }
}

/// The float nearest to a number that is not negative.
fn round(limbs: &[u64], low: u32) -> f64 {
    let Some(top) = limbs.iter().rposition(|limb| *limb != 0) else { return 0.0 };
    let highest = (low + top as u32) * LIMB + (LIMB - 1 - limbs[top].leading_zeros());
    let bit = |at: u32| {
        let limb = (at / LIMB).checked_sub(low).and_then(|index| limbs.get(index as usize));
        limb.is_some_and(|limb| limb >> (at % LIMB) & 1 == 1)
    };
    let lowest = highest.saturating_sub(52);
    let mantissa = (lowest..=highest).rev().fold(0u64, |mantissa, at| mantissa << 1 | u64::from(bit(at)));
    if highest < 52 {
        return f64::from_bits(mantissa);
    }
    if lowest >= 2046 {
        return f64::INFINITY;
    }
    // The mantissa's own first bit counts the exponent up by one.
    let bits = (u64::from(lowest) << 52) + mantissa;
    let half = lowest > 0 && bit(lowest - 1);
    let more = || (low * LIMB..lowest.saturating_sub(1)).any(bit);
    f64::from_bits(bits + u64::from(half && (mantissa & 1 == 1 || more())))
}

/// The sum of the numbers among values; durations in nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct Total {
    whole: i128,
    floats: Option<Box<ExactSum>>,
}

impl Total {
    /// Adds a value; what is no number changes nothing.
    #[inline]
    pub fn add(&mut self, value: Value<'_>) {
        match value {
            Value::Int(value) | Value::Duration(value) => self.whole += i128::from(value),
            Value::Float(value) => self.floats.get_or_insert_default().add_float(value),
            _ => {}
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Total) {
        self.whole += other.whole;
        if let Some(floats) = &other.floats {
            self.floats.get_or_insert_default().merge(floats);
        }
    }

    /// The integers and durations alone.
    pub fn whole(&self) -> i128 {
        self.whole
    }

    /// The floats alone, if any were added.
    pub(crate) fn floats(&self) -> Option<&ExactSum> {
        self.floats.as_deref()
    }

    /// A sum of integers and floats.
    pub(crate) fn of_parts(whole: i128, floats: Option<ExactSum>) -> Self {
        Self { whole, floats: floats.map(Box::new) }
    }

    /// The sum, rounded to the nearest float.
    pub fn value(&self) -> f64 {
        match &self.floats {
            None => self.whole as f64,
            Some(floats) => {
                let mut sum = ExactSum::clone(floats);
                sum.add_whole(self.whole);
                sum.value()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(values: &[f64], expected: f64) {
        let mut sum = ExactSum::default();
        values.iter().for_each(|value| sum.add_float(*value));
        assert_eq!(sum.value().to_bits(), expected.to_bits(), "{values:?}: {} for {expected}", sum.value());
    }

    #[test]
    fn sums_are_rounded_once() {
        check(&[], 0.0);
        check(&[0.1; 10], 1.0);
        check(&[1e308, 1e308, -1e308], 1e308);
        check(&[f64::MAX, f64::MAX], f64::INFINITY);
        check(&[1.0, 1e100, 1.0, -1e100], 2.0);
        check(&[1.0, f64::EPSILON / 2.0], 1.0);
        check(&[1.0, f64::EPSILON / 2.0, 5e-324], 1.0 + f64::EPSILON);
        check(&[5e-324, 5e-324], 1e-323);
        check(&[f64::MIN_POSITIVE, -5e-324], f64::MIN_POSITIVE - 5e-324);
        check(&[-1e-300, 1e300, -1e300], -1e-300);
        check(&[f64::INFINITY, 1.0], f64::INFINITY);
        check(&[f64::NEG_INFINITY, 1.0], f64::NEG_INFINITY);
        check(&[-3.0, -4.5], -7.5);
    }

    proptest! {
        #[test]
        fn one_value_is_its_own_sum(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite() && value != 0.0);
            check(&[value], value);
        }

        #[test]
        fn two_values_add_as_floats_do(left in any::<f64>(), right in any::<f64>()) {
            prop_assume!(left + right != 0.0 && !(left + right).is_nan());
            check(&[left, right], left + right);
        }

        #[test]
        fn integers_add_as_integers_do(values in proptest::collection::vec(any::<i64>(), 0..20)) {
            let mut sum = ExactSum::default();
            values.iter().for_each(|value| sum.add_whole(i128::from(*value)));
            let expected: i128 = values.iter().map(|value| i128::from(*value)).sum();
            prop_assert_eq!(sum.value(), expected as f64);
        }

        #[test]
        fn the_order_and_the_split_do_not_matter(
            values in proptest::collection::vec(any::<f64>(), 0..20),
            whole in any::<i64>(),
            at in 0..20usize,
        ) {
            let at = at.min(values.len());
            let mut one = Total::default();
            values.iter().for_each(|value| one.add(Value::Float(*value)));
            one.add(Value::Int(whole));
            let (mut left, mut right) = (Total::default(), Total::default());
            values[at..].iter().rev().for_each(|value| left.add(Value::Float(*value)));
            left.add(Value::Int(whole));
            values[..at].iter().for_each(|value| right.add(Value::Float(*value)));
            right.merge(&left);
            let (one, split) = (one.value(), right.value());
            prop_assert!(one.to_bits() == split.to_bits() || one.is_nan() && split.is_nan());
        }
    }
}
