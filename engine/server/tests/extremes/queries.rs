//! Queries that are long, deep, wide, or look like work without end.

use super::house::grpc::Grpc;
use super::messages::Message;
use super::{Loaded, MAX_ANSWER_BYTES, encoded, judge, now};

/// The longest query.
const MAX_QUERY_BYTES: usize = 128 << 10;

/// What a URL holds, about.
const MAX_URL_BYTES: usize = 60 << 10;

/// Most levels of nesting.
const MAX_NESTING: usize = 64;

impl Loaded {
    /// Asks for traces over HTTP if the query goes into a URL, and over gRPC.
    fn search(&mut self, grpc: &Grpc, query: &str, more: &str) -> u32 {
        let shown: String = query.chars().take(100).collect();
        let text = encoded(query);
        if text.len() < MAX_URL_BYTES {
            let asked = format!("/api/search?q={text}{more}");
            judge(&shown, &self.get(&asked), "");
        }
        let message = Message::default().text(8, query).number(4, 1000).number(9, 100);
        let answer = grpc.call("Search", &message.0);
        super::messages::judge(&shown, &answer);
        answer.status
    }

    /// Asks for series in every way. The status over gRPC.
    fn series(&mut self, grpc: &Grpc, query: &str, step: &str) -> u32 {
        let shown: String = query.chars().take(100).collect();
        let (text, end) = (encoded(query), now() + 60);
        if text.len() < MAX_URL_BYTES {
            let range = format!("q={text}&start={}&end={end}", end - 1000);
            judge(&shown, &self.get(&format!("/api/metrics/query_range?{range}&step={step}")), "");
            judge(&shown, &self.get(&format!("/api/metrics/query?{range}")), "");
        }
        let nanos = |seconds: u64| seconds * 1_000_000_000;
        let message = Message::default()
            .text(1, query)
            .number(2, nanos(end - 1000))
            .number(3, nanos(end))
            .number(16, 100);
        let instant = grpc.call("MetricsQueryInstant", &message.0);
        super::messages::judge(&shown, &instant);
        let range = grpc.call("MetricsQueryRange", &message.number(4, 100_000_000).0);
        super::messages::judge(&shown, &range);
        range.status.max(instant.status)
    }
}

/// A query that is as long as it may be, or longer by some bytes.
fn padded(open: &str, close: &str, more: usize) -> String {
    let text = "x".repeat(MAX_QUERY_BYTES + more - open.len() - close.len());
    format!("{open}{text}{close}")
}

#[test]
fn queries_as_long_and_as_deep_as_may_be() {
    let mut loaded = Loaded::start();
    let grpc = Grpc::new(loaded.house.query);
    let nested = |depth: usize| format!("{{ {}.n{} }}", "(".repeat(depth), ")".repeat(depth));
    let filled = |first: &str, more: &str, close: &str| {
        let times = (MAX_QUERY_BYTES - first.len() - close.len()) / more.len();
        format!("{first}{}{close}", more.repeat(times))
    };
    let distinct: Vec<String> = (0..1_000).map(|number| format!(".a{number}")).collect();
    let checks = [
        (padded("{ .text = \"", "\" }", 0), 0),
        (padded("{ .text = \"", "\" }", 1), 3),
        (padded("{ .text = \"", "\" }", 10_000), 3),
        (filled("{ true", "&&.n", "}"), 0),
        (filled("{ .a", "||.n=1", "}"), 0),
        (format!("{{}}{}", "&&{}".repeat(2_000)), 0),
        (format!("{{}}{}", "|{.n>0}".repeat(200)), 0),
        (filled("{} | select(.n", ",.n", ")"), 0),
        (format!("{{}} | select({})", distinct.join(",")), 0),
        (format!("{{}} | select({}, .more)", distinct.join(",")), 3),
        (format!("{{}} with({})", vec!["sample=true"; 10_000].join(",")), 0),
        (filled("{", "(", ""), 3),
        (nested(MAX_NESTING - 3), 0),
        (nested(MAX_NESTING + 1), 3),
        (nested(10_000), 3),
        (format!("{{ {}.n }}", "!".repeat(5_000)), 3),
        (format!("{{ .n = {}1 }}", "-".repeat(5_000)), 3),
        (format!("{{ .n = 1{} }}", " + 1".repeat(990)), 0),
        (format!("{{ .n = 1{} }}", " ^ 9999999".repeat(60)), 0),
        (format!("{{ .n = 1{} }}", " + 1".repeat(5_000)), 3),
        ("{ .n = 99999999999999999999999999 }".to_owned(), 3),
        ("{ .n = 1e308 || .n = -1e308 || .n < 1e-308 }".to_owned(), 0),
        ("{ .n = 1e999 }".to_owned(), 3),
        ("{ duration > 99999999999999999999h }".to_owned(), 3),
        ("{ .n / 0 = 1 || .n % 0 = 1 || .n ^ 99 > 1 || -.n ^ -9 > 0 }".to_owned(), 0),
        ("\u{0}{ \u{feff} }".to_owned(), 3),
    ];
    for (query, expected) in checks {
        let shown: String = query.chars().take(100).collect();
        assert_eq!(loaded.search(&grpc, &query, ""), expected, "{shown}");
    }
    // A URL of such a query is too long for any server; the answer says so and the connection may end.
    let long = encoded(&padded("{ .text = \"", "\" }", 0));
    let answer = loaded.house.client().get(&format!("/api/search?q={long}"), "").unwrap();
    assert!(matches!(answer.status, 414 | 431), "{}", answer.status);
    loaded.end();
}

