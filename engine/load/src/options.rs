//! The flags of `spanloom load`, and what they may be.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::error::LoadError;
use crate::profile::Profile;

/// Longest run, whatever the flags say.
pub const MAX_DURATION: Duration = Duration::from_secs(24 * 3600);

/// Most spans of a run, whatever the flags say.
pub const MAX_SPANS: u64 = 10_000_000_000;

/// How long a run lasts when neither a duration nor a number of spans is given.
pub const DEFAULT_DURATION: Duration = Duration::from_secs(30);

/// Examples for the command's help.
pub const EXAMPLES: &str = "\
Examples:
  As fast as accepted for 30 seconds, then read 1,000 traces back and compare:
      spanloom load
  A million spans over HTTP with zstd:
      spanloom load --spans 1M --protocol http --compression zstd
  50,000 spans a second for five minutes, latency from the intended moment of sending:
      spanloom load --rate 50k --duration 5m
  With the server's own CPU and memory, and bytes on disk after sealing:
      spanloom load --spans 1M --server-pid $(pidof spanloom) --server-data-dir ./spanloom-data --flush --settle 20s
  100,000 spans a second for ten seconds in Jaeger's datagrams, and how many were lost:
      spanloom load --protocol jaeger-udp --rate 100k --duration 10s
  The same bytes every time:
      spanloom load --seed 7 --start 2026-01-01 --spans 100k";

/// How spans are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// OTLP over gRPC, port 4317 by default.
    #[default]
    Grpc,
    /// OTLP over HTTP with protobuf, port 4318 by default.
    Http,
    /// Datagrams of a Jaeger client, compact Thrift, port 6831 by default. Nobody acknowledges them: what the
    /// server kept is read from its metrics.
    JaegerUdp,
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip, level 6.
    Gzip,
    /// zstd, level 3.
    Zstd,
}

