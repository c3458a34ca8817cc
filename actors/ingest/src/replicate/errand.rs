//! Two nodes' copies compared, and what one of them lacks: the traces of both page by page as digests, then both copies
//! of each trace that differs, then the spans that are missing. Pure: it is told what was found, and says what to do next.
//!
//! Spans go one way alone, from the node that has them to the one that lacks them. A node that fetches asks for what it
//! owns; a node that leaves gives what others will own. Doing it twice, or two nodes doing it at the same time, does no
//! harm: a span is the same wherever trace, span id and kind are, and is found once.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use bytes::Bytes;
use foldhash::HashSet;
use foldhash::fast::FixedState;
use spanloom_peer::{TraceList, TraceSum};
use spanloom_ring::NodeName;
use spanloom_span::model::{Span, Trace};
use spanloom_span::{Tenant, TraceId, encode};

/// Traces whose copies are asked for at once.
const AT_ONCE: usize = 8;

/// Which way spans go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the other node to this one.
    Fetch,
    /// From this node to the other one.
    Give,
}

/// A trace of which the two have different spans; `None` is nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlike {
    /// Which.
    pub id: TraceId,
    /// What this node has.
    pub own: Option<TraceSum>,
    /// What the other one has.
    pub theirs: Option<TraceSum>,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Ask both for their traces after this id.
    List(Option<TraceId>),
    /// Ask both for their copies of these, where they have one; none needs to be asked who has nothing.
    Find(Vec<Unlike>),
    /// Bring these spans, a request, to the one that lacks them.
    Deliver(Bytes),
    /// It is done.
    Over,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Traces that were compared.
    pub compared: u64,
    /// Those of which copies were looked at.
    pub looked_at: u64,
    /// Spans that were missing.
    pub spans: u64,
}

/// A node and one other, for one tenant.
#[derive(Debug)]
pub struct Errand {
    way: Way,
    /// A request is brought when it has so many bytes.
    request_bytes: usize,
    after: Option<TraceId>,
    all_listed: bool,
    unlike: VecDeque<Unlike>,
    request: Vec<u8>,
    tally: Tally,
}

impl Errand {
    /// Begins.
    pub fn new(way: Way, request_bytes: usize) -> Self {
        Self {
            way,
            request_bytes,
            after: None,
            all_listed: false,
            unlike: VecDeque::new(),
            request: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// What is to be done next. To be called again when it is done.
    pub fn step(&mut self) -> Next {
        let is_full = self.request.len() >= self.request_bytes;
        if is_full || self.unlike.is_empty() && !self.request.is_empty() {
            return Next::Deliver(std::mem::take(&mut self.request).into());
        }
        if !self.unlike.is_empty() {
            let some = self.unlike.len().min(AT_ONCE);
            return Next::Find(self.unlike.drain(..some).collect());
        }
        if self.all_listed { Next::Over } else { Next::List(self.after) }
    }

    /// What both said of their traces after the same id. Of those where they differ only `wanted` ones are looked at.
    pub fn listed(&mut self, own: &TraceList, theirs: &TraceList, mut wanted: impl FnMut(&Unlike) -> bool) {
        // What one of them has beyond what the other spoke of is compared next time.
        let through = match (own.through(), theirs.through()) {
            (Some(own), Some(theirs)) => Some(own.min(theirs)),
            (own, theirs) => own.or(theirs),
        };
        let within = |list: &TraceList| through.map_or(list.traces.len(), |last| up_to(list, &last));
        let (own, theirs) = (&own.traces[..within(own)], &theirs.traces[..within(theirs)]);
        let (had, lacking) = match self.way {
            Way::Fetch => (theirs, own),
            Way::Give => (own, theirs),
        };
        let mut lacking = lacking.iter().peekable();
        for sum in had {
            while lacking.next_if(|other| other.id < sum.id).is_some() {}
            let other = lacking.next_if(|other| other.id == sum.id);
            self.tally.compared += 1;
            if other == Some(sum) {
                continue;
            }
            let (own, theirs) = match self.way {
                Way::Fetch => (other.copied(), Some(*sum)),
                Way::Give => (Some(*sum), other.copied()),
            };
            let unlike = Unlike { id: sum.id, own, theirs };
            if wanted(&unlike) {
                self.unlike.push_back(unlike);
            }
        }
        (self.after, self.all_listed) = (through, through.is_none());
    }

    /// Both copies of a trace. How many spans were missing, of those that `may` go; of the others nothing is said.
    pub fn found(
        &mut self,
        own: Option<Trace>,
        theirs: Option<Trace>,
        may: impl FnMut(&TraceId, &Span) -> bool,
    ) -> u64 {
        self.tally.looked_at += 1;
        let (from, to) = match self.way {
            Way::Fetch => (theirs, own),
            Way::Give => (own, theirs),
        };
        let Some(missing) = from.and_then(|from| lacking(to.as_ref(), from, may)) else { return 0 };
        let spans = missing.span_count() as u64;
        self.tally.spans += spans;
        encode::put_traces_data(&mut self.request, &missing);
        spans
    }

    /// What came of it so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }
}

/// How many of a list's traces have ids up to one.
fn up_to(list: &TraceList, last: &TraceId) -> usize {
    list.traces.partition_point(|sum| sum.id <= *last)
}

/// The spans of a copy that another lacks; `None` when there are none.
pub fn lacking(
    to: Option<&Trace>,
    mut from: Trace,
    mut may: impl FnMut(&TraceId, &Span) -> bool,
) -> Option<Trace> {
    let has: HashSet<_> =
        to.into_iter().flat_map(Trace::spans).map(|span| (span.span_id, span.kind)).collect();
    for resource_spans in &mut from.resource_spans {
        for scope_spans in &mut resource_spans.scope_spans {
            let lacks = |span: &Span| !has.contains(&(span.span_id, span.kind)) && may(&span.trace_id, span);
            let mut lacks = lacks;
            scope_spans.spans.retain(|span| lacks(span));
        }
        resource_spans.scope_spans.retain(|scope_spans| !scope_spans.spans.is_empty());
    }
    from.resource_spans.retain(|resource_spans| !resource_spans.scope_spans.is_empty());
    (!from.resource_spans.is_empty()).then_some(from)
}

/// Differences that were looked at and brought nothing: one of the two has more than the other, or what may not go. They
/// are not looked at again while both have what they had. Bounded: the older half goes when there are too many.
#[derive(Debug)]
pub struct Fruitless {
    most: usize,
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Fruitless {
    /// None yet; so many are kept, 16 bytes each.
    pub fn new(most: usize) -> Self {
        Self { most, young: HashSet::default(), old: HashSet::default() }
    }

    /// Whether it was looked at.
    pub fn has(&self, node: &NodeName, tenant: &Tenant, unlike: &Unlike) -> bool {
        let key = key(node, tenant, unlike);
        self.young.contains(&key) || self.old.contains(&key)
    }

    /// It brought nothing.
    pub fn add(&mut self, node: &NodeName, tenant: &Tenant, unlike: &Unlike) {
        if self.young.len() >= self.most / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key(node, tenant, unlike));
    }
}

fn key(node: &NodeName, tenant: &Tenant, unlike: &Unlike) -> u64 {
    FixedState::default().hash_one((node.as_str(), tenant.as_str(), unlike.id, unlike.own, unlike.theirs))
}

#[cfg(test)]
mod tests;
