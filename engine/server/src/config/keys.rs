//! Every key of the configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cluster_keys::{ClusterRepairSection, ClusterSection, ClusterTlsSection};
use super::section::{KeyDoc, section};
use super::store_keys::{
    AzureSection, CacheSection, CompactionSection, GcsSection, RetentionSection, S3Section, StoreSection,
};
use super::units::{Size, Time};

/// When a span is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DurabilityKey {
    /// In memory.
    Memory,
    /// In the kernel's page cache.
    PageCache,
    /// On the disk.
    #[default]
    Fsync,
}

/// Where the core of a live trace is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostingKey {
    /// In an actor of its own.
    #[default]
    Actor,
    /// In the shard's map.
    Map,
}

const fn s(seconds: u64) -> Time {
    Time(Duration::from_secs(seconds))
}

const fn mib(n: u64) -> Size {
    Size(n << 20)
}

section! {
    /// Keys for arriving spans.
    ReceiveSection {
        /// Ports on which OTLP is taken. Each of them takes both gRPC and HTTP, so the usual four (4317 gRPC, 4318
        /// HTTP, and 55680 and 55681 of the year 2020) differ only in what senders expect. Remove those you do not want.
        otlp_ports: Vec<u16> = vec![4317, 4318, 55680, 55681],
        /// Most bytes of one request, as sent and when inflated. Senders batch up to some MiB.
        max_request_bytes: Size = mib(32),
        /// How long the body of a request may stall before it is refused.
        read_timeout: Time = s(30),
        /// Most connections to one port.
        max_connections: u32 = 4096,
        /// Origins of web pages that may send from a browser, such as `https://shop.example`; `*` for any.
        cors_allowed_origins: Vec<String> = Vec::new(),
        /// See below.
        jaeger: JaegerSection = JaegerSection::default(),
        /// See below.
        zipkin: ZipkinSection = ZipkinSection::default(),
        /// See below.
        opencensus: OpenCensusSection = OpenCensusSection::default(),
        /// See below.
        datagrams: DatagramSection = DatagramSection::default(),
    }
}

section! {
    /// Keys for Jaeger senders. An empty list of ports switches a protocol off.
    JaegerSection {
        /// TCP ports. Each takes Thrift over HTTP (senders expect 14268), gRPC (14250) and questions for sampling
        /// strategies (5778, and the other two).
        ports: Vec<u16> = vec![14250, 14268, 5778],
        /// UDP ports for compact Thrift, what most Jaeger clients send to an agent.
        compact_ports: Vec<u16> = vec![6831],
        /// UDP ports for binary Thrift, what Jaeger's client for Node sends.
        binary_ports: Vec<u16> = vec![6832],
        /// UDP ports for the compact Thrift of the oldest clients, with Zipkin's spans in it.
        zipkin_compact_ports: Vec<u16> = vec![5775],
        /// File with the strategies that clients are told when they ask what to sample, in the format of
        /// Jaeger's `--sampling.strategies-file`. It is read again when it changes. Empty: `sampling_rate` for all.
        sampling_strategies_file: String = String::new(),
        /// Part of the traces that clients are told to sample, 0 to 1, where the file does not say.
        sampling_rate: f64 = 1.0,
    }
}

section! {
    /// Keys for Zipkin senders.
    ZipkinSection {
        /// TCP ports for versions 1 and 2, in JSON, Thrift and protobuf. Empty: none.
        ports: Vec<u16> = vec![9411],
        /// Whether tags whose text is a number or a truth value become attributes of that type. Zipkin's tags are
        /// all text.
        parse_string_tags: bool = false,
    }
}

section! {
    /// Keys for OpenCensus senders.
    OpenCensusSection {
        /// TCP ports for gRPC, and JSON over HTTP. Empty: none.
        ports: Vec<u16> = vec![55678],
    }
}

section! {
    /// Keys for what comes as datagrams (UDP).
    DatagramSection {
        /// Bytes that the kernel keeps for each port. Datagrams that come faster than they are taken wait there; when
        /// it is full they are lost and counted. Without the capability CAP_NET_ADMIN the kernel gives
        /// at most `net.core.rmem_max`.
        socket_buffer_bytes: Size = mib(8),
        /// Whose spans they are: a datagram cannot say. Empty: `single-tenant`'s; with `multitenancy` the ports for
        /// datagrams then stay closed.
        tenant: String = String::new(),
    }
}

