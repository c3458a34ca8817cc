//! A server without a configuration file: the ports it opens, who is heard on them, and what it says of itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

mod house;

use std::collections::{HashMap, HashSet};
use std::net::TcpListener;
use std::path::Path;

use house::{Client, House, spanloom};
use spanloom_load::{Generator, GeneratorOptions, Profile};
use spanloom_span::{SpanId, TraceId};

const OTLP: [u16; 4] = [4317, 4318, 55680, 55681];
const QUERY: u16 = 3200;
const JAEGER_QUERY: [u16; 2] = [16685, 16686];

/// Starts a server with its defaults, all ports shifted to a range that is free; yields the shift, too.
fn start(dir: &Path) -> (House, u16) {
    let data = dir.join("data");
    // Above the ports that systems give to outgoing connections, as far as the largest allows; processes begin at
    // different ones.
    let first = std::process::id() as u16 % 4000;
    for at in 0..4000 {
        let offset = 5700 + (first + at * 7) % 4000;
        let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port + offset)).is_ok();
        if !OTLP.iter().chain([&QUERY]).chain(&JAEGER_QUERY).all(|port| is_free(*port)) {
            continue;
        }
        let offset_text = offset.to_string();
        let args = ["--port-offset", &offset_text, "--data-dir", data.to_str().unwrap()];
        match House::launch(dir, &args, OTLP[0] + offset, QUERY + offset) {
            Ok(house) => return (house, offset),
            Err(log) if log.contains("cannot be listened on") => {}
            Err(log) => panic!("the server ended:\n{log}"),
        }
    }
    panic!("no free range of ports");
}

/// The first request of a seed: its bytes and spans.
fn request(seed: u64) -> (Vec<u8>, HashMap<TraceId, HashSet<SpanId>>, u64) {
    let options = GeneratorOptions { spans_per_request: 60, ..GeneratorOptions::new(Profile::Default, seed) };
    let sampler = spanloom_load::sample::Sample::new(0).1;
    let request = Generator::with(options, sampler).next().unwrap();
    let mut traces: HashMap<_, HashSet<_>> = HashMap::new();
    for (trace, span) in &request.spans {
        traces.entry(*trace).or_default().insert(*span);
    }
    (request.bytes.to_vec(), traces, request.spans.len() as u64)
}

#[test]
fn every_default_port_takes_http_and_grpc() {
    let dir = tempfile::tempdir().unwrap();
    let (house, offset) = start(dir.path());
    let ways = OTLP.iter().map(|port| (*port, "/v1/traces")).chain([(55681, "/v1/trace")]);
    let (mut requests, mut spans) = (0, 0);
    for (seed, (port, path)) in (1..).zip(ways) {
        let (body, traces, count) = request(seed);
        let mut sender = Client::connect(port + offset).unwrap();
        let answer = sender.post(path, "application/x-protobuf", &body).unwrap();
        assert_eq!((answer.status, answer.body), (200, Vec::new()), "{port} {path}");
        assert_eq!(
            answer.headers.iter().find(|(name, _)| name == "content-type").unwrap().1,
            "application/x-protobuf"
        );
        for (trace, expected) in traces {
            let found = house.client().span_ids(trace);
            assert_eq!(found.len(), expected.len(), "{port} {path}: {trace}");
            assert_eq!(found.into_iter().collect::<HashSet<_>>(), expected, "{port} {path}: {trace}");
        }
        (requests, spans) = (requests + 1, spans + count);
        assert_eq!(house.metric("spanloom_requests_total"), requests, "{port} {path}");
        assert_eq!(house.metric("spanloom_spans_accepted_total"), spans, "{port} {path}");
    }
    for (seed, port) in (100..).zip(OTLP) {
        // It reads traces back, compares, and fails when one differs.
        let (endpoint, query) =
            (format!("http://127.0.0.1:{}", port + offset), format!("http://127.0.0.1:{}", house.query));
        let (code, out, error) = spanloom(&[
            "load",
            "--protocol",
            "grpc",
            "--endpoint",
            &endpoint,
            "--query",
            &query,
            "--spans",
            "2000",
            "--seed",
            &seed.to_string(),
            "--verify",
            "20",
            "--reads",
            "20",
            "--json",
        ]);
        assert_eq!(code, Some(0), "{port}: {out}{error}");
        let now = house.metric("spanloom_spans_accepted_total");
        assert!(now >= spans + 2000, "{port}: {spans} spans, then {now}");
        spans = now;
    }
    house.stop();
}

