//! Caches that queriers share: memcached and Redis.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | which cache a configuration names; keys to servers, in batches |
//! | `server.rs`, `breaker.rs` | one server: its connections, and whether it is asked |
//! | `connection.rs` | one connection: bounded lines and values |
//! | `memcached.rs`, `redis.rs` | what is said |
//!
//! Both protocols are spoken here rather than by libraries. Of each two commands are needed, about a hundred lines.
//! What is hard is the same for both and is written once: time limits, pauses for a server that failed, bounds on what
//! it claims, connections that are dropped when a call is, servers chosen by key. `async-memcached` has none of the
//! pool, the pauses and the choice, and brings 11 crates that the tree lacks; `redis` brings 6, and would be a second
//! way to do all this.
//!
//! **Invariant:** a connection on which a call failed or was cancelled is never used again, so an answer belongs to
//! the question that was asked before it.
//!
//! A server that does not answer costs the time limit once, and then nothing but one call a pause. Its keys are not
//! moved to other servers: they are read from the store until it is back.

mod breaker;
mod connection;
mod memcached;
mod redis;
mod server;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Semaphore;

use super::SharedCache;
use crate::store::Secret;
use connection::{Connection, LONGEST_VALUE, Problem};
use redis::Login;
use server::Server;

/// Most keys in one question. memcached reads a line of them into memory.
const GET_BATCH: usize = 64;

/// Most values that are sent before their answers are read: with ours, 1 MiB.
const PUT_BATCH: usize = 16;

/// Most KiB of values that wait for being kept; what comes on top is let go.
const MOST_WAITING_KIB: usize = 64 << 10;

/// Which shared cache there is. At most one kind.
#[derive(Debug, Clone)]
pub struct SharedCacheOptions {
    /// memcached servers, as `host:port`. Who is given the same ones, in any order, finds what others have put.
    pub memcached: Vec<String>,
    /// A Redis server, as `redis://[user:password@]host[:port][/db]`.
    pub redis: Option<Secret>,
    /// How long a call may take, with connecting. The store takes some 50 ms; a cache that is asked before should not
    /// add much more than that.
    pub timeout: Duration,
    /// How long values are to be kept, in whole seconds, at least one. memcached keeps nothing for more than 30 days.
    pub keep: Duration,
    /// Most connections to each server, which is the most calls at once; others wait.
    pub max_connections: usize,
}

impl Default for SharedCacheOptions {
    fn default() -> Self {
        Self {
            memcached: Vec::new(),
            redis: None,
            timeout: Duration::from_millis(200),
            keep: Duration::from_secs(24 * 3600),
            max_connections: 16,
        }
    }
}

/// Opens the shared cache that is configured, if one is. Nothing is asked yet: a server that is not there is no error.
/// Its calls are made within a tokio runtime with time and IO.
pub fn open(options: &SharedCacheOptions) -> Result<Option<Arc<dyn SharedCache>>, String> {
    let (addresses, protocol) = match (&options.memcached[..], &options.redis) {
        ([], None) => return Ok(None),
        ([_, ..], Some(_)) => {
            return Err(
                "found both memcached and Redis as shared cache, expected one of them: choose one".to_owned()
            );
        }
        (addresses, None) => (checked(addresses)?, Protocol::Memcached),
        ([], Some(url)) => {
            let (address, login) = redis::parse(url)?;
            (vec![address], Protocol::Redis(login))
        }
    };
    if options.timeout.is_zero() || options.max_connections == 0 {
        return Err(format!(
            "found a timeout of {:?} and {} connections for the shared cache, expected more than none",
            options.timeout, options.max_connections
        ));
    }
    let servers =
        addresses.into_iter().map(|address| Server::new(address, options.max_connections)).collect();
    let waiting = Semaphore::new(MOST_WAITING_KIB);
    let seconds = options.keep.as_secs().max(1);
    Ok(Some(Arc::new(Servers { servers, protocol, timeout: options.timeout, seconds, waiting })))
}

fn checked(addresses: &[String]) -> Result<Vec<String>, String> {
    for (place, address) in addresses.iter().enumerate() {
        if !is_address(address) {
            return Err(format!("found `{address}` as memcached server, expected `host:port`"));
        }
        if addresses[..place].contains(address) {
            return Err(format!("found the memcached server `{address}` twice, expected it once"));
        }
    }
    Ok(addresses.to_vec())
}