section! {
    /// Keys for questions.
    QueryConfig {
        /// Port of the query API, the status pages and the metrics, for HTTP/1.1 and h2c alike.
        port: u16 = 3200,
        /// Ports of Jaeger's query API, each for HTTP and gRPC alike: readers expect 16686 for HTTP and 16685 for gRPC; a
        /// jaeger-query or collector that has its storage here expects 17271 by its own defaults. Zipkin's readers are
        /// answered on `receive.zipkin.ports`. Empty: none.
        jaeger_ports: Vec<u16> = vec![16686, 16685],
        /// Whether `receive.zipkin.ports`, which senders reach, answer Zipkin's readers as well. Set it to false where senders
        /// must not read.
        zipkin: bool = true,
        /// Most connections to it.
        max_connections: u32 = 1024,
        /// Threads that search; 0 is one for each core. They run beside the shards, so fewer of them leave more of the
        /// machine to ingest.
        threads: u16 = 0,
        /// How far threads that search give way when all cores are busy, as `nice` counts it: 0 not at all, 19 most. At 10 a
        /// full load of ingest goes on nearly as before, and answers take longer. Linux only.
        nice: u8 = 10,
        /// How long live spans stay in columns after the last search that used them. The memory is counted in
        /// `memory.budget`; the next search makes them anew, for 1 us of CPU a live span. `0s` is until the next search.
        keep_columns: Time = s(30),
        /// Most questions over many traces that are worked on or wait at once. More are refused with 429 or
        /// RESOURCE_EXHAUSTED. Of other nodes' questions half as many parts are taken beside them.
        max_questions: u32 = 64,
        /// Longest time for a question, then it is answered with 504 or DEADLINE_EXCEEDED; `0s` is no limit.
        timeout: Time = s(30),
        /// Longest query, in bytes, 1 to 128KiB. A URL holds 64 KiB, so longer ones come over gRPC alone. Queries
        /// that people or dashboards write have some hundred.
        max_query_bytes: Size = Size(128 << 10),
        /// Most traces that a search may ask for (`limit`), at least 1. Larger answers are slower to make and to show;
        /// their bytes are bounded by `query.max_answer_bytes` in any case.
        max_limit: u32 = 262_144,
        /// Most spans that a search may ask to be shown of each spanset (`spss`), at least 1.
        max_spans_per_spanset: u32 = 100,
        /// Longest time, from start to end, that a search may ask for; `0s` is no limit. A search reads row groups of
        /// the time asked for until it has its traces, so a rare match costs a look at all of them.
        max_search_range: Time = s(168 * 3600),
        /// How far back a search without start and end looks; above 0.
        recent: Time = s(15 * 60),
        /// How far back the names of services, operations and tags are looked for where readers cannot say: in the APIs of
        /// Jaeger and Zipkin; above 0. The more, the more blocks are looked at each time their pages are opened.
        names_within: Time = s(72 * 3600),
        /// Longest time that a query for series may ask for; `0s` is no limit. It costs a look at every span of that
        /// time.
        max_metrics_range: Time = s(24 * 3600),
        /// Most intervals of a series, which is the range divided by the step; at least 1. An answer has that many
        /// samples for each of its series.
        max_intervals: u32 = 10_000,
        /// Most exemplars that a query for series may ask for, and how many there are when it does not say. A question
        /// for more gets so many; 0 is none.
        max_exemplars: u32 = 100,
        /// Most bytes that an answer may take in memory, about; each thread that searches may take as much to count
        /// series. Larger answers to a search are refused with 422. Of series that take more the first ones are
        /// shown, and the answer says so.
        max_answer_bytes: Size = mib(64),
        /// Most series of an answer, unless the question says less, and most nodes and edges of a graph of services. What
        /// is over is left out, and the answer says so.
        max_series: u32 = 1000,
        /// Most traces that a graph of services is made of; the newest of each block first. What is over is left out, and
        /// the answer says so. A million spans take a second or two of a core.
        max_graph_traces: u64 = 200_000,
        /// Most bytes of the names or values of tags in an answer. What is over is left out.
        max_tag_bytes: Size = mib(1),
        /// In a cluster with a shared store: bytes of the store's blocks in the time asked for, from which on all queriers
        /// work on a question over many traces, each on a part of the blocks. Below it the calls cost more than they
        /// bring. `0` is never: the node that is asked does it alone.
        split_above: Size = mib(128),
        /// In a cluster: how long another node may take for its part of such a question before it is done here as well,
        /// once nothing else is left to do. A part that takes others three times as long as parts did so far is done
        /// here in any case.
        split_hedge_after: Time = Time(Duration::from_millis(200)),
    }
}

