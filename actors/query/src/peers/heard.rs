//! All other nodes asked at the same time. The answer is given when all have answered, or when so many have that the
//! others hold nothing alone and had a moment more.
//!
//! A write is acknowledged by a majority of the owners of its trace. So whatever is acknowledged is held by as many
//! nodes as a majority has, and as long as fewer are silent, one that answers has it.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use spanloom_peer::{Answer, Cluster, Node};
use spanloom_ring::{MemberState, NodeName, Ring, quorum};

use super::Asking;

/// How long the others are waited for.
pub(super) struct Wait {
    /// At most until then.
    pub deadline: Option<Instant>,
    /// So long for those that are not needed any more.
    pub straggler: Duration,
}

/// What was heard.
pub(super) struct Heard<'c, T> {
    /// In the order of the ring.
    pub answers: Vec<(&'c Node, T)>,
    pub silent: Vec<Silent>,
}

/// A node that did not answer.
pub(super) struct Silent {
    name: NodeName,
    why: String,
}

impl Silent {
    pub fn new(name: &NodeName, why: &dyn std::fmt::Display) -> Self {
        Self { name: name.clone(), why: why.to_string() }
    }
}

/// Asks every other node that may hold spans, but for those that are down.
pub(super) async fn ask<'c, T>(
    cluster: &'c Cluster,
    asking: &Asking,
    wait: Wait,
    ask: impl Fn(&'c Node) -> Answer<'c, T>,
) -> Heard<'c, T> {
    let mut heard = Heard { answers: Vec::new(), silent: Vec::new() };
    let mut waiting = FuturesUnordered::new();
    let mut left = Vec::new();
    for index in cluster.others_with_spans() {
        let node = cluster.node(index);
        if asking.without.contains(&node.name) {
            heard.silent.push(Silent::new(&node.name, &"its blocks cannot be read"));
        } else if !node.is_up {
            heard.silent.push(Silent::new(&node.name, &"down"));
        } else {
            let answer = ask(node);
            left.push(index);
            waiting.push(async move { (index, answer.await) });
        }
    }
    let tolerated = tolerated(&cluster.ring);
    let mut answers = Vec::new();
    let mut until = wait.deadline;
    let mut is_enough = false;
    while !waiting.is_empty() {
        if !is_enough && waiting.len() + heard.silent.len() <= tolerated {
            is_enough = true;
            let straggler = Instant::now() + wait.straggler;
            until = Some(until.map_or(straggler, |until| until.min(straggler)));
        }
        let Some((index, answer)) = next_until(&mut waiting, until).await else { break };
        left.retain(|waiting| *waiting != index);
        match answer {
            Ok(answer) => answers.push((index, answer)),
            Err(error) => heard.silent.push(Silent::new(&cluster.node(index).name, &error)),
        }
    }
    let late =
        |index: &spanloom_ring::NodeIndex| Silent::new(&cluster.node(*index).name, &"no answer in time");
    heard.silent.extend(left.iter().map(late));
    answers.sort_by_key(|(index, _)| *index);
    heard.answers = answers.into_iter().map(|(index, answer)| (cluster.node(index), answer)).collect();
    heard
}

/// The next answer, unless it is too late for it.
async fn next_until<F: Future>(
    waiting: &mut FuturesUnordered<F>,
    until: Option<Instant>,
) -> Option<F::Output> {
    match until {
        Some(until) => tokio::time::timeout_at(until.into(), waiting.next()).await.ok()?,
        None => waiting.next().await,
    }
}

/// So many nodes may be silent, and an answer is still whole.
pub(super) fn tolerated(ring: &Ring) -> usize {
    use MemberState::{Active, Joining, Leaving};
    let majority = |states: [MemberState; 2]| {
        let owns = ring.members().iter().filter(|member| {
            member.may_hold_spans() && !member.tokens().is_empty() && states.contains(&member.state())
        });
        quorum(owns.count().min(ring.options().replication))
    };
    // A write took a majority of those who own now, and one of those who own next, or was taken when one of the two was
    // all there was.
    let majorities = [majority([Active, Leaving]), majority([Joining, Active])];
    majorities.into_iter().filter(|&nodes| nodes > 0).min().unwrap_or(0).saturating_sub(1)
}

/// What to say of those that are silent, when they may hold something that nobody else does.
pub(super) fn missing(cluster: &Cluster, silent: &[Silent]) -> Option<String> {
    if silent.len() <= tolerated(&cluster.ring) {
        return None;
    }
    let mut names: Vec<String> =
        silent.iter().map(|silent| format!("{} ({})", silent.name, silent.why)).collect();
    names.sort();
    let all = cluster.others_with_spans().count() + usize::from(cluster.me.is_some());
    let nodes = names.len();
    let listed = names.join(", ");
    Some(format!(
        "{nodes} of {all} nodes did not answer, and spans that they alone hold are missing: {listed}"
    ))
}

#[cfg(test)]
mod tests {
    use spanloom_ring::{RingMember, RingOptions, Roles, Zone};

    use super::*;

    #[test]
    fn fewer_may_be_silent_than_a_majority_has() {
        use MemberState::{Active, Joining, Leaving, Left};
        let check = |replication: usize, states: &[MemberState], expected: usize| {
            let member = |(number, state): (usize, &MemberState)| {
                let name = NodeName::new(&format!("n{number}")).unwrap();
                let tokens = vec![number as u32 * 1000 + 1];
                RingMember::new(name, Zone::none(), tokens, *state, Roles::ALL).unwrap()
            };
            let members = states.iter().enumerate().map(member).collect();
            let ring = Ring::new(members, RingOptions { replication, zone_aware: false }).unwrap();
            assert_eq!(tolerated(&ring), expected, "{replication} {states:?}");
        };
        check(3, &[], 0);
        check(3, &[Active], 0);
        check(3, &[Active; 2], 1);
        check(3, &[Active; 3], 1);
        check(3, &[Active; 9], 1);
        check(5, &[Active; 9], 2);
        check(1, &[Active; 9], 0);
        check(2, &[Active; 9], 1);
        // What was written before the second node had arrived lies on the first one alone.
        check(3, &[Active, Joining], 0);
        check(3, &[Leaving, Active], 0);
        check(3, &[Active, Left], 0);
        check(3, &[Joining, Joining], 1);
    }
}