#[test]
fn patterns_that_look_like_work_without_end() {
    let mut loaded = Loaded::start();
    let grpc = Grpc::new(loaded.house.query);
    let optional = "a?".repeat(1_000) + &"a".repeat(1_000);
    let patterns = [
        "(a+)+$",
        "(a|a)*b",
        "(a|aa)+",
        "(.*){1,1000}",
        "(.*a){30}",
        "((((a*)*)*)*)*b",
        "(a{0,100}){0,100}",
        "((a{0,9}){0,9}){0,9}",
        "(x+x+)+y",
        "(?i).*.*.*.*.*=.*",
        "[^!]{1,1000}!",
        "\\\\pL{1,500}",
        "[\\\\x{0}-\\\\x{10FFFF}]{1,500}",
        "(\\\\pL|\\\\pN|\\\\pS){1,100}",
        "[ab]*a[ab]{20}!",
        "a*a*a*a*a*a*a*a*a*a*b",
        &optional,
        "a{1000000}",
        "(",
        "",
    ];
    for pattern in patterns {
        for (query, of) in [("search", ".long"), ("search", ".text"), ("series", ".long")] {
            let filter = format!("{{ {of} =~ \"{pattern}\" || {of} !~ \"{pattern}x\" }}");
            match query {
                "search" => loaded.search(&grpc, &filter, "&limit=1000"),
                _ => loaded.series(&grpc, &format!("{filter} | rate()"), "10"),
            };
        }
    }
    // As many as may be, each with an automaton of its own.
    for (count, expected) in [(200, 0), (201, 3)] {
        let one = |number: usize| format!(".long =~ \".*[ab]a[ab]{{5}}x{number}\"");
        let query = format!("{{ {} }}", (0..count).map(one).collect::<Vec<_>>().join(" || "));
        assert_eq!(loaded.search(&grpc, &query, ""), expected, "{count}");
    }
    loaded.end();
}

#[test]
fn answers_as_large_as_may_be() {
    let mut loaded = Loaded::start();
    let grpc = Grpc::new(loaded.house.query);
    for query in [
        "{}",
        "{} | by(span:id)",
        "{} | by(.n)",
        "{} >> {}",
        "{} | by(.n) | count() > 0",
        "{} | select(.long)",
    ] {
        loaded.search(&grpc, query, "&limit=262144&spss=100");
    }
    loaded.search(
        &grpc,
        "{} | select(.long, .text) | by(span:id) | by(.text)",
        "&limit=262144&spss=0&explain=1",
    );
    // More than an answer may take is refused, not cut.
    let split: String = (0..20).map(|at| format!(" | by(.n + {at})")).collect();
    assert_eq!(loaded.search(&grpc, &format!("{{}}{split}"), "&limit=262144&spss=100"), 8);
    let asked = format!("/api/search?limit=262144&q={}", encoded(&format!("{{}}{split}")));
    assert_eq!(loaded.get(&asked).status, 422);
    loaded.end();
}

#[test]
fn series_as_many_and_as_long_as_may_be() {
    let mut loaded = Loaded::start();
    let grpc = Grpc::new(loaded.house.query);
    let quantiles = |count: usize| {
        let all: Vec<String> = (0..count).map(|at| format!("{:.5}", at as f64 / count as f64)).collect();
        all.join(",")
    };
    let sum = |leaf: &str, times: usize| format!("{}({leaf})", format!("({leaf}) + ").repeat(times - 1));
    let queries = [
        "{} | rate() by(.n)".to_owned(),
        "{} | rate() by(span:id, trace:id, .text, .n, .long)".to_owned(),
        "{} | count_over_time() by(span:id)".to_owned(),
        "{} | avg_over_time(duration) by(.n)".to_owned(),
        "{} | sum_over_time(.float)".to_owned(),
        "{} | max_over_time(.float) by(.long)".to_owned(),
        "{} | histogram_over_time(duration) by(.n)".to_owned(),
        format!("{{}} | quantile_over_time(duration, {})", quantiles(1_000)),
        format!("{{}} | quantile_over_time(duration, {}) by(.n)", quantiles(1_000)),
        format!("{{}} | quantile_over_time(duration, {}) by(name)", quantiles(6_000)),
        "{} | compare({ .n > 6000 }, 9223372036854775807)".to_owned(),
        "{} | compare({ .n > 6000 }, 2147483648, 1, 9223372036854775807)".to_owned(),
        "{} | compare({})".to_owned(),
        "{} | rate() by(.n) | topk(9223372036854775807)".to_owned(),
        "{} | rate() by(.n) | bottomk(1) | > -1e308 | topk(1)".to_owned(),
        sum("{} | rate()", 400),
        sum("{} | rate() by(.n)", 100),
        format!("({{}} | rate() by(.n)) / 0{}", " * 1e308".repeat(50)),
        format!("{{}} | rate() with({})", vec!["exemplars=9223372036854775807"; 1_000].join(",")),
    ];
    for query in queries {
        for step in ["100ms", "1000"] {
            loaded.series(&grpc, &query, step);
        }
    }
    // What is refused is told apart from what is cut.
    let asked = format!("/api/metrics/query?q={}&since=1h", encoded("{} | rate() by(.n)"));
    let body = super::text(&loaded.get(&asked));
    assert!(body.contains("\"status\":\"PARTIAL\"") && body.len() < MAX_ANSWER_BYTES, "{} bytes", body.len());
    loaded.end();
}
