//! `/api/metrics/query_range` and `/api/metrics/query`.

use axum::http::{Method, StatusCode};
use spanloom_span::model::AnyValue;
use spanloom_traceql::answer::Series;

use super::*;
use crate::params::Params;
use crate::series::asked::{Asked, Shape};
use crate::time::SECOND;

const NOW: u64 = 1_700_000_000 * SECOND;
const RATE: (&str, &str) = ("q", "{ } | rate()");

fn request(shape: Shape, list: &[(&str, &str)]) -> Result<MetricsRequest, QueryError> {
    let params = list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Asked::from_params(shape, &Params(params))?.into_request(&QueryLimits::default(), NOW)
}

/// What is asked when nothing but the query is said.
fn usual() -> MetricsRequest {
    MetricsRequest {
        query: RATE.1.into(),
        start: NOW - 3600 * SECOND,
        end: NOW,
        step: Some(15 * SECOND),
        exemplars: 100,
        ..MetricsRequest::default()
    }
}

#[test]
fn parameters_become_a_question() {
    let check = |list: &[(&str, &str)], expected: MetricsRequest| {
        assert_eq!(request(Shape::Range, list), Ok(expected), "{list:?}");
    };
    check(&[RATE], usual());
    check(&[("query", RATE.1)], usual());
    check(
        &[RATE, ("since", "10m")],
        MetricsRequest { start: NOW - 600 * SECOND, step: Some(2 * SECOND), ..usual() },
    );
    let ranged = |start, end, step| MetricsRequest { start, end, step: Some(step), ..usual() };
    check(
        &[RATE, ("start", "100"), ("end", "160"), ("step", "5")],
        ranged(100 * SECOND, 160 * SECOND, 5 * SECOND),
    );
    check(
        &[RATE, ("start", "100.5"), ("end", "160000000001"), ("step", "250ms")],
        ranged(100 * SECOND + SECOND / 2, 160 * SECOND + 1, SECOND / 4),
    );
    check(
        &[RATE, ("start", "1970-01-01T00:01:40Z"), ("end", "1970-01-01T00:02:40.5Z"), ("step", "1m")],
        ranged(100 * SECOND, 160 * SECOND + SECOND / 2, 60 * SECOND),
    );
    check(&[RATE, ("end", "7200")], ranged(3600 * SECOND, 7200 * SECOND, 15 * SECOND));
    check(&[RATE, ("start", "1699999990")], ranged(NOW - 10 * SECOND, NOW, SECOND / 20));
    // The future is no error; a whole day is not too long; 10,000 intervals are not too many.
    check(
        &[RATE, ("start", "1900000000"), ("end", "1900000060")],
        ranged(1_900_000_000 * SECOND, 1_900_000_060 * SECOND, SECOND),
    );
    check(&[RATE, ("start", "0"), ("end", "86400")], ranged(0, 86_400 * SECOND, 300 * SECOND));
    check(&[RATE, ("start", "0"), ("end", "10000"), ("step", "1")], ranged(0, 10_000 * SECOND, SECOND));
    check(
        &[RATE, ("exemplars", "7"), ("maxSeries", "9")],
        MetricsRequest { exemplars: 7, max_series: 9, ..usual() },
    );
    check(&[RATE, ("exemplars", "0")], MetricsRequest { exemplars: 0, ..usual() });
    check(&[RATE, ("exemplars", "101")], usual());
    let instant = MetricsRequest { step: None, exemplars: 0, ..usual() };
    assert_eq!(request(Shape::Instant, &[RATE, ("step", "x"), ("exemplars", "x")]), Ok(instant));
}

