//! Numbers: as they are written, and what they stand for.

use super::Text;
use crate::json_in::flaw::{Flaw, Raised};

/// A number by its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An integer of up to 64 bits and its sign.
    Integer { negative: bool, magnitude: u64 },
    /// Any other: a fraction, an exponent, more digits.
    Float(f64),
}

impl Number {
    /// As a float.
    pub fn float(self) -> f64 {
        match self {
            Number::Integer { negative, magnitude } => {
                if negative {
                    -(magnitude as f64)
                } else {
                    magnitude as f64
                }
            }
            Number::Float(value) => value,
        }
    }

    /// As an integer of up to 64 bits and its sign: 1e3 is one, too.
    pub fn integer(self) -> Option<i128> {
        match self {
            Number::Integer { negative, magnitude } => {
                Some(if negative { -i128::from(magnitude) } else { magnitude.into() })
            }
            Number::Float(value) if value.fract() == 0.0 && value.abs() < 2f64.powi(64) => {
                Some(value as i128)
            }
            Number::Float(_) => None,
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Integer { negative, magnitude } => {
                write!(f, "{}{magnitude}", if *negative { "-" } else { "" })
            }
            Number::Float(value) => write!(f, "{value}"),
        }
    }
}

impl<'a> Text<'a> {
    /// Reads a number.
    pub fn number(&mut self) -> Raised<Number> {
        let from = self.at;
        let text = self.number_text()?;
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        if let Some(magnitude) = integer(digits.as_bytes())
            && (magnitude > 0 || !negative)
        {
            return Ok(Number::Integer { negative, magnitude });
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Number::Float(value)),
            _ => Err(Flaw::malformed(from, "found a number beyond 64-bit floats", "one within")),
        }
    }

    /// Reads a number as it is written, whatever its value is.
    pub fn number_text(&mut self) -> Raised<&'a str> {
        let bytes = self.text.as_bytes();
        let from = self.at;
        let first = from + usize::from(self.peek() == Some(b'-'));
        let mut end = self.digits(first)?;
        if end > first + 1 && bytes[first] == b'0' {
            return Err(Flaw::malformed(first, "found a zero before other digits", "none"));
        }
        if bytes.get(end) == Some(&b'.') {
            end = self.digits(end + 1)?;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
            end = self.digits(end + 1 + usize::from(sign))?;
        }
        self.at = end;
        // All of it is ASCII.
        Ok(&self.text[from..end])
    }

    /// Where digits end, of which there must be some.
    #[inline]
    fn digits(&mut self, from: usize) -> Raised<usize> {
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            self.at = from;
            return Err(self.unexpected("a digit"));
        }
        Ok(from + count)
    }
}

/// The number that digits stand for, if 64 bits hold it and nothing but digits is there.
#[inline]
pub fn integer(digits: &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (!digits.is_empty()).then_some(value)
}
