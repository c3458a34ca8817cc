//! How a server ends, how it refuses to begin, and what the command line says.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod house;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use house::load::{Spans, by_trace, check, load_while};
use house::{House, NO_OTHER_PORTS, spanloom};

/// Enough that requests are under way everywhere in the engine.
const ENOUGH: usize = 5_000;

fn wait_until(what: &str, house: &House, is_so: impl Fn() -> bool) {
    // Far more than it takes, so that a failure is told and does not hang.
    for _ in 0..12_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("waited in vain until {what}\n{}", house.log());
}

/// After a restart everything is there, and nothing had to be replayed.
fn all_sealed(dir: &Path, acknowledged: &Spans) {
    assert!(acknowledged.len() >= ENOUGH);
    let house = House::start(dir, "");
    assert_eq!(house.metric("spanloom_spans_replayed_total"), 0, "{}", house.log());
    assert_eq!(house.metric("spanloom_log_unsealed_spans"), 0, "{}", house.log());
    check(&house, &by_trace(acknowledged), "after a drain");
    house.stop();
}

#[test]
fn sigterm_drains_under_load() {
    for signal in ["TERM", "INT"] {
        let dir = tempfile::tempdir().unwrap();
        let house = House::start(dir.path(), "");
        let acknowledged = load_while(house.otlp, 1, |count| {
            wait_until("spans are acknowledged", &house, || count() >= ENOUGH);
            house.signal(signal);
            assert_eq!(house.wait(), Some(0), "SIG{signal}");
        });
        all_sealed(dir.path(), &acknowledged);
    }
}

#[test]
fn shutdown_does_what_sigterm_does() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "");
    let acknowledged = load_while(house.otlp, 2, |count| {
        wait_until("spans are acknowledged", &house, || count() >= ENOUGH);
        assert_eq!(house.client().post("/shutdown", "text/plain", b"").unwrap().status, 204);
        assert_eq!(house.wait(), Some(0));
    });
    all_sealed(dir.path(), &acknowledged);
}

#[test]
fn a_second_signal_ends_at_once_and_loses_nothing() {
    for (first, second) in [("TERM", "INT"), ("INT", "TERM"), ("TERM", "TERM")] {
        let dir = tempfile::tempdir().unwrap();
        // A request whose body does not come holds up the drain for ten minutes; without the second signal the
        // exit code would be another one.
        let patient = "drain_timeout: 10m";
        let house = House::start(dir.path(), patient);
        let mut stalled = None;
        let acknowledged = load_while(house.otlp, 3, |count| {
            wait_until("spans are acknowledged", &house, || count() >= ENOUGH);
            stalled = Some(stalled_sender(house.otlp));
            house.signal(first);
            wait_until("it stops accepting", &house, || {
                TcpStream::connect(("127.0.0.1", house.otlp)).is_err()
            });
            house.signal(second);
            assert_eq!(house.wait(), Some(130), "SIG{first}, SIG{second}");
        });
        let house = House::start(dir.path(), "");
        check(&house, &by_trace(&acknowledged), "after a second signal");
        house.stop();
        all_sealed(dir.path(), &acknowledged);
    }
}

/// Announces a megabyte and sends ten bytes. The server has begun to read them when this returns: it asks for more.
fn stalled_sender(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut more = [0; 25];
    std::io::Read::read_exact(&mut stream, &mut more).unwrap();
    assert_eq!(&more, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&[0; 10]).unwrap();
    stream
}

