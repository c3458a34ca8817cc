//! Who does a job that one node does for all, for instance joining blocks.

use crate::order::keyed_weight;
use crate::{NodeIndex, NodeName, Ring};

/// A node's weight for a job. Of some nodes the one with the highest weight has it first, wherever that is found out; one
/// that comes or goes moves no job between the others.
pub fn weight_of_job(name: &NodeName, key: u64) -> u64 {
    keyed_weight(name, key)
}

impl Ring {
    /// The owner of a job: of the active members with the role of a compactor, the one with the highest weight for
    /// the key. A member that comes takes an equal part of everybody's jobs, one that goes leaves its jobs to all
    /// others equally, and no other job moves. Nobody without such a member. Linear in the members.
    pub fn owner_of_job(&self, key: u64) -> Option<NodeIndex> {
        self.owner_of_job_among(key, |_| true)
    }

    /// As [`Ring::owner_of_job`], of those members alone that are up as the caller sees it. Two callers who see it
    /// differently may both do the job, or nobody for a while.
    pub fn owner_of_job_among(&self, key: u64, is_up: impl Fn(NodeIndex) -> bool) -> Option<NodeIndex> {
        let weight = |node: &NodeIndex| keyed_weight(self.member(*node).name(), key);
        let takers = self.job_takers().filter(|node| is_up(*node));
        takers.max_by_key(|node| (weight(node), std::cmp::Reverse(*node)))
    }
}
