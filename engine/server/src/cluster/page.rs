//! What the pages, `/status` and the metrics show: a snapshot that the task renews.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use spanloom_api::{ClusterMember, ClusterPage, GossipCounts, Section};
use spanloom_ring::{NodeName, RingView};
use spanloom_swim::places::Rings;
use spanloom_swim::{Counters, DropReason, Identity, Member, Seal, Status};

use super::ClusterOptions;
use super::effects::FlightCounts;
use spanloom_ring::lifecycle::Stage;

/// What was known when the task last had news, and what it counts.
pub(crate) struct Snapshot {
    name: NodeName,
    label: String,
    is_sealed: bool,
    members: Vec<Member>,
    ring: RingView,
    /// How often the ring changed, and since when it is as it is.
    pub changes: u64,
    since_ms: u64,
    stage: Stage,
    name_taken_by: Option<String>,
    /// What went over the wire.
    pub counters: Counters,
    /// Whence the last datagram came that was dropped, and why.
    pub dropped: Option<(SocketAddr, DropReason)>,
    /// What came of exchanges.
    pub flight: FlightCounts,
}

/// How a member's status is shown.
fn status_text(status: Status) -> &'static str {
    match status {
        Status::Up => "up",
        Status::Suspect => "suspect",
        Status::Down => "down",
        Status::Left => "left",
    }
}

impl Snapshot {
    /// Before anything is known.
    pub fn new(name: NodeName, options: &ClusterOptions) -> Self {
        let ring = RingView {
            fingerprint: 0,
            replication: options.ring.replication,
            zone_aware: options.ring.zone_aware,
            ranges: 0,
            members: Vec::new(),
        };
        Self {
            name,
            label: options.swim.label.clone(),
            is_sealed: options.swim.seal != Seal::Off,
            members: Vec::new(),
            ring,
            changes: 0,
            since_ms: 0,
            stage: Stage::Looking,
            name_taken_by: None,
            counters: Counters::default(),
            dropped: None,
            flight: FlightCounts::default(),
        }
    }

    /// There are news.
    pub fn update(
        &mut self,
        members: Vec<Member>,
        rings: &Rings,
        stage: Stage,
        name_taken_by: Option<&Identity>,
    ) {
        if rings.changes != self.changes || self.ring.members.is_empty() {
            self.ring = rings.ring().view();
            (self.changes, self.since_ms) = (rings.changes, rings.since_ms);
        }
        self.members = members;
        self.stage = stage;
        self.name_taken_by = name_taken_by.map(ToString::to_string);
    }

    /// Members by status.
    pub fn by_status(&self) -> BTreeMap<&'static str, u64> {
        let all = [Status::Up, Status::Suspect, Status::Down, Status::Left];
        let mut counts: BTreeMap<_, _> = all.map(|status| (status_text(status), 0)).into();
        for member in &self.members {
            *counts.entry(status_text(member.status)).or_default() += 1;
        }
        counts
    }

    /// What needs a person's eye.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(winner) = &self.name_taken_by {
            notes.push(format!(
                "the name {} is taken by {winner}, which started later: this node is out of the cluster until one of \
                 them has another name",
                self.name
            ));
        }
        if self.stage == Stage::Looking {
            notes.push("this node looks for the others; it has announced nothing yet".into());
        }
        notes
    }

    /// `/ring` and `/memberlist`.
    pub fn page(&self) -> ClusterPage {
        ClusterPage {
            enabled: true,
            me: self.name.as_str().to_owned(),
            label: self.label.clone(),
            notes: self.notes(),
            fingerprint: format!("{:016x}", self.ring.fingerprint),
            replication: self.ring.replication as u64,
            zone_aware: self.ring.zone_aware,
            ranges: self.ring.ranges as u64,
            ring_changes: self.changes,
            ring_since_ms: self.since_ms,
            members: self.members.iter().map(|member| self.member(member)).collect(),
            gossip: self.gossip(),
        }
    }

    fn member(&self, member: &Member) -> ClusterMember {
        let identity = &member.identity;
        let on_ring = self.ring.members.iter().find(|on_ring| on_ring.member.name() == identity.name());
        let record = member.record.as_deref().or(member.former.as_deref());
        ClusterMember {
            name: identity.name().as_str().to_owned(),
            me: member.me,
            state: record.map_or("", |record| record.state.as_str()).to_owned(),
            status: status_text(member.status).to_owned(),
            removed: member.removed,
            zone: record.map_or("", |record| record.zone.as_str()).to_owned(),
            roles: record.map_or_else(Vec::new, |record| record.roles.names().map(str::to_owned).collect()),
            gossip: identity.address().to_string(),
            peer: record.map_or_else(String::new, |record| record.peer.clone()),
            api: record.map_or_else(String::new, |record| record.api.clone()),
            generation: identity.generation(),
            renewal: identity.renewal().into(),
            since_ms: member.since_ms,
            token_count: record.map_or(0, |record| record.tokens.len() as u64),
            tokens: Some(record.map_or_else(Vec::new, |record| record.tokens.clone())),
            owned_percent: on_ring.map_or(0.0, |on_ring| on_ring.owned_percent),
            first_percent: on_ring.map_or(0.0, |on_ring| on_ring.first_percent),
            live_bytes: member.load.map(|load| load.live_bytes),
            spans_per_second: member.load.map(|load| load.spans_per_second),
        }
    }

    fn gossip(&self) -> GossipCounts {
        let counters = &self.counters;
        let dropped = DropReason::ALL.into_iter().map(|reason| (reason, counters.dropped(reason)));
        let dropped = dropped.filter(|(_, count)| *count > 0);
        let last = |(from, reason): (SocketAddr, DropReason)| format!("from {from}: {}", reason.as_str());
        GossipCounts {
            sent: counters.sent,
            sent_bytes: counters.sent_bytes,
            unsent: self.flight.unsent,
            received: counters.received,
            received_bytes: counters.received_bytes,
            exchanged: self.flight.exchanged,
            exchanges_failed: self.flight.failed,
            merged: counters.merged,
            stalls: counters.stalls,
            dropped: dropped.map(|(reason, count)| (reason.as_str().to_owned(), count)).collect(),
            last_dropped: self.dropped.map(last).unwrap_or_default(),
        }
    }

    /// `/status`.
    pub fn section(&self) -> Section {
        let counts = self.by_status();
        let members: Vec<String> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
        let stage = match self.stage {
            Stage::Looking => "looking for the others",
            Stage::Joining(_) => "joining",
            Stage::Active => "active",
            Stage::Leaving(_) => "leaving",
            Stage::Gone => "gone",
        };
        let rows = [
            ("node", self.name.as_str().to_owned()),
            ("state", stage.to_owned()),
            ("members", members.join(", ")),
            ("ring", format!("{:016x}, changed {} times", self.ring.fingerprint, self.changes)),
            ("gossip is sealed", if self.is_sealed { "yes" } else { "no" }.to_owned()),
        ];
        let mut rows: Vec<_> = rows.map(|(name, value)| (name.to_owned(), value)).into();
        rows.extend(self.notes().into_iter().map(|note| ("note".to_owned(), note)));
        Section { title: "cluster".into(), rows }
    }
}
