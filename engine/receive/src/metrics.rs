//! What the listeners count.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::{Accepted, Refusal};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    protocol: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProtocolLabel {
    protocol: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DropLabels {
    protocol: &'static str,
    reason: &'static str,
}

/// What the listeners count. One for all ports.
#[derive(Debug, Clone)]
pub struct ReceiveMetrics {
    requests: Family<RequestLabels, Counter>,
    bytes: Family<ProtocolLabel, Counter>,
    inflated_bytes: Family<ProtocolLabel, Counter>,
    refused: Family<ReasonLabel, Counter>,
    accepted_spans: Counter,
    refused_spans: Counter,
    duration: Family<ProtocolLabel, Histogram>,
    /// Datagrams.
    pub datagrams: DatagramMetrics,
    /// The connections below.
    pub serve: ServeMetrics,
}

/// What the listeners for datagrams count beside requests: those are counted after datagrams were joined.
#[derive(Debug, Clone, Default)]
pub struct DatagramMetrics {
    received: Family<ProtocolLabel, Counter>,
    bytes: Family<ProtocolLabel, Counter>,
    dropped: Family<DropLabels, Counter>,
    dropped_spans: Family<ProtocolLabel, Counter>,
}

/// What the connections of a port count.
#[derive(Debug, Clone, Default)]
pub struct ServeMetrics {
    /// Open now.
    pub connections: Gauge,
    /// Closed at once because there were too many.
    pub refused_connections: Counter,
    /// Closed because the other end stalled.
    pub stalled_connections: Counter,
}

impl Default for ReceiveMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            bytes: Family::default(),
            inflated_bytes: Family::default(),
            refused: Family::default(),
            accepted_spans: Counter::default(),
            refused_spans: Counter::default(),
            duration: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.000_1, 4.0, 10))),
            datagrams: DatagramMetrics::default(),
            serve: ServeMetrics::default(),
        }
    }
}

impl ReceiveMetrics {
    /// Adds everything to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("spanloom_receive");
        registry.register("requests", "Requests answered, by protocol and outcome", self.requests.clone());
        registry.register("bytes", "Bytes of bodies as sent, by protocol", self.bytes.clone());
        registry.register(
            "inflated_bytes",
            "Bytes of bodies after inflating, by protocol",
            self.inflated_bytes.clone(),
        );
        registry.register("refused", "Requests refused, by reason", self.refused.clone());
        registry.register(
            "accepted_spans",
            "Spans acknowledged to their senders",
            self.accepted_spans.clone(),
        );
        registry.register(
            "refused_spans",
            "Spans refused within accepted requests",
            self.refused_spans.clone(),
        );
        registry.register(
            "duration_seconds",
            "From a request's head to its answer, by protocol",
            self.duration.clone(),
        );
        self.datagrams.register(registry);
        self.serve.register(registry);
    }

    pub(crate) fn came(&self, protocol: &'static str, sent: usize, inflated: usize) {
        let label = ProtocolLabel { protocol };
        self.bytes.get_or_create(&label).inc_by(sent as u64);
        self.inflated_bytes.get_or_create(&label).inc_by(inflated as u64);
    }

    pub(crate) fn answered(&self, protocol: &'static str, outcome: &Result<Accepted, Refusal>, seconds: f64) {
        let word = match outcome {
            Ok(accepted) => {
                self.accepted_spans.inc_by(accepted.spans);
                if accepted.refused_spans > 0 {
                    self.refused_spans.inc_by(accepted.refused_spans);
                }
                if accepted.refused_spans > 0 { "partial" } else { "accepted" }
            }
            Err(refusal) => {
                self.refused.get_or_create(&ReasonLabel { reason: refusal.reason() }).inc();
                "refused"
            }
        };
        self.requests.get_or_create(&RequestLabels { protocol, outcome: word }).inc();
        self.duration.get_or_create(&ProtocolLabel { protocol }).observe(seconds);
    }
}

impl DatagramMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("datagrams", "Datagrams received, by protocol", self.received.clone());
        registry.register("datagram_bytes", "Bytes of datagrams received, by protocol", self.bytes.clone());
        registry.register(
            "datagrams_dropped",
            "Datagrams whose spans were not kept, by protocol and reason",
            self.dropped.clone(),
        );
        registry.register(
            "datagram_spans_dropped",
            "Spans of datagrams that were understood and not kept, by protocol",
            self.dropped_spans.clone(),
        );
    }

    pub(crate) fn came(&self, protocol: &'static str, datagrams: u64, bytes: u64) {
        let label = ProtocolLabel { protocol };
        self.received.get_or_create(&label).inc_by(datagrams);
        self.bytes.get_or_create(&label).inc_by(bytes);
    }

    pub(crate) fn dropped(&self, protocol: &'static str, reason: &'static str, datagrams: u64) {
        self.dropped.get_or_create(&DropLabels { protocol, reason }).inc_by(datagrams);
    }

    pub(crate) fn lost_spans(&self, protocol: &'static str, spans: u64) {
        self.dropped_spans.get_or_create(&ProtocolLabel { protocol }).inc_by(spans);
    }
}

impl ServeMetrics {
    /// Adds everything to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("connections", "Connections open now", self.connections.clone());
        registry.register(
            "refused_connections",
            "Connections closed at once because max_connections were open",
            self.refused_connections.clone(),
        );
        registry.register(
            "stalled_connections",
            "Connections closed because the other end stalled",
            self.stalled_connections.clone(),
        );
    }
}
