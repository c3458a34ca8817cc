//! Points in time as text, `2020-01-02T03:04:05.678Z`, as protobuf's JSON writes a `Timestamp`.
//!
//! Sources: RFC 3339; for the calendar "chrono-Compatible Low-Level Date Algorithms" by Howard Hinnant,
//! <https://howardhinnant.github.io/date_algorithms.html>.

use std::fmt::Write;

/// First second that a `Timestamp` may have: 0001-01-01T00:00:00Z.
const FIRST: i64 = -62_135_596_800;
/// Last second that a `Timestamp` may have: 9999-12-31T23:59:59Z.
const LAST: i64 = 253_402_300_799;

/// Writes a point in time, without zeros at the end of a fraction; nothing if it is not in the years 1 to 9999.
pub fn format(seconds: i64, nanos: i32) -> Option<String> {
    if !(FIRST..=LAST).contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return None;
    }
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut out = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if nanos > 0 {
        // Writing to a String does not fail.
        let _ = write!(out, ".{nanos:09}");
        out.truncate(out.trim_end_matches('0').len());
    }
    out.push('Z');
    Some(out)
}

/// Reads a point in time in the years 1 to 9999: seconds since 1970 and nanoseconds. Up to nine digits of a
/// fraction; `Z` or an offset of hours and minutes.
pub fn parse(text: &[u8]) -> Option<(i64, i32)> {
    let (head, tail) = text.split_at_checked(19)?;
    let &[_, _, _, _, b'-', _, _, b'-', _, _, b'T' | b't', _, _, b':', _, _, b':', _, _] = head else {
        return None;
    };
    let (year, month, day) = (digits(&head[..4])?, digits(&head[5..7])?, digits(&head[8..10])?);
    let (hour, minute, second) = (digits(&head[11..13])?, digits(&head[14..16])?, digits(&head[17..])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=last).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, tail) = fraction(tail)?;
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset(tail)?;
    (FIRST..=LAST).contains(&seconds).then_some((seconds, nanos))
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter()
        .try_fold(0, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0')))
}

/// The nanoseconds of a fraction, if there is one, and what follows.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let Some((b'.', text)) = text.split_first() else { return Some((0, text)) };
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return None;
    }
    let nanos = digits(&text[..count])? * 10_i64.pow(9 - count as u32);
    Some((i32::try_from(nanos).ok()?, &text[count..]))
}

/// Seconds that a time zone is ahead.
fn offset(text: &[u8]) -> Option<i64> {
    match *text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[h1, h2])?, digits(&[m1, m2])?);
            let ahead = hours * 3600 + minutes * 60;
            let known = hours <= 23 && minutes <= 59;
            known.then_some(if sign == b'+' { ahead } else { -ahead })
        }
        _ => None,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day counted from 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_and_time() {
        let check =
            |text: &str, expected: Option<(i64, i32)>| assert_eq!(parse(text.as_bytes()), expected, "{text}");
        check("1970-01-01T00:00:00Z", Some((0, 0)));
        check("2020-02-29T23:59:59.5Z", Some((1_583_020_799, 500_000_000)));
        check("2020-02-29t23:59:59.000000001z", Some((1_583_020_799, 1)));
        check("1969-12-31T23:59:59.999999999Z", Some((-1, 999_999_999)));
        check("2020-03-01T01:29:59+01:30", Some((1_583_020_799, 0)));
        check("2020-02-29T18:59:59-05:00", Some((1_583_020_799, 0)));
        check("0001-01-01T00:00:00Z", Some((FIRST, 0)));
        check("9999-12-31T23:59:59Z", Some((LAST, 0)));
        for bad in [
            "",
            "2020-02-29",
            "2020-02-29T23:59:59",
            "2021-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2020-00-01T00:00:00Z",
            "2020-04-31T00:00:00Z",
            "2020-01-00T00:00:00Z",
            "2020-01-01T24:00:00Z",
            "2020-01-01T00:60:00Z",
            "2020-01-01T00:00:60Z",
            "2020-01-01 00:00:00Z",
            "2020-01-01T00:00:00.Z",
            "2020-01-01T00:00:00.0000000001Z",
            "2020-01-01T00:00:00+1:00",
            "2020-01-01T00:00:00+24:00",
            "2020-01-01T00:00:00Z ",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+00:01",
            "+020-01-01T00:00:00Z",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn fractions_have_no_zeros_at_the_end() {
        let check = |nanos, expected: &str| assert_eq!(format(1, nanos).as_deref(), Some(expected));
        check(0, "1970-01-01T00:00:01Z");
        check(120_000_000, "1970-01-01T00:00:01.12Z");
        check(1, "1970-01-01T00:00:01.000000001Z");
        assert_eq!(format(LAST + 1, 0), None);
        assert_eq!(format(FIRST - 1, 0), None);
        assert_eq!(format(0, -1), None);
        assert_eq!(format(0, 1_000_000_000), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in FIRST..=LAST, nanos in 0..1_000_000_000) {
            let text = format(seconds, nanos).unwrap();
            prop_assert_eq!(parse(text.as_bytes()), Some((seconds, nanos)), "{}", text);
        }

        #[test]
        fn a_day_later_is_the_next_date(day in -719_162i64..2_932_895) {
            let ((y, m, d), next) = (civil(day), civil(day + 1));
            prop_assert_eq!(days(y, m, d), day);
            prop_assert!(next == (y, m, d + 1) || next == (y, m + 1, 1) || next == (y + 1, 1, 1));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\PC{0,8}") {
            let _ = parse(text.as_bytes());
        }
    }
}
