//! Durations and sizes as people write them: `1h30m`, `500ms`, `64MiB`, `2GB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A length of time, written like `1h30m`, `1.5s` or `250ms`; a bare 0 is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

/// A number of bytes, written like `64MiB`, `2GB` or `4096`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const TIME_UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
    ("d", 86400e9),
];

const SIZE_UNITS: [(&str, u64); 11] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
    ("", 1),
];

/// Splits a leading number from what follows.
fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a duration, expected one like 1h30m, 1.5s or 250ms");
        let (mut rest, mut nanos) = (text.trim(), 0.0);
        if rest == "0" {
            return Ok(Self(Duration::ZERO));
        }
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let (value, after) = number(rest).ok_or_else(wrong)?;
            let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let unit = after[..end].trim();
            let (_, scale) = TIME_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            nanos += value * scale;
            rest = &after[end..];
        }
        if !(0.0..=9.0e18).contains(&nanos) {
            return Err(wrong());
        }
        Ok(Self(Duration::from_nanos(nanos.round() as u64)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0s");
        }
        for (unit, size) in [
            ("h", 3_600_000_000_000),
            ("m", 60_000_000_000),
            ("s", 1_000_000_000),
            ("ms", 1_000_000),
            ("us", 1_000),
            ("ns", 1),
        ] {
            if nanos >= size {
                write!(f, "{}{unit}", nanos / size)?;
                nanos %= size;
            }
        }
        Ok(())
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a size, expected one like 64MiB, 2GB or 4096");
        let (value, unit) = number(text.trim()).ok_or_else(wrong)?;
        let unit = unit.trim();
        let (_, scale) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let bytes = value * *scale as f64;
        if !(0.0..=9.0e18).contains(&bytes) {
            return Err(wrong());
        }
        Ok(Self(bytes.round() as u64))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, size): &&(&str, u64)| self.0 >= *size && self.0 % size == 0;
        match SIZE_UNITS[..4].iter().find(fits) {
            Some((unit, size)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// A text or a bare number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Written::deserialize(from)? {
            Written::Text(text) => text.parse().map_err(D::Error::custom),
            Written::Number(0) => Ok(Self(Duration::ZERO)),
            Written::Number(n) => {
                Err(D::Error::custom(format!("{n} is not a duration, expected a unit, like {n}s")))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Written::deserialize(from)? {
            Written::Text(text) => text.parse().map_err(D::Error::custom),
            Written::Number(n) => Ok(Self(n)),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_and_printed() {
        let time = |text: &str, expected: Result<&str, ()>| {
            assert_eq!(
                text.parse::<Time>().map(|t| t.to_string()).map_err(drop),
                expected.map(String::from),
                "{text}"
            );
        };
        time("1h30m", Ok("1h30m"));
        time("1.5s", Ok("1s500ms"));
        time("250ms", Ok("250ms"));
        time("2d", Ok("48h"));
        time("0", Ok("0s"));
        time("", Err(()));
        time("5", Err(()));
        time("5x", Err(()));
        time("-5s", Err(()));
        let size = |text: &str, expected: Result<&str, ()>| {
            assert_eq!(
                text.parse::<Size>().map(|t| t.to_string()).map_err(drop),
                expected.map(String::from),
                "{text}"
            );
        };
        size("64MiB", Ok("64MiB"));
        size("1.5GiB", Ok("1536MiB"));
        size("2 GB", Ok("1953125KiB"));
        size("4097", Ok("4097B"));
        size("12 parsecs", Err(()));
        size("", Err(()));
    }
}