#[test]
fn a_data_directory_has_one_server() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "");
    let other = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let file = other.path().join("spanloom.yaml");
    let (code, out, error) = loop {
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let text = format!(
            "receive: {{otlp_ports: [], {NO_OTHER_PORTS}}}\nquery: {{port: {free}, jaeger_ports: []}}\n"
        );
        std::fs::write(&file, text).unwrap();
        let answer = spanloom(&["--config", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap()]);
        // A port that was free may be another test's by now.
        if !answer.2.contains("cannot be listened on") {
            break answer;
        }
    };
    assert_eq!((code, out.as_str()), (Some(1), ""), "{error}");
    let expected =
        format!("the data directory {} cannot be used: another engine uses this directory", data.display());
    assert!(error.contains(&expected), "{error}");
    house.stop();
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("spanloom.yaml");
    std::fs::write(&file, format!("receive: {{otlp_ports: [{port}]}}\n")).unwrap();
    let data = dir.path().join("data");
    let (code, out, error) =
        spanloom(&["--config", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{error}");
    assert!(
        error.contains(&format!("127.0.0.1:{port} (receive.otlp_ports) cannot be listened on")),
        "{error}"
    );
    assert!(error.contains("--port-offset"), "{error}");
    assert!(!data.exists(), "nothing is begun");
}

#[test]
fn a_configuration_is_checked() {
    let check = |text: &str, expected: Result<(), &[&str]>| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("spanloom.yaml");
        std::fs::write(&file, text).unwrap();
        let (code, out, error) = spanloom(&["--check-config", "--config", file.to_str().unwrap()]);
        match expected {
            Ok(()) => {
                assert_eq!(
                    (code, out.as_str(), error.as_str()),
                    (Some(0), "the configuration is good\n", "")
                );
            }
            Err(parts) => {
                assert_eq!((code, out.as_str()), (Some(2), ""), "{text}: {error}");
                assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
            }
        }
    };
    check("", Ok(()));
    check("log: {durability: page-cache}", Ok(()));
    check("log: {durabilty: fsync}", Err(&["durabilty", "log.durability"]));
    check("recieve: {}", Err(&["recieve", "receive"]));
    check("query: {port: seven}", Err(&["port"]));
    check("listen_host: nowhere", Err(&["listen_host", "nowhere"]));
    check("multitenancy: true", Ok(()));
    check("receive: {zipkin: {ports: [0]}}", Err(&["receive.zipkin.ports", "1 to 65535"]));
    check("receive: {jaeger: {sampling_rate: 2}}", Err(&["receive.jaeger.sampling_rate is 2", "0 to 1"]));
    let file = "receive: {jaeger: {sampling_strategies_file: /nowhere/strategies.json}}";
    check(file, Err(&["receive.jaeger.sampling_strategies_file", "cannot be read"]));
    check("receive: {datagrams: {tenant: a/b}}", Err(&["receive.datagrams.tenant", "a/b"]));
    check("data_dir: ${SPANLOOM_NOT_SET}", Err(&["line 1", "SPANLOOM_NOT_SET"]));
    check("data_dir: ${SPANLOOM_NOT_SET:-here}", Ok(()));
    check("log_level: '='", Err(&["log_level is \"=\"", "a level such as info"]));
    let file =
        "cluster: {enabled: true, tls: {cert_file: /nowhere/c, key_file: /nowhere/k, ca_file: /nowhere/a}}";
    check(file, Err(&["cluster.tls.cert_file", "/nowhere/c"]));
    check("cluster: {enabled: true, tls: {cert_file: /nowhere/c}}", Err(&["cluster.tls", "all three"]));
    let (code, _, error) = spanloom(&["--check-config", "--config", "/nowhere/spanloom.yaml"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("/nowhere/spanloom.yaml cannot be read"), "{error}");
}

#[test]
fn the_command_line_says_what_it_is() {
    let (code, out, _) = spanloom(&["--version"]);
    assert_eq!((code, out), (Some(0), format!("spanloom {}\n", env!("CARGO_PKG_VERSION"))));
    for args in [
        &["--help"][..],
        &["serve", "--help"],
        &["load", "--help"],
        &["block", "--help"],
        &["block", "verify", "--help"],
        &["query", "--help"],
        &["query", "trace", "--help"],
        &["query", "tags", "--help"],
        &["query", "values", "--help"],
    ] {
        let (code, out, error) = spanloom(args);
        assert_eq!((code, error.as_str()), (Some(0), ""), "{args:?}");
        let examples =
            out.split_once("Examples:\n").unwrap_or_else(|| panic!("{args:?}: no examples in {out}")).1;
        assert!(examples.lines().any(|line| line.trim_start().starts_with("spanloom ")), "{args:?}: {out}");
    }
    let (code, _, error) = spanloom(&["--no-such-flag"]);
    assert_eq!(code, Some(2), "{error}");
}

#[test]
fn the_walk_has_nine_stops() {
    let (code, out, error) = spanloom(&["walk"]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let stops: Vec<(&str, &str)> = out
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap(), words.next().unwrap())
        })
        .collect();
    let names = ["receive", "slice", "route", "shard", "trace", "log", "seal", "ship", "ask"];
    let numbers: Vec<String> = (1..=9).map(|n| n.to_string()).collect();
    let expected: Vec<_> = numbers.iter().map(String::as_str).zip(names).collect();
    assert_eq!(stops, expected, "{out}");
}

#[test]
fn blocks_are_listed_inspected_and_verified() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "");
    let acknowledged = load_while(house.otlp, 4, |count| {
        wait_until("spans are acknowledged", &house, || count() >= ENOUGH);
    });
    house.flush();
    let data = dir.path().join("data");
    let ask = |verb: &str, args: &[&str]| spanloom(&[&["block", verb], args].concat());
    let of_data = ["--data-dir", data.to_str().unwrap()];

    // The server may be running.
    let (code, listed, error) = ask("list", &of_data);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let rows: Vec<Vec<&str>> = listed.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let sum = |column: usize| rows.iter().map(|row| row[column].parse::<usize>().unwrap()).sum::<usize>();
    assert_eq!((sum(0), sum(1)), (by_trace(&acknowledged).len(), acknowledged.len()), "{listed}");
    assert!(rows.iter().all(|row| row[4] == "single-tenant"), "{listed}");
    let file = rows[0][5];

    let (code, out, error) = ask("inspect", &[file]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(out.starts_with(file) && out.contains("service.name"), "{out}");

    let (code, out, error) = ask("verify", &of_data);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
    assert_eq!(out.lines().filter(|line| line.contains(": good: ")).count(), rows.len(), "{out}");
    house.stop();

    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let copy = dir.path().join("copy.block");
    std::fs::write(&copy, bytes).unwrap();
    let (code, out, _) = ask("verify", &[file, copy.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains(": good: "), "{out}");
    assert!(lines[1].starts_with(copy.to_str().unwrap()) && lines[1].contains("checksum"), "{out}");

    // A directory that is not one is an error, too.
    let (code, _, error) = ask("verify", &["--data-dir", "/nowhere"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("/nowhere"), "{error}");
}
