//! Times and sizes as text.

use std::fmt;

/// A time in nanoseconds since 1970, shown in UTC to the second.
pub(super) struct Time(pub u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000_000;
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Year, month and day of a day since 1970-01-01. Years are counted from March, so that the leap day is the last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

/// Bytes, shown with a unit and one decimal.
pub(super) struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] =
            [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match UNITS.iter().find(|(size, _)| self.0 >= *size) {
            Some((size, unit)) => write!(f, "{:.1} {unit}", self.0 as f64 / *size as f64),
            None => write!(f, "{} B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes() {
        let time = |seconds: u64, text: &str| assert_eq!(Time(seconds * 1_000_000_000).to_string(), text);
        time(0, "1970-01-01T00:00:00Z");
        time(951_782_400, "2000-02-29T00:00:00Z");
        time(951_868_799, "2000-02-29T23:59:59Z");
        time(951_868_800, "2000-03-01T00:00:00Z");
        time(1_795_392_183, "2026-11-23T00:03:03Z");
        time(4_107_542_400, "2100-03-01T00:00:00Z");
        assert_eq!(Time(u64::MAX).to_string(), "2554-07-21T23:34:33Z");
        let bytes = |bytes, text: &str| assert_eq!(Bytes(bytes).to_string(), text);
        bytes(0, "0 B");
        bytes(1023, "1023 B");
        bytes(1 << 20, "1.0 MiB");
        bytes(5 << 29, "2.5 GiB");
        bytes(u64::MAX, "16777216.0 TiB");
    }
}
