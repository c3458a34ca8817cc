//! `/metrics`, in the form the scraper asks for, and what the API itself counts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use spanloom_receive::ServeMetrics;

use crate::Queries;
use crate::answer::with_type;
use crate::service::Inner;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    endpoint: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabel {
    endpoint: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: &'static str,
}

/// What the API counts.
#[derive(Debug, Clone)]
pub struct ApiMetrics {
    requests: Family<RequestLabels, Counter>,
    duration: Family<EndpointLabel, Histogram>,
    limited: Family<LimitLabel, Counter>,
    /// The connections below.
    pub serve: ServeMetrics,
}

impl Default for ApiMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            limited: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.000_1, 4.0, 10))),
            serve: ServeMetrics::default(),
        }
    }
}

impl ApiMetrics {
    /// Adds everything to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("spanloom_api");
        registry.register("requests", "Questions answered, by endpoint and status", self.requests.clone());
        registry.register(
            "duration_seconds",
            "From a question's head to its answer's head, over gRPC to its end, by endpoint",
            self.duration.clone(),
        );
        registry.register(
            "limited",
            "Questions refused, or answered in part, because of a limit, by the limit's key",
            self.limited.clone(),
        );
        self.serve.register(registry);
    }

    /// A question met the limit of this key.
    pub(crate) fn limited(&self, limit: &'static str) {
        self.limited.get_or_create(&LimitLabel { limit }).inc();
    }

    pub(crate) fn answered(&self, endpoint: &'static str, status: StatusCode, seconds: f64) {
        self.requests.get_or_create(&RequestLabels { endpoint, status: status.as_u16() }).inc();
        self.duration.get_or_create(&EndpointLabel { endpoint }).observe(seconds);
    }
}

/// `/metrics`.
pub(crate) async fn metrics<Q: Queries>(State(inner): State<Arc<Inner<Q>>>, headers: HeaderMap) -> Response {
    let text = inner.queries.metrics_text();
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    if accept.contains("application/openmetrics-text") {
        with_type(StatusCode::OK, OPEN_METRICS, text)
    } else {
        with_type(StatusCode::OK, PROMETHEUS, to_prometheus(&text))
    }
}

/// OpenMetrics text as Prometheus text 0.0.4: counters are described under the name of their samples, there are
/// no units, exemplars and end mark.
fn to_prometheus(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len());
    // `# HELP` comes before or after `# TYPE`; either way the name's type decides.
    let counters: std::collections::HashSet<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("EOF" | "UNIT"), ..) => continue,
            (Some("#"), Some(keyword @ ("HELP" | "TYPE")), Some(name), rest) => {
                let total = if counters.contains(name) { "_total" } else { "" };
                let rest = match (keyword, rest.unwrap_or("")) {
                    ("TYPE", "unknown") => "untyped",
                    ("TYPE", "info" | "stateset") => "gauge",
                    (_, rest) => rest,
                };
                out.push_str(&format!("# {keyword} {name}{total} {rest}"));
            }
            _ => out.push_str(without_exemplar(line)),
        }
        out.push('\n');
    }
    out
}

/// A sample without the ` # {…}` that follows its value. Label values may hold anything, so the search begins
/// behind the labels.
fn without_exemplar(line: &str) -> &str {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'#' if !quoted => return line[..at].trim_end(),
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_text_is_derived() {
        let open = "# HELP a_requests Requests.\n# TYPE a_requests counter\n# UNIT a_requests bytes\n\
                    a_requests_total{x=\"# \\\" {\"} 5 # {trace_id=\"1\"} 1.0\n# TYPE b gauge\nb 1\n\
                    # TYPE c unknown\nc 2\n# EOF\n";
        let expected = "# HELP a_requests_total Requests.\n# TYPE a_requests_total counter\n\
                        a_requests_total{x=\"# \\\" {\"} 5\n# TYPE b gauge\nb 1\n# TYPE c untyped\nc 2\n";
        assert_eq!(to_prometheus(open), expected);
    }

    #[test]
    fn what_was_counted_can_be_scraped() {
        let metrics = ApiMetrics::default();
        metrics.answered("/ready", StatusCode::OK, 0.001);
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let line = "spanloom_api_requests_total{endpoint=\"/ready\",status=\"200\"} 1";
        assert!(text.contains(line), "{text}");
    }
}
