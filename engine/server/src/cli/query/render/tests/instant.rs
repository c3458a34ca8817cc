//! Values as golden texts.

use super::super::golden;
use super::*;

fn answer(values: &[(&str, &str)]) -> SeriesAnswer {
    let one = |(name, value): &(&str, &str)| {
        format!(r#"{{"labels":[{{"key":"name","value":{{"stringValue":"{name}"}}}}],"value":{value}}}"#)
    };
    let series: Vec<String> = values.iter().map(one).collect();
    serde_json::from_str(&format!(r#"{{"series":[{}]}}"#, series.join(","))).unwrap()
}

#[test]
fn values_fit_the_terminal() {
    let values = [
        ("GET /cart", "0.25"),
        ("POST /a name that is far longer than any terminal of forty columns", "1.5"),
        ("odd", r#""NaN""#),
        ("endless", r#""Infinity""#),
        ("negative", "-1"),
        ("漢字", "0.000001"),
    ];
    let check = |name: &str, columns: usize, unit: Unit, top: usize| {
        let text = instant(&Style::new(columns, false), unit, &answer(&values), top);
        assert!(text.lines().map(super::super::text::width).max() <= Some(columns));
        golden::check(name, &text);
    };
    check("instant-100", 100, Unit::Seconds, 20);
    check("instant-40", 40, Unit::None, 20);
    check("instant-top", 60, Unit::Seconds, 2);
    assert_eq!(instant(&Style::PIPED, Unit::None, &answer(&[]), 20), "no span was counted\n");
    golden::check("instant-zero", &instant(&Style::PIPED, Unit::Spans, &answer(&[("none", "0")]), 20));
}