#[test]
fn metrics_are_open_metrics_and_count_what_was_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (house, _) = start(dir.path());
    let (body, traces, spans) = request(1);
    let mut sender = Client::connect(house.otlp).unwrap();
    let mut post =
        |content_type: &str, body: &[u8]| sender.post("/v1/traces", content_type, body).unwrap().status;
    assert_eq!(post("application/x-protobuf", &body), 200);
    assert_eq!(post("application/x-protobuf", b"not protobuf"), 400);
    assert_eq!(post("application/json", b"{"), 400);
    let mut client = house.client();
    for id in traces.keys() {
        assert_eq!(client.get(&format!("/api/traces/{id}"), "application/json").unwrap().status, 200);
    }
    assert_eq!(client.get(&format!("/api/traces/{}", TraceId([9; 16])), "").unwrap().status, 404);
    let before = scrape(&mut client);
    let value = |of: &HashMap<String, f64>, name: &str| {
        *of.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", of.keys()))
    };
    // The one that is no JSON never becomes a request to the engine.
    assert_eq!(value(&before, "spanloom_requests_total"), 2.0);
    assert_eq!(value(&before, "spanloom_log_frames_total"), 1.0);
    assert_eq!(value(&before, "spanloom_spans_accepted_total"), spans as f64);
    assert_eq!(value(&before, "spanloom_receive_accepted_spans_total"), spans as f64);
    let mut refused = 0.0;
    for (name, count) in &before {
        refused += if name.starts_with("spanloom_receive_refused_total{reason=") { *count } else { 0.0 };
    }
    assert_eq!(refused, 2.0);
    assert_eq!(value(&before, "spanloom_live_traces"), traces.len() as f64);
    assert_eq!(value(&before, "spanloom_log_unsealed_spans"), spans as f64);
    assert_eq!(value(&before, "spanloom_blocks"), 0.0);
    let asked = "spanloom_api_requests_total{endpoint=\"/api/traces/{id}\",status=\"200\"}";
    assert_eq!(value(&before, asked), traces.len() as f64);
    assert_eq!(value(&before, &asked.replace("200", "404")), 1.0);
    house.flush();
    // Nothing is left to seal, so this is no round of sealing.
    house.flush();
    let after = scrape(&mut client);
    assert_eq!(value(&after, "spanloom_spans_sealed_total"), spans as f64);
    assert_eq!(value(&after, "spanloom_blocks"), 1.0);
    assert_eq!(value(&after, "spanloom_live_traces"), 0.0);
    assert_eq!(value(&after, "spanloom_log_unsealed_spans"), 0.0);
    assert_eq!(value(&after, "spanloom_seal_seconds_count"), 1.0);
    // Counters never fall.
    assert!(after.keys().all(|name| name.starts_with("spanloom_") && !name.starts_with("spanloom_spanloom")));
    for (name, before) in before.iter().filter(|(name, _)| name.contains("_total")) {
        assert!(value(&after, name) >= *before, "{name}");
    }
    // The older form is the same without what it does not know.
    let answer = client.get("/metrics", "text/plain").unwrap();
    assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    assert!(!String::from_utf8(answer.body).unwrap().contains("# EOF"));
    house.stop();
}

