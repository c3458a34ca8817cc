//! Points in time and durations as callers write them, and the step of a series when none is asked for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spanloom_wire::rfc3339;

/// Nanoseconds of a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// A whole number of more digits than this is nanoseconds, of fewer seconds.
const MOST_DIGITS_OF_SECONDS: usize = 10;

/// Now, nanoseconds since 1970.
pub fn now() -> u64 {
    nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// A duration in nanoseconds; the longest ones stay at the largest number.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds for people: in the largest unit that needs no fraction.
pub(crate) fn print(nanos: u64) -> String {
    const UNITS: [(&str, u64); 6] = [
        ("h", 3600 * SECOND),
        ("m", 60 * SECOND),
        ("s", SECOND),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ];
    let fits = |(_, unit): &&(&str, u64)| nanos >= *unit && nanos.is_multiple_of(*unit);
    UNITS.iter().find(fits).map_or("0s".to_owned(), |(name, unit)| format!("{}{name}", nanos / unit))
}

/// A point in time, nanoseconds since 1970: seconds (whole or with a fraction), nanoseconds (more than ten
/// digits), or as in RFC 3339. Those beyond the year 2554 stay there, as far as 64 bits reach.
pub fn point(text: &str) -> Option<u64> {
    if let Some(parsed) = decimal(text) {
        let is_nanos = text.len() > MOST_DIGITS_OF_SECONDS && !text.contains('.');
        let nanos = parsed.scaled(if is_nanos { 1 } else { SECOND });
        return Some(u64::try_from(nanos).unwrap_or(u64::MAX));
    }
    rfc3339_point(text)
}

/// A point in time as in RFC 3339, nanoseconds since 1970.
pub(crate) fn rfc3339_point(text: &str) -> Option<u64> {
    let (seconds, nanos) = rfc3339::parse(text.as_bytes())?;
    let seconds = u64::try_from(seconds).ok()?;
    Some(seconds.saturating_mul(SECOND).saturating_add(u64::try_from(nanos).ok()?))
}

/// A duration in nanoseconds, as Go and Prometheus write them: `1h30m`, `1.5s`, `100ms`, `10us`, `7d`. Digits below
/// a nanosecond are cut off.
pub fn duration(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 10] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", SECOND),
        ("m", 60 * SECOND),
        ("h", 3600 * SECOND),
        ("d", 24 * 3600 * SECOND),
        ("w", 7 * 24 * 3600 * SECOND),
    ];
    match text {
        "" => return None,
        "0" => return Some(0),
        _ => {}
    }
    let mut rest = text;
    let mut total = 0u128;
    while !rest.is_empty() {
        let number_ends = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(number_ends);
        let unit_ends = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_ends);
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(decimal(number)?.scaled(*unit))?;
        rest = tail;
    }
    u64::try_from(total).ok()
}

/// A step in nanoseconds: seconds as a number, or a duration.
pub(crate) fn step(text: &str) -> Option<u64> {
    match decimal(text) {
        Some(seconds) => u64::try_from(seconds.scaled(SECOND)).ok(),
        None => duration(text),
    }
}

/// A number without sign, in decimal.
struct Decimal {
    whole: u64,
    /// Billionths.
    fraction: u64,
}

impl Decimal {
    /// Times a whole number, cut to a whole number.
    fn scaled(&self, by: u64) -> u128 {
        u128::from(self.whole) * u128::from(by)
            + u128::from(self.fraction) * u128::from(by) / u128::from(SECOND)
    }
}

/// Digits, then perhaps a point and more of them; digits behind the ninth after the point are cut off.
fn decimal(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(u64::MAX) };
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let fraction = digits.fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    Some(Decimal { whole, fraction })
}

/// The step of a range when none is asked for: about 240 intervals, of a length that people like. A range below a
/// minute has steps of multiples of 50 ms, others of whole seconds; longer steps are multiples of 5 s, 15 s, 1 min,
/// 5 min or 1 h, whichever is the longest that is shorter than a 240th.
pub(crate) fn default_step(start: u64, end: u64) -> u64 {
    const INTERVALS: u64 = 240;
    const SHORTEST: u64 = 50_000_000;
    const UNITS: [u64; 6] = [3600 * SECOND, 300 * SECOND, 60 * SECOND, 15 * SECOND, 5 * SECOND, SECOND];
    let range = end.saturating_sub(start);
    let exact = range / INTERVALS;
    if range < 60 * SECOND {
        return (exact - exact % SHORTEST).max(SHORTEST);
    }
    let unit = UNITS.into_iter().find(|unit| *unit < exact).unwrap_or(SECOND);
    (exact - exact % unit).max(SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_read_in_every_form() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(point(text), expected, "{text}");
        check("1715000000", Some(1_715_000_000_000_000_000));
        check("1715000000.5", Some(1_715_000_000_500_000_000));
        check("1715000000.1234567891", Some(1_715_000_000_123_456_789));
        check("1715000000123456789", Some(1_715_000_000_123_456_789));
        check("2024-05-06T12:53:20Z", Some(1_715_000_000_000_000_000));
        check("2024-05-06T14:53:20.25+02:00", Some(1_715_000_000_250_000_000));
        check("0", Some(0));
        check("9999999999", Some(9_999_999_999_000_000_000));
        check("99999999999999999999999", Some(u64::MAX));
        check("99999999999.5", Some(u64::MAX));
        for wrong in ["", ".", "-1", "1e9", "now", "1715000000s", "1.2.3", "1969-12-31T23:59:59Z", "12 "] {
            check(wrong, None);
        }
    }

    #[test]
    fn durations_are_read_as_go_and_prometheus_write_them() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(duration(text), expected, "{text}");
        check("1h30m", Some(5400 * SECOND));
        check("1.5s", Some(1_500_000_000));
        check(".5s", Some(500_000_000));
        check("100ms", Some(100_000_000));
        check("10us", Some(10_000));
        check("10µs", Some(10_000));
        check("10μs", Some(10_000));
        check("7ns", Some(7));
        check("1.9ns", Some(1));
        check("7d", Some(7 * 24 * 3600 * SECOND));
        check("2w", Some(14 * 24 * 3600 * SECOND));
        check("0", Some(0));
        check("0s", Some(0));
        for wrong in ["", "5", "s", "-1s", "1 s", "1x", "1hh", "1..5s", ".s", "99999999999w"] {
            check(wrong, None);
        }
        for text in ["1h", "90s", "250ms", "7ns", "25h"] {
            assert_eq!(print(duration(text).unwrap()), text);
        }
        assert_eq!(print(0), "0s");
    }

    #[test]
    fn steps_are_seconds_or_durations() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(step(text), expected, "{text}");
        check("60", Some(60 * SECOND));
        check("0.25", Some(250_000_000));
        check("1m", Some(60 * SECOND));
        check("-5", None);
        check("", None);
    }

    #[test]
    fn a_default_step_is_a_240th_rounded_to_what_people_like() {
        let check = |range_s: u64, expected_ms: u64| {
            let start = 1_700_000_000 * SECOND;
            assert_eq!(default_step(start, start + range_s * SECOND), expected_ms * 1_000_000, "{range_s} s");
        };
        check(1, 50);
        check(12, 50);
        check(24, 100);
        check(59, 200);
        check(60, 1_000);
        check(600, 2_000);
        check(3600, 15_000);
        check(6 * 3600, 60_000);
        check(24 * 3600, 300_000);
        check(7 * 24 * 3600, 2_400_000);
        check(90 * 24 * 3600, 32_400_000);
    }
}
