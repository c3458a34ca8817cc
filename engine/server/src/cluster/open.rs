//! How a node's task is put together: the port, the files, what was known when it last ran.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use spanloom_peer::Members;
use spanloom_swim::{Effects, Identity, MemberState, Now, Record, Swim};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::effects::Flight;
use super::gossip::{Command, Gossip, now};
use super::identity::{Files, Keeper, Kept, routable};
use super::page::Snapshot;
use super::view::Connections;
use super::{ClusterError, ClusterOptions, ClusterParts, Shared};
use spanloom_ring::lifecycle::{Lifecycle, Settings, View};
use spanloom_swim::places::Rings;

impl Gossip {
    /// Opens the port, and goes on where the last run ended.
    pub(super) async fn open(
        parts: ClusterParts,
        commands: mpsc::Sender<Command>,
        receiver: mpsc::Receiver<Command>,
    ) -> Result<(Self, Arc<Shared>), ClusterError> {
        let ClusterParts { options, members, connect, local, hand_over, load } = parts;
        let address = options.gossip;
        let socket =
            UdpSocket::bind(address).await.map_err(|source| ClusterError::Listen { address, source })?;
        // Until it has been waited for once, nothing counts as writable.
        socket.writable().await.map_err(|source| ClusterError::Listen { address, source })?;
        let bound = socket.local_addr().map_err(|source| ClusterError::Listen { address, source })?;
        let failed = |source| ClusterError::Files { path: options.data_dir.display().to_string(), source };
        let files = Files::of(&options.data_dir);
        let kept = files.who(options.node_name.as_ref()).map_err(failed)?;
        files.keep(&kept).map_err(failed)?;
        let state = files.state().map_err(failed)?;
        let started = Instant::now();
        let now = now(started);
        let mut swim = new_swim(now, &options, &kept, bound)?;
        tracing::info!(
            name = %kept.name,
            gossip = %swim.identity().address(),
            peer = swim.record().peer,
            roles = ?options.roles,
            sealed = options.swim.seal != spanloom_swim::Seal::Off,
            "one of a cluster"
        );
        let mut effects = Effects::new();
        if let Some(state) = state
            && let Err(error) = swim.merge_full_state(now, &state, &mut effects)
        {
            files.set_state_aside(&error.to_string()).map_err(failed)?;
        }
        let rings = Rings::new(options.ring, now.unix_ms)?;
        let shared = Arc::new(share(&options, &kept, bound, members, commands.clone()));
        let mut gossip = Self {
            lifecycle: Lifecycle::new(now.monotonic_ms, settings(&options, &kept), kept.tokens.clone()),
            swim,
            socket,
            connections: Connections::new(connect, local),
            flight: Flight::new(commands),
            hand_over,
            load,
            load_due: started,
            shared: Arc::clone(&shared),
            commands: receiver,
            rings,
            keeper: Keeper::new(files, kept.clone()),
            view: View::default(),
            started,
            met: false,
            dirty: Some(started),
            unkept: None,
            ends: false,
            options,
        };
        gossip.act(&mut effects);
        Ok((gossip, shared))
    }
}

/// What the handle shares with the task.
fn share(
    options: &ClusterOptions,
    kept: &Kept,
    gossip: SocketAddr,
    members: Members,
    commands: mpsc::Sender<Command>,
) -> Shared {
    Shared {
        name: kept.name.clone(),
        gossip,
        tenant_shard_size: options.tenant_shard_size,
        leaves: options.leave_on_shutdown,
        leave_timeout: options.leave_timeout,
        members,
        commands,
        snapshot: Mutex::new(Snapshot::new(kept.name.clone(), options)),
        task: Mutex::new(None),
    }
}

fn new_swim(
    now: Now,
    options: &ClusterOptions,
    kept: &Kept,
    bound: SocketAddr,
) -> Result<Swim, ClusterError> {
    let found = || if bound.ip().is_unspecified() { routable(bound) } else { bound.ip() };
    let ip = options.advertise.unwrap_or_else(found);
    let identity = Identity::new(kept.name.clone(), now.unix_ms, SocketAddr::new(ip, bound.port()))?;
    let record = Record {
        state: MemberState::Joining,
        roles: options.roles,
        zone: options.zone.clone(),
        peer: SocketAddr::new(ip, options.peer_port).to_string(),
        api: SocketAddr::new(ip, options.api_port).to_string(),
        tokens: Vec::new(),
    };
    Ok(Swim::new(now, identity, record, options.swim.clone(), rand::random())?.silent())
}

fn settings(options: &ClusterOptions, kept: &Kept) -> Settings {
    Settings {
        me: kept.name.clone(),
        zone: options.zone.clone(),
        roles: options.roles,
        ring: options.ring,
        tokens: options.tokens,
        settle_ms: options.settle_ms,
        join_wait_ms: options.join_wait_ms,
        founds: options.seeds.is_empty(),
        forget_after_ms: options.forget_after_ms,
    }
}
