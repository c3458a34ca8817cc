//! Checks across keys, and what the roles are given.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use spanloom_api::QueryLimits;
use spanloom_block::ResidentLimits;
use spanloom_ingest::{Durability, Hosting, IngestOptions};
use spanloom_query::QueryOptions;
use spanloom_receive::{ReceiveConfig, ServeConfig, Strategies};
use spanloom_span::Tenant;
use spanloom_span::slice::SliceLimits;

use super::keys::{
    Config, DurabilityKey, HostingKey, JaegerSection, OpenCensusSection, ReceiveSection, ZipkinSection,
};
use super::read::ConfigError;
use super::store_keys::BackendKey;
use super::units::Size;

/// Least memory with which the engine runs well.
const MIN_BUDGET: u64 = 96 << 20;

/// What the process needs beside requests: the program, threads and connections, the tables of a block under
/// construction. Measured: 60 MiB are left when requests are given next to nothing.
const BASE_BYTES: u64 = 60 << 20;

pub(super) fn wrong<T>(
    key: &'static str,
    found: impl ToString,
    expected: impl ToString,
) -> Result<T, ConfigError> {
    Err(ConfigError::Value { key, found: found.to_string(), expected: expected.to_string() })
}

impl ReceiveSection {
    /// The defaults, with no port open.
    pub fn closed() -> Self {
        let jaeger = JaegerSection {
            ports: Vec::new(),
            compact_ports: Vec::new(),
            binary_ports: Vec::new(),
            zipkin_compact_ports: Vec::new(),
            ..JaegerSection::default()
        };
        let zipkin = ZipkinSection { ports: Vec::new(), ..ZipkinSection::default() };
        let opencensus = OpenCensusSection { ports: Vec::new() };
        Self { otlp_ports: Vec::new(), jaeger, zipkin, opencensus, ..Self::default() }
    }
}

