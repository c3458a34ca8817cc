//! Other nodes are given blocks as long as there are some, and are waited for. Ends with the question, and with it the
//! calls: the nodes stop working on what is of no use any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use spanloom_block::BlockId;
use spanloom_peer::{PeerError, ScanBlocks, ScanQuestion, Scanned, StoreBlock};
use spanloom_span::Tenant;

use super::{Errand, Split};
use crate::kind::Kind;
use crate::question::Question;

/// Longest time without a look at what changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Gives other nodes blocks until the question ends; each has at most so many errands at a time.
pub(crate) async fn drive<K: Kind>(
    question: Arc<Question<K>>,
    split: Arc<Split>,
    tenant: Tenant,
    deadline: Option<Instant>,
    most: usize,
) {
    // Whatever ends this, nothing is left with others that nobody waits for.
    let _left = Left(&split);
    let mut calls = FuturesUnordered::new();
    while split.is_open() {
        for (number, helper) in split.helpers.iter().enumerate() {
            while let Some(errand) = split.pull(number, most, |block| question.kind.wants(block)) {
                let asked = question.kind.question();
                let scan = asked.map(|asked| scan(&question.kind, &tenant, asked, &errand, deadline));
                let peer = helper.peer.clone();
                calls.push(async move {
                    let Some(scan) = scan else { return (errand, Some(Err(nothing()))) };
                    let answer = tokio::select! {
                        biased;
                        () = errand.is_of_no_use() => None,
                        answer = peer.scan_blocks(scan) => Some(answer),
                    };
                    (errand, answer)
                });
            }
        }
        let look = split.look_for_overdue().unwrap_or_else(|| Instant::now() + LOOK_EVERY);
        let late = deadline.unwrap_or_else(|| Instant::now() + LOOK_EVERY);
        tokio::select! {
            biased;
            () = question.asked.is_given_up() => return,
            () = tokio::time::sleep_until(late.into()), if deadline.is_some() => return,
            Some((errand, answer)) = calls.next(), if !calls.is_empty() => arrived(&split, errand, answer),
            () = split.changed.notified() => {}
            () = tokio::time::sleep_until(look.into()) => {}
        }
    }
}

struct Left<'a>(&'a Split);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

fn arrived(split: &Split, errand: Arc<Errand>, answer: Option<Result<Scanned, PeerError>>) {
    match answer {
        Some(Ok(scanned)) => split.arrive(errand, scanned),
        Some(Err(error)) => split.failed(&errand, &error),
        // It was done here meanwhile.
        None => split.let_go(&errand),
    }
}

fn nothing() -> PeerError {
    PeerError::Invalid("the question is not to be put to others".into())
}

/// What a node is asked for.
fn scan<K: Kind>(
    kind: &K,
    tenant: &Tenant,
    question: ScanQuestion,
    errand: &Errand,
    deadline: Option<Instant>,
) -> ScanBlocks {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let within_micros = left.map_or(0, |left| u64::try_from(left.as_micros()).unwrap_or(u64::MAX).max(1));
    let block = |number: &usize| {
        let block = kind.sources().blocks.get(*number)?;
        let BlockId { created, number } = block.listed.id;
        let elsewhere = block.elsewhere.as_deref().unwrap_or_default().to_vec();
        Some(StoreBlock { created, number, elsewhere, sealed: block.sealed.to_vec() })
    };
    let blocks = errand.blocks.iter().filter_map(block).collect();
    ScanBlocks { tenant: tenant.clone(), within_micros, question, blocks }
}