/// What to send, where, how fast, and what to check afterwards.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct LoadOptions {
    /// Size of the spans: about 264, 402 or 1,700 bytes each
    #[arg(long, value_enum, default_value_t)]
    pub profile: Profile,
    /// Seed of everything random; the same seed and options give the same traces
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Stop after about this many spans (suffixes k, M, G); the last traces are sent whole
    #[arg(long, value_parser = parse_count)]
    pub spans: Option<u64>,
    /// Stop after this time (ms, s, m, h); 30s when --spans is not given either
    #[arg(long, value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Spans a second, sent at their moments whatever the server does; without it as fast as accepted
    #[arg(long, value_parser = parse_count)]
    pub rate: Option<u64>,
    /// Start of the generated time: nanoseconds since 1970, or a date such as 2026-01-01; now by default
    #[arg(long, value_parser = parse_start)]
    pub start: Option<u64>,
    /// Spans in a request, about: each request has between 0.6 and 1.4 times as many
    #[arg(long, default_value_t = 350, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub spans_per_request: u32,
    /// Generated time after which a request is sent though it is not full
    #[arg(long, default_value = "400ms", value_parser = parse_duration)]
    pub flush_after: Duration,
    /// How to send
    #[arg(long, value_enum, default_value_t)]
    pub protocol: Protocol,
    /// Host and port to send to; 127.0.0.1:4317 for gRPC, :4318 for HTTP, :6831 for datagrams by default
    #[arg(long)]
    pub endpoint: Option<String>,
    /// Tenant, sent as X-Scope-OrgID
    #[arg(long)]
    pub tenant: Option<String>,
    /// Most bytes of a datagram
    #[arg(long, default_value_t = 65_000, value_parser = clap::value_parser!(u32).range(512..=65_507))]
    pub datagram_bytes: u32,
    /// How to compress requests
    #[arg(long, value_enum, default_value_t)]
    pub compression: Compression,
    /// Connections
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub connections: u16,
    /// Requests in flight on each connection; over HTTP/1.1 each of them opens a connection of its own
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub in_flight: u16,
    /// How often a refused request (429, RESOURCE_EXHAUSTED, 503, UNAVAILABLE) is sent again; 0 for never
    #[arg(long, default_value_t = 20)]
    pub retry: u32,
    /// How long to wait for the answer to a request
    #[arg(long, default_value = "30s", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Send to other machines than this one
    #[arg(long)]
    pub allow_remote: bool,
    /// Base URL of the query API
    #[arg(long, default_value = "http://127.0.0.1:3200")]
    pub query: String,
    /// Traces to read back and compare; 0 for none
    #[arg(long, default_value_t = 1000)]
    pub verify: usize,
    /// Reads in all, going round the sampled traces; each is compared. By default each trace is read once
    #[arg(long)]
    pub reads: Option<u64>,
    /// Reads of ids that do not exist
    #[arg(long, default_value_t = 0)]
    pub read_absent: u64,
    /// Append a line for every acknowledged request to this file, with the ids of its spans
    #[arg(long)]
    pub ack_log: Option<PathBuf>,
    /// Process whose CPU time and memory are measured
    #[arg(long)]
    pub server_pid: Option<u32>,
    /// Data directory of the server, whose blocks are measured
    #[arg(long)]
    pub server_data_dir: Option<PathBuf>,
    /// Ask the server to seal everything (POST /flush) after the load
    #[arg(long)]
    pub flush: bool,
    /// After the load wait until the server is idle, at most so long, then measure it once more
    #[arg(long, value_parser = parse_duration)]
    pub settle: Option<Duration>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            profile: Profile::Default,
            seed: 1,
            spans: None,
            duration: None,
            rate: None,
            start: None,
            spans_per_request: 350,
            flush_after: Duration::from_millis(400),
            protocol: Protocol::Grpc,
            endpoint: None,
            tenant: None,
            datagram_bytes: 65_000,
            compression: Compression::None,
            connections: 2,
            in_flight: 4,
            retry: 20,
            timeout: Duration::from_secs(30),
            allow_remote: false,
            query: "http://127.0.0.1:3200".to_owned(),
            verify: 1000,
            reads: None,
            read_absent: 0,
            ack_log: None,
            server_pid: None,
            server_data_dir: None,
            flush: false,
            settle: None,
            json: false,
        }
    }
}

impl LoadOptions {
    /// Host and port to send to.
    pub fn target(&self) -> String {
        let given = self.endpoint.as_deref().unwrap_or(match self.protocol {
            Protocol::Grpc => "127.0.0.1:4317",
            Protocol::Http => "127.0.0.1:4318",
            Protocol::JaegerUdp => "127.0.0.1:6831",
        });
        authority(given).to_owned()
    }

    /// When generation stops: after so many spans, or so long. One of them is always there.
    pub fn bounds(&self) -> (Option<u64>, Duration) {
        let spans = self.spans.map(|n| n.min(MAX_SPANS));
        let longest = if spans.is_some() { MAX_DURATION } else { DEFAULT_DURATION };
        (spans, self.duration.unwrap_or(longest).min(MAX_DURATION))
    }

    /// Checks what clap cannot: targets off this machine need `--allow-remote`.
    pub fn check(&self) -> Result<(), LoadError> {
        for target in [self.target(), authority(&self.query).to_owned()] {
            let Some((host, port)) = target.rsplit_once(':') else {
                return Err(LoadError::Endpoint { found: target });
            };
            if port.parse::<u16>().is_err() {
                return Err(LoadError::Endpoint { found: target });
            }
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
            if !local && !self.allow_remote {
                return Err(LoadError::Remote { found: target });
            }
        }
        if self.rate == Some(0) {
            return Err(LoadError::ZeroRate);
        }
        Ok(())
    }
}

/// `host:port` of a URL or of `host:port` itself.
pub fn authority(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    rest.split('/').next().unwrap_or(rest)
}

/// Reads `250ms`, `30s`, `5m`, `1h`, or a number of seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("the unit is {unit:?}, expected ms, s, m or h")),
    };
    let number: f64 =
        number.parse().map_err(|_| format!("found {text:?}, expected a duration such as 30s"))?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| format!("{text:?} is not a possible duration"))
}

