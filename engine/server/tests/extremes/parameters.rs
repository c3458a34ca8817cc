//! Every numeric parameter at and beyond every edge.

use super::{Loaded, encoded, judge, now};

/// Numbers at and beyond the edges of their types, and what is no number.
const VALUES: [&str; 38] = [
    "0",
    "-1",
    "1",
    "100",
    "101",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9999999999",
    "10000000000",
    "262144",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551614",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "NaN",
    "inf",
    "-inf",
    "1e308",
    "1e-308",
    "0.0000000001",
    "18446744073.709551615",
    "",
    " ",
    "text",
    "0x10",
    "+1",
    "1ns",
    "-1s",
    "18446744073709551615ns",
    "18446744073709551616ns",
    "584y",
    "99999999999999999999w",
    "٣",
    "\u{0}\n%2",
];

/// Parameters that say nothing to an endpoint are ignored, and must be at every value too.
const IGNORED: [&str; 2] = ["maxStaleValues", "blockStart"];

const ENDPOINTS: [(&str, &str, &[&str]); 9] = [
    (
        "/api/search",
        "q=%7B%7D",
        &["limit", "spss", "start", "end", "since", "minDuration", "maxDuration", "cursor", "explain"],
    ),
    ("/api/search/tags", "", &["limit", "start", "end", "scope"]),
    ("/api/v2/search/tags", "q=%7B%20.n%20%3E%200%20%7D", &["limit", "start", "end"]),
    ("/api/search/tag/text/values", "", &["limit", "start", "end"]),
    ("/api/v2/search/tag/.n/values", "q=%7B%20.n%20%3E%200%20%7D", &["limit", "start", "end"]),
    (
        "/api/metrics/query_range",
        "q=%7B%7D%7Crate()",
        &["start", "end", "since", "step", "exemplars", "maxSeries"],
    ),
    ("/api/metrics/query", "q=%7B%7D%7Crate()by(.n)", &["start", "end", "since", "maxSeries", "step"]),
    ("/api/traces/eeeeeeeeeeeeeeee0000000000000001", "", &["start", "end", "mode"]),
    (
        "/api/v2/traces/eeeeeeeeeeeeeeee0000000000000001",
        "q=%7Bname%3D%22step%205%22%7D&keep_hierarchy=true",
        &["start", "end", "match_depth", "ancestor_depth", "keep_hierarchy", "span_pruning"],
    ),
];

#[test]
fn every_parameter_at_every_edge() {
    let mut loaded = Loaded::start();
    for (path, rest, names) in ENDPOINTS {
        for name in names.iter().chain(&IGNORED) {
            for value in VALUES {
                // Of one that is given twice the first counts.
                let asked = format!("{path}?{name}={}&{rest}", encoded(value));
                let answer = loaded.get(&asked);
                // A time that is too long ago is said of start and end.
                judge(&asked, &answer, if *name == "since" { "" } else { name });
                if IGNORED.contains(name) {
                    assert_eq!(answer.status, 200, "{asked}");
                }
            }
        }
        loaded.answers();
    }
    loaded.end();
}

#[test]
fn both_ends_of_a_range_at_every_edge() {
    let mut loaded = Loaded::start();
    let now = now().to_string();
    let times = [
        "0",
        "1",
        &now,
        "9999999999",
        "9223372036.854775807",
        "18446744073709551614",
        "18446744073709551616",
    ];
    for (path, rest, _) in ENDPOINTS {
        for start in times {
            for end in times {
                let asked = format!("{path}?start={start}&end={end}&{rest}");
                judge(&asked, &loaded.get(&asked), "");
                if path.ends_with("query_range") {
                    for step in ["18446744073", "1ms", "18446744073709551615ns"] {
                        let asked = format!("{asked}&step={step}");
                        judge(&asked, &loaded.get(&asked), "st");
                    }
                }
            }
        }
    }
    loaded.end();
}

/// Places where pages begin, from first to last.
#[test]
fn pages_begin_anywhere() {
    let mut loaded = Loaded::start();
    for start in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
        for id in ["0", "1", "ffffffffffffffffffffffffffffffff"] {
            let asked = format!("/api/search?q=%7B%7D&cursor={start}-{id}");
            judge(&asked, &loaded.get(&asked), "cursor");
        }
    }
    for cursor in ["-", "1-", "-1", "1-x", "18446744073709551616-1", "1-1-1", &"1".repeat(9999)] {
        let asked = format!("/api/search?q=%7B%7D&cursor={cursor}");
        let answer = loaded.get(&asked);
        assert_eq!(answer.status, 400, "{asked}");
        judge(&asked, &answer, "cursor is ");
    }
    loaded.end();
}
