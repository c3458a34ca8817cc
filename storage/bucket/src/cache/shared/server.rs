//! One server of a shared cache: its connections, and whether it is asked.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::breaker::Breaker;
use super::connection::{Connection, Problem};
use super::{Answer, Protocol, Request};

/// A server.
pub(super) struct Server {
    /// `host:port`.
    address: String,
    breaker: Breaker,
    /// One for each connection that there may be.
    permits: Semaphore,
    /// Connections that nobody uses, at most as many as permits.
    idle: Mutex<Vec<Connection>>,
}

impl Server {
    /// A server that has not been asked yet.
    pub fn new(address: String, max_connections: usize) -> Self {
        let permits = Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS));
        Self { address, breaker: Breaker::default(), permits, idle: Mutex::default() }
    }

    /// How much a key wants to be here (rendezvous hashing): the same for everybody who knows the address.
    pub fn weight(&self, key: &str) -> u64 {
        xxh3_64_with_seed(key.as_bytes(), xxh3_64(self.address.as_bytes()))
    }

    /// Asks, within a time. A server that failed is not asked for a while.
    pub async fn call(
        &self,
        protocol: &Protocol,
        request: &Request<'_>,
        within: Duration,
    ) -> Result<Answer, String> {
        let mut ticket = None;
        let asked = timeout(within, async {
            let Ok(_permit) = self.permits.acquire().await else {
                return Err(Problem::Refused("closed".to_owned()));
            };
            match self.breaker.enter(Instant::now()) {
                Ok(entered) => ticket = Some(entered),
                Err(left) => {
                    let text = format!("failed lately and is not asked for {:.1} s", left.as_secs_f64());
                    return Err(Problem::Refused(text));
                }
            }
            self.ask(protocol, request).await
        });
        let outcome = asked.await.unwrap_or_else(|_| {
            Err(Problem::Broken(match ticket {
                Some(_) => format!("no answer within {within:?}"),
                None => format!("all connections were in use for {within:?}"),
            }))
        });
        match (&outcome, ticket) {
            (Err(Problem::Broken(problem)), Some(ticket)) => {
                if let Some(pause) = self.breaker.failed(ticket, Instant::now()) {
                    tracing::warn!(server = self.address, problem, ?pause, "a shared cache failed");
                }
            }
            (_, Some(ticket)) if self.breaker.succeeded(ticket) => {
                tracing::info!(server = self.address, "a shared cache answers again");
            }
            _ => {}
        }
        outcome.map_err(|problem| format!("{}: {}", self.address, problem.into_text()))
    }

    async fn ask(&self, protocol: &Protocol, request: &Request<'_>) -> Result<Answer, Problem> {
        let idle = self.idle.lock().pop();
        if let Some(connection) = idle.filter(Connection::is_quiet) {
            match self.ask_on(connection, protocol, request).await {
                // Servers close what was idle for long, or restart: that is no failure yet. The other idle
                // connections are no better.
                Err(Problem::Broken(_)) => self.idle.lock().clear(),
                answered => return answered,
            }
        }
        let mut connection = Connection::open(&self.address).await?;
        protocol.greet(&mut connection).await?;
        self.ask_on(connection, protocol, request).await
    }

    async fn ask_on(
        &self,
        mut connection: Connection,
        protocol: &Protocol,
        request: &Request<'_>,
    ) -> Result<Answer, Problem> {
        let outcome = protocol.ask(&mut connection, request).await;
        if !matches!(outcome, Err(Problem::Broken(_))) && connection.is_quiet() {
            self.idle.lock().push(connection);
        }
        outcome
    }
}
