//! Metrics: spans over time, second stages, arithmetic, `compare`.

use super::support::{over, plan, show_value, trace};
use spanloom_span::TraceId;
use spanloom_span::model::Trace;
use spanloom_traceql::answer::{Series, Steps};
use spanloom_traceql::metrics::{
    Accumulator, Cut, Limits, MetricsAnswer, Partial, count_trace, finish, series_order,
};
use spanloom_traceql::value::Value;

const SECOND: u64 = 1_000_000_000;

/// Steps of ten seconds at 10, 20 and 30 seconds.
fn steps() -> Steps {
    Steps::range(10 * SECOND, 30 * SECOND, 10 * SECOND).expect("steps")
}

pub fn series_of(query: &str, traces: &[Trace], steps: Steps, limits: &Limits) -> MetricsAnswer {
    let plan = plan(query);
    let metrics = plan.metrics().expect("series");
    let mut accumulators = Vec::new();
    for leaf in &metrics.leaves {
        let mut accumulator = Accumulator::new(leaf, steps, limits);
        for trace in traces {
            over(&plan, std::slice::from_ref(trace), |whole| {
                count_trace(leaf, whole, &mut |_, _, _| Ok(false), &mut accumulator).expect("counted");
            });
        }
        accumulators.push(accumulator);
    }
    finish(metrics, &accumulators)
}

