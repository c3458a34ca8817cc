//! Membership that runs: this node finds the others, takes its place on the ring, and knows who is up.
//!
//! `spanloom_swim` knows the members, `spanloom_ring` says who owns what, `spanloom_ring::lifecycle` decides when this node takes
//! which step; here are the socket, the clocks, the files and the task that drives them. `docs/CLUSTER.md` is the page
//! for operators.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | what the rest of the engine uses |
//! | `identity.rs` | the node's name, tokens and what it knew, kept in the data directory |
//! | `gossip.rs` | the task: datagrams, timers, commands |
//! | `open.rs` | how it is put together |
//! | `effects.rs` | what the task does in the world |
//! | `view.rs` | members to connections |
//! | `page.rs` | what `/ring` and `/memberlist` show |
//! | `metrics.rs` | what is counted |
//!
//! **Invariant:** one task drives a node; nothing waits for it in a queue without a bound. What a datagram brings is
//! worked on before the next one is read, so a flood is dropped by the kernel.

mod effects;
mod gossip;
pub mod identity;
mod metrics;
mod open;
mod page;
#[cfg(test)]
mod tests;
mod view;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use spanloom_api::{ClusterPage, Section};
use spanloom_peer::{Answer, Members, Peer, PeerError};
use spanloom_ring::{Moved, NodeName, RingOptions, Roles, Zone};
use spanloom_swim::{Load, Options, STATE_MAX, Seed};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use gossip::{Command, Gossip};
use page::Snapshot;
pub use spanloom_ring::lifecycle::ForgetError;

/// Commands that wait for the task; more are refused.
const COMMANDS: usize = 64;

/// What a node of a cluster is given.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Where name, tokens and what is known are kept.
    pub data_dir: PathBuf,
    /// Its name; `None` is the one kept, or the host's.
    pub node_name: Option<NodeName>,
    /// Its zone.
    pub zone: Zone,
    /// What it does.
    pub roles: Roles,
    /// Whom to ask for being let in.
    pub seeds: Vec<Seed>,
    /// How gossip behaves.
    pub swim: Options,
    /// Where gossip listens.
    pub gossip: SocketAddr,
    /// At which address the others reach this node; `None` to find out.
    pub advertise: Option<IpAddr>,
    /// The port of questions between nodes.
    pub peer_port: u16,
    /// The port of the query API.
    pub api_port: u16,
    /// What all nodes agree on.
    pub ring: RingOptions,
    /// Nodes of a tenant; 0 is all.
    pub tenant_shard_size: usize,
    /// Tokens to have.
    pub tokens: usize,
    /// How long others have to see a step.
    pub settle_ms: u64,
    /// How long to look for others.
    pub join_wait_ms: u64,
    /// When a node that is down is removed; never if `None`.
    pub forget_after_ms: Option<u64>,
    /// Whether the node leaves when it is shut down.
    pub leave_on_shutdown: bool,
    /// How long leaving may take.
    pub leave_timeout: Duration,
}

/// Makes connections to other nodes.
pub trait Connect: Send + Sync + 'static {
    /// A connection to the node of a name at `host:port`. It is opened when it is used, and is kept while the node
    /// lives there; returns at once.
    fn connect(&self, name: &NodeName, address: &str) -> Arc<dyn Peer>;
}

/// What is to be done with spans when ranges change hands. A hook that fails is called again after some seconds.
pub trait HandOver: Send + Sync + 'static {
    /// This node joins, or a dead one is being removed: to fetch what this one gained, from those who own it. When it
    /// returns the node becomes active, or the dead one may go.
    fn take_over<'a>(&'a self, _moved: &'a Moved) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    /// This node leaves: to bring what it loses to those who own it next. When it returns the node is gone.
    fn hand_over<'a>(&'a self, _moved: &'a Moved) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// What a node of a cluster is made of.
pub struct ClusterParts {
    /// What it is given.
    pub options: ClusterOptions,
    /// Where the cluster is put as this node sees it.
    pub members: Members,
    /// How it reaches others.
    pub connect: Arc<dyn Connect>,
    /// Who answers for this node.
    pub local: Arc<dyn Peer>,
    /// What is done when ranges change hands.
    pub hand_over: Arc<dyn HandOver>,
    /// How busy this node is: asked every few seconds, told along with what is sent anyway.
    pub load: Box<dyn FnMut() -> Load + Send>,
}

