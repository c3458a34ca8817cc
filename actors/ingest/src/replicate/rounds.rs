//! When a node compares what it has with what others have: now and then, and soon after something happened that may have
//! left it without something. Pure.

use spanloom_peer::Cluster;
use spanloom_ring::{MemberState, NodeName};

/// When the next round is due. Times are milliseconds of any clock that does not go back.
#[derive(Debug)]
pub struct Rounds {
    every_ms: u64,
    soon_ms: u64,
    due_ms: Option<u64>,
    ring: u64,
    /// Who was up, and in which run.
    up: Vec<(NodeName, u64)>,
}

impl Rounds {
    /// A round each `every_ms`; `soon_ms` after something happened. `every_ms` 0 is never.
    pub fn new(every_ms: u64, soon_ms: u64) -> Self {
        Self { every_ms, soon_ms, due_ms: None, ring: 0, up: Vec::new() }
    }

    /// Looks at the cluster. This node having found its place, another ring, and a node that is up and was not, or is in
    /// another run, are reasons for a round soon.
    pub fn look(&mut self, now_ms: u64, cluster: &Cluster) {
        let takes_part = cluster.me.is_some_and(|me| {
            matches!(cluster.ring.member(me).state(), MemberState::Active | MemberState::Joining)
        });
        if !takes_part || self.every_ms == 0 {
            // What is seen when it takes part (again) is news.
            (self.due_ms, self.ring) = (None, 0);
            self.up.clear();
            return;
        }
        let nodes = cluster.nodes.iter().filter(|node| node.is_up);
        let up: Vec<(NodeName, u64)> = nodes.map(|node| (node.name.clone(), node.generation)).collect();
        let ring = cluster.ring.fingerprint();
        let is_news = ring != self.ring || up.iter().any(|node| !self.up.contains(node));
        (self.ring, self.up) = (ring, up);
        if is_news {
            let soon_ms = now_ms + self.soon_ms;
            self.due_ms = Some(self.due_ms.map_or(soon_ms, |due_ms| due_ms.min(soon_ms)));
        }
    }

    /// Whether a round is due.
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.due_ms.is_some_and(|due_ms| due_ms <= now_ms)
    }

    /// A round begins.
    pub fn begun(&mut self) {
        self.due_ms = None;
    }

    /// A round has ended. One that asked somebody in vain is done again sooner.
    pub fn ended(&mut self, now_ms: u64, is_whole: bool) {
        let pause_ms = if is_whole { self.every_ms } else { (4 * self.soon_ms).min(self.every_ms) };
        let next_ms = now_ms + pause_ms;
        self.due_ms = Some(self.due_ms.map_or(next_ms, |due_ms| due_ms.min(next_ms)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use spanloom_peer::{
        Answer, BlockList, FindTrace, ListBlocks, Node, Peer, Push, Pushed, ReadBlock, TenantRings, TraceCopy,
    };
    use spanloom_ring::{Ring, RingMember, RingOptions, Roles, Zone};

    use super::*;

    struct Nobody;

    impl Peer for Nobody {
        fn push(&self, _: Push) -> Answer<'_, Pushed> {
            unreachable!()
        }
        fn find_trace(&self, _: FindTrace) -> Answer<'_, TraceCopy> {
            unreachable!()
        }
        fn list_blocks(&self, _: ListBlocks) -> Answer<'_, BlockList> {
            unreachable!()
        }
        fn read_block(&self, _: ReadBlock) -> Answer<'_, Vec<bytes::Bytes>> {
            unreachable!()
        }
        fn exchange_members(&self, _: bytes::Bytes) -> Answer<'_, bytes::Bytes> {
            unreachable!()
        }
    }

    /// Nodes, each with its state, whether it is up, and its run; the first one is this one.
    fn cluster(nodes: &[(MemberState, bool, u64)]) -> Cluster {
        let name = |at: usize| NodeName::new(&format!("n{at}")).unwrap();
        let member = |(at, (state, ..)): (usize, &(MemberState, bool, u64))| {
            RingMember::new(name(at), Zone::none(), vec![at as u32 * 100 + 1], *state, Roles::ALL).unwrap()
        };
        let members = nodes.iter().enumerate().map(member).collect();
        let ring = Ring::new(members, RingOptions::default()).unwrap();
        let node = |(at, (_, is_up, generation)): (usize, &(MemberState, bool, u64))| Node {
            name: name(at),
            peer: Arc::new(Nobody),
            is_up: *is_up,
            generation: *generation,
        };
        let me = ring.nodes().next();
        Cluster {
            ring,
            nodes: nodes.iter().enumerate().map(node).collect(),
            me,
            tenants: TenantRings::default(),
        }
    }

    #[test]
    fn a_round_is_due_soon_after_something_happened_and_else_now_and_then() {
        use MemberState::{Active, Joining, Leaving};
        let mut rounds = Rounds::new(1_000, 10);
        let all_up = [(Active, true, 1); 3];
        rounds.look(0, &Cluster::of_nobody(cluster(&all_up).ring));
        assert!(!rounds.is_due(u64::MAX), "it does not know the others");
        let mut now_ms = 100;
        let mut check = |nodes: &[(MemberState, bool, u64)], expected_ms: Option<u64>, why: &str| {
            rounds.look(now_ms, &cluster(nodes));
            let found_ms = (0..=2_000).find(|after_ms| rounds.is_due(now_ms + after_ms));
            assert_eq!(found_ms, expected_ms, "{why}");
            if let Some(after_ms) = found_ms {
                now_ms += after_ms;
                rounds.begun();
                rounds.ended(now_ms, true);
            }
        };
        check(&all_up, Some(10), "it has just come");
        check(&all_up, Some(1_000), "nothing happens");
        let down = [(Active, true, 1), (Active, false, 1), (Active, true, 1)];
        check(&down, Some(1_000), "one that goes down has nothing");
        check(&all_up, Some(10), "it is back");
        let anew = [(Active, true, 1), (Active, true, 2), (Active, true, 1)];
        check(&anew, Some(10), "one began anew and was not seen down");
        let more = [(Active, true, 1), (Active, true, 2), (Active, true, 1), (Joining, true, 1)];
        check(&more, Some(10), "one joins");
        check(&[(Leaving, true, 1), (Active, true, 2)], None, "it leaves");
        check(&anew, Some(10), "it stays after all");
    }

    #[test]
    fn a_round_that_asked_in_vain_is_done_again_sooner() {
        let mut rounds = Rounds::new(1_000, 10);
        rounds.look(0, &cluster(&[(MemberState::Active, true, 1)]));
        rounds.begun();
        rounds.ended(100, false);
        assert!(!rounds.is_due(139) && rounds.is_due(140));
        let mut never = Rounds::new(0, 10);
        never.look(0, &cluster(&[(MemberState::Active, true, 1)]));
        assert!(!never.is_due(u64::MAX));
    }
}
