//! How to dial, and what is waited for how long.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::ClientTls;
use crate::grpc::Method;

/// How to dial other nodes, and when to give up.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// Connections to each node. With two or more the first is for small questions alone (traces, members), and what
    /// is large (pushes, lists, blocks) takes turns on the others; with one they share it. More than two help when
    /// one core does not encrypt fast enough.
    pub connections: NonZeroUsize,
    /// How long a connection may take to be made: name, TCP and TLS.
    pub connect: Duration,
    /// How long an answer may take.
    pub deadlines: Deadlines,
    /// Most questions of one kind to one node at a time; more are refused at once.
    pub max_calls: NonZeroUsize,
    /// Most bytes of a question or an answer. No larger than the nodes' [`crate::ServeOptions::max_message`].
    pub max_message: usize,
    /// First pause after a connection could not be made, in which questions fail at once. It doubles with each
    /// failure.
    pub first_backoff: Duration,
    /// Longest such pause: how late a node that came back is noticed.
    pub max_backoff: Duration,
    /// Pause between pings of a connection.
    pub keepalive_interval: Duration,
    /// How long a ping may go unanswered: with the interval, how late a cut cable is noticed.
    pub keepalive_timeout: Duration,
    /// What one answer may be ahead of its reader; at least the payload that is to come in one piece.
    pub stream_window: u32,
    /// What all answers of a connection may be ahead of their readers.
    pub connection_window: u32,
    /// TLS, or plain HTTP/2.
    pub tls: Option<ClientTls>,
}

/// How long an answer to each question may take. The one asked is told, and stops working on it then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Spans to be kept.
    pub push: Duration,
    /// A copy of a trace.
    pub find_trace: Duration,
    /// The list of blocks.
    pub list_blocks: Duration,
    /// Pieces of a block.
    pub read_block: Duration,
    /// A part of a question.
    pub scan_blocks: Duration,
    /// What is known of the members.
    pub exchange_members: Duration,
}

impl Default for DialOptions {
    fn default() -> Self {
        Self {
            connections: NonZeroUsize::MIN.saturating_add(1),
            connect: Duration::from_secs(1),
            deadlines: Deadlines::default(),
            max_calls: NonZeroUsize::MIN.saturating_add(255),
            max_message: 64 << 20,
            first_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            keepalive_interval: Duration::from_secs(2),
            keepalive_timeout: Duration::from_secs(3),
            stream_window: 8 << 20,
            connection_window: 16 << 20,
            tls: None,
        }
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            push: Duration::from_secs(10),
            find_trace: Duration::from_secs(10),
            list_blocks: Duration::from_secs(30),
            read_block: Duration::from_secs(30),
            scan_blocks: Duration::from_secs(60),
            exchange_members: Duration::from_secs(5),
        }
    }
}

impl Deadlines {
    pub(super) fn of(&self, method: Method) -> Duration {
        match method {
            Method::Push | Method::PushSliced => self.push,
            Method::FindTrace => self.find_trace,
            Method::ListBlocks | Method::ListTenants | Method::ListTraces => self.list_blocks,
            Method::ReadBlock => self.read_block,
            Method::ScanBlocks => self.scan_blocks,
            Method::ExchangeMembers => self.exchange_members,
        }
    }
}