section! {
    /// Keys for memory.
    MemoryConfig {
        /// What the process may take in all. After 60 MiB for the program itself, requests that wait, live traces
        /// and traces being sealed get 45 % of the rest; building blocks, actors and answers take the remainder. A
        /// join of blocks takes a third of the budget at most, half of it from that of requests as long as it lasts.
        /// Give it what the machine can spare: a larger budget makes larger blocks and cuts fewer traces early. At
        /// least 96MiB.
        budget: Size = mib(384),
        /// How long a request waits for room before it is refused with 429 or RESOURCE_EXHAUSTED.
        admission_wait: Time = Time(Duration::from_millis(500)),
        /// What refused senders are told to wait before they try again.
        retry_after: Time = s(1),
        /// Most requests on their way to the log at once.
        max_requests: u32 = 4096,
    }
}

section! {
    /// Keys for the log.
    LogConfig {
        /// When a span is acknowledged: `memory`, `page-cache` (survives a crash of the process) or `fsync` (survives
        /// a power cut). Requests that arrive together share one sync, so `fsync` costs latency more than throughput.
        durability: DurabilityKey = DurabilityKey::Fsync,
        /// Size of a log file. A file goes when all its spans are in blocks; smaller files go sooner.
        segment_bytes: Size = mib(64),
        /// Most bytes that one sync covers.
        group_bytes: Size = mib(8),
        /// Bytes that stay free on the data directory's disk. With less, spans are refused with 503 or UNAVAILABLE until
        /// there is more, `/ready` says so, and blocks are not joined; what is left is for making blocks of what
        /// the log holds, which gives the log's room back. At least a tenth of `memory.budget` is wise; `0B` is none, and a full
        /// disk may then have to be helped by hand.
        min_free_disk: Size = mib(128),
    }
}

section! {
    /// Keys for live traces.
    TraceConfig {
        /// A trace to which nothing came for this long is taken to be whole and may go into a block.
        idle: Time = s(10),
        /// A trace goes into a block at this age, whole or not; what comes later joins it on read.
        max_age: Time = s(120),
        /// A trace goes into a block at this size.
        cut_bytes: Size = mib(32),
        /// Where the core of a live trace is kept: `actor`, one actix actor a trace, or `map`, in its shard. See
        /// docs/adr for the measurements.
        hosting: HostingKey = HostingKey::Actor,
        /// Shards, each with a thread of its own; 0 is one for each core.
        shards: u16 = 0,
    }
}

section! {
    /// Keys for sealing.
    SealConfig {
        /// A block is written once so many bytes of spans are in traces that may go into it. Memory that runs short
        /// makes it happen sooner.
        block_bytes: Size = mib(48),
        /// A block is written after this long at the latest. Until then the log keeps the spans.
        max_age: Time = s(300),
    }
}

section! {
    /// Limits on what is taken. What is over a limit is refused, counted by reason and told to the sender.
    LimitsConfig {
        /// Largest span. Larger ones are refused, the others of the request are taken.
        max_span_bytes: Size = mib(32),
        /// Deepest nesting of array and map values. Deeper requests are refused.
        max_value_depth: u16 = 32,
        /// Most tenants.
        max_tenants: u32 = 10_000,
        /// Most live traces of a tenant; 0 is no limit. More are refused with LIVE_TRACES_EXCEEDED.
        max_live_traces: u64 = 0,
        /// Most bytes of a trace while it is live; 0 is no limit. More are refused with TRACE_TOO_LARGE.
        max_trace_bytes: Size = Size(0),
    }
}

