//! Numbers for people: three digits that count, and a unit.

use spanloom_wire::rfc3339;

const SECOND: u64 = 1_000_000_000;

/// Three significant digits of a number from 0 on, without zeros at the end.
fn three_digits(value: f64) -> String {
    let digits = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    if digits > 0 { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A number in the first unit that it fills, the units ascending; the last one takes whatever is left.
fn in_units(value: f64, units: &[(f64, &str)]) -> String {
    let fits = |&&(size, _): &&(f64, &str)| value / size < 999.5;
    let (size, name) = units.iter().find(fits).or(units.last()).copied().unwrap_or((1.0, ""));
    format!("{}{name}", three_digits(value / size))
}

/// Nanoseconds: `557ms`, `1.5s`, `2m3s`, `1h2m`, `3d4h`.
pub fn duration(nanos: u64) -> String {
    const UNITS: [(f64, &str); 4] = [(1.0, "ns"), (1e3, "us"), (1e6, "ms"), (1e9, "s")];
    // What would be rounded to 60 s is a minute.
    if nanos < 59_950_000_000 {
        return in_units(nanos as f64, &UNITS);
    }
    let pair = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit}{small}{small_unit}"),
    };
    let seconds = nanos.saturating_add(SECOND / 2) / SECOND;
    match seconds {
        0..3600 => pair(seconds / 60, "m", seconds % 60, "s"),
        3600..86_400 => pair(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// Seconds as a number of any size and sign.
pub fn seconds(value: f64) -> String {
    let nanos = (value.abs() * 1e9).round();
    if !value.is_finite() || nanos >= u64::MAX as f64 {
        return plain(value);
    }
    // Rounded, in range and not negative.
    let text = duration(nanos as u64);
    if value < 0.0 && nanos > 0.0 { format!("-{text}") } else { text }
}

/// Any number: `0.0012`, `12.3`, `1.23k`, `4.5M`.
pub fn plain(value: f64) -> String {
    const UNITS: [(f64, &str); 5] = [(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")];
    let size = value.abs();
    let text = match size {
        _ if value.is_nan() => return "NaN".to_owned(),
        f64::INFINITY => "inf".to_owned(),
        0.0 => "0".to_owned(),
        size if !(1e-4..1e15).contains(&size) => format!("{size:.2e}"),
        size if size < 1.0 => {
            let zeros = (-size.log10().floor()).clamp(1.0, 4.0) as usize;
            let text = format!("{size:.*}", zeros + 2);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        size => in_units(size, &UNITS),
    };
    if value < 0.0 { format!("-{text}") } else { text }
}

/// A count in full: `1,234,567`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 span`, `2 spans`.
pub fn counted(value: u64, one: &str) -> String {
    format!("{} {one}{}", count(value), if value == 1 { "" } else { "s" })
}

/// Bytes: `4.1 KiB`.
pub fn bytes(value: u64) -> String {
    const UNITS: [(f64, &str); 5] = [
        (1.0, " B"),
        (1024.0, " KiB"),
        (1_048_576.0, " MiB"),
        (1_073_741_824.0, " GiB"),
        (1_099_511_627_776.0, " TiB"),
    ];
    in_units(value as f64, &UNITS)
}

/// A share of a whole: `12.5%`.
pub fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// A point in time, nanoseconds since 1970, in UTC, cut to so many digits of a second: `2023-11-14T22:13:20.000Z`.
pub fn moment(nanos: u64, digits: usize) -> String {
    let whole = i64::try_from(nanos / SECOND).ok().and_then(|seconds| rfc3339::format(seconds, 0));
    let Some(text) = whole else { return format!("{nanos}ns") };
    if digits == 0 {
        return text;
    }
    let fraction = format!("{:09}", nanos % SECOND);
    let shown = fraction.get(..digits).unwrap_or(&fraction);
    format!("{}.{shown}Z", text.trim_end_matches('Z'))
}

/// What tells a moment from others of a range so long: the time of day, with the date when it is more than a day.
pub fn clock(nanos: u64, range_nanos: u64) -> String {
    let text = moment(nanos, if (1..10 * SECOND).contains(&range_nanos) { 3 } else { 0 });
    let text = text.trim_end_matches('Z');
    let (date, time) = text.split_once('T').unwrap_or(("", text));
    if range_nanos < 86_400 * SECOND {
        return time.to_owned();
    }
    let (day, minute) = (date.get(5..).unwrap_or(date), time.get(..5).unwrap_or(time));
    format!("{day} {minute}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_unit_that_fits() {
        let check = |nanos: u64, expected: &str| assert_eq!(duration(nanos), expected);
        check(0, "0ns");
        check(850, "850ns");
        check(1_500, "1.5us");
        check(999_400, "999us");
        check(999_600, "1ms");
        check(557_000_000, "557ms");
        check(12_340_000_000, "12.3s");
        check(59_949_000_000, "59.9s");
        check(59_960_000_000, "1m");
        check(123_000_000_000, "2m3s");
        check(3_720_000_000_000, "1h2m");
        check(273_600 * SECOND, "3d4h");
        check(u64::MAX, "213503d23h");
        assert_eq!(seconds(0.25), "250ms");
        assert_eq!(seconds(-1.5), "-1.5s");
        assert_eq!(seconds(f64::NAN), "NaN");
        assert_eq!(seconds(1e300), "1.00e300");
    }

    #[test]
    fn numbers_have_three_digits() {
        let check = |value: f64, expected: &str| assert_eq!(plain(value), expected);
        check(0.0, "0");
        check(0.5, "0.5");
        check(0.016_666, "0.0167");
        check(0.000_012, "1.20e-5");
        check(9.999, "10");
        check(12.34, "12.3");
        check(999.6, "1k");
        check(1_234.0, "1.23k");
        check(-4_500_000.0, "-4.5M");
        check(1e18, "1.00e18");
        check(f64::NAN, "NaN");
        check(f64::NEG_INFINITY, "-inf");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        assert_eq!(counted(1, "span"), "1 span");
        assert_eq!(counted(1000, "span"), "1,000 spans");
        assert_eq!(bytes(4_200), "4.1 KiB");
        assert_eq!(percent(0.125), "12.5%");
    }

    #[test]
    fn moments_are_in_utc() {
        assert_eq!(moment(1_700_000_000_123_456_789, 0), "2023-11-14T22:13:20Z");
        assert_eq!(moment(1_700_000_000_123_456_789, 3), "2023-11-14T22:13:20.123Z");
        assert_eq!(moment(0, 3), "1970-01-01T00:00:00.000Z");
        assert_eq!(clock(1_700_000_000 * SECOND, 3600 * SECOND), "22:13:20");
        assert_eq!(clock(1_700_000_000 * SECOND, SECOND), "22:13:20.000");
        assert_eq!(clock(1_700_000_000 * SECOND, 86_400 * SECOND), "11-14 22:13");
    }
}