/// Reads OpenMetrics text strictly: each sample's value by its name and labels.
fn scrape(client: &mut Client) -> HashMap<String, f64> {
    let answer = client.get("/metrics", "application/openmetrics-text; version=1.0.0").unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let text = String::from_utf8(answer.body).unwrap();
    let lines = text.strip_suffix("# EOF\n").expect("it ends with the end mark");
    let mut families: HashMap<String, String> = HashMap::new();
    let (mut described, mut samples, mut current) = (HashSet::new(), HashMap::new(), String::new());
    for line in lines.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let words: Vec<&str> = rest.splitn(3, ' ').collect();
            let [keyword, name, rest] = words[..] else { panic!("{line:?}") };
            assert!(described.insert((keyword.to_owned(), name.to_owned())), "a second {line:?}");
            match keyword {
                "TYPE" => {
                    assert!(["counter", "gauge", "histogram", "info", "unknown"].contains(&rest), "{line:?}");
                    families.insert(name.to_owned(), rest.to_owned());
                }
                "HELP" => assert!(!rest.is_empty() && !families.contains_key(name), "{line:?}"),
                "UNIT" => assert!(name.ends_with(&format!("_{rest}")), "{line:?}"),
                _ => panic!("{line:?}"),
            }
            current = name.to_owned();
            continue;
        }
        let (key, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line:?}"));
        let name = key.split('{').next().unwrap();
        let kind = families.get(&current).unwrap_or_else(|| panic!("{line:?} before any # TYPE"));
        let suffixes: &[&str] = match kind.as_str() {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            "info" => &["_info"],
            _ => &[""],
        };
        let belongs = suffixes.iter().any(|suffix| name == format!("{current}{suffix}"));
        assert!(belongs, "{line:?} among samples of the {kind} {current}");
        assert!(value >= 0.0 || kind == "gauge", "{line:?}");
        assert!(samples.insert(key.to_owned(), value).is_none(), "{line:?} twice");
    }
    for (keyword, name) in &described {
        assert!(families.contains_key(name), "{keyword} {name} without a type");
        assert!(described.contains(&("HELP".to_owned(), name.clone())), "{name} has no help");
    }
    assert!(families.len() > 20, "{text}");
    samples
}

#[test]
fn a_server_says_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (house, offset) = start(dir.path());
    let mut client = house.client();
    let mut get = |path: &str| {
        let answer = client.get(path, "").unwrap();
        let content_type = answer.header("content-type").unwrap_or("").to_owned();
        (answer.status, content_type, String::from_utf8(answer.body).unwrap())
    };
    let version = env!("CARGO_PKG_VERSION");
    let mut check = |path: &str, parts: &[&str]| {
        let (status, content_type, body) = get(path);
        assert_eq!((status, content_type.as_str()), (200, "text/plain; charset=utf-8"), "{path}: {body}");
        parts.iter().for_each(|part| assert!(body.contains(part), "{path}: no {part:?} in\n{body}"));
        body
    };
    assert_eq!(check("/api/echo", &[]), "echo\n");
    assert_eq!(check("/ready", &[]), "ready\n");
    let offset = format!("port_offset: {offset}");
    check(
        "/status",
        &[version, "services", "shards", "/api/traces/{id}", "blocks", &offset, "spans accepted"],
    );
    check("/status/version", &[version]);
    check("/status/services", &["receivers", "log", "sealer", "running"]);
    check("/status/endpoints", &["/api/v2/traces/{id}", "/metrics", "/flush"]);
    check("/status/runtime", &["up for"]);
    check("/", &[version, "/status"]);
    check("/status/config", &[&offset, "durability: fsync", "4317", "55681"]);
    check("/status/config?mode=defaults", &["port_offset: 0", "durability: fsync"]);
    let differing = check("/status/config?mode=diff", &[&offset, "data_dir"]);
    assert_eq!(differing.lines().count(), 2, "{differing}");

    let (status, content_type, body) = get("/api/status/buildinfo");
    assert_eq!((status, content_type.as_str()), (200, "application/json"));
    let info: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(info["version"], version);
    let mut keys: Vec<&str> = info.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["branch", "buildDate", "buildUser", "goVersion", "revision", "version"]);

    let (status, _, body) = get("/status/config?mode=nothing");
    assert_eq!(status, 400);
    assert!(body.contains("nothing") && body.contains("diff"), "{body}");
    let (status, _, body) = get("/redy");
    assert_eq!(status, 404);
    assert!(body.contains("/ready"), "{body}");
    house.stop();
}
