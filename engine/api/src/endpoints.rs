//! The lists of endpoints and gRPC methods: for the labels of metrics, for `/status/endpoints`, and for those who mistype.

/// An endpoint.
pub(crate) struct Endpoint {
    /// Its path; `{}` stands for any one segment. Below the prefix, if one is set.
    pub path: &'static str,
    /// Its methods.
    pub methods: &'static str,
    /// What it does.
    pub about: &'static str,
}

impl Endpoint {
    /// What metrics name it.
    pub fn label(&self) -> &'static str {
        self.path
    }

    /// Its path without the name of the API before it.
    pub fn bare_path(&self) -> &'static str {
        self.path.find('/').map_or(self.path, |at| &self.path[at..])
    }
}

const fn endpoint(path: &'static str, methods: &'static str, about: &'static str) -> Endpoint {
    Endpoint { path, methods, about }
}

/// Every endpoint.
pub(crate) const ENDPOINTS: [Endpoint; 28] = [
    endpoint("/api/search", "GET", "traces by a TraceQL query (q), or by tags"),
    endpoint("/api/search/tags", "GET", "names of attributes"),
    endpoint("/api/v2/search/tags", "GET", "names of attributes, by scope"),
    endpoint("/api/search/tag/{tag}/values", "GET", "values of an attribute"),
    endpoint("/api/v2/search/tag/{tag}/values", "GET", "values of a TraceQL field, with their types"),
    endpoint("/api/metrics/query_range", "GET", "series by a TraceQL query"),
    endpoint("/api/metrics/query", "GET", "the same, one value a series"),
    endpoint("/api/service-graph", "GET", "which service calls which, how often, how fast (start, end)"),
    endpoint("/api/traces/{id}", "GET", "a trace, as OTLP JSON or protobuf"),
    endpoint("/api/v2/traces/{id}", "GET", "a trace, with how it was found"),
    endpoint("/api/redact", "POST", "delete traces or spans from all blocks, if redaction.http is set"),
    endpoint("/api/echo", "GET", "answers echo"),
    endpoint("/api/status/buildinfo", "GET", "what this program was built from"),
    endpoint("/ready", "GET", "whether the server can do its work"),
    endpoint("/metrics", "GET", "metrics for Prometheus"),
    endpoint("/status", "GET", "all of the status pages"),
    endpoint("/status/version", "GET", "what this program was built from, as text"),
    endpoint("/status/services", "GET", "what runs in this process"),
    endpoint("/status/endpoints", "GET", "this list"),
    endpoint("/status/config", "GET", "the configuration; ?mode=diff, ?mode=defaults"),
    endpoint("/status/runtime", "GET", "what the server is doing now"),
    endpoint("/ring", "GET", "the nodes of the cluster and what they own; ?tokens=true, ?format=json"),
    endpoint("/ring/forget", "POST", "remove a node that is dead (node)"),
    endpoint("/memberlist", "GET", "the nodes of the cluster and what they gossip; ?format=json"),
    endpoint("/flush", "GET, POST", "seal live traces into blocks"),
    endpoint("/shutdown", "GET, POST", "end the server gracefully"),
    endpoint("/", "GET", "the web page for a browser; for others the first lines to read"),
    endpoint("/page/{file}", "GET", "the files of the web page"),
];

/// The service of [`GRPC`], as its methods' paths begin.
pub(crate) const SERVICE: &str = "/tempopb.StreamingQuerier/";

/// Every gRPC method. They stand below no prefix.
pub(crate) const GRPC: [Endpoint; 7] = [
    endpoint("/tempopb.StreamingQuerier/Search", "gRPC", "traces, as they are found"),
    endpoint("/tempopb.StreamingQuerier/SearchTags", "gRPC", "names of attributes"),
    endpoint("/tempopb.StreamingQuerier/SearchTagsV2", "gRPC", "names of attributes, by scope"),
    endpoint("/tempopb.StreamingQuerier/SearchTagValues", "gRPC", "values of an attribute"),
    endpoint(
        "/tempopb.StreamingQuerier/SearchTagValuesV2",
        "gRPC",
        "values of a TraceQL field, with their types",
    ),
    endpoint("/tempopb.StreamingQuerier/MetricsQueryRange", "gRPC", "series, as they grow"),
    endpoint("/tempopb.StreamingQuerier/MetricsQueryInstant", "gRPC", "the same, one value a series"),
];

