//! Comparisons as golden texts.

use super::super::golden;
use super::*;

/// Series as the API gives them: what they are, the attribute, its value, and how many spans.
fn answer(series: &[(&str, &str, &str, f64)]) -> SeriesAnswer {
    let text = |key: &str, value: &str| Attribute {
        key: key.into(),
        value: serde_json::json!({ "stringValue": value }),
    };
    let one = |(meta, key, value, spans): &(&str, &str, &str, f64)| {
        let mut labels = vec![text("__meta_type", meta.trim_start_matches("rest of "))];
        if meta.starts_with("rest") {
            labels.push(text("__meta_error", "__too_many_values__"));
        }
        labels.push(text(key, value));
        Series { labels, value: *spans, ..Series::default() }
    };
    SeriesAnswer { series: series.iter().map(one).collect(), ..SeriesAnswer::default() }
}

fn example() -> SeriesAnswer {
    answer(&[
        ("baseline", "resource.service.name", "cart", 60.0),
        ("baseline", "resource.service.name", "shop", 30.0),
        ("baseline_total", "resource.service.name", "nil", 90.0),
        ("selection", "resource.service.name", "shop", 10.0),
        ("selection_total", "resource.service.name", "nil", 10.0),
        ("baseline_total", "status", "nil", 100.0),
        ("baseline", "status", "ok", 100.0),
        ("selection_total", "status", "nil", 10.0),
        ("selection", "status", "error", 10.0),
        // Of the baseline's users only one is told.
        ("baseline", "span.user", "ada", 5.0),
        ("rest of baseline", "span.user", "nil", 75.0),
        ("baseline_total", "span.user", "nil", 80.0),
        ("selection", "span.user", "eve\u{1b}[2J", 2.0),
        ("selection_total", "span.user", "nil", 2.0),
    ])
}

#[test]
fn what_is_apart_comes_first() {
    let check = |name: &str, columns: usize, top: usize| {
        let text = compare(&Style::new(columns, false), &example(), top);
        assert!(text.lines().map(super::super::text::width).max() <= Some(columns));
        golden::check(name, &text);
    };
    check("compare-100", 100, 20);
    check("compare-40", 40, 20);
    check("compare-top", 100, 2);
    assert_eq!(compare(&Style::PIPED, &answer(&[]), 20), "no span was counted\n");
    let odd = answer(&[("selection", "a", "b", f64::NAN), ("what", "a", "b", 1.0)]);
    golden::check("compare-odd", &compare(&Style::PIPED, &odd, 20));
}
