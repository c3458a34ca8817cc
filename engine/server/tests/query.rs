//! `spanloom query` against a running engine: every form, as a person and as a script sees it.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod house;

use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use house::spanloom;
use spanloom_server::config::ReceiveSection;
use spanloom_server::model::{AnyValue, KeyValue, Resource, ResourceSpans, ScopeSpans, Span, Status, Trace};
use spanloom_server::{Config, Engine, SpanBatch, SpanId, Tenant, TraceId};

const SECOND: u64 = 1_000_000_000;
/// When the first trace starts.
const BEGUN: u64 = 1_700_000_000 * SECOND;
/// Start and end of all traces, as the command takes them.
const TIME: [&str; 4] = ["--start", "2023-11-14T22:13:00Z", "--end", "1700000060"];
/// Traces, each a second after the one before.
const TRACES: u64 = 5;

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.into(), value: AnyValue::Str(value.into()) }
}

fn span(trace: u64, number: u64, parent: u64, name: &str, took_ms: u64) -> Span {
    let start = BEGUN + trace * SECOND + number * 1_000_000;
    Span {
        trace_id: trace_id(trace),
        span_id: SpanId(number.to_be_bytes()),
        parent_span_id: if parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() },
        name: name.into(),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + took_ms * 1_000_000,
        ..Span::default()
    }
}

fn trace_id(trace: u64) -> TraceId {
    TraceId((0xa0 + u128::from(trace)).to_be_bytes())
}

fn from_service(service: &str, spans: Vec<Span>) -> ResourceSpans {
    ResourceSpans {
        resource: Resource { attributes: vec![text("service.name", service)], ..Resource::default() },
        scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    }
}

/// A checkout that calls a cart; the cart's first one fails, and its name would clear the terminal.
fn checkout(trace: u64) -> Trace {
    let mut cart = span(trace, 2, 1, "read\u{1b}[2J cart", 20);
    cart.attributes = vec![text("user", "ada")];
    if trace == 0 {
        cart.status = Status { code: 2, message: "gone".into(), ..Status::default() };
    }
    let shop = from_service("shop", vec![span(trace, 1, 0, "checkout", 100)]);
    Trace { resource_spans: vec![shop, from_service("漢字", vec![cart])] }
}

/// An engine in this process that answers at a port.
struct Shop {
    engine: Engine,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (engine, port) = loop {
            let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
            let mut config =
                Config { data_dir: dir.path().to_string_lossy().into_owned(), ..Config::default() };
            config.receive = ReceiveSection::closed();
            (config.query.port, config.query.jaeger_ports) = (port, Vec::new());
            // A port that was free may be another test's by now.
            match Engine::builder().config(config).listeners(true).start().await {
                Ok(engine) => break (engine, port),
                Err(error) => assert!(error.to_string().contains("cannot be listened on"), "{error}"),
            }
        };
        for trace in 0..TRACES {
            let batch = SpanBatch::from_model(&checkout(trace));
            engine.push(&Tenant::default(), batch).await.unwrap();
        }
        Self { engine, port, _dir: dir }
    }

    /// Runs the command to its end: exit code, standard output, standard error.
    async fn ask(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let args: Vec<String> = [&["query", "--endpoint", &endpoint], args]
            .concat()
            .iter()
            .map(|arg| (*arg).to_owned())
            .collect();
        let run = move || spanloom(&args.iter().map(String::as_str).collect::<Vec<_>>());
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    /// What is printed of a question that is answered.
    async fn shown(&self, args: &[&str]) -> String {
        let (code, out, error) = self.ask(args).await;
        assert_eq!((code, error.as_str()), (Some(0), ""), "{args:?}: {out}");
        assert!(!out.contains(|c: char| c.is_control() && c != '\n'), "{args:?}: {out:?}");
        out
    }

    /// The same of a question about the time of the traces.
    async fn shown_in_time(&self, args: &[&str]) -> String {
        self.shown(&[args, &TIME].concat()).await
    }
}

