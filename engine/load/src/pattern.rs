//! Strings with drawn parts, such as `/api/products/P{z:20000}`.
//!
//! | part | becomes |
//! |---|---|
//! | `{n:N}` | a number below N, all alike |
//! | `{z:N}` | a number below N, by Zipf's law |
//! | `{user}` | the user of the trace, out of 10,000 |
//! | `{session}` | the session of the trace, 16 hexadecimal digits |
//! | `{hex}` | 16 random hexadecimal digits |
//! | `{uuid}` | a random UUID |
//!
//! A brace that opens none of these stands for itself.

use crate::random::{Random, Zipf};

/// A piece of a pattern.
#[derive(Debug, Clone)]
enum Part {
    Text(Vec<u8>),
    Uniform(u32),
    Zipf(Zipf),
    User,
    Session,
    Hex,
    Uuid,
}

/// A pattern that was read.
#[derive(Debug, Clone)]
pub struct Pattern {
    parts: Vec<Part>,
}

/// What the spans of one trace have in common.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context {
    /// Number of the user.
    pub user: u32,
    /// The session.
    pub session: u64,
}

impl Pattern {
    /// Reads a pattern.
    pub fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            literal.push_str(&rest[..at]);
            let inner =
                rest[at..].find('}').and_then(|end| Some((part(&rest[at + 1..at + end])?, at + end + 1)));
            if let Some((part, next)) = inner {
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal).into_bytes()));
                }
                parts.push(part);
                rest = &rest[next..];
            } else {
                literal.push('{');
                rest = &rest[at + 1..];
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into_bytes()));
        }
        Self { parts }
    }

    /// Appends the text with its parts drawn.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>, random: &mut Random, context: Context) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Uniform(n) => decimal(out, random.below(*n)),
                Part::Zipf(law) => decimal(out, random.zipf(*law)),
                Part::User => decimal(out, 100_000 + context.user),
                Part::Session => hex(out, context.session, 16),
                Part::Hex => hex(out, random.bits(), 16),
                Part::Uuid => uuid(out, random.bits(), random.bits()),
            }
        }
    }
}

fn part(name: &str) -> Option<Part> {
    Some(match name.split_once(':') {
        Some(("n", n)) => Part::Uniform(n.parse().ok()?),
        Some(("z", n)) => Part::Zipf(Zipf::new(n.parse().ok()?)),
        None if name == "user" => Part::User,
        None if name == "session" => Part::Session,
        None if name == "hex" => Part::Hex,
        None if name == "uuid" => Part::Uuid,
        _ => return None,
    })
}

fn decimal(out: &mut Vec<u8>, mut n: u32) {
    let mut digits = [0u8; 10];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn hex(out: &mut Vec<u8>, bits: u64, digits: usize) {
    let mut text = [0u8; 16];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bits.to_be_bytes()) {
        pair.copy_from_slice(&HEX[usize::from(byte)]);
    }
    out.extend_from_slice(&text[16 - digits..]);
}

/// Both digits of every byte.
static HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

fn uuid(out: &mut Vec<u8>, high: u64, low: u64) {
    let groups = [
        (high >> 32, 8),
        (high >> 16, 4),
        (high & 0x0fff | 0x4000, 4),
        ((low >> 48) & 0x3fff | 0x8000, 4),
        (low, 12),
    ];
    for (at, (bits, digits)) in groups.into_iter().enumerate() {
        if at > 0 {
            out.push(b'-');
        }
        hex(out, bits, digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mut out = Vec::new();
        let context = Context { user: 42, session: 0xabc };
        Pattern::new(text).write(&mut out, &mut Random::new(3), context);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{text:?}");
    }

    #[test]
    fn parts_are_drawn_and_other_braces_stay() {
        check("", "");
        check("plain", "plain");
        check("/u/{user}/x", "/u/100042/x");
        check("{session}", "0000000000000abc");
        check("{\"user\":{user},\"a\":{}}", "{\"user\":100042,\"a\":{}}");
        check("{n:1}-{z:1}", "0-0");
        check("{id} {", "{id} {");
    }

    #[test]
    fn a_uuid_has_version_4() {
        let mut out = Vec::new();
        uuid(&mut out, u64::MAX, u64::MAX);
        assert_eq!(String::from_utf8(out).unwrap(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
