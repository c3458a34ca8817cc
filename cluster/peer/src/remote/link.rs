//! One connection: made when it is needed, and again after a pause when it broke.
//!
//! Whoever needs it first makes it, and others wait for that one attempt. After a failure, and after a connection
//! that ended before it answered anything, questions fail at once until the pause is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Uri;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::DialOptions;
use super::peer::uris;
use crate::grpc::{FrameBody, MAX_DATA_FRAME, MAX_HEADER_BYTES, Method, causes};
use crate::tls::parse_name;
use crate::{ClientTls, PeerError};

/// An address that can be dialled.
pub(super) struct Target {
    address: String,
    pub(super) uris: [Uri; Method::ALL.len()],
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A connection as one question uses it.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) sender: SendRequest<FrameBody>,
    number: u64,
    has_answered: Arc<AtomicBool>,
}

/// A place for one connection.
#[derive(Default)]
pub(super) struct Link {
    state: Mutex<State>,
    /// Held by whoever makes the connection.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    /// Connections made so far.
    made: u64,
    failure: Option<Failure>,
}

struct Failure {
    until: Instant,
    text: String,
    /// Failures without an answer between them.
    streak: u32,
}

impl Target {
    pub(super) fn new(address: &str, tls: Option<&ClientTls>) -> Result<Self, PeerError> {
        let wrong =
            |problem: String| PeerError::Invalid(format!("the node's address {address:?}: {problem}"));
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(wrong("expected host:port".to_owned()));
        }
        let uris = uris(address, tls.is_some()).map_err(|error| wrong(error.to_string()))?;
        let tls = match tls {
            None => None,
            Some(tls) => {
                let of_host = || parse_name(host).map_err(|error| wrong(error.to_string()));
                let name = tls.server_name.clone().map_or_else(of_host, Ok)?;
                Some((TlsConnector::from(tls.config.clone()), name))
            }
        };
        Ok(Self { address: address.to_owned(), uris, tls })
    }
}

impl Connection {
    /// Notes that the node speaks on it.
    pub(super) fn was_answered(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
    }
}

impl Link {
    /// The connection, which is made if there is none; at once an error in the pause after a failure.
    pub(super) async fn connection(
        &self,
        target: &Target,
        options: &DialOptions,
    ) -> Result<Connection, PeerError> {
        if let Some(known) = self.known(options) {
            return known;
        }
        let _turn = self.connecting.lock().await;
        if let Some(known) = self.known(options) {
            return known;
        }
        let made = match tokio::time::timeout(options.connect, dial(target, options)).await {
            Ok(made) => made,
            Err(_) => Err(format!("no connection within {:?}", options.connect)),
        };
        let mut state = self.state.lock();
        match made {
            Ok(sender) => Ok(state.take(sender)),
            Err(text) => {
                tracing::debug!(address = target.address, error = text, "no connection to a node");
                state.fail(text.clone(), options);
                Err(PeerError::Unreachable(text))
            }
        }
    }

    /// Takes note that a connection takes no more questions.
    pub(super) fn ended(&self, connection: &Connection, text: &str, options: &DialOptions) {
        let mut state = self.state.lock();
        let is_current = state.connection.as_ref().is_some_and(|current| current.number == connection.number);
        if is_current {
            state.lose(text.to_owned(), options);
        }
    }

    fn known(&self, options: &DialOptions) -> Option<Result<Connection, PeerError>> {
        let mut state = self.state.lock();
        if let Some(connection) = &state.connection {
            if !connection.sender.is_closed() {
                return Some(Ok(connection.clone()));
            }
            state.lose("the connection ended".to_owned(), options);
        }
        let failure = state.failure.as_ref().filter(|failure| Instant::now() < failure.until)?;
        Some(Err(PeerError::Unreachable(failure.text.clone())))
    }
}

impl State {
    fn take(&mut self, sender: SendRequest<FrameBody>) -> Connection {
        self.made += 1;
        let connection = Connection { sender, number: self.made, has_answered: Arc::default() };
        self.connection = Some(connection.clone());
        connection
    }

    /// Gives up the connection; one that never answered counts as not made.
    fn lose(&mut self, text: String, options: &DialOptions) {
        let Some(connection) = self.connection.take() else { return };
        if connection.has_answered.load(Ordering::Relaxed) {
            self.failure = None;
        } else {
            self.fail(text, options);
        }
    }

    fn fail(&mut self, text: String, options: &DialOptions) {
        let streak = self.failure.as_ref().map_or(0, |failure| failure.streak);
        let until = Instant::now() + pause(streak, options);
        self.failure = Some(Failure { until, text, streak: streak.saturating_add(1) });
    }
}

/// How long questions fail at once after so many failures before this one.
fn pause(streak: u32, options: &DialOptions) -> Duration {
    options.first_backoff.saturating_mul(1 << streak.min(20)).min(options.max_backoff)
}

async fn dial(target: &Target, options: &DialOptions) -> Result<SendRequest<FrameBody>, String> {
    let stream = TcpStream::connect(&target.address).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    match &target.tls {
        None => handshake(stream, options).await,
        Some((connector, name)) => {
            let encrypted = connector.connect(name.clone(), stream).await;
            handshake(encrypted.map_err(|error| format!("TLS: {error}"))?, options).await
        }
    }
}

async fn handshake(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    options: &DialOptions,
) -> Result<SendRequest<FrameBody>, String> {
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(options.stream_window)
        .initial_connection_window_size(options.connection_window)
        .max_frame_size(MAX_DATA_FRAME)
        .max_header_list_size(MAX_HEADER_BYTES)
        .keep_alive_interval(options.keepalive_interval)
        .keep_alive_timeout(options.keepalive_timeout)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(io))
        .await
        .map_err(|error| causes(&error))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = causes(&error), "a connection to a node ended");
        }
    });
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let options = DialOptions {
            first_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            ..DialOptions::default()
        };
        let found: Vec<u128> = (0..6).map(|streak| pause(streak, &options).as_millis()).collect();
        assert_eq!(found, [100, 200, 400, 800, 1600, 2000]);
        assert_eq!(pause(u32::MAX, &options), options.max_backoff);
    }

    #[test]
    fn addresses_are_host_and_port() {
        for good in ["localhost:4317", "10.0.0.1:1", "[::1]:65535", "node-1.example:80"] {
            assert!(Target::new(good, None).is_ok(), "{good}");
        }
        for bad in ["", "localhost", ":80", "localhost:", "localhost:65536", "a b:80", "a/b:80"] {
            assert!(matches!(Target::new(bad, None), Err(PeerError::Invalid(_))), "{bad}");
        }
    }
}
