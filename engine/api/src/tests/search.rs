//! `/api/search`: what is asked, what is refused, how it is answered.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use spanloom_query::{Cursor, Explain, ExplainSource};
use spanloom_traceql::answer::{FoundSpan, FoundSpanset, FoundTrace};

use super::*;
use crate::params::Params;
use crate::search::NEXT_CURSOR;
use crate::search::asked::Asked;
use crate::time::SECOND;

const NOW: u64 = 1_700_000_000 * SECOND;

fn params(list: &[(&str, &str)]) -> Params {
    Params(list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn request(list: &[(&str, &str)]) -> Result<SearchRequest, QueryError> {
    Asked::from_params(&params(list))?.into_request(&QueryLimits::default(), NOW)
}

/// A query as the language prints it.
pub fn canonical(query: &str) -> String {
    spanloom_traceql::parse(query).unwrap().to_string()
}

/// What is asked when nothing is said.
fn usual() -> SearchRequest {
    SearchRequest {
        query: canonical("{ }"),
        start: Some(NOW - 15 * 60 * SECOND),
        limit: 20,
        spans_per_spanset: 3,
        ..SearchRequest::default()
    }
}

#[test]
fn parameters_become_a_question() {
    let check = |list: &[(&str, &str)], expected: SearchRequest| {
        assert_eq!(request(list), Ok(expected), "{list:?}");
    };
    check(&[], usual());
    check(&[("q", "{.a=1}")], SearchRequest { query: "{.a=1}".into(), ..usual() });
    check(&[("q", ""), ("limit", ""), ("start", "")], usual());
    check(
        &[("limit", "262144"), ("spss", "100")],
        SearchRequest { limit: 262_144, spans_per_spanset: 100, ..usual() },
    );
    check(&[("limit", "1"), ("spss", "0")], SearchRequest { limit: 1, spans_per_spanset: 100, ..usual() });
    check(&[("limit", "5"), ("limit", "x")], SearchRequest { limit: 5, ..usual() });
    let ranged = |start: u64, end: Option<u64>| SearchRequest {
        start: Some(start * SECOND),
        end: end.map(|end| end * SECOND),
        ..usual()
    };
    check(&[("start", "5"), ("end", "9")], ranged(5, Some(9)));
    check(&[("start", "0"), ("end", "604800")], ranged(0, Some(604_800)));
    check(&[("start", "0"), ("end", "0")], usual());
    // The future is no error.
    check(&[("start", "1900000000"), ("end", "1900000001")], ranged(1_900_000_000, Some(1_900_000_001)));
    check(&[("since", "1h")], ranged(1_700_000_000 - 3600, None));
    check(&[("since", "1h"), ("end", "7200")], ranged(3600, Some(7200)));
    check(&[("since", "1h"), ("start", "1"), ("end", "2")], ranged(1, Some(2)));
    check(&[("explain", "1")], SearchRequest { explain: true, ..usual() });
    check(&[("explain", "false")], usual());
    let after = Some(Cursor { start: 7, id: TraceId::parse(ID).unwrap() });
    check(&[("cursor", &format!("7-{ID}"))], SearchRequest { after, ..usual() });

    let tagged = |query: &str| SearchRequest { query: canonical(query), ..usual() };
    check(
        &[("tags", "service.name=shop name=\"a b\"")],
        tagged(r#"{ resource.service.name = "shop" && span:name = "a b" }"#),
    );
    check(&[("minDuration", "100ms")], tagged("{ trace:duration >= 100ms }"));
    check(
        &[("tags", "a=b"), ("minDuration", "1s"), ("maxDuration", "1s"), ("other", "c")],
        tagged(r#"{ .a = "b" && trace:duration >= 1s && trace:duration <= 1s }"#),
    );
    check(&[("a", "b"), ("limit", "20"), ("c", "")], tagged(r#"{ .a = "b" }"#));
    check(&[("q", "{ }"), ("a", "b")], SearchRequest { query: "{ }".into(), ..usual() });
    check(
        &[("q", "{ .a = 1 } | count() > 1"), ("maxDuration", "2s")],
        tagged("{ trace:duration <= 2s } | { .a = 1 } | count() > 1"),
    );
}

#[test]
fn what_is_wrong_is_named() {
    let check = |list: &[(&str, &str)], expected: &str| match request(list) {
        Err(QueryError::Invalid(message) | QueryError::OverLimit { message, .. }) => {
            assert_eq!(message, expected, "{list:?}")
        }
        other => panic!("{list:?}: {other:?}"),
    };
    check(&[("q", "{ }"), ("tags", "a=b")], "both q and tags are given, expected one of them");
    check(&[("limit", "0")], "limit is 0, expected 1 to 262144 (query.max_limit)");
    check(&[("limit", "262145")], "limit is 262145, expected 1 to 262144 (query.max_limit)");
    check(&[("limit", "18446744073709551616")], "limit is \"18446744073709551616\", expected a whole number");
    check(&[("limit", "-1")], "limit is \"-1\", expected a whole number");
    check(&[("spss", "101")], "spss is 101, expected 0 to 100 (query.max_spans_per_spanset)");
    check(&[("start", "9"), ("end", "9")], "start is 9 and end is 9, expected end after start");
    check(&[("start", "9.5"), ("end", "9")], "start is 9.5 and end is 9, expected end after start");
    check(&[("start", "9")], "start is given without end, expected both or neither");
    check(&[("end", "9")], "end is given without start, expected both or neither");
    check(
        &[("start", "0"), ("end", "604801")],
        "the time from start to end is 604801s, expected at most 168h (query.max_search_range)",
    );
    check(
        &[("start", "1"), ("end", "99999999999999999999")],
        "the time from start to end is 18446744072709551615ns, expected at most 168h (query.max_search_range)",
    );
    check(
        &[("since", "169h")],
        "the time from start to end is 169h, expected at most 168h (query.max_search_range)",
    );
    check(&[("since", "1")], "since is \"1\", expected a duration such as 100ms or 1h30m");
    check(
        &[("start", "soon")],
        "start is \"soon\", expected seconds or nanoseconds since 1970, or a time such as 2026-01-02T03:04:05Z",
    );
    check(&[("cursor", "x")], "cursor is \"x\", expected one that an answer gave");
    check(&[("explain", "x")], "explain is \"x\", expected true or false");
    check(&[("minDuration", "5")], "minDuration is \"5\", expected a duration such as 100ms or 1h30m");
    check(
        &[("minDuration", "2s"), ("maxDuration", "1500ms")],
        "minDuration is 2s and maxDuration is 1500ms, expected the minimum to be less",
    );
    check(&[("tags", "a=b a=c")], "the tag \"a\" is given twice, expected it once");
    check(&[("a", "b"), ("a", "c")], "the tag \"a\" is given twice, expected it once");
    check(&[("tags", "a")], "tags has \"a\", expected key=value or key=\"value\"");
    check(&[("tags", "status.code=2")], "the tag status.code is \"2\", expected ok, error or unset");
    let many: Vec<String> = (0..101).map(|n| format!("t{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "1")).collect();
    check(&many, "101 tags are given, expected at most 100");
    let long = format!("{{ .a = \"{}\" }}", "x".repeat(128 << 10));
    check(&[("q", &long)], "the query has 131083 bytes, expected at most 131072 (query.max_query_bytes)");
    // Long values are shown by their beginning.
    check(
        &[("limit", &"x".repeat(9999))],
        &format!("limit is {:?}, expected a whole number", "x".repeat(200)),
    );
}

#[test]
fn a_hundred_tags_make_a_query() {
    let tags: Vec<String> = (0..100).map(|n| format!("t{n}")).collect();
    let tags: Vec<(&str, &str)> = tags.iter().map(|name| (name.as_str(), "1")).collect();
    let query = request(&tags).unwrap().query;
    assert_eq!(query.matches("&&").count(), 99);
}

fn found(first: u8) -> FoundTrace {
    let span = FoundSpan {
        id: SpanId([0, 0, 0, 0, 0, 0, 0, 7]),
        name: "get".into(),
        start: 5,
        ..FoundSpan::default()
    };
    FoundTrace {
        id: TraceId([first, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        root_service: Some("shop".into()),
        start: 5,
        spansets: vec![FoundSpanset { spans: vec![span], matched: 1, ..FoundSpanset::default() }],
        ..FoundTrace::default()
    }
}

pub fn last_part(traces: Vec<FoundTrace>) -> SearchPart {
    SearchPart {
        traces,
        stats: SearchStats { jobs: 2, jobs_done: 2, ..SearchStats::default() },
        done: true,
        ..SearchPart::default()
    }
}

const FOUND: &str = concat!(
    r#"{"traces":[{"traceID":"1","rootServiceName":"shop","startTimeUnixNano":"5","#,
    r#""spanSet":{"spans":[{"spanID":"0000000000000007","name":"get","startTimeUnixNano":"5"}],"matched":1},"#,
    r#""spanSets":[{"spans":[{"spanID":"0000000000000007","name":"get","startTimeUnixNano":"5"}],"matched":1}]}],"#,
    r#""metrics":{"completedJobs":2,"totalJobs":2}"#,
);

#[tokio::test]
async fn an_answer_is_taken_whole() {
    let server = running(0);
    for h2 in [false, true] {
        let parts = vec![Ok(SearchPart::default()), Ok(last_part(vec![found(0)]))];
        server.fake.searches.will_be(parts);
        let path = "/api/search?q=%7B%20.a%20%3D%201%20%7D&limit=5";
        let headers = [("x-scope-orgid", "a|b"), ("accept", "application/vnd.grafana.llm")];
        let got = server.ask(h2, Method::GET, path, &headers).await;
        assert_eq!((got.status, got.header("content-type")), (StatusCode::OK, "application/json"), "{got:?}");
        assert_eq!((got.text(), got.header(NEXT_CURSOR)), (&*format!("{FOUND}}}"), ""));
        let asked = server.fake.searches.last();
        assert_eq!((asked.query.as_str(), asked.limit, asked.stream), ("{ .a = 1 }", 5, false));
        assert_eq!(asked.tenants.iter().map(|t| t.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }
    server.fake.searches.will_be(vec![Ok(last_part(vec![found(0)]))]);
    let got = server.ask(false, Method::GET, "/api/search", &[("accept", "application/protobuf")]).await;
    assert_eq!(got.header("content-type"), "application/protobuf");
    let expected = spanloom_wire::query::search::proto(
        &[found(0)],
        &spanloom_wire::query::Inspected { jobs: 2, jobs_done: 2, ..Default::default() },
    );
    assert_eq!(got.body, expected);
    server.fake.searches.will_be(vec![Ok(last_part(vec![found(0)]))]);
    let got = server.ask(false, Method::HEAD, "/api/search", &[]).await;
    assert_eq!((got.status, got.body.len()), (StatusCode::OK, 0));
    assert_eq!(got.header("content-length"), (FOUND.len() + 1).to_string());
    server.end().await;
}

#[tokio::test]
async fn a_page_says_where_the_next_one_begins_and_how_it_was_found() {
    let server = running(0);
    let source = ExplainSource {
        name: "block".into(),
        spans: 10,
        groups: 2,
        groups_pruned: vec![("value".into(), 1)],
        ..ExplainSource::default()
    };
    let live = ExplainSource { name: "live".into(), pruned: Some("time".into()), ..ExplainSource::default() };
    let explain = Explain {
        query: "{ }".into(),
        sources: vec![source, live],
        steps: vec![("scan".into(), Duration::from_micros(1500))],
        took: Duration::from_millis(2),
    };
    let next = Some(Cursor { start: 5, id: TraceId::parse(ID).unwrap() });
    let part = SearchPart { next, explain: Some(explain), ..last_part(vec![found(0)]) };
    server.fake.searches.will_be(vec![Ok(part)]);
    let cursor = format!("5-{ID}");
    let headers = [("accept", "application/protobuf")];
    let got =
        server.ask(false, Method::GET, &format!("/api/search?explain=1&cursor={cursor}"), &headers).await;
    assert_eq!((got.header(NEXT_CURSOR), got.header("content-type")), (cursor.as_str(), "application/json"));
    let explained = concat!(
        r#","explain":{"query":"{ }","sources":[{"name":"block","spans":10,"traces":0,"rowGroups":2,"#,
        r#""rowGroupsPruned":[{"reason":"value","rowGroups":1}],"rowsRead":0,"rowsMatched":0,"candidates":0,"#,
        r#""joined":0},{"name":"live","spans":0,"traces":0,"rowGroups":0,"pruned":"time","rowGroupsPruned":[],"#,
        r#""rowsRead":0,"rowsMatched":0,"candidates":0,"joined":0}],"steps":[{"name":"scan","micros":1500}],"#,
        r#""tookMicros":2000,"nextCursor":""#,
    );
    assert_eq!(got.text(), format!("{FOUND}{explained}{cursor}\"}}}}"));
    assert_eq!(server.fake.searches.last().after, next);
    server.end().await;
}

#[tokio::test]
async fn errors_have_their_status() {
    let server = running(0);
    let check = async |parts: Vec<Result<SearchPart, AskError>>, status: u16, text: &str| {
        server.fake.searches.will_be(parts);
        let got = server.get("/api/search").await;
        assert_eq!((got.status.as_u16(), got.text()), (status, text));
        if status == 429 {
            assert_eq!(got.header("retry-after"), "1");
        }
    };
    check(vec![Err(AskError::Invalid("bad".into()))], 400, "bad\n").await;
    check(vec![Ok(SearchPart::default()), Err(AskError::TooLarge("large".into()))], 422, "large\n").await;
    check(vec![Err(AskError::Busy("busy".into()))], 429, "busy\n").await;
    let late = "the question was not answered within 2s (query.timeout)\n";
    check(vec![Err(AskError::Timeout(Duration::from_secs(2)))], 504, late).await;
    check(vec![Err(AskError::Stopping)], 503, "the engine is stopping\n").await;
    check(vec![Ok(SearchPart::default())], 500, "the answer ended before its last part\n").await;
    server.fake.searches.asked.lock().unwrap().clear();
    let got = server.get("/api/search?q=%7B%20.a%20%3D%20%7D").await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
    assert!(got.text().starts_with("the query is wrong: line 1, column 8: found `}`"), "{got:?}");
    let got = server.get("/api/search?q=%7B%7D%7Crate()").await;
    assert!(got.text().starts_with("the query asks for series, expected one for traces"), "{got:?}");
    assert!(server.fake.searches.asked.lock().unwrap().is_empty());
    let got = server.ask(false, Method::POST, "/api/search", &[]).await;
    assert_eq!((got.status, got.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD"));
    server.end().await;
}

#[tokio::test]
async fn many_traces_are_compressed() {
    let server = running(0);
    let traces: Vec<FoundTrace> = (0..2000).map(|_| found(0)).collect();
    server.fake.searches.will_be(vec![Ok(last_part(traces))]);
    let got = server.ask(false, Method::GET, "/api/search", &[("accept-encoding", "gzip")]).await;
    assert_eq!(got.header("content-encoding"), "gzip");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&got.body[..]), &mut text).unwrap();
    assert_eq!(text.matches("\"traceID\":\"1\"").count(), 2000);
    server.end().await;
}