impl Config {
    /// Checks what the types do not.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.host()?;
        let (budget, request) = (self.memory.budget, self.receive.max_request_bytes);
        if budget.0 < MIN_BUDGET {
            return wrong("memory.budget", budget, "at least 96MiB");
        }
        if request.0 > self.live_bytes() as u64 {
            let most = Size(self.live_bytes() as u64);
            return wrong(
                "receive.max_request_bytes",
                request,
                format!("at most {most}, which memory.budget leaves for requests"),
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
        if self.query.nice > 19 {
            return wrong("query.nice", self.query.nice, "0 to 19");
        }
        for (key, port) in self.ports() {
            if port == 0 || port.checked_add(self.port_offset).is_none() {
                let found = format!("{port} + port_offset {}", self.port_offset);
                return wrong(key, found, "1 to 65535");
            }
        }
        for (_, port) in self.ports() {
            self.receive_config(port)?;
        }
        self.query_limits().check().or_else(|error| wrong(error.key, error.found, error.expected))?;
        self.cluster_options()?;
        self.check_store()?;
        if self.redaction.max_traces == 0 || self.redaction.max_spans == 0 {
            return wrong("redaction.max_traces and redaction.max_spans", 0, "at least 1");
        }
        let rate = self.receive.jaeger.sampling_rate;
        if !(0.0..=1.0).contains(&rate) {
            return wrong("receive.jaeger.sampling_rate", rate, "0 to 1");
        }
        self.strategies()?;
        self.datagram_tenant()?;
        let buffer = self.receive.datagrams.socket_buffer_bytes;
        if !(4096..=1 << 30).contains(&buffer.0) {
            return wrong("receive.datagrams.socket_buffer_bytes", buffer, "4KiB to 1GiB");
        }
        Ok(())
    }

    /// Every port with its key.
    fn ports(&self) -> impl Iterator<Item = (&'static str, u16)> {
        let receive = &self.receive;
        let cluster = &self.cluster;
        let of_cluster = |port| if cluster.is_on() { std::slice::from_ref(port) } else { &[] };
        let lists: [(_, &[u16]); 11] = [
            ("receive.otlp_ports", &receive.otlp_ports),
            ("receive.jaeger.ports", &receive.jaeger.ports),
            ("receive.jaeger.compact_ports", &receive.jaeger.compact_ports),
            ("receive.jaeger.binary_ports", &receive.jaeger.binary_ports),
            ("receive.jaeger.zipkin_compact_ports", &receive.jaeger.zipkin_compact_ports),
            ("receive.zipkin.ports", &receive.zipkin.ports),
            ("receive.opencensus.ports", &receive.opencensus.ports),
            ("query.port", std::slice::from_ref(&self.query.port)),
            ("query.jaeger_ports", &self.query.jaeger_ports),
            ("cluster.gossip_port", of_cluster(&cluster.gossip_port)),
            ("cluster.peer_port", of_cluster(&cluster.peer_port)),
        ];
        lists.into_iter().flat_map(|(key, ports)| ports.iter().map(move |port| (key, *port)))
    }

    /// What Jaeger clients are told to sample. Reads the file that says it.
    pub fn strategies(&self) -> Result<Strategies, ConfigError> {
        let jaeger = &self.receive.jaeger;
        let file = &jaeger.sampling_strategies_file;
        let path = (!file.is_empty()).then(|| PathBuf::from(file));
        Strategies::open(jaeger.sampling_rate, path).or_else(|error| {
            wrong("receive.jaeger.sampling_strategies_file", file, format!("a file of strategies: {error}"))
        })
    }

    /// Whose spans come by datagram; `None` when nobody says, though somebody must: then no port for them is opened.
    pub fn datagram_tenant(&self) -> Result<Option<Tenant>, ConfigError> {
        let name = &self.receive.datagrams.tenant;
        if name.is_empty() {
            return Ok((!self.multitenancy).then(Tenant::default));
        }
        let tenant = Tenant::new(name);
        tenant.map(Some).or_else(|error| wrong("receive.datagrams.tenant", format!("{name:?}"), error))
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
        // What requests hold, their actors and columns hold again in part: measured, 1.7 to 2.1 times in all.
        (self.memory.budget.0.saturating_sub(BASE_BYTES) / 20 * 9) as usize
    }

    /// What a join may take. It is taken from what requests and live traces may hold, as long as it lasts.
    pub(super) fn join_bytes(&self) -> u64 {
        self.memory.budget.0 / 3
    }

    /// What listed blocks may hold in memory for being read. Mapped pages can be taken back at any moment, yet they
    /// count as the process's memory.
    pub fn resident_limits(&self) -> ResidentLimits {
        let defaults = ResidentLimits::default();
        ResidentLimits { mapped_bytes: defaults.mapped_bytes.min(self.memory.budget.0 / 6), ..defaults }
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

    /// What a question may ask for.
    pub fn query_limits(&self) -> QueryLimits {
        let query = &self.query;
        QueryLimits {
            max_query_bytes: usize::try_from(query.max_query_bytes.0).unwrap_or(usize::MAX),
            max_limit: query.max_limit as usize,
            max_spans_per_spanset: query.max_spans_per_spanset as usize,
            max_search_range: query.max_search_range.0,
            recent: query.recent.0,
            max_metrics_range: query.max_metrics_range.0,
            max_intervals: query.max_intervals.into(),
            max_exemplars: query.max_exemplars as usize,
            max_answer_bytes: usize::try_from(query.max_answer_bytes.0).unwrap_or(usize::MAX),
            names_within: query.names_within.0,
        }
    }

    /// Threads that search: of those that wait for a store there may be more than cores.
    fn query_threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        match (self.query.threads, self.store.backend) {
            (0, BackendKey::Local) => cores,
            (0, _) => cores * 4,
            (threads, _) => threads.into(),
        }
    }

    /// What the querier is given.
    pub fn query_options(&self) -> QueryOptions {
        let query = &self.query;
        QueryOptions {
            threads: self.query_threads(),
            nice: query.nice,
            keep_columns: query.keep_columns.0,
            max_questions: query.max_questions as usize,
            timeout: query.timeout.0,
            max_answer_bytes: usize::try_from(query.max_answer_bytes.0).unwrap_or(usize::MAX),
            max_series: query.max_series as usize,
            max_tag_bytes: usize::try_from(query.max_tag_bytes.0).unwrap_or(usize::MAX),
            max_graph_traces: query.max_graph_traces,
            straggler_wait: self.cluster.straggler_wait.0,
            hold_listed: self.cluster.listed_for.0,
            max_held: self.cluster.max_listed as usize,
            peer_data_bytes: self.cluster.cached_data.0,
            peer_metadata_bytes: self.cluster.cached_metadata.0,
            split_above: query.split_above.0,
            hedge_after: query.split_hedge_after.0,
        }
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
            min_free_disk: self.log.min_free_disk.0,
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
            // Fewer are only good for tests.
            group_rows: IngestOptions::default().group_rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::from_text;

    #[test]
    fn limits_on_questions_are_keys() {
        let read = |text: &str| from_text(text, |_| None).unwrap();
        assert_eq!(read("").query_limits(), QueryLimits::default());
        let all = "query: {max_query_bytes: 1KiB, max_limit: 2, max_spans_per_spanset: 3, max_search_range: 4s, \
                   recent: 5s, max_metrics_range: 6s, max_intervals: 7, max_exemplars: 8, max_answer_bytes: 9, \
                   names_within: 10s}";
        let seconds = std::time::Duration::from_secs;
        let expected = QueryLimits {
            max_query_bytes: 1024,
            max_limit: 2,
            max_spans_per_spanset: 3,
            max_search_range: seconds(4),
            recent: seconds(5),
            max_metrics_range: seconds(6),
            max_intervals: 7,
            max_exemplars: 8,
            max_answer_bytes: 9,
            names_within: seconds(10),
        };
        assert_eq!(read(all).query_limits(), expected);
        let check = |keys: &str, expected: Option<&str>| {
            let found = read(&format!("query: {{{keys}}}")).check().err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), expected, "{keys}");
        };
        check("max_search_range: 0s, max_metrics_range: 0s, max_exemplars: 0", None);
        check("max_query_bytes: 0", Some("query.max_query_bytes is 0, expected 1 to 128KiB"));
        check("max_query_bytes: 129KiB", Some("query.max_query_bytes is 132096, expected 1 to 128KiB"));
        check("max_limit: 0", Some("query.max_limit is 0, expected at least 1"));
        check("max_spans_per_spanset: 0", Some("query.max_spans_per_spanset is 0, expected at least 1"));
        check("max_intervals: 0", Some("query.max_intervals is 0, expected at least 1"));
        check("names_within: 0s", Some("query.names_within is 0, expected more than 0"));
        check("recent: 0s", Some("query.recent is 0, expected more than 0"));
    }
}