/// The endpoints of Jaeger's API, which has ports of its own; `jaeger:` tells them from ours.
pub(crate) const JAEGER: [Endpoint; 16] = [
    endpoint("jaeger:/api/services", "GET", "names of services"),
    endpoint("jaeger:/api/services/{service}/operations", "GET", "names of a service's spans"),
    endpoint("jaeger:/api/operations", "GET", "the same with their kinds (service, spanKind)"),
    endpoint("jaeger:/api/traces", "GET", "traces by service, operation, tags, durations; or by traceID"),
    endpoint("jaeger:/api/traces/{id}", "GET", "a trace, as JSON of Jaeger's page"),
    endpoint("jaeger:/api/archive/{id}", "POST", "says that there is no archive"),
    endpoint("jaeger:/api/transform", "POST", "OTLP JSON as JSON of Jaeger's page"),
    endpoint("jaeger:/api/dependencies", "GET", "which service calls which (endTs, lookback)"),
    endpoint("jaeger:/api/metrics/minstep", "GET", "the shortest step of the following"),
    endpoint("jaeger:/api/metrics/{measure}", "GET", "latencies, calls or errors of services over time"),
    endpoint("jaeger:/api/v3/services", "GET", "names of services"),
    endpoint("jaeger:/api/v3/operations", "GET", "names of a service's spans, with their kinds"),
    endpoint("jaeger:/api/v3/traces", "GET", "traces, as OTLP JSON"),
    endpoint("jaeger:/api/v3/traces/{id}", "GET", "a trace, as OTLP JSON"),
    endpoint("jaeger:/api/v3/trace-summaries", "GET", "traces, in few words"),
    endpoint("jaeger:/api/v3/dependencies", "GET", "which service calls which"),
];

/// The gRPC methods of Jaeger's services, on the same ports.
pub(crate) const JAEGER_GRPC: [Endpoint; 29] = [
    endpoint("/jaeger.api_v2.QueryService/GetTrace", "gRPC", "a trace"),
    endpoint("/jaeger.api_v2.QueryService/ArchiveTrace", "gRPC", "says that there is no archive"),
    endpoint("/jaeger.api_v2.QueryService/FindTraces", "gRPC", "traces, as they are read"),
    endpoint("/jaeger.api_v2.QueryService/GetServices", "gRPC", "names of services"),
    endpoint("/jaeger.api_v2.QueryService/GetOperations", "gRPC", "names of a service's spans"),
    endpoint("/jaeger.api_v2.QueryService/GetDependencies", "gRPC", "which service calls which"),
    endpoint("/jaeger.api_v3.QueryService/GetTrace", "gRPC", "a trace, as OTLP"),
    endpoint("/jaeger.api_v3.QueryService/FindTraces", "gRPC", "traces as OTLP, as they are read"),
    endpoint("/jaeger.api_v3.QueryService/FindTraceSummaries", "gRPC", "traces, in few words"),
    endpoint("/jaeger.api_v3.QueryService/GetServices", "gRPC", "names of services"),
    endpoint("/jaeger.api_v3.QueryService/GetOperations", "gRPC", "names of a service's spans"),
    endpoint("/jaeger.api_v3.QueryService/GetDependencies", "gRPC", "which service calls which"),
    endpoint("/jaeger.storage.v1.SpanReaderPlugin/GetTrace", "gRPC", "a trace"),
    endpoint("/jaeger.storage.v1.SpanReaderPlugin/GetServices", "gRPC", "names of services"),
    endpoint("/jaeger.storage.v1.SpanReaderPlugin/GetOperations", "gRPC", "names of a service's spans"),
    endpoint("/jaeger.storage.v1.SpanReaderPlugin/FindTraces", "gRPC", "traces, as they are read"),
    endpoint("/jaeger.storage.v1.SpanReaderPlugin/FindTraceIDs", "gRPC", "ids of traces"),
    endpoint("/jaeger.storage.v1.ArchiveSpanReaderPlugin/GetArchiveTrace", "gRPC", "says: no archive"),
    endpoint("/jaeger.storage.v1.DependenciesReaderPlugin/GetDependencies", "gRPC", "who calls whom"),
    endpoint("/jaeger.storage.v1.PluginCapabilities/Capabilities", "gRPC", "what this storage can"),
    endpoint("/jaeger.storage.v2.TraceReader/GetTraces", "gRPC", "traces by their ids, as OTLP"),
    endpoint("/jaeger.storage.v2.TraceReader/GetServices", "gRPC", "names of services"),
    endpoint("/jaeger.storage.v2.TraceReader/GetOperations", "gRPC", "names of a service's spans"),
    endpoint("/jaeger.storage.v2.TraceReader/FindTraces", "gRPC", "traces as OTLP, as they are read"),
    endpoint("/jaeger.storage.v2.TraceReader/FindTraceIDs", "gRPC", "ids of traces, with their times"),
    endpoint("/jaeger.storage.v2.TraceReader/FindTraceSummaries", "gRPC", "traces, in few words"),
    endpoint("/jaeger.storage.v2.DependencyReader/GetDependencies", "gRPC", "who calls whom"),
    endpoint("/grpc.health.v1.Health/Check", "gRPC", "whether the server can do its work"),
    endpoint("/grpc.health.v1.Health/Watch", "gRPC", "the same, once"),
];