/// Whether a text may be `host:port`.
fn is_address(text: &str) -> bool {
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:%".contains(&byte);
    let is_bare_v6 = |host: &str| host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let is_port = connection::number(port.as_bytes()).is_some_and(|port| (1..=65535).contains(&port));
        is_port && !host.is_empty() && host.bytes().all(is_host_byte) && !is_bare_v6(host)
    })
}

/// How servers are spoken to.
enum Protocol {
    Memcached,
    Redis(Login),
}

/// What a server is asked.
enum Request<'a> {
    Get(Vec<&'a str>),
    /// Values, and for how many seconds they are kept.
    Put(&'a [(String, Bytes)], u64),
}

/// The values of the keys that were asked for, in their order; of a put, nothing.
type Answer = Vec<Option<Bytes>>;

impl Protocol {
    /// What comes before all questions on a connection.
    async fn greet(&self, connection: &mut Connection) -> Result<(), Problem> {
        match self {
            Self::Memcached => Ok(()),
            Self::Redis(login) => redis::greet(connection, login).await,
        }
    }

    /// Asks in batches, so that never both sides wait for the other to read.
    async fn ask(&self, connection: &mut Connection, request: &Request<'_>) -> Result<Answer, Problem> {
        let mut answer = Vec::new();
        match request {
            Request::Get(keys) => {
                for keys in keys.chunks(GET_BATCH) {
                    answer.extend(match self {
                        Self::Memcached => memcached::get(connection, keys).await?,
                        Self::Redis(_) => redis::get(connection, keys).await?,
                    });
                }
            }
            Request::Put(values, seconds) => {
                for values in values.chunks(PUT_BATCH) {
                    match self {
                        Self::Memcached => memcached::put(connection, values, *seconds).await?,
                        Self::Redis(_) => redis::put(connection, values, *seconds).await?,
                    }
                }
            }
        }
        Ok(answer)
    }
}

/// A shared cache of one or several servers.
struct Servers {
    servers: Vec<Server>,
    protocol: Protocol,
    timeout: Duration,
    seconds: u64,
    waiting: Semaphore,
}

impl Servers {
    /// Where a key lives. With a server more or less, only the keys move that go to it or were there.
    fn place(&self, key: &str) -> usize {
        (0..self.servers.len()).max_by_key(|&place| self.servers[place].weight(key)).unwrap_or(0)
    }

    async fn get_all(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, String> {
        let mut places = vec![Vec::new(); self.servers.len()];
        for (at, key) in keys.iter().enumerate() {
            places[self.place(key)].push(at);
        }
        let asked = self.servers.iter().zip(&places).filter(|(_, places)| !places.is_empty());
        let answers = join_all(asked.map(async |(server, places)| {
            let request = Request::Get(places.iter().map(|&at| keys[at].as_str()).collect());
            (places, server.call(&self.protocol, &request, self.timeout).await)
        }));
        let mut values = vec![None; keys.len()];
        let (mut answered, mut failed) = (false, None);
        for (places, answer) in answers.await {
            match answer {
                Ok(found) => {
                    answered = true;
                    places.iter().zip(found).for_each(|(&at, value)| values[at] = value);
                }
                Err(problem) => failed = Some(problem),
            }
        }
        // What some servers have is worth more than that others failed.
        match failed {
            Some(problem) if !answered => Err(problem),
            _ => Ok(values),
        }
    }

    async fn put_all(&self, values: Vec<(String, Bytes)>) -> Result<(), String> {
        let kib: usize = values.iter().map(|(key, value)| (key.len() + value.len()).div_ceil(1024)).sum();
        let _waiting = u32::try_from(kib)
            .ok()
            .and_then(|kib| self.waiting.try_acquire_many(kib).ok())
            .ok_or("too many values are waiting for the shared cache, some are let go")?;
        if let Some((key, value)) = values.iter().find(|(_, value)| value.len() > LONGEST_VALUE) {
            return Err(format!("{key}: found {} bytes, expected at most {LONGEST_VALUE}", value.len()));
        }
        let mut parts = vec![Vec::new(); self.servers.len()];
        for (key, value) in values {
            parts[self.place(&key)].push((key, value));
        }
        let told = self.servers.iter().zip(&parts).filter(|(_, part)| !part.is_empty());
        let answers = join_all(told.map(async |(server, part)| {
            server.call(&self.protocol, &Request::Put(part, self.seconds), self.timeout).await
        }));
        answers.await.into_iter().find_map(Result::err).map_or(Ok(()), Err)
    }
}

impl SharedCache for Servers {
    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, String>> {
        Box::pin(self.get_all(keys))
    }

    fn put<'a>(&'a self, values: Vec<(String, Bytes)>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.put_all(values))
    }
}
