//! Checks across keys, and what the roles are given.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;

use spanloom_ingest::{Durability, Hosting, IngestOptions};
use spanloom_receive::{ReceiveConfig, ServeConfig};
use spanloom_span::slice::SliceLimits;

use super::keys::{Config, DurabilityKey, HostingKey};
use super::read::ConfigError;
use super::units::Size;

/// Least memory with which the engine runs well.
const MIN_BUDGET: u64 = 64 << 20;

fn wrong<T>(key: &'static str, found: impl ToString, expected: impl ToString) -> Result<T, ConfigError> {
    Err(ConfigError::Value { key, found: found.to_string(), expected: expected.to_string() })
}

impl Config {
    /// Checks what the types do not.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.host()?;
        let (budget, request) = (self.memory.budget, self.receive.max_request_bytes);
        if budget.0 < MIN_BUDGET {
            return wrong("memory.budget", budget, "at least 64MiB");
        }
        if request.0 > self.live_bytes() as u64 {
            let most = Size(self.live_bytes() as u64);
            return wrong(
                "receive.max_request_bytes",
                request,
                format!("at most {most}, 40 % of memory.budget"),
            );
        }
        if self.log.segment_bytes.0 < 1 << 20 {
            return wrong("log.segment_bytes", self.log.segment_bytes, "at least 1MiB");
        }
        if self.memory.max_requests == 0 {
            return wrong("memory.max_requests", 0, "at least 1");
        }
        if self.limits.max_span_bytes.0 > u64::from(u32::MAX) {
            return wrong("limits.max_span_bytes", self.limits.max_span_bytes, "less than 4GiB");
        }
        if self.limits.max_value_depth == 0 || self.limits.max_value_depth > 100 {
            return wrong("limits.max_value_depth", self.limits.max_value_depth, "1 to 100");
        }
        let ports = self.receive.otlp_ports.iter().chain([&self.query.port]);
        for port in ports {
            if *port == 0 || port.checked_add(self.port_offset).is_none() {
                let found = format!("{port} + port_offset {}", self.port_offset);
                return wrong("a port", found, "1 to 65535");
            }
        }
        for port in self.receive.otlp_ports.iter() {
            self.receive_config(*port)?;
        }
        Ok(())
    }

    fn host(&self) -> Result<IpAddr, ConfigError> {
        let host = if self.listen_host == "localhost" { "127.0.0.1" } else { &self.listen_host };
        let parsed = host.trim_matches(['[', ']']).parse();
        parsed.or_else(|_| {
            wrong("listen_host", format!("{host:?}"), "an IP address such as 127.0.0.1 or 0.0.0.0")
        })
    }

    /// Where a port listens.
    pub fn address(&self, port: u16) -> Result<SocketAddr, ConfigError> {
        Ok(SocketAddr::new(self.host()?, port + self.port_offset))
    }

    fn live_bytes(&self) -> usize {
        (self.memory.budget.0 / 5 * 2) as usize
    }

    /// Settings of the listener on a port.
    pub fn receive_config(&self, port: u16) -> Result<ReceiveConfig, ConfigError> {
        let receive = &self.receive;
        let config = ReceiveConfig {
            address: self.address(port)?,
            multitenancy: self.multitenancy,
            max_request_bytes: receive.max_request_bytes.0 as usize,
            read_timeout: receive.read_timeout.0,
            cors_allowed_origins: receive.cors_allowed_origins.clone(),
            serve: self.serve_config(receive.max_connections),
        };
        config.check().or_else(|error| wrong("receive", error.found, error.expected))?;
        Ok(config)
    }

    /// Settings of connections.
    pub fn serve_config(&self, max_connections: u32) -> ServeConfig {
        ServeConfig { max_connections: max_connections as usize, ..ServeConfig::default() }
    }

    /// Settings of the ingest role.
    pub fn ingest_options(&self) -> IngestOptions {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let live_bytes = self.live_bytes();
        IngestOptions {
            shards: NonZeroUsize::new(self.trace.shards.into()).unwrap_or(cores),
            durability: match self.log.durability {
                DurabilityKey::Memory => Durability::Memory,
                DurabilityKey::PageCache => Durability::PageCache,
                DurabilityKey::Fsync => Durability::Fsync,
            },
            hosting: match self.trace.hosting {
                HostingKey::Actor => Hosting::Actor,
                HostingKey::Map => Hosting::Map,
            },
            live_bytes,
            soft_bytes: live_bytes / 5 * 3,
            admission_wait: self.memory.admission_wait.0,
            retry_after: self.memory.retry_after.0,
            max_requests: self.memory.max_requests as usize,
            group_bytes: self.log.group_bytes.0 as usize,
            segment_bytes: self.log.segment_bytes.0,
            trace_idle: self.trace.idle.0,
            trace_max_age: self.trace.max_age.0,
            trace_cut_bytes: self.trace.cut_bytes.0,
            seal_bytes: self.seal.block_bytes.0.min(live_bytes as u64 / 2),
            seal_max_age: self.seal.max_age.0,
            slice: SliceLimits {
                max_depth: self.limits.max_value_depth.into(),
                max_span_bytes: self.limits.max_span_bytes.0 as u32,
            },
            max_tenants: self.limits.max_tenants as usize,
            max_live_traces: self.limits.max_live_traces,
            max_trace_bytes: self.limits.max_trace_bytes.0,
        }
    }
}
