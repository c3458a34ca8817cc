//! Durations and sizes in configuration, as people write them: `500ms`, `30s`, `32MiB`. For serde's `with`.

/// `Duration` as a number with a unit of `ms`, `s`, `m` or `h`.
pub mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

    /// Reads a duration.
    pub fn parse(text: &str) -> Result<Duration, String> {
        let wrong = || format!("{text:?} is not a duration, expected a whole number with ms, s, m or h");
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(split);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(*scale).map(Duration::from_millis).ok_or_else(wrong)
    }

    /// Writes a duration in the largest unit that needs no fraction.
    pub fn print(value: Duration) -> String {
        let ms = value.as_millis() as u64;
        let largest = UNITS.iter().rev().find(|(_, scale)| ms.is_multiple_of(*scale) && ms >= *scale);
        largest.map_or_else(|| format!("{ms}ms"), |(name, scale)| format!("{}{name}", ms / scale))
    }

    /// For serde's `with`.
    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&print(*value))
    }

    /// For serde's `with`.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// `usize` as a number of bytes, with a unit of `KiB`, `MiB` or `GiB` or none.
pub mod size {
    use std::fmt;

    use serde::{Deserializer, Serializer, de};

    const UNITS: [(&str, usize); 6] =
        [("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

    /// Reads a size.
    pub fn parse(text: &str) -> Result<usize, String> {
        let wrong = || format!("{text:?} is not a size, expected a whole number with KiB, MiB, GiB or none");
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?;
        let number: usize = number.parse().map_err(|_| wrong())?;
        number.checked_mul(*scale).ok_or_else(wrong)
    }

    /// Writes a size in the largest unit that needs no fraction.
    pub fn print(value: usize) -> String {
        let largest =
            UNITS[2..].iter().rev().find(|(_, scale)| value.is_multiple_of(*scale) && value >= *scale);
        largest.map_or_else(|| value.to_string(), |(name, scale)| format!("{}{name}", value / scale))
    }

    /// For serde's `with`.
    pub fn serialize<S: Serializer>(value: &usize, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&print(*value))
    }

    /// For serde's `with`: a number, or a text with a unit.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
        struct Size;
        impl de::Visitor<'_> for Size {
            type Value = usize;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as 32MiB, or a number of bytes")
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<usize, E> {
                usize::try_from(value).map_err(|_| E::custom("the size does not fit this machine"))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<usize, E> {
                parse(text).map_err(E::custom)
            }
        }
        from.deserialize_any(Size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn durations_are_read_and_written() {
        let check = |text: &str, ms: u64, back: &str| {
            assert_eq!(duration::parse(text), Ok(Duration::from_millis(ms)), "{text}");
            assert_eq!(duration::print(Duration::from_millis(ms)), back);
        };
        check("0s", 0, "0ms");
        check("1500ms", 1500, "1500ms");
        check("90s", 90_000, "90s");
        check("120 s", 120_000, "2m");
        check("24h", 86_400_000, "24h");
        for wrong in ["", "5", "s", "1.5s", "-1s", "5d", "99999999999999999999s"] {
            assert!(duration::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn sizes_are_read_and_written() {
        let check = |text: &str, bytes: usize, back: &str| {
            assert_eq!(size::parse(text), Ok(bytes), "{text}");
            assert_eq!(size::print(bytes), back);
        };
        check("0", 0, "0");
        check("1000", 1000, "1000");
        check("64 KiB", 65536, "64KiB");
        check("32MiB", 32 << 20, "32MiB");
        for wrong in ["", "MiB", "1.5MiB", "5MB", "99999999999999999999"] {
            assert!(size::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