/// What the traces look like; the last column is cut where a pipe's 100 columns end.
const FOUND: &str = "\
TRACE                             START                 DURATION   MATCHED  ROOT
000000000000000000000000000000a4  2023-11-14T22:13:24Z     100ms         1  shop · checkout
  shop 1, 漢字 1
000000000000000000000000000000a3  2023-11-14T22:13:23Z     100ms         1  shop · checkout
  shop 1, 漢字 1
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traces_are_found() {
    let shop = Shop::open().await;
    for place in ["live", "sealed"] {
        let out = shop.shown_in_time(&["{ name = \"checkout\" }", "--limit", "2"]).await;
        let (rows, footer) = out.split_at(FOUND.len());
        assert_eq!(rows, FOUND, "{place}");
        assert!(footer.starts_with("2 traces; looked at "), "{place}: {footer}");
        let next = footer.lines().last().unwrap().strip_prefix("there may be more: --all, or --cursor ");
        let rest = shop.shown_in_time(&["{ name = \"checkout\" }", "--cursor", next.unwrap()]).await;
        let ids = |out: &str| {
            out.lines().filter(|line| line.starts_with("000")).map(|l| l[30..32].to_owned()).collect()
        };
        let found: Vec<String> = ids(&rest);
        assert_eq!(found, ["a2", "a1", "a0"], "{place}");
        let all = shop.shown_in_time(&["{ name = \"checkout\" }", "--limit", "2", "--all"]).await;
        let found: Vec<String> = ids(&all);
        assert_eq!(found, ["a4", "a3", "a2", "a1", "a0"], "{place}");
        assert!(all.lines().last().unwrap().starts_with("5 traces; looked at "), "{place}: {all}");

        let out = shop.shown_in_time(&["{ status = error } | select(span.user)", "--spans"]).await;
        assert!(out.contains("\n  shop 1, 漢字 1 (1 error)\n"), "{place}: {out}");
        let line = "    0000000000000002      +1ms      20ms  read\\u{1b}[2J cart  status=error  user=ada\n";
        assert!(out.contains(line), "{place}: {out}");

        let out = shop.shown_in_time(&["{ span.user = \"ada\" }", "--explain"]).await;
        for part in ["\nfound in ", "\nREAD ", "\nSTEP ", "{ span.user = \"ada\" }"] {
            assert!(out.contains(part), "{place}: no {part:?} in {out}");
        }
        shop.engine.flush().await.unwrap();
    }
    let out = shop.shown_in_time(&["{ name = \"nothing\" }"]).await;
    assert!(out.starts_with("no trace was found; looked at "), "{out}");
    shop.engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn series_are_drawn() {
    let shop = Shop::open().await;
    let out = shop.shown_in_time(&["{ } | count_over_time() by (name)", "--step", "10s"]).await;
    assert!(out.starts_with("spans, each series on a scale of its own\n2023-11-14T22:13:00Z to "), "{out}");
    for part in
        ["\nname=checkout\n       5 ┤", "\nname=read\\u{1b}[2J cart\n       5 ┤", "22:13:00", "22:14:20"]
    {
        assert!(out.contains(part), "no {part:?} in {out}");
    }
    let legend = "name=checkout                                                           0";
    assert!(out.lines().any(|line| line.starts_with(legend)), "{out}");

    let args = ["{ } | count_over_time() by (name)", "--step", "10s", "--exemplars", "5"];
    let out = shop.shown_in_time(&args).await;
    assert!(out.contains("\nEXEMPLAR ") && out.contains("000000000000000000000000000000a"), "{out}");

    let out = shop.shown_in_time(&["{ } | count_over_time() by (name)", "--instant"]).await;
    let rows: Vec<&str> = out.lines().map(|line| line.trim_end_matches('█')).collect();
    let expected = [
        "SERIES                       VALUE  spans",
        "name=checkout                    5  ",
        "name=read\\u{1b}[2J cart          5  ",
    ];
    assert_eq!(rows, expected);

    let out = shop.shown_in_time(&["{ } | histogram_over_time(duration)", "--step", "10s"]).await;
    assert!(out.starts_with("spans by duration\n"), "{out}");
    for row in ["\n  ≤ 134ms │", "\n ≤ 67.1ms │", "\n ≤ 33.6ms │"] {
        assert!(out.contains(row), "no {row:?} in {out}");
    }
    let out = shop.shown_in_time(&["{ } | histogram_over_time(duration)", "--instant"]).await;
    assert!(out.contains("\n  ≤ 134ms          5   50.0%  █"), "{out}");

    let out = shop.shown_in_time(&["{ } | compare({ status = error })"]).await;
    assert!(out.starts_with("selection: 1 span, baseline: 9 spans; shares are of these\n"), "{out}");
    let row = out.lines().find(|line| line.starts_with("resource.service.name = 漢字")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().skip(3).take(5).collect();
    assert_eq!(cells, ["1", "100.0%", "4", "44.4%", "+55.6%"], "{out}");
    shop.engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_is_drawn_as_a_tree() {
    let shop = Shop::open().await;
    let expected = "\
trace 000000000000000000000000000000a0
2023-11-14T22:13:20.001Z, took 100ms, 2 spans, 2 services
1 error

                                                              0                                100ms
shop · checkout                                         100ms ██████████████████████████████████████
└ 漢字 · read\\u{1b}[2J cart                        ✗     20ms ████████
";
    assert_eq!(shop.shown(&["trace", "A0"]).await, expected);
    let out = shop.shown(&["trace", "a0", "--attributes"]).await;
    for part in [
        "    kind=server\n",
        "      status=error: gone\n",
        "      user=ada\n",
        "resource.service.name=漢字\n",
    ] {
        assert!(out.contains(part), "no {part:?} in {out}");
    }
    let (code, out, error) = shop.ask(&["trace", "ff"]).await;
    let expected = "spanloom: there is no trace 000000000000000000000000000000ff\n";
    assert_eq!((code, out.as_str(), error.as_str()), (Some(1), "", expected));
    shop.engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_values_are_listed() {
    let shop = Shop::open().await;
    assert_eq!(shop.shown(&["tags", "--scope", "resource"]).await, "resource.service.name\n");
    let all = shop.shown(&["tags"]).await;
    for name in ["resource.service.name", "span.user", "duration"] {
        assert!(all.lines().any(|line| line == name), "no {name} in {all}");
    }
    assert_eq!(shop.shown(&["values", "resource.service.name"]).await, "shop\n漢字\n");
    let failed = ["values", "resource.service.name", "--q", "{ status = error }"];
    assert_eq!(shop.shown(&failed).await, "漢字\n");
    assert_eq!(shop.shown(&["values", "name"]).await, "checkout\nread\\u{1b}[2J cart\n");
    assert_eq!(shop.shown(&["values", ".none"]).await, "no value was found\n");
    shop.engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_is_the_servers_own() {
    let shop = Shop::open().await;
    shop.engine.flush().await.unwrap();
    let port = shop.port;
    let asked = |path: &'static str| async move {
        let get = move || house::Client::connect(port).unwrap().get(path, "application/json").unwrap();
        let answer = tokio::task::spawn_blocking(get).await.unwrap();
        assert_eq!(answer.status, 200);
        String::from_utf8(answer.body).unwrap() + "\n"
    };
    let search = "/api/search?q=%7B%7D&limit=2&start=1700000000&end=1700000060";
    let time = ["--start", "1700000000", "--end", "1700000060", "--json"];
    assert_eq!(shop.shown(&[&["{}", "--limit", "2"], &time[..]].concat()).await, asked(search).await);
    let range =
        "/api/metrics/query_range?q=%7B%7D%7Crate()&start=1700000000&end=1700000060&step=10s&exemplars=0";
    assert_eq!(shop.shown(&[&["{}|rate()", "--step", "10s"], &time[..]].concat()).await, asked(range).await);
    let instant = "/api/metrics/query?q=%7B%7D%7Crate()&start=1700000000&end=1700000060";
    assert_eq!(shop.shown(&[&["{}|rate()", "--instant"], &time[..]].concat()).await, asked(instant).await);
    assert_eq!(shop.shown(&["trace", "a1", "--json"]).await, asked("/api/v2/traces/a1").await);
    assert_eq!(shop.shown(&["--json", "tags"]).await, asked("/api/v2/search/tags").await);
    let values = "/api/v2/search/tag/resource.service.name/values";
    assert_eq!(shop.shown(&["values", "resource.service.name", "--json"]).await, asked(values).await);
    let pages = shop.shown(&[&["{}", "--all", "--limit", "2"], &time[..]].concat()).await;
    assert_eq!(pages.lines().count(), 3, "a line for each page: {pages}");
    shop.engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said_once_and_clearly() {
    let shop = Shop::open().await;
    let check = async |args: &[&str], code: i32, parts: &[&str]| {
        let (found, out, error) = shop.ask(args).await;
        assert_eq!((found, out.as_str()), (Some(code), ""), "{args:?}: {error}");
        assert!(parts.iter().all(|part| error.contains(part)), "{args:?}: {error}");
    };
    check(
        &["{ .a = }"],
        2,
        &["spanloom: the query is wrong: line 1, column 8: ", "\n  { .a = }\n         ^\n"],
    )
    .await;
    check(&["{ }", "--instant"], 2, &["--instant with a query for traces, expected a query for series"])
        .await;
    check(&["{ } | rate()", "--all", "--spss", "1"], 2, &["--spss, --all with a query for series"]).await;
    check(&["{ } | compare({ .a = 1 })", "--step", "1m"], 2, &["--step", "compare()"]).await;
    check(&["{ }", "tags"], 2, &["both a query and a subcommand are given"]).await;
    check(&["--limit", "3", "tags"], 2, &["flags of a query stand before the subcommand"]).await;
    check(&["trace", "xyz"], 2, &["the trace id is wrong", "hexadecimal"]).await;
    check(&[], 2, &["TRACEQL"]).await;
    check(
        &["{ }", "--since", "400d"],
        1,
        &["/api/search was answered with 400 Bad Request: ", "max_search_range"],
    )
    .await;
    check(&["values", "a b c"], 1, &["400 Bad Request", "no field of TraceQL"]).await;
    check(&["{ }", "--tenant", "a/b"], 1, &["400 Bad Request", "X-Scope-OrgID", "has '/'"]).await;
    shop.engine.stop().await.unwrap();
    check(&["{ }"], 1, &["nothing answers at http://127.0.0.1:", "start the engine", "--endpoint"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_is_no_failure() {
    let shop = Shop::open().await;
    let spans = (1..=20_000).map(|number| span(99, number, number / 2, "many", 5)).collect();
    let batch = SpanBatch::from_model(&Trace { resource_spans: vec![from_service("shop", spans)] });
    shop.engine.push(&Tenant::default(), batch).await.unwrap();
    let endpoint = format!("127.0.0.1:{}", shop.port);
    let run = move || {
        let mut child = Command::new(env!("CARGO_BIN_EXE_spanloom"))
            .args(["query", "trace", &trace_id(99).to_string(), "--endpoint", &endpoint])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut head = [0; 43];
        child.stdout.take().unwrap().read_exact(&mut head).unwrap();
        let mut error = String::new();
        child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        (child.wait().unwrap().code(), head, error)
    };
    let (code, head, error) = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(head.starts_with(b"trace 00000000"));
    shop.engine.stop().await.unwrap();
}
