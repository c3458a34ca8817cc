//! What an operator may set about a listener.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text;

/// A listener for OTLP. Every port answers both gRPC and HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiveConfig {
    /// Where to listen. Senders expect 4317 for gRPC and 4318 for HTTP; 127.0.0.1 is reached from this machine
    /// only, 0.0.0.0 (or `[::]`) from everywhere.
    pub address: SocketAddr,
    /// Whether every request must name its tenant in `X-Scope-OrgID`. When false, a request without one belongs
    /// to the tenant `single-tenant`. Set it to true once several teams share the server, so that a sender
    /// whose tenant was forgotten is told so.
    pub multitenancy: bool,
    /// Most bytes in one request, as sent and when inflated. Senders batch up to some MiB; a larger limit lets
    /// a single request take more of the memory budget, so keep it below a tenth of that.
    #[serde(with = "text::size")]
    pub max_request_bytes: usize,
    /// How long a body may stall. A body has this long, plus a second for every 16 KiB that came, so one that
    /// trickles is cut off too. Raise it for senders on bad mobile links only.
    #[serde(with = "text::duration")]
    pub read_timeout: Duration,
    /// Origins of web pages that may send from a browser, such as `https://shop.example`; `*` for any. Empty
    /// (the default) lets no browser send across origins, which is right unless web pages send spans.
    pub cors_allowed_origins: Vec<String>,
    /// The connections below.
    pub serve: ServeConfig,
}

impl Default for ReceiveConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 4317)),
            multitenancy: false,
            max_request_bytes: 32 << 20,
            read_timeout: Duration::from_secs(30),
            cors_allowed_origins: Vec::new(),
            serve: ServeConfig::default(),
        }
    }
}

/// The connections of a port: HTTP/1.1 and HTTP/2 without TLS (h2c), told apart by their first bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeConfig {
    /// Most open connections; further ones are closed at once and counted. Each may hold a file descriptor and,
    /// at worst, `h2_connection_window` bytes, so lower it on machines with little memory.
    pub max_connections: usize,
    /// How long a client may take to say what it wants: from connecting to its first bytes, and for each
    /// HTTP/1.1 request head. It also ends idle HTTP/1.1 connections.
    #[serde(with = "text::duration")]
    pub header_read_timeout: Duration,
    /// How long a client may take none of an answer before its connection is closed. It bounds what slow
    /// readers hold; raise it only if large traces are read over very slow links.
    #[serde(with = "text::duration")]
    pub write_timeout: Duration,
    /// Most bytes of a request's headers.
    #[serde(with = "text::size")]
    pub max_header_bytes: usize,
    /// Bytes that one HTTP/2 request may send ahead of being read. It should cover the usual request and the
    /// link's bandwidth times its round trip: 1 MiB is enough for 8 Gbit/s at 1 ms.
    #[serde(with = "text::size")]
    pub h2_stream_window: usize,
    /// The same for all requests of a connection together. These bytes are not in the memory budget until they
    /// are read, so connections times this is what hostile senders could park.
    #[serde(with = "text::size")]
    pub h2_connection_window: usize,
    /// Largest HTTP/2 frame taken, 16 KiB to 16 MiB. Larger frames cost less per byte, for senders that use
    /// them.
    #[serde(with = "text::size")]
    pub h2_max_frame: usize,
    /// Most requests at once on one HTTP/2 connection; further ones wait at the sender.
    pub h2_max_streams: u32,
    /// How often a quiet HTTP/2 connection is pinged to find out whether the other end is still there.
    #[serde(with = "text::duration")]
    pub h2_keepalive_interval: Duration,
    /// How long it may take to answer such a ping.
    #[serde(with = "text::duration")]
    pub h2_keepalive_timeout: Duration,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            header_read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            max_header_bytes: 64 << 10,
            h2_stream_window: 1 << 20,
            h2_connection_window: 4 << 20,
            h2_max_frame: 1 << 20,
            h2_max_streams: 128,
            h2_keepalive_interval: Duration::from_secs(30),
            h2_keepalive_timeout: Duration::from_secs(20),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {found}, expected {expected}")]
