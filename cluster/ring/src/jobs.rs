//! Who does a job that one node does for all, for instance joining blocks.

use crate::order::keyed_weight;
use crate::{NodeIndex, Ring};

impl Ring {
    /// The owner of a job: of the active members with the role of a compactor, the one with the highest weight for
    /// the key. A member that comes takes an equal part of everybody's jobs, one that goes leaves its jobs to all
    /// others equally, and no other job moves. Nobody without such a member. Linear in the members.
    pub fn owner_of_job(&self, key: u64) -> Option<NodeIndex> {
        let weight = |node: &NodeIndex| keyed_weight(self.member(*node).name(), key);
        self.job_takers().max_by_key(|node| (weight(node), std::cmp::Reverse(*node)))
    }
}
