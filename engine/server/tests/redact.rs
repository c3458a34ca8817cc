//! Redaction of a whole engine, over HTTP and by the command: what went stays gone after a kill, the rest is there.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod house;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use house::load::{by_trace, check, load_while};
use house::{Client, House, spanloom};
use serde_json::{Value, json};
use spanloom_server::model::{AnyValue, KeyValue, ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_server::{SpanId, TraceId};
use spanloom_span::encode;

const SECOND: u64 = 1_000_000_000;
const BEGUN: u64 = 1_700_000_000 * SECOND;

/// In every span that is to go, so that files can be searched for it.
const SECRET: &str = "a-number-that-nobody-else-has-4929";

/// Small segments and files, and joins at any time.
const CONFIG: &str = "
memory: {budget: 96MiB}
log: {segment_bytes: 1MiB}
compaction: {every: 100ms, zstd_level: 1}
redaction: {http: true}
";

fn trace_id(number: u64) -> TraceId {
    TraceId((0xa0 + u128::from(number)).to_be_bytes())
}

fn span(trace: u64, number: u64, attributes: &[(&str, &str)]) -> Span {
    let start = BEGUN + trace * SECOND + number * 1_000_000;
    let text =
        |&(key, value): &(&str, &str)| KeyValue { key: key.into(), value: AnyValue::Str(value.into()) };
    Span {
        trace_id: trace_id(trace),
        span_id: SpanId(number.to_be_bytes()),
        parent_span_id: if number == 1 { Vec::new() } else { 1u64.to_be_bytes().to_vec() },
        name: format!("span {number}"),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 500_000 * number,
        attributes: attributes.iter().map(text).collect(),
        ..Span::default()
    }
}

/// Sends spans of several traces in one request.
fn send(house: &House, spans: Vec<Span>) {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    let body = encode::traces_data(&Trace { resource_spans });
    let answer = house.sender().post("/v1/traces", "application/x-protobuf", &body).unwrap();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(body)))
}

/// Asks for a redaction: status and answer.
fn redact(house: &House, body: &Value) -> (u16, Value) {
    let answer = house.client().post("/api/redact", "application/json", body.to_string().as_bytes()).unwrap();
    match answer.status {
        200 => (200, json_of(&answer.body)),
        status => (status, String::from_utf8(answer.body).unwrap().into()),
    }
}

/// Traces that a search finds: number, and what is shown of each.
fn searched(client: &mut Client, query: &str) -> BTreeMap<u64, Value> {
    let query: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let path = format!("/api/search?limit=1000&start=1699999000&end=1700009000&q={query}");
    let answer = client.get(&path, "application/json").unwrap();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let found = json_of(&answer.body);
    let traces = found["traces"].as_array().cloned().unwrap_or_default();
    let number = |id: &str| u64::try_from(u128::from_str_radix(id, 16).unwrap() - 0xa0).unwrap();
    traces.into_iter().map(|trace| (number(trace["traceID"].as_str().unwrap()), trace)).collect()
}

fn numbers(house: &House, query: &str) -> Vec<u64> {
    searched(&mut house.client(), query).into_keys().collect()
}

/// Files below a folder that have some bytes.
fn files_with(folder: &Path, needle: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if std::fs::read(&path).unwrap().windows(needle.len()).any(|part| part == needle.as_bytes()) {
            found.push(path);
        }
    }
    found
}

