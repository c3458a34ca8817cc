//! Deadlines in the header `grpc-timeout`: at most 8 digits and a unit.

use std::time::Duration;

use http::HeaderName;

/// The header.
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Most that 8 digits say.
const MOST: u128 = 99_999_999;

/// The shortest exact text of a duration, or the least that is not below it.
pub(crate) fn timeout_text(left: Duration) -> String {
    let micros = left.as_nanos().div_ceil(1000);
    let (value, unit) = match micros {
        0..=MOST => (micros, 'u'),
        _ if micros.div_ceil(1000) <= MOST => (micros.div_ceil(1000), 'm'),
        _ => (micros.div_ceil(1_000_000).min(MOST), 'S'),
    };
    format!("{value}{unit}")
}

/// What a text says, if it is one.
pub(crate) fn parse_timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Some(Duration::from_secs(value * 3600)),
        b'M' => Some(Duration::from_secs(value * 60)),
        b'S' => Some(Duration::from_secs(value)),
        b'm' => Some(Duration::from_millis(value)),
        b'u' => Some(Duration::from_micros(value)),
        b'n' => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_and_read() {
        for (duration, text) in [
            (Duration::ZERO, "0u"),
            (Duration::from_nanos(1), "1u"),
            (Duration::from_secs(10), "10000000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(1_000_000), "1000000S"),
            (Duration::MAX, "99999999S"),
        ] {
            assert_eq!(timeout_text(duration), text);
            let read = parse_timeout(text.as_bytes()).unwrap();
            assert!(read >= duration.min(Duration::from_secs(99_999_999)), "{text}");
        }
    }

    #[test]
    fn every_unit_is_read_and_nothing_else() {
        for (text, expected) in [
            ("2H", Some(Duration::from_secs(7200))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("123456789u", None),
            ("", None),
            ("S", None),
            ("-1S", None),
            ("1 S", None),
            ("1s", None),
            ("1", None),
        ] {
            assert_eq!(parse_timeout(text.as_bytes()), expected, "{text}");
        }
    }
}
