//! What the pages of the cluster show.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The cluster as one node sees it. In JSON names are written like `ownedPercent`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterPage {
    /// Whether this node is one of several.
    pub enabled: bool,
    /// The name of this node; empty when it is alone.
    pub me: String,
    /// The cluster's label.
    pub label: String,
    /// What needs a person's eye, if something does.
    pub notes: Vec<String>,
    /// What nodes compare to learn whether they see the same ring: 16 hexadecimal digits.
    pub fingerprint: String,
    /// Owners of a token where there are as many nodes.
    pub replication: u64,
    /// Whether replicas go to different zones.
    pub zone_aware: bool,
    /// Ranges that the tokens cut the ring into.
    pub ranges: u64,
    /// How often the ring changed since this node started.
    pub ring_changes: u64,
    /// Since when it is as it is, in milliseconds since 1970.
    pub ring_since_ms: u64,
    /// Every node that is known, by name.
    pub members: Vec<ClusterMember>,
    /// What went over the wire.
    pub gossip: GossipCounts,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterMember {
    /// Its name.
    pub name: String,
    /// Whether it is the node that is asked.
    pub me: bool,
    /// Its place on the ring: `joining`, `active`, `leaving`, `left`; empty while it is not known.
    pub state: String,
    /// Whether it answers: `up`, `suspect`, `down`, `left`.
    pub status: String,
    /// Whether others said its state in its place, to remove it.
    pub removed: bool,
    /// Its zone.
    pub zone: String,
    /// What it does.
    pub roles: Vec<String>,
    /// Where it gossips.
    pub gossip: String,
    /// Where it takes other nodes' questions.
    pub peer: String,
    /// Its query API.
    pub api: String,
    /// When its process started, in milliseconds since 1970.
    pub generation: u64,
    /// How often it was declared down although it lived.
    pub renewal: u64,
    /// Since when its status is as it is, in milliseconds since 1970.
    pub since_ms: u64,
    /// How many tokens it has.
    pub token_count: u64,
    /// Its tokens, where they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Vec<u32>>,
    /// Percent of all tokens that it is an owner of; of all members 100 times the replicas.
    pub owned_percent: f64,
    /// Percent of all tokens that it is the first owner of; of all members 100.
    pub first_percent: f64,
    /// Bytes of live traces, as far as known.
    pub live_bytes: Option<u64>,
    /// Spans that it takes in a second, as far as known.
    pub spans_per_second: Option<u64>,
}

/// What went over the wire since this node started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GossipCounts {
    /// Datagrams sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Datagrams that the kernel did not take.
    pub unsent: u64,
    /// Datagrams that came.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// States that were exchanged at this node's wish.
    pub exchanged: u64,
    /// Exchanges that failed.
    pub exchanges_failed: u64,
    /// States of others that were merged.
    pub merged: u64,
    /// How often this process stood still.
    pub stalls: u64,
    /// Datagrams that were dropped, by reason; reasons that never came are left out.
    pub dropped: BTreeMap<String, u64>,
    /// Whence the last of them came, and why it was dropped.
    pub last_dropped: String,
}