#[test]
fn what_is_wrong_is_named() {
    let check = |list: &[(&str, &str)], expected: &str| {
        let error = request(Shape::Range, list).expect_err("a wrong question");
        assert_eq!((error.status(), &*error.to_string()), (StatusCode::BAD_REQUEST, expected), "{list:?}");
    };
    check(&[], "there is no query, expected the parameter q, such as { } | rate()");
    check(
        &[("q", "{ }")],
        "the query asks for traces, expected one for series such as { } | rate(); traces are answered at /api/search",
    );
    check(&[RATE, ("start", "9"), ("end", "9")], "start is 9 and end is 9, expected end after start");
    check(
        &[RATE, ("start", "1900000000")],
        "start is 1900000000 and end is 1700000000, expected end after start",
    );
    check(&[RATE, ("step", "-1")], "step is \"-1\", expected seconds or a duration such as 30s");
    check(&[RATE, ("step", "0")], "step is 0s, expected at least 1ms");
    check(&[RATE, ("step", "999us")], "step is 999us, expected at least 1ms");
    check(
        &[RATE, ("start", "0"), ("end", "86401")],
        "the time from start to end is 86401s, expected at most 24h (query.max_metrics_range)",
    );
    check(
        &[RATE, ("start", "0"), ("end", "10001"), ("step", "1")],
        "a step of 1s makes 10001 intervals, expected at most 10000 (query.max_intervals), which is a step \
         of at least 1001ms",
    );
    check(
        &[RATE, ("start", "0"), ("end", "86400"), ("step", "1ms")],
        "a step of 1ms makes 86400000 intervals, expected at most 10000 (query.max_intervals), which is a \
         step of at least 8640ms",
    );
    check(&[RATE, ("exemplars", "x")], "exemplars is \"x\", expected a whole number");
    check(&[RATE, ("maxSeries", "-1")], "maxSeries is \"-1\", expected a whole number");
    check(&[RATE, ("since", "x")], "since is \"x\", expected a duration such as 100ms or 1h30m");
}

fn last_part() -> MetricsPart {
    let labels = vec![("__name__".to_owned(), AnyValue::Str("rate".into()))];
    let series = Series { labels, samples: vec![(60 * SECOND, 0.5)], ..Series::default() };
    MetricsPart { series: vec![series], partial: Some("some".into()), done: true, ..MetricsPart::default() }
}

#[tokio::test]
async fn series_are_answered() {
    let server = running(0);
    let check = async |path: &str, expected: &str| {
        for h2 in [false, true] {
            server.fake.series.will_be(vec![Ok(MetricsPart::default()), Ok(last_part())]);
            let got = server.ask(h2, Method::GET, path, &[("x-scope-orgid", "a")]).await;
            assert_eq!(
                (got.status, got.header("content-type")),
                (StatusCode::OK, "application/json"),
                "{got:?}"
            );
            assert_eq!(got.text(), expected, "{path}");
            let asked = server.fake.series.last();
            assert_eq!((asked.query.as_str(), asked.stream, asked.tenants.len()), ("{ } | rate()", false, 1));
        }
    };
    let labels = r#""labels":[{"key":"__name__","value":{"stringValue":"rate"}}]"#;
    let end = r#""metrics":{},"status":"PARTIAL","message":"some"}"#;
    let query = "q=%7B%20%7D%20%7C%20rate()";
    let range =
        format!(r#"{{"series":[{{{labels},"samples":[{{"timestampMs":"60000","value":0.5}}]}}],{end}"#);
    check(&format!("/api/metrics/query_range?{query}"), &range).await;
    check(&format!("/api/metrics/query?{query}"), &format!(r#"{{"series":[{{{labels},"value":0.5}}],{end}"#))
        .await;
    server.fake.series.will_be(vec![Ok(last_part())]);
    let path = format!("/api/metrics/query?{query}");
    let got = server.ask(false, Method::GET, &path, &[("accept", "application/protobuf")]).await;
    assert_eq!(got.header("content-type"), "application/protobuf");
    assert!(got.body.ends_with(b"\x12\x00\x18\x01\x22\x04some"), "{got:?}");
    let got = server.get("/api/metrics/query_range?q=%7B%7D").await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
    server.end().await;
}
