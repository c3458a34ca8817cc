//! `spanloom [serve]`: the engine until SIGTERM, SIGINT or `/shutdown`.

use std::io::IsTerminal;
use std::process::ExitCode;

use spanloom_ring::Roles;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{ServeFlags, allocator, say};
use crate::builder::StartError;
use crate::config::Config;
use crate::engine::Engine;

pub(super) fn run(flags: ServeFlags) -> ExitCode {
    let (config, filter) = match read(&flags) {
        Ok(read) => read,
        Err(error) => return say::refused(error),
    };
    if flags.check_config {
        return say::out("the configuration is good\n");
    }
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    allocator::settle();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return say::failed(format!("the runtime could not be started: {error}")),
    };
    match runtime.block_on(serve(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => say::failed(error),
    }
}

/// The configuration and which log lines it asks for: everything that can be wrong with it, found before anything is
/// started.
fn read(flags: &ServeFlags) -> Result<(Config, EnvFilter), String> {
    let config = flags.config().map_err(|error| error.to_string())?;
    // Not a part of `Config::check`: commands that look at blocks need no key of the node's.
    if config.cluster.is_on() {
        config.cluster_tls().map_err(|error| error.to_string())?;
    }
    let wrong = |_| format!("log_level is {:?}, expected a level such as info", config.log_level);
    let filter = EnvFilter::try_new(&config.log_level).map_err(wrong)?;
    Ok((config, filter))
}

async fn serve(config: Config) -> Result<(), String> {
    let text = |error: std::io::Error| format!("signals cannot be received: {error}");
    let mut ends = Ends {
        terminate: signal(SignalKind::terminate()).map_err(text)?,
        interrupt: signal(SignalKind::interrupt()).map_err(text)?,
    };
    let starting = Engine::builder().config(config).listeners(true).start();
    let engine = tokio::select! {
        started = starting => started.map_err(|error: StartError| error.to_string())?,
        () = ends.next() => return Err("stopped while starting; nothing is lost".to_owned()),
    };
    say::out(&greeting(&engine));
    tokio::select! {
        () = ends.next() => {}
        () = engine.stop_wanted() => {}
    }
    tracing::info!("stopping: finishing requests, sealing");
    tokio::select! {
        outcome = engine.stop() => outcome.inspect(|()| tracing::info!("stopped")),
        () = ends.next() => {
            tracing::warn!("stopped at once by a second signal; what is not sealed is in the log");
            std::process::exit(130)
        }
    }
}

struct Ends {
    terminate: Signal,
    interrupt: Signal,
}

impl Ends {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Which node this is, if it is one of several.
fn cluster_line(engine: &Engine, query: &str) -> String {
    engine.cluster_handle().map_or_else(String::new, |cluster| {
        let (name, gossip) = (cluster.name(), cluster.gossip_address());
        format!("  one of several: {name}, others join {gossip}; http://{query}/ring\n")
    })
}

/// Where readers of other backends ask.
fn others(config: &Config, ports: &impl Fn(&[u16]) -> String) -> String {
    let zipkin = if config.query.zipkin { &config.receive.zipkin.ports[..] } else { &[] };
    let apis = [("Jaeger", &config.query.jaeger_ports[..]), ("Zipkin", zipkin)];
    let open = apis.into_iter().filter(|(_, open)| !open.is_empty());
    open.map(|(name, open)| format!("         as {name}'s readers do: {}\n", ports(open))).collect()
}

/// Where to send and where to look.
fn greeting(engine: &Engine) -> String {
    let config = engine.config();
    let address = |port: u16| config.address(port).map(|a| a.to_string()).unwrap_or_default();
    let ports = |ports: &[u16]| ports.iter().map(|port| address(*port)).collect::<Vec<_>>().join(", ");
    let receive = &config.receive;
    let doors = [
        ("OTLP (gRPC and HTTP) to", &receive.otlp_ports),
        ("Jaeger (HTTP, gRPC, sampling) to", &receive.jaeger.ports),
        ("Jaeger (UDP, compact Thrift) to", &receive.jaeger.compact_ports),
        ("Jaeger (UDP, binary Thrift) to", &receive.jaeger.binary_ports),
        ("Zipkin spans (UDP, compact Thrift) to", &receive.jaeger.zipkin_compact_ports),
        ("Zipkin (HTTP) to", &receive.zipkin.ports),
        ("OpenCensus (gRPC, HTTP) to", &receive.opencensus.ports),
    ];
    let has_datagrams = config.datagram_tenant().is_ok_and(|tenant| tenant.is_some());
    let takes_spans = config.cluster.has_role(Roles::DISTRIBUTOR);
    let is_open = |what: &str| takes_spans && (has_datagrams || !what.contains("UDP"));
    let open = doors.into_iter().filter(|(what, open)| !open.is_empty() && is_open(what));
    let mut doors: Vec<String> = open.map(|(what, open)| format!("{what} {}", ports(open))).collect();
    if !takes_spans {
        doors.push("a distributor: this node is none (cluster.roles)".to_owned());
    }
    let query = address(config.query.port);
    let ask = match config.cluster.has_role(Roles::QUERIER) {
        true => {
            format!("http://{query}/api/traces/<trace id>  (a Tempo data source for Grafana: http://{query})")
        }
        false => "a querier: this node is none (cluster.roles)".to_owned(),
    };
    let others = others(config, &ports);
    let started = engine.started();
    format!(
        "Spanloom {version}\n\
         \x20 send   {doors}\n\
         \x20 ask    {ask}\n\
         {others}\
         \x20 look   http://{query}/status  http://{query}/metrics\n\
         {cluster}\x20 data   {dir}: {blocks} blocks, {frames} requests replayed from the log in {took:?}\n\
         \x20 acknowledged when: {durability}\n",
        cluster = cluster_line(engine, &query),
        version = env!("CARGO_PKG_VERSION"),
        doors = doors.join("\n         "),
        dir = config.data_dir,
        blocks = started.blocks,
        frames = started.frames,
        took = started.took,
        durability = match config.log.durability {
            crate::config::DurabilityKey::Memory => "in memory",
            crate::config::DurabilityKey::PageCache => "in the page cache",
            crate::config::DurabilityKey::Fsync => "on the disk (fsync, grouped)",
        },
    )
}
