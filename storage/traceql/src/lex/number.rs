//! Integers, floats, and durations in the manner of Prometheus (`1d`, `2w`, `1y`) and Go (`1h30m`, `1.5s`).

use super::{Fault, Lexer, TokenKind};

/// Units and their nanoseconds; longer ones before their beginnings.
const UNITS: &[(&str, i64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000), // micro sign
    ("μs", 1_000), // Greek mu
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
    ("y", 31_536_000_000_000_000),
];

impl Lexer<'_> {
    pub(super) fn number(&mut self) -> Result<TokenKind, Fault> {
        let start = self.at;
        let mut float = self.digits();
        if self.exponent() {
            float = true;
        } else if self.peek().is_some_and(continues) {
            self.at = start;
            return self.duration();
        }
        if self.peek().is_some_and(continues) {
            return Err(self.no_number(start));
        }
        let text = &self.query[start..self.at];
        if !float {
            let found = text.parse().map(TokenKind::Int);
            return found
                .map_err(|_| self.malformed(start, format!("the number {text} does not fit in 64 bits")));
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(TokenKind::Float(number)),
            _ => Err(self.malformed(start, format!("the number {text} does not fit in a 64-bit float"))),
        }
    }

    /// Digits, and a point if digits follow it; says whether there was a point.
    fn digits(&mut self) -> bool {
        self.take_while(|c| c.is_ascii_digit());
        let point = self.peek_after('.').is_some_and(|c| c.is_ascii_digit());
        if point {
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
        }
        point
    }

    fn exponent(&mut self) -> bool {
        let start = self.at;
        if self.eat("e") || self.eat("E") {
            let _sign = self.eat("-") || self.eat("+");
            if !self.take_while(|c| c.is_ascii_digit()).is_empty() {
                return true;
            }
        }
        self.at = start;
        false
    }

    fn duration(&mut self) -> Result<TokenKind, Fault> {
        let start = self.at;
        let mut total = 0_i64;
        while self.peek().is_some_and(|c| c.is_ascii_digit() || c == '.') {
            let from = self.at;
            self.digits();
            let number = &self.query[from..self.at];
            let unit = UNITS.iter().find(|(unit, _)| self.rest().starts_with(unit));
            let Some((unit, ns)) = unit.filter(|_| !number.is_empty()) else {
                return Err(self.no_number(start));
            };
            self.at += unit.len();
            let sum = nanoseconds(number, *ns).and_then(|part| total.checked_add(part));
            let Some(sum) = sum else {
                return Err(self.malformed(start, "the duration is longer than 292 years"));
            };
            total = sum;
        }
        if self.peek().is_some_and(continues) {
            return Err(self.no_number(start));
        }
        Ok(TokenKind::Duration(total))
    }

    fn no_number(&mut self, start: usize) -> Fault {
        self.at = start;
        let text: String = self.take_while(|c| continues(c) || c == '.').chars().take(40).collect();
        let problem =
            format!("`{text}` is neither a number nor a duration (units: ns, us, ms, s, m, h, d, w, y)");
        self.malformed(start, problem)
    }
}

fn continues(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `number` units of `ns` nanoseconds; what is finer than a nanosecond is cut off.
fn nanoseconds(number: &str, ns: i64) -> Option<i64> {
    /// Finer digits than these are below a nanosecond in every unit.
    const FRACTION_DIGITS: usize = 18;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = &fraction[..fraction.len().min(FRACTION_DIGITS)];
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut part = 0_i128;
    if !fraction.is_empty() {
        let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        part = fraction.parse::<i128>().ok()? * i128::from(ns) / scale;
    }
    whole.checked_mul(ns)?.checked_add(i64::try_from(part).ok()?)
}
