//! Connections: HTTP/1.1 and h2c on one port, bounded in number and in patience, ending gracefully.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the accept loop and the life of a connection |
//! | `shutdown.rs` | the signal to end |
//! | `vitals.rs` | what is watched of a connection: first bytes, blocked writes, answers nobody takes |
//! | `answer.rs` | an answer's body in steps, so that one nobody takes is noticed |

mod answer;
mod shutdown;
#[cfg(test)]
mod tests;
mod vitals;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::{ServeConfig, ServeMetrics};
pub use answer::Answer;
pub use shutdown::{Shutdown, Trigger, shutdown};
use vitals::{Vitals, WatchedIo};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Pause after an accept that failed, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Opens a port. Port 0 takes any free one; ask the listener which.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let kind = socket2::Type::STREAM;
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), kind, None)?;
    // A restart need not wait for the connections of the last run to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Serves a port until `shutdown` begins and the connections have ended, or its grace is over.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    config: &ServeConfig,
    metrics: ServeMetrics,
    mut shutdown: Shutdown,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let builder = Arc::new(builder(config));
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            () = shutdown.begun() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        if connections.len() >= config.max_connections {
            metrics.refused_connections.inc();
            continue;
        }
        let life = live(
            (stream, PeerAddress(peer)),
            service.clone(),
            builder.clone(),
            config.clone(),
            metrics.clone(),
        );
        connections.spawn(life(shutdown.clone()));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

fn builder(config: &ServeConfig) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_read_timeout)
        .max_buf_size(config.max_header_bytes.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(config.h2_stream_window as u32)
        .initial_connection_window_size(config.h2_connection_window as u32)
        .max_frame_size(config.h2_max_frame as u32)
        .max_concurrent_streams(config.h2_max_streams)
        .max_header_list_size(config.max_header_bytes as u32)
        .keep_alive_interval(config.h2_keepalive_interval)
        .keep_alive_timeout(config.h2_keepalive_timeout);
    builder
}

/// The life of a connection, ready to be started.
fn live<S, B>(
    (stream, peer): (TcpStream, PeerAddress),
    service: S,
    builder: Arc<auto::Builder<TokioExecutor>>,
    config: ServeConfig,
    metrics: ServeMetrics,
) -> impl FnOnce(Shutdown) -> Pin<Box<dyn Future<Output = ()> + Send>>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |mut shutdown| {
        Box::pin(async move {
            let _open = Open::new(&metrics);
            // Without it an answer's last segment may wait for an acknowledgement that the peer delays.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY could not be set");
            }
            let vitals = Arc::new(Vitals::new());
            let io = TokioIo::new(WatchedIo::new(stream, vitals.clone()));
            let connection = builder.serve_connection(io, Watching { service, peer, vitals: vitals.clone() });
            let mut connection = std::pin::pin!(connection);
            let patience = config.header_read_timeout.min(config.write_timeout);
            let mut look = tokio::time::interval(
                (patience / 4).clamp(Duration::from_millis(10), Duration::from_secs(5)),
            );
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut over = shutdown.clone();
            let mut ending = false;
            loop {
                tokio::select! {
                    result = connection.as_mut() => {
                        if let Err(error) = result {
                            tracing::debug!(%error, "a connection ended with an error");
                        }
                        return;
                    }
                    () = shutdown.begun(), if !ending => {
                        ending = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    () = over.over() => return,
                    _ = look.tick() => if let Some(reason) = vitals.stalled(&config) {
                        metrics.stalled_connections.inc();
                        tracing::debug!(reason, "a connection was closed");
                        return;
                    },
                }
            }
        })
    }
}

/// Where a request came from: an extension of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// Counts a connection while it lives.
struct Open(prometheus_client::metrics::gauge::Gauge);

impl Open {
    fn new(metrics: &ServeMetrics) -> Self {
        metrics.connections.inc();
        Self(metrics.connections.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The service of one connection: hands large answers out in steps that are watched.
struct Watching<S> {
    service: S,
    peer: PeerAddress,
    vitals: Arc<Vitals>,
}

impl<S, B> Service<Request<Incoming>> for Watching<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static + Unpin,
{
    type Response = Response<Answer<B>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        let (answer, vitals) = (self.service.call(request), self.vitals.clone());
        Box::pin(async move { answer.await.map(|r| r.map(|body| Answer::new(body, &vitals))) })
    }
}
