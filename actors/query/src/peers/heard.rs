//! All other nodes asked at the same time. The answer is given when all have answered, or when so many have that the
//! others hold nothing alone and had a moment more.
//!
//! A write is acknowledged by a majority of the owners of its trace. So whatever is acknowledged is held by as many
//! nodes as a majority has, and as long as fewer are silent, one that answers has it.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use spanloom_peer::{Answer, Cluster, Node};
use spanloom_ring::NodeName;

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
    let tolerated = cluster.ring.tolerated();
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

/// What to say of those that are silent, when they may hold something that nobody else does.
pub(super) fn missing(cluster: &Cluster, silent: &[Silent]) -> Option<String> {
    if cluster.is_whole_without(silent.len()) {
        return None;
    }
    if cluster.me.is_none() {
        return Some(
            "this node has just started and does not know all others yet: spans may be missing".into(),
        );
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
