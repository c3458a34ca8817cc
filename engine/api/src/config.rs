//! What an operator may set about the query API.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use spanloom_receive::{ServeConfig, config::ConfigError, text};

/// The query API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// Where to listen. Grafana and other readers expect port 3200; 127.0.0.1 is reached from this machine only,
    /// 0.0.0.0 (or `[::]`) from everywhere. There is no authentication, so put a proxy in front of it before
    /// opening it to a network you do not trust.
    pub address: SocketAddr,
    /// Whether every question must name its tenants in `X-Scope-OrgID` (several with `|` between). When false, a
    /// question without one asks for the tenant `single-tenant`. Set it as for the receivers.
    pub multitenancy: bool,
    /// What stands before `/api` in every path, such as `/traces`; for a proxy that does not strip it. Empty as a
    /// rule.
    pub path_prefix: String,
    /// How long a question may take before it is answered with 504. Raise it for rare, large questions; 0s for
    /// no limit.
    #[serde(with = "text::duration")]
    pub timeout: Duration,
    /// Answers from this size on are compressed with gzip for readers that accept it. Compressing costs about
    /// 10 ms for each MiB: raise it when readers are near, lower it when links are slow.
    #[serde(with = "text::size")]
    pub gzip_from_bytes: usize,
    /// What a question may ask for.
    pub limits: QueryLimits,
    /// Whether spans may be deleted, and if so, most traces that may be named at once.
    pub redact_traces: Option<usize>,
    /// The connections below.
    pub serve: ServeConfig,
}

/// Key of the longest query.
pub(crate) const MAX_QUERY_BYTES: &str = "query.max_query_bytes";

/// What a question may ask for. A question that asks for more is answered with 400 and the limit. Each is known to
/// operators as `query.` and its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueryLimits {
    /// Longest query, in bytes; at most 128KiB, the most that TraceQL reads. A URL holds 64 KiB at most, so longer
    /// ones come over gRPC alone.
    #[serde(with = "text::size")]
    pub max_query_bytes: usize,
    /// Most traces of one answer. An answer holds all of them in memory, about 1 KiB each.
    pub max_limit: usize,
    /// Most spans shown of each spanset.
    pub max_spans_per_spanset: usize,
    /// Longest time that a search may ask for, from start to end; 0s for no limit.
    #[serde(with = "text::duration")]
    pub max_search_range: Duration,
    /// How far back a search without start and end looks.
    #[serde(with = "text::duration")]
    pub recent: Duration,
    /// Longest time that a metrics query may ask for; 0s for no limit. A long range costs a look at every span in
    /// it.
    #[serde(with = "text::duration")]
    pub max_metrics_range: Duration,
    /// Most intervals of a series, which is the range divided by the step. An answer has series times this many
    /// samples.
    pub max_intervals: u64,
    /// Exemplars of an answer when none are asked for, and most that can be asked for.
    pub max_exemplars: usize,
    /// Most bytes of traces in an answer to a reader of Jaeger or Zipkin; what is over is left out, and the answer
    /// says so.
    #[serde(with = "text::size")]
    pub max_answer_bytes: usize,
    /// How far back the names of services and operations are looked for, where readers cannot say.
    #[serde(with = "text::duration")]
    pub names_within: Duration,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            max_query_bytes: spanloom_traceql::MAX_QUERY_BYTES,
            max_limit: 262_144,
            max_spans_per_spanset: 100,
            max_search_range: Duration::from_secs(168 * 3600),
            recent: Duration::from_secs(15 * 60),
            max_metrics_range: Duration::from_secs(24 * 3600),
            max_intervals: 10_000,
            max_exemplars: 100,
            max_answer_bytes: 64 << 20,
            names_within: Duration::from_secs(72 * 3600),
        }
    }
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 3200)),
            multitenancy: false,
            path_prefix: String::new(),
            timeout: Duration::from_secs(30),
            gzip_from_bytes: 16 << 10,
            limits: QueryLimits::default(),
            redact_traces: None,
            serve: ServeConfig::default(),
        }
    }
}

impl ApiConfig {
    /// Checks what the types do not.
    pub fn check(&self) -> Result<(), ConfigError> {
        let prefix = &self.path_prefix;
        let is_path = prefix.is_empty()
            || prefix.starts_with('/')
                && !prefix.ends_with('/')
                && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b));
        if !is_path {
            let found = format!("{prefix:?}");
            return Err(ConfigError {
                key: "path_prefix",
                found,
                expected: "a path such as /traces, or nothing",
            });
        }
        self.limits.check()?;
        self.serve.check()
    }
}

impl QueryLimits {
    /// Checks what the types do not.
    pub fn check(&self) -> Result<(), ConfigError> {
        let counts = [
            (MAX_QUERY_BYTES, self.max_query_bytes, spanloom_traceql::MAX_QUERY_BYTES, "1 to 128KiB"),
            ("query.max_limit", self.max_limit, usize::MAX, "at least 1"),
            ("query.max_spans_per_spanset", self.max_spans_per_spanset, usize::MAX, "at least 1"),
            ("query.max_intervals", self.max_intervals as usize, usize::MAX, "at least 1"),
        ];
        for (key, found, most, expected) in counts {
            if !(1..=most).contains(&found) {
                return Err(ConfigError { key, found: found.to_string(), expected });
            }
        }
        if self.names_within.is_zero() {
            return Err(ConfigError {
                key: "query.names_within",
                found: "0".into(),
                expected: "more than 0",
            });
        }
        if self.recent.is_zero() {
            return Err(ConfigError { key: "query.recent", found: "0".into(), expected: "more than 0" });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_paths() {
        for (prefix, valid) in [
            ("", true),
            ("/a", true),
            ("/a/b", true),
            ("a", false),
            ("/", false),
            ("/a/", false),
            ("/{x}", false),
        ] {
            let config = ApiConfig { path_prefix: prefix.into(), ..ApiConfig::default() };
            assert_eq!(config.check().is_ok(), valid, "{prefix}");
        }
    }

    #[test]
    fn limits_that_let_nothing_through_are_refused() {
        let check = |json: &str, expected: Option<&str>| {
            let limits: QueryLimits = serde_json::from_str(json).unwrap();
            assert_eq!(limits.check().err().map(|e| e.to_string()).as_deref(), expected);
        };
        check("{}", None);
        check(r#"{"max_search_range": "0s", "max_metrics_range": "0s", "max_exemplars": 0}"#, None);
        check(r#"{"max_limit": 0}"#, Some("query.max_limit is 0, expected at least 1"));
        check(
            r#"{"max_query_bytes": "129KiB"}"#,
            Some("query.max_query_bytes is 132096, expected 1 to 128KiB"),
        );
        check(r#"{"recent": "0s"}"#, Some("query.recent is 0, expected more than 0"));
    }
}