/// A series a line: labels, then samples as `seconds=value`.
fn show(series: &[Series]) -> String {
    let lines = series.iter().map(|series| {
        let labels = series.labels.iter().map(|(name, value)| match value {
            spanloom_span::model::AnyValue::Str(text) => format!("{name}={text:?}"),
            value => format!("{name}={}", show_value(value)),
        });
        let samples = series.samples.iter().map(|(time, value)| format!("{}={value}", time / SECOND));
        format!("{{{}}} {}", labels.collect::<Vec<_>>().join(" "), samples.collect::<Vec<_>>().join(" "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

const SPANS: &str = "1 - 5000000000  1000000000 .s=a .n=4
                     2 1 10000000000 2000000000 .s=a .n=8
                     3 1 10000000001 3000000000 .s=b .n=2.5
                     4 1 15000000000 4000000000 .s=b .n=word
                     5 2 20000000000 4000000000 .n=5
                     6 1 30000000000 1000000000 .s=a .n=3
                     7 1 30000000001 1000000000 .s=a .n=1
                     8 1 0           1000000000 .s=z .n=9";

fn check(query: &str, expected: &[&str]) {
    let found = series_of(query, &[trace(SPANS)], steps(), &Limits::default());
    assert_eq!(show(&found.series), expected.join("\n"), "{query}");
    assert_eq!(found.partial, None, "{query}");
}

#[test]
fn spans_count_at_their_start() {
    check("{ } | count_over_time()", &["{__name__=\"count_over_time\"} 10=2 20=3 30=1"]);
    check("{ } | rate()", &["{__name__=\"rate\"} 10=0.2 20=0.3 30=0.1"]);
    check("{ .s = \"b\" } | count_over_time()", &["{__name__=\"count_over_time\"} 10=0 20=2 30=0"]);
    check("{ .s = \"none\" } | count_over_time()", &[]);
    check("{ .s = \"z\" } | count_over_time()", &[]);
    check("{ } | by(.s) | count_over_time()", &["{__name__=\"count_over_time\"} 10=2 20=3 30=1"]);
    check("{ .n = 4 } > { } | count_over_time()", &["{__name__=\"count_over_time\"} 10=1 20=2 30=1"]);
}

/// Nothing is sampled here, so there is nothing to choose and nothing to scale.
#[test]
fn hints_about_samples_change_nothing() {
    let plain = "{ } | rate() by(.s)";
    let expected = series_of(plain, &[trace(SPANS)], steps(), &Limits::default());
    assert!(!expected.series.is_empty());
    for hints in [
        "extrapolate=true",
        "extrapolate=false",
        "sample=true",
        "sample=0.1",
        "sample=true, extrapolate=true",
        "span_sample=0.5, extrapolate=false",
        "trace_sample=0, extrapolate=true",
        "most_recent=true",
    ] {
        let query = format!("{plain} with({hints})");
        assert_eq!(series_of(&query, &[trace(SPANS)], steps(), &Limits::default()), expected, "{query}");
    }
}

#[test]
fn an_instant_query_counts_the_whole_range() {
    let steps = Steps::instant(10 * SECOND, 20 * SECOND).expect("steps");
    let found = series_of("{ } | rate()", &[trace(SPANS)], steps, &Limits::default());
    assert_eq!(show(&found.series), "{__name__=\"rate\"} 20=0.4");
}

#[test]
fn groups_are_labelled_and_ordered() {
    check(
        "{ } | count_over_time() by(.s)",
        &["{.s=\"a\"} 10=2 20=0 30=1", "{.s=\"b\"} 10=0 20=2 30=0", "{.s=\"nil\"} 10=0 20=1 30=0"],
    );
    check(
        "{ } | count_over_time() by(.s, .n)",
        &[
            "{.n=5} 10=0 20=1 30=0",
            "{.s=\"a\" .n=3} 10=0 20=0 30=1",
            "{.s=\"a\" .n=4} 10=1 20=0 30=0",
            "{.s=\"a\" .n=8} 10=1 20=0 30=0",
            "{.s=\"b\" .n=2.5} 10=0 20=1 30=0",
            "{.s=\"b\" .n=\"word\"} 10=0 20=1 30=0",
        ],
    );
    check("{ } | count_over_time() by(.q, .r)", &["{.q=\"nil\"} 10=2 20=3 30=1"]);
}

#[test]
fn statistics_take_what_is_a_number() {
    check("{ } | min_over_time(.n)", &["{__name__=\"min_over_time\"} 10=4 20=2.5 30=3"]);
    check("{ } | max_over_time(.n)", &["{__name__=\"max_over_time\"} 10=8 20=5 30=3"]);
    check("{ } | sum_over_time(.n)", &["{__name__=\"sum_over_time\"} 10=12 20=7.5 30=3"]);
    check("{ } | avg_over_time(.n)", &["{__name__=\"avg_over_time\"} 10=6 20=3.75 30=3"]);
    check("{ } | max_over_time(duration)", &["{__name__=\"max_over_time\"} 10=2 20=4 30=1"]);
    check("{ } | sum_over_time(duration)", &["{__name__=\"sum_over_time\"} 10=3 20=11 30=1"]);
    check(
        "{ } | avg_over_time(duration)",
        &["{__name__=\"avg_over_time\"} 10=1.5 20=3.6666666666666665 30=1"],
    );
    check("{ .s = \"b\" } | sum_over_time(.n)", &["{__name__=\"sum_over_time\"} 20=2.5"]);
    check("{ .n = \"word\" } | sum_over_time(.n)", &[]);
    // NaN counts where there is nothing else, and in sums.
    let spans = "1 - 10000000000 1 .f=NaN
                 2 - 10000000000 1 .f=2.0
                 3 - 10000000000 1 .f=NaN
                 4 - 20000000000 1 .f=NaN";
    for (function, expected) in [("min", "10=2 20=NaN"), ("max", "10=2 20=NaN"), ("sum", "10=NaN 20=NaN")] {
        let query = format!("{{ }} | {function}_over_time(.f)");
        let found = series_of(&query, &[trace(spans)], steps(), &Limits::default());
        assert_eq!(show(&found.series), format!("{{__name__=\"{function}_over_time\"}} {expected}"));
    }
}

#[test]
fn histograms_count_by_powers_of_two() {
    check(
        "{ } | histogram_over_time(.n)",
        &["{__bucket=4.0} 10=1 20=0 30=1", "{__bucket=8.0} 10=1 20=1 30=0"],
    );
    check(
        "{ .n = 4 || .n = 8 } | histogram_over_time(duration) by(.s)",
        &["{.s=\"a\" __bucket=1.073741824} 10=1 20=0 30=0", "{.s=\"a\" __bucket=2.147483648} 10=1 20=0 30=0"],
    );
}

#[test]
fn quantiles_come_from_the_same_buckets() {
    check("{ } | quantile_over_time(.n, 0.9, 0.5)", &["{p=0.5} 10=4 20=8 30=4", "{p=0.9} 10=8 20=8 30=4"]);
    check(
        "{ } | quantile_over_time(duration, 0.5)",
        &["{p=0.5} 10=1.073741824 20=3.408917801919709 30=1.073741824"],
    );
}

#[test]
fn second_stages_keep_samples() {
    check("{ } | count_over_time() by(.s) | topk(1)", &["{.s=\"a\"} 10=2 30=1", "{.s=\"b\"} 20=2"]);
    check("{ } | count_over_time() by(.s) | bottomk(1)", &["{.s=\"a\"} 20=0", "{.s=\"b\"} 10=0 30=0"]);
    check(
        "{ } | count_over_time() by(.s) | bottomk(2)",
        &["{.s=\"a\"} 20=0", "{.s=\"b\"} 10=0 30=0", "{.s=\"nil\"} 10=0 20=1 30=0"],
    );
    check("{ } | count_over_time() by(.s) | > 1", &["{.s=\"a\"} 10=2", "{.s=\"b\"} 20=2"]);
    check("{ } | max_over_time(duration) | > 1500ms", &["{__name__=\"max_over_time\"} 10=2 20=4"]);
    check("{ } | count_over_time() by(.s) | topk(2) | topk(1)", &["{.s=\"a\"} 10=2 30=1", "{.s=\"b\"} 20=2"]);
    check("{ } | count_over_time() | > 100", &[]);
}

#[test]
fn arithmetic_joins_series_with_equal_labels() {
    check(
        "({ .s = \"a\" } | count_over_time() by(.s)) / ({ } | count_over_time() by(.s))",
        &["{.s=\"a\"} 10=1 20=NaN 30=1"],
    );
    check(
        "({ } | count_over_time() by(.s)) / ({ } | count_over_time())",
        &[
            "{.s=\"a\"} 10=1 20=0 30=1",
            "{.s=\"b\"} 10=0 20=0.6666666666666666 30=0",
            "{.s=\"nil\"} 10=0 20=0.3333333333333333 30=0",
        ],
    );
    check(
        "({ } | count_over_time()) - ({ } | count_over_time() by(.s))",
        &["{.s=\"a\"} 10=0 20=3 30=0", "{.s=\"b\"} 10=2 20=1 30=1", "{.s=\"nil\"} 10=2 20=2 30=1"],
    );
    check("({ } | count_over_time()) - ({ } | rate())", &["{} 10=1.8 20=2.7 30=0.9"]);
    check("({ } | count_over_time()) * (7 / 2)", &["{__name__=\"count_over_time\"} 10=6 20=9 30=3"]);
    check("10 - ({ } | count_over_time())", &["{__name__=\"count_over_time\"} 10=8 20=7 30=9"]);
    // A time without a sample on either side has none.
    check("({ .s = \"b\" } | sum_over_time(.n)) + ({ } | count_over_time())", &["{} 20=5.5"]);
    check("({ .s = \"b\" } | count_over_time() by(.s)) + ({ .s = \"a\" } | count_over_time() by(.s))", &[]);
}

#[test]
fn compare_counts_both_halves_by_attribute() {
    let spans = "1 - 5000000000 1 name=x .a=1 res.service.name=s kind=server
                 2 1 6000000000 1 name=y .a=2 res.service.name=s .b=~
                 3 1 7000000000 1 name=y .a=2 .a=3 res.service.name=t";
    let steps = Steps::instant(0, 10 * SECOND).expect("steps");
    let found = series_of("{ } | compare({ .a = 2 }, 1)", &[trace(spans)], steps, &Limits::default());
    let lines = show(&found.series);
    for expected in [
        "{__meta_type=\"selection\" span.a=2} 10=2",
        "{__meta_type=\"baseline\" span.a=1} 10=1",
        "{__meta_type=\"selection_total\" span.a=\"nil\"} 10=2",
        "{__meta_type=\"baseline_total\" span.a=\"nil\"} 10=1",
        // One value is shown; of equally frequent ones the first.
        "{__meta_type=\"selection\" resource.service.name=\"s\"} 10=1",
        "{__meta_type=\"selection\" rootName=\"x\"} 10=2",
        "{__meta_type=\"baseline\" rootServiceName=\"s\"} 10=1",
    ] {
        assert!(
            lines
                .replace("trace:rootService=", "rootServiceName=")
                .replace("trace:rootName=", "rootName=")
                .lines()
                .any(|line| line == expected),
            "{expected} in\n{lines}"
        );
    }
    assert!(!lines.contains("service.name=\"t\"") && !lines.contains("span.b"), "{lines}");
    assert!(
        found.series.is_sorted_by(|left, right| spanloom_traceql::metrics::series_order(left, right).is_le())
    );
    // Name, kind, status, message, both of the root, `a` and `service.name`: a value and a total in each half.
    assert_eq!(found.series.len(), 8 * 4, "{lines}");

    let window = "{ } | compare({ .a != 9 }, 10, 6000000000, 7000000000)";
    let found = series_of(window, &[trace(spans)], steps, &Limits::default());
    assert!(show(&found.series).contains("{__meta_type=\"selection_total\" span.a=\"nil\"} 10=2"));
}

#[test]
fn compare_tells_of_too_many_values() {
    let spans: String = (1..=1001).map(|at| format!("{at:x} - {at} 1 .a=v{at}\n")).collect();
    let steps = Steps::instant(0, 10_000).expect("steps");
    let found = series_of("{ } | compare({ }, 2)", &[trace(&spans)], steps, &Limits::default());
    let of_a: Vec<String> =
        show(&found.series).lines().filter(|line| line.contains("span.a")).map(str::to_owned).collect();
    assert_eq!(
        of_a,
        [
            "{__meta_type=\"selection\" __meta_error=\"__too_many_values__\" span.a=\"nil\"} 0=999",
            "{__meta_type=\"selection\" span.a=\"v1\"} 0=1",
            "{__meta_type=\"selection\" span.a=\"v10\"} 0=1",
            "{__meta_type=\"selection_total\" span.a=\"nil\"} 0=1001",
        ]
    );
}

#[test]
fn too_many_series_leave_the_first_ones_whole() {
    let spans: String = (1..=50).map(|at| format!("{at:x} - {at} 1 .a={}\n", at % 25)).collect();
    let steps = Steps::instant(0, 100).expect("steps");
    let limits = Limits { max_series: 3, ..Limits::default() };
    let found = series_of("{ } | count_over_time() by(.a)", &[trace(&spans)], steps, &limits);
    assert_eq!(show(&found.series), "{.a=0} 0=2\n{.a=1} 0=2\n{.a=2} 0=2");
    assert_eq!(found.partial, Some(Partial { of: "count_over_time", shown: 3, cut: Cut::Series }));
}

#[test]
fn series_that_take_too_many_bytes_are_not_made() {
    // Two labels, of which one is nil here and there, so that groups stand in another order than their series.
    let spans: String = (1..=60u64)
        .map(|at| {
            let n = if at % 3 == 0 { String::new() } else { format!(".n={}", at % 7) };
            format!("{at:x} - {} {} .a={} {n}\n", at * SECOND / 2, 1 << (at % 20), at % 5)
        })
        .collect();
    let quantiles: Vec<String> = (0..1000).map(|at| format!("0.{at:03}")).collect();
    let quantiles = format!("quantile_over_time(duration, {}) by(.n, .a)", quantiles.join(","));
    // Bytes enough for the counts of every group, and not for every series.
    for (function, max_bytes) in [
        ("rate() by(.n, .a)", 4 << 10),
        ("max_over_time(duration) by(.n, .a)", 4 << 10),
        (&quantiles, 64 << 10),
    ] {
        let series = |max_bytes: usize| {
            let limits = Limits { max_series: usize::MAX, max_bytes, exemplars: 0 };
            series_of(&format!("{{ }} | {function}"), &[trace(&spans)], steps(), &limits)
        };
        let all = series(1 << 30);
        assert_eq!(all.partial, None, "{function}");
        let mut ordered = all.series.clone();
        ordered.sort_by(series_order);
        assert_eq!(show(&all.series), show(&ordered), "{function}");
        let few = series(max_bytes);
        let Partial { shown, cut, .. } = few.partial.expect("a part");
        assert_eq!((cut, shown), (Cut::Bytes, few.series.len()), "{function}");
        assert!(shown > 0 && shown < all.series.len(), "{function}: {shown}");
        assert_eq!(show(&few.series), show(&all.series[..shown]), "{function}");
        let samples: usize = few.series.iter().map(|series| series.samples.len()).sum();
        assert!(samples * 64 <= max_bytes, "{function}: {samples} samples");
    }
}

#[test]
fn the_first_series_of_too_many_are_those_that_a_longer_answer_begins_with() {
    // What a series counts is its last label, whose name comes after that of the label which it may lack.
    const HISTOGRAM: &str = "{ } | histogram_over_time(duration) by(.b, .a)";
    let spans = "1 - 1 9 .b=1\n2 - 2 9 .a=z\n3 - 3 9 .a=m .b=1\n4 - 4 9\n5 - 5 9 .a=7\n6 - 6 9 .b=x .a=7\n";
    let steps = Steps::instant(0, 100).expect("steps");
    for query in
        ["{ } | count_over_time() by(.a)", "{ } | rate() by(.a, .b)", "{ } | rate() by(.b, .a)", HISTOGRAM]
    {
        let with = |max_series| {
            let limits = Limits { max_series, ..Limits::default() };
            series_of(query, &[trace(spans)], steps, &limits)
        };
        let all = with(100).series;
        for most in 1..=all.len() {
            let found = with(most);
            assert_eq!(show(&found.series), show(&all[..most]), "{query}, {most} of {}", all.len());
            assert_eq!(found.partial.is_some(), most < all.len(), "{query}, {most} of {}", all.len());
        }
    }
}

#[test]
fn exemplars_are_spread_and_of_different_traces() {
    let plan = plan("{ } | max_over_time(duration)");
    let leaf = &plan.metrics().expect("series").leaves[0];
    let limits = Limits { exemplars: 3, ..Limits::default() };
    let mut accumulator = Accumulator::new(leaf, steps(), &limits);
    for at in 1..=3000u64 {
        let start = at * SECOND / 100;
        let trace = TraceId(u128::from(at % 500).to_be_bytes());
        accumulator.observe(&[], start, Value::Duration(at as i64 * 1000), trace, 1);
    }
    let found = finish(plan.metrics().expect("series"), &[accumulator]);
    let exemplars = &found.series[0].exemplars;
    assert_eq!(exemplars.len(), 3);
    let mut places: Vec<u64> =
        exemplars.iter().map(|exemplar| exemplar.at.saturating_sub(1) / (10 * SECOND)).collect();
    places.dedup();
    assert_eq!(places, [0, 1, 2]);
    for exemplar in exemplars {
        let at = exemplar.at * 100 / SECOND;
        assert_eq!(exemplar.trace, TraceId(u128::from(at % 500).to_be_bytes()));
        assert_eq!(exemplar.value, at as f64 / 1e6);
    }
}