fn audit(house: &House) -> Vec<Value> {
    let text = std::fs::read_to_string(house.dir.join("data/audit.log")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Ten traces of three spans, each request with spans of all: the third span of every even one has the secret.
fn send_ten(house: &House) {
    for number in 1..=3 {
        let attributes = |trace: u64| match number == 3 && trace.is_multiple_of(2) {
            true => vec![("card", SECRET)],
            false => vec![("number", "plain")],
        };
        send(house, (0..10).map(|trace| span(trace, number, &attributes(trace))).collect());
        // Live columns are made of what came so far.
        assert_eq!(numbers(house, "{ }").len(), 10);
    }
}

/// Redacts by id, by query and span by span; kills; looks; lets spans come late.
fn survive(config: &str) {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), config);
    send_ten(&house);
    assert!(!files_with(&dir.path().join("data/log"), SECRET).is_empty());

    let by_id = json!({ "traceIds": [trace_id(1).to_string(), trace_id(3).to_string()], "dryRun": true });
    let (_, would) = redact(&house, &by_id);
    assert_eq!((&would["traces"], &would["spans"], &would["dryRun"]), (&json!(2), &json!(6), &json!(true)));
    assert_eq!(numbers(&house, "{ }").len(), 10, "a dry one");
    let (_, done) = redact(&house, &json!({ "traceIds": by_id["traceIds"] }));
    assert_eq!((&done["traces"], &done["spans"], &done["dryRun"]), (&json!(2), &json!(6), &json!(false)));
    assert_eq!(numbers(&house, "{ }"), [0, 2, 4, 5, 6, 7, 8, 9]);

    let of_four = format!("{{ .card = `{SECRET}` && trace:id = `{}` }}", trace_id(4));
    let (_, done) = redact(&house, &json!({ "query": of_four }));
    assert_eq!((&done["traces"], &done["spans"]), (&json!(1), &json!(3)));
    let secret = format!("{{ .card = `{SECRET}` }}");
    assert_eq!(numbers(&house, &secret), [0, 2, 6, 8]);
    let (_, done) = redact(&house, &json!({ "query": secret, "spans": true }));
    assert_eq!((&done["traces"], &done["spans"]), (&json!(4), &json!(4)));

    let gone = |house: &House| {
        assert!(numbers(house, &secret).is_empty());
        let found = searched(&mut house.client(), "{ }");
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [0, 2, 5, 6, 7, 8, 9]);
        // What the trace table says of those that stay in part: the root, and that they end earlier.
        let (part, whole) = (&found[&6], &found[&7]);
        assert_eq!((&part["rootTraceName"], &whole["rootTraceName"]), (&json!("span 1"), &json!("span 1")));
        assert_eq!((&part["durationMs"], &whole["durationMs"]), (&json!(2), &json!(3)));
        let counts: Vec<usize> =
            (0..10).map(|trace| house.client().span_ids(trace_id(trace)).len()).collect();
        assert_eq!(counts, [2, 0, 2, 0, 0, 3, 2, 3, 2, 3]);
        for folder in ["data/log", "data/blocks"] {
            let found = files_with(&house.dir.join(folder), SECRET);
            assert!(found.is_empty(), "{found:?}");
        }
    };
    gone(&house);
    house.kill();
    let house = House::start(dir.path(), config);
    gone(&house);

    send(&house, vec![span(3, 1, &[("late", "yes")])]);
    assert_eq!(numbers(&house, "{ .late = `yes` }"), [3], "what arrives later stays");
    house.kill();
    let house = House::start(dir.path(), config);
    assert_eq!(numbers(&house, "{ .late = `yes` }"), [3]);
    let outcomes: Vec<Value> = audit(&house).iter().map(|line| line["outcome"].clone()).collect();
    let expected = ["dry run", "done", "done", "done"].map(|outcome| [Value::Null, json!(outcome)]);
    assert_eq!(outcomes, expected.concat());
    assert!(!house.log().contains("no end in the audit log"), "{}", house.log());
    house.stop();
}

#[test]
fn redacted_spans_stay_gone_after_kill_9() {
    survive(CONFIG);
}

#[test]
fn redacted_spans_stay_gone_after_kill_9_with_a_store() {
    let store = tempfile::tempdir().unwrap();
    let folder = store.path().display();
    survive(&format!("{CONFIG}\nstore: {{backend: folder, folder: {folder}, poll: 100ms, grace: 60s}}\n"));
}

/// Spans come, blocks are sealed and joined, while some of those that came before go; then a kill.
fn survive_under_load(config: &str) {
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "{config}\ntrace: {{idle: 50ms, max_age: 1s}}\nseal: {{block_bytes: 400KiB, max_age: 200ms}}"
    );
    let mut house = House::start(dir.path(), &config);
    let first = by_trace(&load_while(house.otlp, 1, |count| {
        while count() < 3_000 {
            std::thread::yield_now();
        }
    }));
    let doomed: Vec<TraceId> = first.keys().copied().step_by(2).collect();
    let load = load_while(house.otlp, 100, |count| {
        while count() < 1_000 {
            std::thread::yield_now();
        }
        let ids: Vec<String> = doomed.iter().map(TraceId::to_string).collect();
        let (status, done) = redact(&house, &json!({ "traceIds": ids }));
        assert_eq!((status, &done["traces"]), (200, &json!(ids.len())), "{done}");
        house.kill();
    });
    house = House::start(dir.path(), &config);
    let mut rest: HashMap<TraceId, Vec<SpanId>> = by_trace(&load);
    rest.extend(first.into_iter().filter(|(trace, _)| !doomed.contains(trace)));
    for when in ["after a kill", "after a drain"] {
        check(&house, &rest, when);
        let mut client = house.client();
        for trace in &doomed {
            assert!(client.span_ids(*trace).is_empty(), "{when}: {trace}");
        }
        if when == "after a kill" {
            house.stop();
            house = House::start(dir.path(), &config);
        }
    }
    house.stop();
}

