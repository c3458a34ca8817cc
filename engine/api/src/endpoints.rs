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

const fn endpoint(path: &'static str, methods: &'static str, about: &'static str) -> Endpoint {
    Endpoint { path, methods, about }
}

/// Every endpoint.
pub(crate) const ENDPOINTS: [Endpoint; 27] = [
    endpoint("/api/search", "GET", "traces by a TraceQL query (q), or by tags"),
    endpoint("/api/search/tags", "GET", "names of attributes"),
    endpoint("/api/v2/search/tags", "GET", "names of attributes, by scope"),
    endpoint("/api/search/tag/{tag}/values", "GET", "values of an attribute"),
    endpoint("/api/v2/search/tag/{tag}/values", "GET", "values of a TraceQL field, with their types"),
    endpoint("/api/metrics/query_range", "GET", "series by a TraceQL query"),
    endpoint("/api/metrics/query", "GET", "the same, one value a series"),
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

/// A gRPC method by its path.
pub(crate) fn grpc(path: &str) -> Option<&'static Endpoint> {
    GRPC.iter().find(|method| method.path == path)
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
