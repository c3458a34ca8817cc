//! `spanloom walk`: one trace through an engine in this process, with the time at each stop.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use spanloom_load::{Generator, Profile};
use spanloom_span::TraceId;

use super::say;
use crate::config::{Config, ReceiveSection};
use crate::engine::Engine;

/// Requests sent before the one that is timed.
const WARM_UP: usize = 20;

/// Flags of `walk`.
#[derive(Debug, Args)]
pub(super) struct WalkFlags {
    /// Which trace: the same seed gives the same spans.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(flags: WalkFlags) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return say::failed(format!("the runtime could not be started: {error}")),
    };
    match runtime.block_on(walk(flags.seed)) {
        Ok(lines) => say::out(&lines),
        Err(error) => say::failed(error),
    }
}

/// A port that is free now.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

async fn walk(seed: u64) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let dir = std::env::temp_dir().join(format!("spanloom-walk-{}", std::process::id()));
    let mut config = Config { data_dir: dir.to_string_lossy().into_owned(), ..Config::default() };
    config.receive = ReceiveSection { otlp_ports: vec![free_port()?], ..ReceiveSection::closed() };
    (config.query.port, config.query.jaeger_ports) = (free_port()?, Vec::new());
    let send_to = config.address(config.receive.otlp_ports[0])?;
    let ask_at = config.address(config.query.port)?;
    let engine = Engine::builder().config(config).listeners(true).start().await?;
    let walked = tokio::task::spawn_blocking({
        let engine = engine.clone();
        move || stops(&engine, seed, send_to, ask_at)
    });
    let walked = walked.await;
    let stopped = engine.stop().await;
    std::fs::remove_dir_all(&dir)?;
    stopped?;
    walked?
}

/// What one HTTP/1.1 exchange took, and its body.
fn exchange(at: SocketAddr, head: &str, body: &[u8]) -> std::io::Result<(Duration, Vec<u8>)> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_nodelay(true)?;
    let request = [
        head.as_bytes(),
        format!("Host: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).as_bytes(),
        body,
    ]
    .concat();
    let begun = Instant::now();
    stream.write_all(&request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let took = begun.elapsed();
    // Any success: sealing is answered without a body, by 204.
    if !answer.starts_with(b"HTTP/1.1 2") {
        return Err(std::io::Error::other(String::from_utf8_lossy(&answer).into_owned()));
    }
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    Ok((took, answer.split_off(end)))
}

fn stops(
    engine: &Engine,
    seed: u64,
    send_to: SocketAddr,
    ask_at: SocketAddr,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let post = "POST /v1/traces HTTP/1.1\r\nContent-Type: application/x-protobuf\r\n";
    // The first requests of a process pay for what is set up once.
    for other in Generator::new(Profile::Default, seed.wrapping_add(1)).take(WARM_UP) {
        exchange(send_to, post, &other.bytes)?;
    }
    let request = Generator::new(Profile::Default, seed).next().ok_or("the generator gave nothing")?;
    let id: TraceId = request.spans.first().ok_or("the request is empty")?.0;
    let mine = request.spans.iter().filter(|(trace, _)| *trace == id).count();
    let (sent, _) = exchange(send_to, post, &request.bytes)?;
    let metrics = engine.inner().metrics.clone();
    let (slice, route) = (metrics.slice_seconds.last(), metrics.route_seconds.last());
    let (write, sync) = (metrics.log_write_seconds.last(), metrics.log_sync_seconds.last());
    let all = metrics.acknowledge_seconds.last();
    let get = format!("GET /api/traces/{id} HTTP/1.1\r\nAccept: application/protobuf\r\n");
    let (live, from_live) = exchange(ask_at, &get, b"")?;
    exchange(ask_at, "POST /flush HTTP/1.1\r\n", b"")?;
    let (sealed, from_block) = exchange(ask_at, &get, b"")?;
    if from_live != from_block {
        return Err("the block's answer differs from the live one".into());
    }
    let spans = request.spans.len();
    let mut out = format!(
        "a request of {spans} spans, {} bytes, with trace {id} ({mine} of the spans)\n\n",
        request.bytes.len()
    );
    let mut line = |stop: u8, name: &str, took: Option<Duration>, what: &str| {
        let time = took.map_or("-".to_owned(), |t| format!("{:.1} us", t.as_secs_f64() * 1e6));
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{stop}  {name:<8} {time:>12}  {what}");
    };
    line(
        1,
        "receive",
        Some(sent.saturating_sub(all)),
        "connect, HTTP, the bytes into one buffer, and the answer",
    );
    line(2, "slice", Some(slice), "checked whole and sliced by trace");
    line(3, "route", Some(route), "each trace given to its shard by token");
    line(4, "shard", Some(metrics.shard_seconds.last()), "a shard hands its traces their spans");
    line(5, "trace", None, "within stop 4: an actor for each trace id takes them");
    line(6, "log", Some(write + sync), "appended and synced; then the sender is acknowledged");
    line(7, "seal", Some(metrics.seal_seconds.last()), "decoded once into columns, one block file, synced");
    line(8, "ship", None, "a single node keeps its blocks where they are");
    line(
        9,
        "ask",
        Some(sealed),
        &format!(
            "the trace by id over HTTP from the block ({:.1} us while it was live)",
            live.as_secs_f64() * 1e6
        ),
    );
    Ok(out)
}
