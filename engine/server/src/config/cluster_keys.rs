//! Keys for several nodes as one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::hidden::Hidden;
use super::section::section;
use super::units::{Size, Time};

/// How far nodes are from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PresetKey {
    /// One region: round trips of some milliseconds.
    #[default]
    Lan,
    /// Several regions: round trips below 800 ms.
    Wan,
}

section! {
    /// Keys for several nodes as one.
    ClusterSection {
        /// Whether this node is one of several. Without it no port is opened for them. Nodes to `join` switch it on, too.
        enabled: bool = false,
        /// Nodes to ask for being let in, as `host:port` or `name:port` of their `gossip_port`; of a name all addresses
        /// are tried. Some that are likely up are enough: the others are heard of. This node itself may be among them,
        /// so all nodes may have the same list.
        join: Vec<String> = Vec::new(),
        /// Name of the cluster; the same on all nodes. Nodes of another one are not let in.
        label: String = String::new(),
        /// This node's name, which no other has: 1 to 63 letters, digits, `-`, `_`, `.`. It is kept in the data
        /// directory, and a node of that name is the same node after a restart. Empty: the one kept, or the host's.
        node_name: String = String::new(),
        /// Where the node stands, such as an availability zone; replicas go to different ones. By the rules of a name, or
        /// empty. It cannot change while the node is in the cluster.
        zone: String = String::new(),
        /// What the node does: `distributor`, `ingester`, `querier`, `compactor`, or `all`. They cannot change while it is
        /// in the cluster.
        roles: Vec<String> = vec!["all".to_owned()],
        /// Address that gossip listens on; empty is `listen_host`.
        gossip_address: String = String::new(),
        /// UDP port of gossip; `port_offset` is added.
        gossip_port: u16 = 7946,
        /// Address on which other nodes' questions are taken; empty is `listen_host`.
        peer_address: String = String::new(),
        /// TCP port of these questions; `port_offset` is added.
        peer_port: u16 = 7947,
        /// IP address at which the others reach this node. Empty: the one that gossip listens on; where that is
        /// `0.0.0.0` or `::`, the one from which this machine reaches others.
        advertise_address: String = String::new(),
        /// How far nodes are from each other: `lan` (a crash is known within 5 s) or `wan` (within 25 s, and of slower
        /// networks nobody is suspected). The same on all nodes.
        preset: PresetKey = PresetKey::Lan,
        /// Keys that gossip is sealed with, the same on all nodes: each 32 bytes in base64, or a text of at least 16
        /// characters. The first seals, all open. To change keys add the new one last everywhere, then put it first
        /// everywhere, then take the old one away, each with a restart of one node after the other.
        secret: Vec<Hidden> = Vec::new(),
        /// Whether gossip is sealed. `null`: when there is a `secret`; without one only on addresses of this machine
        /// alone, elsewhere the start is refused. With `false` whoever reaches the port is believed.
        seal: Option<bool> = None,
        /// Nodes that hold a span, up to 7; 0 is 3. Where there are fewer nodes all of them do. The same on all nodes.
        replication: u8 = 0,
        /// Whether replicas go to different zones. The same on all nodes.
        zone_aware: bool = true,
        /// Nodes that a tenant's spans are spread over; 0 is all. Not less than the replication. The same on all nodes.
        tenant_shard_size: u32 = 0,
        /// How long a node may take to acknowledge spans before another takes its share as well.
        stand_in_after: Time = Time(Duration::from_millis(500)),
        /// After how long a request that no majority of owners has kept is refused.
        write_timeout: Time = Time(Duration::from_secs(5)),
        /// Most bytes of requests on their way to one node. With more the node is taken to be too slow, and others take
        /// its share.
        inflight_bytes: Size = Size(32 << 20),
        /// With a store: how long a copy of a trace waits here for the node that is to bring the trace there, before this
        /// node does it too. Longer than `seal.max_age` and than uploads take.
        takeover_after: Time = Time(Duration::from_secs(900)),
        /// How long a question waits for nodes whose answers it can do without, since enough others have given theirs.
        straggler_wait: Time = Time(Duration::from_millis(100)),
        /// How long blocks and live spans that another node was told of stay for it to be read.
        listed_for: Time = Time(Duration::from_secs(120)),
        /// Most blocks that stay so; those told of longest ago go first.
        max_listed: u32 = 4096,
        /// Bytes of other nodes' blocks that stay on this node's disk for the next question.
        cached_data: Size = Size(256 << 20),
        /// The same of these blocks' metadata.
        cached_metadata: Size = Size(64 << 20),
        /// Most questions of one kind that are put to one node at a time.
        max_calls: u32 = 256,
        /// Most bytes of a question or an answer between nodes; no less than `receive.max_request_bytes`. The same on
        /// all nodes.
        max_message: Size = Size(64 << 20),
        /// Most bytes of questions of other nodes that are being received or answered; more are refused.
        max_received: Size = Size(256 << 20),
        /// Most connections of other nodes; each makes two.
        max_connections: u32 = 512,
        /// See below.
        tls: ClusterTlsSection = ClusterTlsSection::default(),
        /// See below.
        repair: ClusterRepairSection = ClusterRepairSection::default(),
        /// After how long a node that is down is removed, so that others own what it owned; `0s` never: it keeps its
        /// place, others stand in for it, and it takes its place when it is back. `POST /ring/forget` removes it by
        /// hand. Longer than any restart or repair takes.
        forget_after: Time = Time(Duration::ZERO),
        /// How long the others have to see a step of this node (joining, active, leaving) before it takes the next;
        /// `0s` is 2s with `lan`, 10s with `wan`. Shorter than news need, a question may miss what was written while
        /// nodes come and go.
        settle: Time = Time(Duration::ZERO),
        /// How long a node that starts looks for others before it goes by what it knows. One that finds nobody begins a
        /// cluster of its own, and the two unite when they find each other.
        join_wait: Time = Time(Duration::from_secs(10)),
        /// Whether a node that is shut down leaves: it hands over what it has and owns nothing any more. Otherwise it is
        /// down and keeps its place, which is quicker for restarts.
        leave_on_shutdown: bool = true,
        /// How long leaving may take.
        leave_timeout: Time = Time(Duration::from_secs(60)),
    }
}

section! {
    /// Keys for copies that are made afterwards: a node fetches what it owns and lacks, since it was down or cut off when
    /// it came, or owned it later.
    ClusterRepairSection {
        /// How often a node compares what it has with what others have, beside the times when it starts, ranges change
        /// hands, or a node is back; `0s` never, not even then. Each time costs some 24 bytes a trace for each other node.
        every: Time = Time(Duration::from_secs(600)),
        /// Most bytes of other nodes that are compared and fetched in a second; `0B` is no limit. A node that joins fetches
        /// what it will own within it, before it owns it.
        bytes_per_second: Size = Size(16 << 20),
    }
}

section! {
    /// Keys for TLS between nodes: on both sides of every connection on `cluster.peer_port`. Empty: none, and whoever
    /// reaches the port is believed. Certificates are read at the start.
    ClusterTlsSection {
        /// File with this node's certificate and those that signed it, PEM.
        cert_file: String = String::new(),
        /// File with the certificate's key, PEM.
        key_file: String = String::new(),
        /// File with the certificates that sign those of nodes, PEM. Whoever connects must have one signed by them.
        ca_file: String = String::new(),
        /// Name that other nodes' certificates must have; empty is the address at which each is reached.
        server_name: String = String::new(),
    }
}
