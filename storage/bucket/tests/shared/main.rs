//! Shared caches: against servers that answer as the test says, and against memcached and Redis where the environment
//! names them, which `cargo xtask stores` starts.
//!
//! | file | holds |
//! |---|---|
//! | `main.rs` | what is configured |
//! | `scripted.rs` | servers that answer as the test says |
//! | `real.rs` | memcached and Redis |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // these are tests

mod real;
mod scripted;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use spanloom_bucket::cache::SharedCache;
use spanloom_bucket::cache::shared::{SharedCacheOptions, open};
use spanloom_bucket::store::Secret;

/// Long enough for any machine.
const LONG: Duration = Duration::from_secs(60);

fn memcached(servers: &[&str], timeout: Duration) -> Arc<dyn SharedCache> {
    let memcached = servers.iter().map(|&server| server.to_owned()).collect();
    open(&SharedCacheOptions { memcached, timeout, ..SharedCacheOptions::default() }).unwrap().unwrap()
}

fn redis(server: &str, timeout: Duration) -> Arc<dyn SharedCache> {
    let redis = Some(Secret::new(format!("redis://{server}")));
    open(&SharedCacheOptions { redis, timeout, ..SharedCacheOptions::default() }).unwrap().unwrap()
}

fn keys(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn some(text: &'static str) -> Option<Bytes> {
    Some(Bytes::from_static(text.as_bytes()))
}

#[test]
fn what_is_configured_is_checked() {
    let check = |memcached: &[&str], redis: &str, what: &str| {
        let memcached = keys(memcached);
        let redis = (!redis.is_empty()).then(|| Secret::new(redis));
        let opened = open(&SharedCacheOptions { memcached, redis, ..SharedCacheOptions::default() });
        let found = match opened {
            Ok(None) => "none".to_owned(),
            Ok(Some(_)) => "some".to_owned(),
            Err(error) => error,
        };
        assert!(found.contains(what), "{found}, expected {what}");
    };
    check(&[], "", "none");
    check(&["a:1", "b.example:11211", "[::1]:1"], "", "some");
    check(&[], "redis://a:1", "some");
    check(&["a:1"], "redis://a:1", "choose one");
    check(&["a:1", "a:1"], "", "twice");
    for wrong in ["", "a", "a:", ":1", "a:0", "a:65536", "a b:1", "a:+1", "::1:1", "http://a:1"] {
        check(&[wrong], "", "expected `host:port`");
    }
    let none = SharedCacheOptions { memcached: keys(&["a:1"]), ..SharedCacheOptions::default() };
    assert!(open(&SharedCacheOptions { timeout: Duration::ZERO, ..none.clone() }).is_err());
    assert!(open(&SharedCacheOptions { max_connections: 0, ..none }).is_err());
}
