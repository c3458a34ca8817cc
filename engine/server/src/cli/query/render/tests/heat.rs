//! Histograms as golden texts.

use super::super::golden;
use super::*;
use crate::cli::query::answer::Sample;
use serde_json::json;

/// A bucket of a group (none when empty): the values a minute, and their sum as the value at once.
fn bucket(group: &str, bound: f64, values: &[f64]) -> Series {
    let mut labels = Vec::new();
    if !group.is_empty() {
        labels.push(Attribute { key: "name".into(), value: json!({ "stringValue": group }) });
    }
    labels.push(Attribute { key: BUCKET.into(), value: json!({ "doubleValue": bound }) });
    let sample =
        |(at, value): (u64, &f64)| Sample { timestamp_ms: 1_700_000_000_000 + at * 60_000, value: *value };
    let samples = (0..).zip(values).map(sample).collect();
    Series { labels, samples, value: values.iter().sum(), ..Series::default() }
}

/// Powers of two nanoseconds, in seconds.
fn power(exponent: i32) -> f64 {
    2f64.powi(exponent) / 1e9
}

fn answer(series: Vec<Series>) -> SeriesAnswer {
    SeriesAnswer { series, ..SeriesAnswer::default() }
}

#[test]
fn histograms_fit_the_terminal() {
    let one = answer(vec![
        bucket("", power(24), &[0.0, 3.0, 10.0, 2.0]),
        bucket("", power(20), &[1.0, 40.0, 0.0, 0.0]),
        bucket("", power(22), &[0.0, 0.0, f64::NAN, 100.0]),
    ]);
    let two = answer(vec![
        bucket("GET", 2.0, &[1.0]),
        bucket("PUT\u{7}", 1024.0, &[1e7]),
        bucket("GET", 4.0, &[0.0]),
    ]);
    let check = |name: &str, columns: usize, unit: Unit, answer: &SeriesAnswer, top: usize| {
        let style = Style::new(columns, false);
        for (kind, text) in
            [("map", map(&style, unit, answer, top)), ("bars", bars(&style, unit, answer, top))]
        {
            let widest = text.lines().map(super::super::text::width).max();
            assert!(widest <= Some(columns), "{name}: {widest:?}");
            golden::check(&format!("heat-{kind}-{name}"), &text);
        }
    };
    check("100", 100, Unit::Seconds, &one, 20);
    check("40", 40, Unit::Seconds, &one, 20);
    check("groups", 60, Unit::None, &two, 20);
    check("top", 60, Unit::None, &two, 1);
    let none = SeriesAnswer::default();
    assert_eq!(map(&Style::PIPED, Unit::Seconds, &none, 20), "no span was counted\n");
    assert_eq!(bars(&Style::PIPED, Unit::Seconds, &none, 20), "no span was counted\n");
}

#[test]
fn rows_are_bounded_whatever_the_buckets() {
    let far = answer(vec![bucket("", 1e-300, &[1.0]), bucket("", 1e300, &[1.0]), bucket("", -4.0, &[1.0])]);
    assert_eq!(groups(&far)[0].rows().len(), MOST_ROWS);
    let odd = r#"[{"labels":[{"key":"__bucket","value":{"stringValue":"x"}}]},{"labels":[]}]"#;
    assert!(groups(&answer(serde_json::from_str(odd).unwrap())).is_empty());
}
