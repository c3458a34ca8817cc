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
    /// The connections below.
    pub serve: ServeConfig,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 3200)),
            multitenancy: false,
            path_prefix: String::new(),
            timeout: Duration::from_secs(30),
            gzip_from_bytes: 16 << 10,
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
        self.serve.check()
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
}