/// The endpoints of Zipkin's API, on the ports that take Zipkin's spans; `zipkin:` tells them from ours.
pub(crate) const ZIPKIN: [Endpoint; 12] = [
    endpoint("zipkin:/api/v2/services", "GET", "names of services"),
    endpoint("zipkin:/api/v2/spans", "GET", "names of a service's spans (serviceName)"),
    endpoint("zipkin:/api/v2/remoteServices", "GET", "who a service talks to (serviceName)"),
    endpoint("zipkin:/api/v2/traces", "GET", "traces by service, name, annotations, tags, durations"),
    endpoint("zipkin:/api/v2/trace/{id}", "GET", "a trace"),
    endpoint("zipkin:/api/v2/traceMany", "GET", "traces by their ids (traceIds)"),
    endpoint("zipkin:/api/v2/dependencies", "GET", "which service calls which (endTs, lookback)"),
    endpoint("zipkin:/api/v2/autocompleteKeys", "GET", "names of tags"),
    endpoint("zipkin:/api/v2/autocompleteValues", "GET", "values of a tag (key)"),
    endpoint("zipkin:/config.json", "GET", "what Zipkin's page asks first"),
    endpoint("zipkin:/zipkin/config.json", "GET", "the same"),
    endpoint("zipkin:/health", "GET", "whether the server is up"),
];

/// A gRPC method by its path.
pub(crate) fn grpc(path: &str) -> Option<&'static Endpoint> {
    grpc_in(&GRPC, path)
}

/// The same of a list.
pub(crate) fn grpc_in(list: &'static [Endpoint], path: &str) -> Option<&'static Endpoint> {
    list.iter().find(|method| method.path == path)
}

/// The label of the endpoint of a list, below no prefix, that a request went to.
pub(crate) fn label_in(list: &'static [Endpoint], path: &str) -> &'static str {
    let is_it = |endpoint: &&Endpoint| matches(endpoint.bare_path(), path);
    list.iter().find(is_it).map_or("other", Endpoint::label)
}

/// The path of the endpoint that a request went to, for metrics; `other` if there is none.
pub(crate) fn label(path: &str) -> &'static str {
    let is_it = |endpoint: &&Endpoint| matches(endpoint.path, path);
    ENDPOINTS.iter().find(is_it).map_or("other", |endpoint| endpoint.path)
}

fn matches(template: &str, path: &str) -> bool {
    let (mut want, mut have) = (template.split('/'), path.split('/'));
    loop {
        match (want.next(), have.next()) {
            (None, None) => return true,
            (Some(want), Some(have)) if want == have || want.starts_with('{') && !have.is_empty() => {}
            _ => return false,
        }
    }
}

/// The endpoints whose paths are most like this one, nearest first.
pub(crate) fn near(path: &str) -> Vec<&'static Endpoint> {
    /// Longer paths are far from everything; comparing them is not worth the work.
    const LONGEST: usize = 128;
    if path.len() > LONGEST {
        return Vec::new();
    }
    let mut near: Vec<_> = ENDPOINTS.iter().map(|one| (distance(one.path, path), one)).collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().take(3).map(|(_, one)| one).collect()
}

/// How many letters must be put in, taken out or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_labels() {
        let check = |path: &str, expected: &str| assert_eq!(label(path), expected, "{path}");
        check("/", "/");
        check("/ready", "/ready");
        check("/api/traces/5b8e", "/api/traces/{id}");
        check("/api/v2/traces/5b8e", "/api/v2/traces/{id}");
        check("/api/traces/", "other");
        check("/api/traces/a/b", "other");
        check("/nothing", "other");
        check("/api/search", "/api/search");
        check("/api/search/tags", "/api/search/tags");
        check("/api/v2/search/tag/span.a%2Fb/values", "/api/v2/search/tag/{tag}/values");
        check("/api/search/tag//values", "other");
    }

    #[test]
    fn the_nearest_endpoint_is_named_first() {
        let check = |path: &str, expected: &str| assert_eq!(near(path)[0].path, expected, "{path}");
        check("/redy", "/ready");
        check("/api/v2/trace/{id}", "/api/v2/traces/{id}");
        check("/metric", "/metrics");
        assert!(near(&"x".repeat(1000)).is_empty());
    }
}
