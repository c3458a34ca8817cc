//! The limits of a node as others ask it.

use std::sync::Arc;
use std::time::Duration;

use super::ServeCounters;
use crate::ServerTls;

/// The limits of a node as others ask it.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Most bytes of a question or an answer.
    pub max_message: usize,
    /// Most bytes of all questions that are being received or worked on; more are refused with
    /// [`crate::PeerError::Exhausted`]. At least `max_message`.
    pub max_bytes: usize,
    /// Most questions at a time, of all connections; more are refused with [`crate::PeerError::Exhausted`].
    pub max_calls: usize,
    /// Most questions at a time of one connection; whoever has more waits to send them.
    pub max_streams: u32,
    /// Most connections; more are closed at once. Each node of the cluster makes two.
    pub max_connections: usize,
    /// How long a question may take, whatever deadline came with it.
    pub max_deadline: Duration,
    /// How long a connection may take until its first question.
    pub patience: Duration,
    /// What those are told who were refused.
    pub retry_after: Duration,
    /// How long questions may go on after the end was asked for.
    pub grace: Duration,
    /// Pause between pings of a connection.
    pub keepalive_interval: Duration,
    /// How long a ping may go unanswered.
    pub keepalive_timeout: Duration,
    /// What one question may be ahead of its reader; at least the push that is to come in one piece.
    pub stream_window: u32,
    /// What all questions of a connection may be ahead of their readers.
    pub connection_window: u32,
    /// TLS, or plain HTTP/2.
    pub tls: Option<ServerTls>,
    /// Where is counted.
    pub counters: Arc<ServeCounters>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            max_message: 64 << 20,
            max_bytes: 256 << 20,
            max_calls: 1024,
            max_streams: 1024,
            max_connections: 512,
            max_deadline: Duration::from_secs(60),
            patience: Duration::from_secs(5),
            retry_after: Duration::from_secs(1),
            grace: Duration::from_secs(10),
            keepalive_interval: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(10),
            stream_window: 8 << 20,
            connection_window: 16 << 20,
            tls: None,
            counters: Arc::default(),
        }
    }
}
