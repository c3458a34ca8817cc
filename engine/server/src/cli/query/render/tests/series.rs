//! Series as golden texts.

use super::super::golden;
use super::*;
use crate::cli::query::answer::Sample;
use serde_json::json;

fn labels(pairs: &[(&str, &str)]) -> Vec<Attribute> {
    let one = |(key, value): &(&str, &str)| Attribute {
        key: (*key).into(),
        value: json!({ "stringValue": value }),
    };
    pairs.iter().map(one).collect()
}

/// A sample each minute.
fn series(name: &str, values: &[f64]) -> Series {
    let sample =
        |(at, value): (u64, &f64)| Sample { timestamp_ms: 1_700_000_000_000 + at * 60_000, value: *value };
    let samples = (0..).zip(values).map(sample).collect();
    Series { labels: labels(&[("name", name)]), samples, ..Series::default() }
}

fn answer(series: Vec<Series>) -> SeriesAnswer {
    SeriesAnswer { series, ..SeriesAnswer::default() }
}

/// Up and down again, twice in so many samples.
fn waves(samples: u32, height: f64) -> Vec<f64> {
    let turn = |at: u32| (f64::from(at) * std::f64::consts::TAU * 2.0 / f64::from(samples)).cos();
    (0..samples).map(|at| ((1.0 - turn(at)) * height / 2.0).round()).collect()
}

#[test]
fn series_fit_the_terminal() {
    let check = |name: &str, columns: usize, unit: Unit, answer: &SeriesAnswer| {
        let text = range(&Style::new(columns, false), unit, answer, 20);
        let widest = text.lines().map(super::super::text::width).max();
        let fits = widest <= Some(columns) || !answer.series.iter().all(|one| one.exemplars.is_empty());
        assert!(fits, "{name}: {widest:?}");
        golden::check(name, &text);
    };
    let one = answer(vec![series("GET", &waves(61, 120.0))]);
    check("series-one-100", 100, Unit::SpansPerSecond, &one);
    check("series-one-40", 40, Unit::SpansPerSecond, &one);
    let odd = [0.25, f64::NAN, f64::INFINITY, -0.5, 0.0];
    check(
        "series-odd",
        60,
        Unit::Seconds,
        &answer(vec![series("odd\u{1b}[2J", &odd), series("", &[f64::NAN])]),
    );
    let six: Vec<Series> =
        (1..=6).map(|at| series(&format!("漢字 {at}"), &waves(300, f64::from(at)))).collect();
    check("series-six-100", 100, Unit::None, &answer(six));
    let thousand = || (0..1000).map(|at| series(&format!("n{at}"), &[f64::from(at), 0.0])).collect();
    check("series-thousand-100", 100, Unit::Spans, &answer(thousand()));
    let partial = SeriesAnswer { message: Some("`rate` has\nmore".into()), ..answer(thousand()) };
    check("series-thousand-40", 40, Unit::Spans, &partial);
    let mut with = answer(vec![series("GET", &[0.5])]);
    let id = "0000000000000000000000000000a1b2";
    with.series[0].exemplars =
        vec![Exemplar { labels: labels(&[("trace:id", id)]), value: 0.25, timestamp_ms: 1_700_000_000_123 }];
    check("series-exemplars", 100, Unit::Seconds, &with);
}

#[test]
fn nothing_was_counted() {
    let check = |answer: &SeriesAnswer, expected: &str| {
        assert_eq!(range(&Style::PIPED, Unit::Spans, answer, 20), expected);
    };
    check(&SeriesAnswer::default(), "no span was counted\n");
    check(&answer(vec![series("empty", &[])]), "no span was counted\n");
    let partial = SeriesAnswer { message: Some("a limit".into()), ..SeriesAnswer::default() };
    check(&partial, "no span was counted\nthe answer is not whole: a limit\n");
}

#[test]
fn the_largest_stay_and_nan_goes_first() {
    let all = [series("a", &[1.0]), series("b", &[f64::NAN]), series("c", &[3.0]), series("d", &[-2.0])];
    let check = |top: usize, expected: &[&str]| {
        let names: Vec<String> = largest(&all, top, mean).iter().map(|one| name(&one.labels)).collect();
        assert_eq!(names, expected);
    };
    check(4, &["name=a", "name=b", "name=c", "name=d"]);
    check(3, &["name=c", "name=a", "name=d"]);
    check(1, &["name=c"]);
}

#[test]
fn the_mean_of_large_numbers_is_one() {
    let of = statistics(&series("large", &[f64::MAX, f64::MAX, f64::MAX]));
    assert_eq!((of.least, of.mean, of.most, of.last, of.odd), (f64::MAX, f64::MAX, f64::MAX, f64::MAX, 0));
}