/// Why a node cannot take part in a cluster. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The port cannot be opened.
    #[error("{address} (cluster.gossip_port, UDP) cannot be listened on: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A file in the data directory cannot be read or written.
    #[error("the node's name and tokens cannot be kept in {path}: {source}")]
    Files {
        /// The data directory.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Options that contradict each other.
    #[error(transparent)]
    Swim(#[from] spanloom_swim::Error),
    /// The same of the ring.
    #[error(transparent)]
    Ring(#[from] spanloom_ring::RingError),
}

/// A node of a cluster, for the rest of the engine. Clones share one.
#[derive(Clone)]
pub struct ClusterHandle {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    name: NodeName,
    gossip: SocketAddr,
    tenant_shard_size: usize,
    leaves: bool,
    leave_timeout: Duration,
    members: Members,
    commands: mpsc::Sender<Command>,
    snapshot: Mutex<Snapshot>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl ClusterHandle {
    /// Opens the port and starts to look for the others. Must be called on a tokio runtime.
    pub async fn start(parts: ClusterParts) -> Result<Self, ClusterError> {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (gossip, shared) = Gossip::open(parts, commands, receiver).await?;
        let task = tokio::spawn(gossip.run());
        *shared.task.lock() = Some(task);
        Ok(Self { shared })
    }

    /// The name of this node.
    pub fn name(&self) -> &NodeName {
        &self.shared.name
    }

    /// Where gossip listens.
    pub fn gossip_address(&self) -> SocketAddr {
        self.shared.gossip
    }

    /// Nodes of a tenant; 0 is all: for [`spanloom_ring::Ring::shard_of_tenant`].
    pub fn tenant_shard_size(&self) -> usize {
        self.shared.tenant_shard_size
    }

    /// The cluster as it is now, and will be: clones of it are kept up to date.
    pub fn members(&self) -> Members {
        self.shared.members.clone()
    }

    /// Takes what another node knows of the members, and says what is known here: the answer to
    /// [`Peer::exchange_members`].
    pub async fn exchange(&self, known: Bytes) -> Result<Bytes, PeerError> {
        if known.len() > STATE_MAX {
            return Err(PeerError::Invalid(format!(
                "a state of {} bytes, expected at most {STATE_MAX}",
                known.len()
            )));
        }
        let (reply, answer) = oneshot::channel();
        self.command(Command::Exchange { known, reply })?;
        answer.await.map_err(|_| PeerError::Unavailable("the node has left the cluster".into()))?
    }

    /// Removes a node that is dead and will not come back.
    pub async fn forget(&self, name: String) -> Result<(), ForgetFailed> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Forget { name, reply })?;
        let gone = |_| PeerError::Unavailable("the node has left the cluster".into());
        Ok(answer.await.map_err(gone)??)
    }

    /// Leaves, if that is configured, handing over what this node has, and ends; returns when it is done or has taken
    /// too long.
    pub async fn leave(&self) {
        let Some(task) = self.shared.task.lock().take() else { return };
        let abort = task.abort_handle();
        let command = if self.shared.leaves { Command::Leave } else { Command::Stop };
        let within = self.shared.leave_timeout + Duration::from_secs(1);
        let ended = tokio::time::timeout(within, async {
            // A task that has ended takes no commands, and is what is waited for.
            let _ = self.shared.commands.send(command).await;
            task.await
        });
        if ended.await.is_err() {
            tracing::warn!(?within, "the cluster was not left in time; the others will find this node down");
            abort.abort();
        }
    }

    /// What `/ring` and `/memberlist` show.
    pub fn page(&self) -> ClusterPage {
        self.shared.snapshot.lock().page()
    }

    /// What `/status` shows.
    pub fn section(&self) -> Section {
        self.shared.snapshot.lock().section()
    }

    /// What is counted, as metrics of the moment.
    pub fn metrics(&self, registry: &mut Registry) {
        metrics::put(&self.shared.snapshot.lock(), registry);
    }

    fn command(&self, command: Command) -> Result<(), PeerError> {
        self.shared.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PeerError::Busy,
            mpsc::error::TrySendError::Closed(_) => {
                PeerError::Unavailable("the node has left the cluster".into())
            }
        })
    }
}

/// Why a node was not forgotten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgetFailed {
    /// It may not be.
    #[error(transparent)]
    Refused(#[from] ForgetError),
    /// This node could not be asked.
    #[error(transparent)]
    Asked(#[from] PeerError),
}