/// Reads `1000`, `1_000`, `50k`, `1M`, `2G`.
pub fn parse_count(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1e3),
        Some((at, 'M')) => (&text[..at], 1e6),
        Some((at, 'G')) => (&text[..at], 1e9),
        _ => (text, 1.0),
    };
    let number: f64 = number
        .replace(['_', ','], "")
        .parse()
        .map_err(|_| format!("found {text:?}, expected a number such as 200k or 1M"))?;
    if number.is_finite() && number >= 0.0 {
        Ok((number * factor) as u64)
    } else {
        Err(format!("found {text:?}, expected a number from 0 up"))
    }
}

/// Reads nanoseconds since 1970, or a date `YYYY-MM-DD` (midnight UTC).
pub fn parse_start(text: &str) -> Result<u64, String> {
    if let Ok(ns) = text.parse() {
        return Ok(ns);
    }
    let wrong = || format!("found {text:?}, expected nanoseconds since 1970 or a date such as 2026-01-01");
    let fields: Vec<u64> =
        text.split('-').map(|f| f.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
    let &[year @ 1970..=2500, month @ 1..=12, day @ 1..=31] = fields.as_slice() else { return Err(wrong()) };
    // Days from a civil date (Howard Hinnant, chrono-compatible low-level date algorithms): March begins the year.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    days.checked_mul(86_400_000_000_000).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        load: LoadOptions,
    }

    #[derive(clap::Parser)]
    enum Program {
        Load(LoadOptions),
    }

    #[test]
    fn the_help_has_examples_and_every_flag_a_text() {
        let program = <Program as clap::CommandFactory>::command();
        let load = program.find_subcommand("load").unwrap();
        assert!(load.get_after_help().unwrap().to_string().contains("spanloom load --rate 50k"));
        for argument in load.get_arguments().filter(|a| a.get_id() != "help") {
            assert!(argument.get_help().is_some(), "{}", argument.get_id());
        }
        let Program::Load(options) = <Program as clap::Parser>::parse_from(["x", "load", "--spans", "2k"]);
        assert_eq!(options.spans, Some(2000));
    }

    #[test]
    fn the_defaults_of_the_flags_are_those_of_the_struct() {
        let parsed = <Command as clap::Parser>::try_parse_from(["load"]).map(|c| format!("{:?}", c.load));
        assert_eq!(parsed.unwrap(), format!("{:?}", LoadOptions::default()));
    }

    #[test]
    fn texts_are_read() {
        assert_eq!(parse_duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(
            parse_duration("5y").is_err() && parse_duration("s").is_err() && parse_duration("-1s").is_err()
        );
        assert_eq!(parse_count("1.5M"), Ok(1_500_000));
        assert_eq!(parse_count("1_000"), Ok(1000));
        assert!(parse_count("x").is_err() && parse_count("-1").is_err() && parse_count("").is_err());
        assert_eq!(parse_start("1970-01-02"), Ok(86_400_000_000_000));
        assert_eq!(parse_start("2026-01-01"), Ok(crate::generator::DEFAULT_START));
        assert_eq!(parse_start("17"), Ok(17));
        assert!(parse_start("2026-13-01").is_err() && parse_start("soon").is_err());
    }

    #[test]
    fn other_machines_need_a_flag() {
        let check = |endpoint: &str, allow_remote| {
            let endpoint = Some(endpoint.to_owned());
            LoadOptions { endpoint, allow_remote, ..LoadOptions::default() }.check().is_ok()
        };
        assert!(
            check("127.0.0.1:4317", false)
                && check("http://localhost:1/", false)
                && check("[::1]:4317", false)
        );
        assert!(!check("10.0.0.1:4317", false) && !check("example.com:4317", false));
        assert!(check("10.0.0.1:4317", true));
        assert!(!check("localhost", true) && !check("localhost:x", true));
    }
}