section! {
    /// Keys for redaction: deleting given traces, or what a query finds, from all blocks. See REDACTION.md.
    RedactionSection {
        /// Whether `POST /api/redact` of the query port deletes. Whoever reaches the port can then delete whatever they
        /// can name, since there is no authentication: have a proxy in front of it that lets through who may.
        /// `spanloom block redact` needs no key.
        http: bool = false,
        /// Most traces of one redaction, at least 1. One that names or finds more is refused and changes nothing: a query
        /// that was meant otherwise then costs nothing. 16 bytes of memory each.
        max_traces: u32 = 10_000,
        /// Most spans of one redaction of spans alone, at least 1, likewise. 32 bytes of memory each.
        max_spans: u32 = 1_000_000,
    }
}

section! {
    /// The whole configuration.
    Config {
        /// Where everything is kept.
        data_dir: String = "./spanloom-data".to_owned(),
        /// Address that all ports listen on; `0.0.0.0` to be reached from elsewhere.
        listen_host: String = "127.0.0.1".to_owned(),
        /// Added to every port, so that several run on one host.
        port_offset: u16 = 0,
        /// Whether every request must name its tenant in `X-Scope-OrgID`. Otherwise those that do not are taken for
        /// the tenant `single-tenant`.
        multitenancy: bool = false,
        /// How long SIGTERM waits for requests that are under way.
        drain_timeout: Time = s(30),
        /// Which log lines are printed: `error`, `warn`, `info`, `debug`, or `module=level` pairs.
        log_level: String = "info".to_owned(),
        /// See below.
        receive: ReceiveSection = ReceiveSection::default(),
        /// See below.
        query: QueryConfig = QueryConfig::default(),
        /// See below.
        memory: MemoryConfig = MemoryConfig::default(),
        /// See below.
        log: LogConfig = LogConfig::default(),
        /// See below.
        trace: TraceConfig = TraceConfig::default(),
        /// See below.
        seal: SealConfig = SealConfig::default(),
        /// See below.
        limits: LimitsConfig = LimitsConfig::default(),
        /// See below.
        store: StoreSection = StoreSection::default(),
        /// See below.
        cache: CacheSection = CacheSection::default(),
        /// See below.
        compaction: CompactionSection = CompactionSection::default(),
        /// See below.
        retention: RetentionSection = RetentionSection::default(),
        /// See below.
        redaction: RedactionSection = RedactionSection::default(),
        /// See below.
        cluster: ClusterSection = ClusterSection::default(),
    }
}

/// A section: its name, and its keys.
pub(super) type Section = (&'static str, Vec<KeyDoc>);

/// Every section with its keys, the top first.
pub(super) fn sections() -> Vec<Section> {
    let mut out: Vec<Section> = Vec::new();
    let mut section = |name: &'static str, describe: fn(&str, &mut Vec<KeyDoc>)| {
        let mut keys = Vec::new();
        describe(&if name.is_empty() { String::new() } else { format!("{name}.") }, &mut keys);
        keys.retain(|key| key.doc != "See below.");
        out.push((name, keys));
    };
    section("", Config::describe);
    section("receive", ReceiveSection::describe);
    section("receive.jaeger", JaegerSection::describe);
    section("receive.zipkin", ZipkinSection::describe);
    section("receive.opencensus", OpenCensusSection::describe);
    section("receive.datagrams", DatagramSection::describe);
    section("query", QueryConfig::describe);
    section("memory", MemoryConfig::describe);
    section("log", LogConfig::describe);
    section("trace", TraceConfig::describe);
    section("seal", SealConfig::describe);
    section("limits", LimitsConfig::describe);
    section("store", StoreSection::describe);
    section("store.s3", S3Section::describe);
    section("store.gcs", GcsSection::describe);
    section("store.azure", AzureSection::describe);
    section("cache", CacheSection::describe);
    section("compaction", CompactionSection::describe);
    section("retention", RetentionSection::describe);
    section("redaction", RedactionSection::describe);
    section("cluster", ClusterSection::describe);
    section("cluster.tls", ClusterTlsSection::describe);
    section("cluster.repair", ClusterRepairSection::describe);
    out
}
