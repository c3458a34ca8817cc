//! Sums that are exact and rounded once, as `docs/TRACEQL.md` wants them.

use crate::field::Value;

/// The sum of all numbers among some values, durations as nanoseconds.
pub fn exact_sum(values: &[Value]) -> f64 {
    let terms: Vec<f64> = values.iter().flat_map(terms).collect();
    let plain: f64 = terms.iter().sum();
    if !plain.is_finite() {
        return plain;
    }
    // Shewchuk, "Adaptive Precision Floating-Point Arithmetic" (1997): parts that do not overlap, ascending.
    let mut parts: Vec<f64> = Vec::new();
    for mut term in terms {
        let mut left = Vec::new();
        for part in parts {
            let (sum, rest) = two_sum(term, part);
            if rest != 0.0 {
                left.push(rest);
            }
            term = sum;
        }
        left.push(term);
        parts = left;
    }
    rounded(parts)
}

/// Floats that add up to a number exactly.
fn terms(value: &Value) -> Vec<f64> {
    match value {
        // Both halves fit in a float.
        Value::Int(value) | Value::Duration(value) => {
            let low = value & 0xffff_ffff;
            vec![(value - low) as f64, low as f64]
        }
        Value::Float(value) => vec![*value],
        _ => Vec::new(),
    }
}

/// The rounded sum of two floats, and what the rounding left out.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let (large, small) = if a.abs() >= b.abs() { (a, b) } else { (b, a) };
    let sum = large + small;
    (sum, small - (sum - large))
}

fn rounded(mut parts: Vec<f64>) -> f64 {
    let Some(mut sum) = parts.pop() else { return 0.0 };
    while let Some(part) = parts.pop() {
        let rest;
        (sum, rest) = two_sum(sum, part);
        if rest == 0.0 {
            continue;
        }
        // Halfway between two floats, what is left decides.
        if let Some(next) = parts.last()
            && (rest < 0.0) == (*next < 0.0)
        {
            let twice = rest * 2.0;
            let above = sum + twice;
            if above - sum == twice {
                sum = above;
            }
        }
        break;
    }
    sum
}

#[test]
fn sums_do_not_depend_on_their_order() {
    use Value::{Duration, Float, Int};
    let check = |values: &[Value], expected: f64| {
        let mut values = values.to_vec();
        for _ in 0..values.len() {
            values.rotate_left(1);
            assert_eq!(exact_sum(&values), expected, "{values:?}");
        }
    };
    check(&[], 0.0);
    check(&[Float(0.1), Float(0.2), Float(0.3)], 0.6);
    check(&[Float(1e100), Int(1), Float(-1e100)], 1.0);
    check(&[Int((1 << 53) + 1), Float(1.0)], ((1_i64 << 53) + 2) as f64);
    check(&[Int(i64::MAX), Int(i64::MIN), Float(0.5)], -0.5);
    check(&[Float((1_u64 << 53) as f64), Float(1.0), Float(1e-300)], ((1_u64 << 53) + 2) as f64);
    check(&[Duration(-5), Float(0.5), Value::Nil], -4.5);
    check(&[Float(f64::INFINITY), Float(1.0)], f64::INFINITY);
}
