//! Bytes of other nodes' blocks.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use foldhash::HashMap;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use spanloom_bucket::cache::Ranges;
use spanloom_peer::{MAX_RANGES, MAX_READ_BYTES, Members, Peer, PeerError, ReadBlock};
use spanloom_ring::NodeName;
use spanloom_span::Tenant;

/// Longest time for an answer: a node that answers no more must not hold a thread that searches for longer.
const LONGEST: Duration = Duration::from_secs(10);

/// What a block of another node is called in this process.
pub(super) fn key(node: &NodeName, run: u64, tenant: &Tenant, name: &str) -> String {
    // Neither a node's name nor a tenant's has a slash.
    format!("{node}/{run:016x}/{tenant}/{name}")
}

/// Other nodes, asked for bytes of their blocks.
pub(super) struct PeerRanges {
    members: Members,
    failed: Mutex<HashMap<NodeName, Failed>>,
}

/// When a node failed last to give what it was asked for.
#[derive(Clone, Copy, Default)]
struct Failed {
    /// Since it had let go of it: who lists anew finds what took its place.
    missing: Option<Instant>,
    /// For another reason.
    otherwise: Option<Instant>,
}

impl PeerRanges {
    pub fn new(members: Members) -> Self {
        Self { members, failed: Mutex::default() }
    }

    /// Whether a node failed since a moment; that it had let go of something counts if that is `missing`.
    pub fn has_failed(&self, node: &NodeName, since: Instant, missing: bool) -> bool {
        let failed = self.failed.lock().get(node).copied().unwrap_or_default();
        failed.otherwise.max(failed.missing.filter(|_| missing)) >= Some(since)
    }

    fn peer(&self, name: &str) -> Option<(NodeName, Arc<dyn Peer>)> {
        let cluster = self.members.now();
        let node = cluster.nodes.iter().find(|node| node.name.as_str() == name)?;
        Some((node.name.clone(), node.peer.clone()))
    }

    async fn read(
        &self,
        path: &str,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, (Option<NodeName>, PeerError)> {
        let unknown = || (None, PeerError::Unreachable(format!("{path}: the node is no member any more")));
        let (node, run, tenant, name) = parts(path).ok_or_else(unknown)?;
        let (node, peer) = self.peer(node).ok_or_else(unknown)?;
        let mut out = Vec::with_capacity(ranges.len());
        for ranges in calls(ranges) {
            let question =
                ReadBlock { tenant: tenant.clone(), run, name: name.into(), ranges: ranges.to_vec() };
            let answer = tokio::time::timeout(LONGEST, peer.read_block(question)).await;
            let pieces = answer
                .unwrap_or(Err(PeerError::Late(LONGEST)))
                .map_err(|error| (Some(node.clone()), error))?;
            let is_whole = pieces.len() == ranges.len()
                && pieces
                    .iter()
                    .zip(ranges)
                    .all(|(piece, range)| piece.len() as u64 == range.end - range.start);
            if !is_whole {
                let error = PeerError::Garbled(format!("{path}: other ranges came than were asked for"));
                return Err((Some(node), error));
            }
            out.extend(pieces);
        }
        Ok(out)
    }
}

fn parts(key: &str) -> Option<(&str, u64, Tenant, &str)> {
    let mut parts = key.splitn(4, '/');
    let (node, run) = (parts.next()?, u64::from_str_radix(parts.next()?, 16).ok()?);
    Some((node, run, Tenant::new(parts.next()?).ok()?, parts.next()?))
}

/// Ranges, as many at a time as may be asked for in one call. A range that is larger than that goes alone, and is refused.
fn calls(ranges: &[Range<u64>]) -> Vec<&[Range<u64>]> {
    let mut out = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (at, range) in ranges.iter().enumerate() {
        let more = range.end.saturating_sub(range.start);
        if at > from && (bytes + more > MAX_READ_BYTES || at - from == MAX_RANGES) {
            out.extend(ranges.get(from..at));
            (from, bytes) = (at, 0);
        }
        bytes += more;
    }
    out.extend(ranges.get(from..).filter(|rest| !rest.is_empty()));
    out
}

impl Ranges for PeerRanges {
    fn ranges<'a>(
        &'a self,
        path: &'a str,
        ranges: &'a [Range<u64>],
    ) -> BoxFuture<'a, io::Result<Vec<Bytes>>> {
        async move {
            self.read(path, ranges).await.map_err(|(node, error)| {
                if let Some(node) = node {
                    let mut failed = self.failed.lock();
                    let Failed { missing, otherwise } = failed.entry(node).or_default();
                    let is_missing = matches!(error, PeerError::Missing(_));
                    *(if is_missing { missing } else { otherwise }) = Some(Instant::now());
                }
                io::Error::other(error)
            })
        }
        .boxed()
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of ranges, some of one")]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_apart_as_it_was_made() {
        let (node, tenant) = (NodeName::new("n-1.a").unwrap(), Tenant::new("shop").unwrap());
        let key = key(&node, u64::MAX, &tenant, "shop/00.block");
        assert_eq!(parts(&key), Some(("n-1.a", u64::MAX, tenant, "shop/00.block")));
        assert_eq!(parts("n/12"), None);
    }

    #[test]
    fn calls_keep_to_the_limits() {
        let check = |ranges: &[Range<u64>], expected: &[usize]| {
            let found: Vec<usize> = calls(ranges).iter().map(|ranges| ranges.len()).collect();
            assert_eq!(found, expected, "{ranges:?}");
        };
        check(&[], &[]);
        check(&[0..1], &[1]);
        check(&[0..MAX_READ_BYTES, 0..1], &[1, 1]);
        check(&[0..MAX_READ_BYTES + 1, 0..1, 1..2], &[1, 2]);
        check(&[0..1, 0..MAX_READ_BYTES - 1, 3..4], &[2, 1]);
        check(&vec![0..1; 600], &[256, 256, 88]);
    }
}