#[test]
fn a_redaction_under_load_takes_what_it_names_and_nothing_else() {
    survive_under_load(CONFIG);
}

#[test]
fn a_redaction_under_load_takes_what_it_names_and_nothing_else_with_a_store() {
    let store = tempfile::tempdir().unwrap();
    let folder = store.path().display();
    survive_under_load(&format!(
        "{CONFIG}\nstore: {{backend: folder, folder: {folder}, poll: 100ms, grace: 60s}}"
    ));
}

#[test]
fn more_than_is_allowed_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "redaction: {http: true, max_traces: 3, max_spans: 4}\n");
    send_ten(&house);
    let refused = |body: Value, status: u16, part: &str| {
        let (found, text) = redact(&house, &body);
        assert!(found == status && text.as_str().unwrap().contains(part), "{body}: {found} {text}");
        assert_eq!(numbers(&house, "{ }").len(), 10, "{body}");
    };
    let ids: Vec<String> = (0..4).map(|trace| trace_id(trace).to_string()).collect();
    let traces = "expected at most 3 (redaction.max_traces); nothing was deleted";
    refused(json!({ "traceIds": ids }), 400, &format!("found 4 traces, {traces}"));
    refused(json!({ "query": "{ }" }), 400, &format!("found 10 traces, {traces}"));
    let of_two = format!("{{ trace:id = `{}` || trace:id = `{}` }}", trace_id(1), trace_id(2));
    let spans = "found 6 spans, expected at most 4 (redaction.max_spans)";
    refused(json!({ "query": of_two, "spans": true }), 400, spans);
    refused(json!({ "traceIds": [] }), 400, "found no trace ids");
    refused(json!({ "query": "{ .card = }" }), 400, "");
    refused(json!({ "query": "{ } | rate()" }), 400, "expected one for traces");
    let lines = audit(&house);
    assert_eq!(lines.len(), 12);
    assert!(lines.iter().skip(1).step_by(2).all(|line| line["outcome"] == "refused"));
    let (status, done) = redact(&house, &json!({ "query": of_two }));
    assert_eq!((status, &done["traces"]), (200, &json!(2)));
    assert_eq!(
        (house.metric("spanloom_redacted_traces_total"), house.metric("spanloom_redacted_spans_total")),
        (2, 6)
    );
    house.stop();
}

#[test]
fn the_command_deletes_where_no_engine_runs() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "");
    send_ten(&house);
    let data = dir.path().join("data").to_str().unwrap().to_owned();
    let run = |args: &[&str]| spanloom(&[&["block", "redact", "--data-dir", &data], args].concat());
    let said = |args: &[&str], code: i32, part: &str| {
        let (found, out, error) = run(args);
        assert_eq!(found, Some(code), "{args:?}: {out}{error}");
        assert!(out.contains(part) || error.contains(part), "{args:?}: {out}{error}");
    };
    let (one, two) = (trace_id(1).to_string(), trace_id(2).to_string());
    said(&["--trace", &one, "--yes"], 1, "another engine uses this directory");
    house.kill();
    said(&["--yes"], 2, "required");
    said(&["--trace", &one, "--query", "{ }"], 2, "cannot be used with");
    said(&["--trace", "x", "--yes"], 1, "the trace id \"x\" is wrong");
    // What the log has is brought back first.
    said(&["--trace", &one, "--dry-run"], 0, "3 spans of 1 traces would be deleted from 1 blocks");
    said(&["--trace", &one], 1, "expected --yes or --dry-run");
    said(&["--trace", &one, "--tenant", "nobody", "--yes"], 0, "0 spans of 0 traces were deleted");
    let file = dir.path().join("ids.txt");
    std::fs::write(&file, format!("{one}\n\n  {two}\n")).unwrap();
    said(
        &["--traces-from", file.to_str().unwrap(), "--yes"],
        0,
        "6 spans of 2 traces were deleted from 1 blocks",
    );
    said(&["--query", "{ .card != nil }", "--spans", "--yes"], 0, "4 spans of 4 traces were deleted");
    let house = House::start(dir.path(), "");
    assert_eq!(numbers(&house, "{ }"), [0, 3, 4, 5, 6, 7, 8, 9]);
    assert!(numbers(&house, "{ .card != nil }").is_empty());
    let lines = audit(&house);
    assert!(lines[0]["from"].as_str().unwrap().starts_with("spanloom block redact, uid "));
    assert_eq!(redact(&house, &json!({ "query": "{ }" })).0, 403, "off unless it is set");
    house.stop();
}