pub struct ConfigError {
    /// Which key.
    pub key: &'static str,
    /// What it says.
    pub found: String,
    /// What it may say.
    pub expected: &'static str,
}

impl ReceiveConfig {
    /// Checks what the types do not.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, found: String, expected| Err(ConfigError { key, found, expected });
        if !(1024..=1 << 31).contains(&self.max_request_bytes) {
            let found = text::size::print(self.max_request_bytes);
            return wrong("max_request_bytes", found, "1KiB to 2GiB");
        }
        if self.read_timeout.is_zero() {
            return wrong("read_timeout", "0".into(), "more than 0");
        }
        for origin in &self.cors_allowed_origins {
            let valid =
                http::HeaderValue::from_str(origin).is_ok() && (origin == "*" || origin.contains("://"));
            if !valid {
                return wrong(
                    "cors_allowed_origins",
                    format!("{origin:?}"),
                    "* or an origin like https://shop.example",
                );
            }
        }
        self.serve.check()
    }
}

impl ServeConfig {
    /// Checks what the types do not.
    pub fn check(&self) -> Result<(), ConfigError> {
        let sizes = [
            ("max_header_bytes", self.max_header_bytes, 1 << 10, 16 << 20, "1KiB to 16MiB"),
            ("h2_stream_window", self.h2_stream_window, 65_535, (1 << 31) - 1, "64KiB to 2GiB"),
            ("h2_connection_window", self.h2_connection_window, 65_535, (1 << 31) - 1, "64KiB to 2GiB"),
            ("h2_max_frame", self.h2_max_frame, 16_384, (1 << 24) - 1, "16KiB to 16MiB"),
            ("h2_max_streams", self.h2_max_streams as usize, 1, 1 << 20, "1 to 1048576"),
            ("max_connections", self.max_connections, 1, 1 << 20, "1 to 1048576"),
        ];
        for (key, found, least, most, expected) in sizes {
            if !(least..=most).contains(&found) {
                return Err(ConfigError { key, found: text::size::print(found), expected });
            }
        }
        let times = [
            ("header_read_timeout", self.header_read_timeout),
            ("write_timeout", self.write_timeout),
            ("h2_keepalive_interval", self.h2_keepalive_interval),
            ("h2_keepalive_timeout", self.h2_keepalive_timeout),
        ];
        match times.iter().find(|(_, time)| time.is_zero()) {
            Some((key, _)) => Err(ConfigError { key, found: "0".into(), expected: "more than 0" }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_survive_being_written() {
        let config = ReceiveConfig::default();
        assert_eq!(config.check(), Ok(()));
        let text = serde_json::to_string(&config).unwrap();
        assert!(text.contains(r#""max_request_bytes":"32MiB","read_timeout":"30s""#), "{text}");
        assert_eq!(serde_json::from_str::<ReceiveConfig>(&text).unwrap(), config);
    }

    #[test]
    fn what_cannot_work_is_named() {
        let check = |json: &str, expected: &str| {
            let got = match serde_json::from_str::<ReceiveConfig>(json) {
                Ok(config) => config.check().map_err(|e| e.to_string()),
                Err(e) => Err(e.to_string()),
            };
            let got = got.expect_err(json);
            assert!(got.contains(expected), "{json}: {got}");
        };
        check(r#"{"max_request_byte": 5}"#, "unknown field `max_request_byte`");
        check(r#"{"max_request_bytes": 5}"#, "max_request_bytes is 5, expected 1KiB to 2GiB");
        check(r#"{"read_timeout": "0s"}"#, "read_timeout is 0, expected more than 0");
        check(r#"{"read_timeout": "soon"}"#, "not a duration");
        check(r#"{"cors_allowed_origins": ["shop"]}"#, "cors_allowed_origins is \"shop\"");
        check(r#"{"serve": {"h2_max_frame": "1KiB"}}"#, "h2_max_frame is 1KiB, expected 16KiB to 16MiB");
        check(r#"{"serve": {"write_timeout": "0ms"}}"#, "write_timeout is 0");
    }
}
