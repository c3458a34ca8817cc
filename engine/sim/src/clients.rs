//! Those who send and read, and what they were promised: each acknowledged span is in every whole answer, and no span
//! is twice in any.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;
use rand::RngExt;
use spanloom_span::model::{ResourceSpans, ScopeSpans, Span, Trace};
use spanloom_span::{SpanId, TraceId, encode};

use crate::machine::MachineId;
use crate::queue::{Event, Outside};
use crate::read::Found;
use crate::world::{Broken, SimError, World};

/// How often a client sends what was refused, at most.
const TRIES: u32 = 4;

/// A client that has heard nothing for so long sends again.
const GIVE_UP_MS: u64 = 8_000;

/// What was sent and promised of all traces.
#[derive(Default)]
pub struct Promises {
    traces: Vec<Promised>,
    /// Traces before this one are retired: nobody asks for them any more.
    retired: usize,
    pushes: BTreeMap<u64, Request>,
    reads: BTreeMap<u64, Question>,
    /// Traces of which something was acknowledged since all of them were read.
    pub unread: BTreeSet<usize>,
}

/// One trace.
struct Promised {
    id: TraceId,
    /// By span: whether it was acknowledged.
    acknowledged: Vec<bool>,
}

/// A client's request.
struct Request {
    spans: Vec<(usize, u32)>,
    bytes: Bytes,
    tries: u32,
}

/// A reader's question.
struct Question {
    trace: usize,
    /// What was acknowledged when it was put.
    expected: Vec<u32>,
    must: Must,
}

/// What an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Must {
    /// What it says that it is.
    BeHonest,
    /// Whole: all nodes are up.
    BeWhole,
    /// Without a gap, though it cannot say so.
    LackNothing,
}

impl Promises {
    /// Requests that were not answered yet.
    pub fn pushes(&self) -> usize {
        self.pushes.len()
    }

    /// Questions that were not answered yet.
    pub fn reads(&self) -> usize {
        self.reads.len()
    }

    /// Readers give up.
    pub fn forget_reads(&mut self) {
        self.reads.clear();
    }

    /// The traces that are not retired.
    pub fn traces(&self) -> Range<usize> {
        self.retired..self.traces.len()
    }

    /// All traces that there are now are retired.
    pub fn retire(&mut self) {
        self.retired = self.traces.len();
        self.unread.clear();
    }
}

/// The id of a trace of a seed.
pub fn trace_id(seed: u64, trace: usize) -> TraceId {
    let mut id = [1; 16];
    id[..8].copy_from_slice(&(trace as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id[8..12].copy_from_slice(&(seed as u32 | 1 << 31).to_be_bytes());
    id[12..].copy_from_slice(&(trace as u32).to_be_bytes());
    TraceId(id)
}

/// Everything of a span follows from its trace and its number.
fn span(trace_id: TraceId, number: u32) -> Span {
    Span {
        trace_id,
        span_id: SpanId((u64::from(number) + 1).to_be_bytes()),
        name: format!("span {number} of {trace_id}"),
        kind: 1 + (number % 5) as i32,
        start_time_unix_nano: 1_790_000_000_000_000_000 + u64::from(number) * 1_000,
        end_time_unix_nano: 1_790_000_000_000_000_500 + u64::from(number) * 1_000,
        ..Span::default()
    }
}

impl World {
    /// A node that clients know of, by chance.
    fn any_node(&mut self) -> Option<MachineId> {
        let is_known = |on: &MachineId| {
            let machine = &self.machines[*on];
            machine.process.is_some() && machine.has_met && machine.paused_until_ms <= self.now_ms
        };
        let known: Vec<MachineId> = (0..self.machines.len()).filter(is_known).collect();
        (!known.is_empty()).then(|| known[self.rng.random_range(0..known.len())])
    }

    /// A trace of which an owner lacks something that was acknowledged, when all agree on who the owners are.
    pub(crate) fn lacking_copy(&self) -> Result<Option<(TraceId, String)>, SimError> {
        let Some(process) = self.machines.iter().find_map(|machine| machine.process.as_ref()) else {
            return Ok(None);
        };
        let cluster = &process.cluster;
        for trace in self.promises.traces() {
            let Promised { id, acknowledged } = &self.promises.traces[trace];
            if !acknowledged.contains(&true) {
                continue;
            }
            for owner in cluster.ring.owners_for_read(self.tokens.token(id)).nodes() {
                let on = Self::machine_of(cluster, *owner);
                let Some(process) = &self.machines[on].process else { continue };
                let copy = process.store.gather(id)?;
                let has: BTreeSet<u64> = copy
                    .iter()
                    .flat_map(Trace::spans)
                    .map(|span| u64::from_be_bytes(span.span_id.0))
                    .collect();
                let lacks = (1..).zip(acknowledged).find(|(number, is)| **is && !has.contains(number));
                if let Some((number, _)) = lacks {
                    return Ok(Some((*id, format!("n{on} owns it and lacks span {}", number - 1))));
                }
            }
        }
        Ok(None)
    }

    /// A client sends some spans of some traces, new ones or such that came long ago.
    pub(crate) fn client_pushes(&mut self) {
        let mut spans = Vec::new();
        for _ in 0..self.rng.random_range(1..5) {
            let known = self.promises.traces();
            let is_late = !known.is_empty() && self.rng.random_range(0..5) == 0;
            let trace = if is_late { self.rng.random_range(known.clone()) } else { known.end };
            if trace == known.end {
                let id = trace_id(self.settings.seed, trace);
                self.promises.traces.push(Promised { id, acknowledged: Vec::new() });
            }
            let promised = &mut self.promises.traces[trace].acknowledged;
            for _ in 0..self.rng.random_range(1..4) {
                spans.push((trace, promised.len() as u32));
                promised.push(false);
            }
        }
        let mut bytes = Vec::new();
        for (trace, number) in &spans {
            let span = span(self.promises.traces[*trace].id, *number);
            let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
            let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
            encode::put_traces_data(&mut bytes, &Trace { resource_spans });
        }
        self.send_request(Request { spans, bytes: bytes.into(), tries: 1 });
    }

    fn send_request(&mut self, request: Request) {
        let client = self.number();
        let bytes = request.bytes.clone();
        let watched = request.spans.iter().map(|(trace, _)| self.promises.traces[*trace].id);
        let watched = watched.into_iter().find(|id| self.course.watches(id));
        self.promises.pushes.insert(client, request);
        self.queue.put(self.now_ms + GIVE_UP_MS, Event::Outside(Outside::PushAgain(client)));
        let Some(on) = self.any_node() else { return };
        self.course.event_with(self.now_ms, b'p', [client, on as u64], &bytes);
        if let Some(id) = watched {
            self.course.say(self.now_ms, Some(&id), || format!("request {client} goes to n{on}"));
        }
        self.push(on, client, bytes);
    }

    /// A client that was refused, or heard nothing, sends the same spans again, until it gives up.
    pub(crate) fn client_pushes_again(&mut self, client: u64) {
        let Some(mut request) = self.promises.pushes.remove(&client) else { return };
        request.tries += 1;
        if request.tries > TRIES {
            self.figures.given_up += 1;
            return;
        }
        self.send_request(request);
    }

    /// The promise is given.
    pub(crate) fn acknowledged(&mut self, client: u64) {
        self.course.event(self.now_ms, b'a', [client, 0, 0]);
        // One that gave up does not hear it.
        let Some(request) = self.promises.pushes.remove(&client) else { return };
        self.figures.acknowledged += 1;
        for (trace, number) in request.spans {
            let promised = &mut self.promises.traces[trace];
            promised.acknowledged[number as usize] = true;
            self.promises.unread.insert(trace);
            let id = promised.id;
            self.course.say(self.now_ms, Some(&id), || format!("span {number} is acknowledged"));
        }
    }

    /// Nothing is promised.
    pub(crate) fn refused(&mut self, client: u64, why: &str) {
        self.course.event(self.now_ms, b'x', [client, 0, 0]);
        let Some(request) = self.promises.pushes.get(&client) else { return };
        self.figures.refused += 1;
        for (trace, _) in &request.spans {
            let id = self.promises.traces[*trace].id;
            self.course.say(self.now_ms, Some(&id), || format!("request {client} is refused: {why}"));
        }
        let at_ms = self.now_ms + self.rng.random_range(100..1_500);
        self.queue.put(at_ms, Event::Outside(Outside::PushAgain(client)));
    }

    /// Somebody reads a trace, of the last ones as a rule.
    pub(crate) fn client_reads(&mut self) {
        let known = self.promises.traces();
        if known.is_empty() {
            return;
        }
        let back = if self.rng.random_range(0..4) == 0 { known.len() } else { known.len().min(50) };
        let trace = known.end - 1 - self.rng.random_range(0..back);
        self.client_reads_this(trace, Must::BeHonest);
    }

    /// Somebody reads this trace.
    pub(crate) fn client_reads_this(&mut self, trace: usize, must: Must) {
        let Some(on) = self.any_node() else { return };
        let client = self.number();
        let promised = &self.promises.traces[trace];
        let of = (0..).zip(&promised.acknowledged).filter(|(_, is)| **is).map(|(number, _)| number);
        let (id, expected) = (promised.id, of.collect());
        self.promises.reads.insert(client, Question { trace, expected, must });
        self.course.event(self.now_ms, b'q', [client, on as u64, trace as u64]);
        self.read(on, client, id);
    }

    /// An answer, which is held against the promises.
    pub(crate) fn on_found(&mut self, client: u64, on: MachineId, found: Found) {
        let spans = found.trace.span_count();
        self.course.event(self.now_ms, b'f', [client, u64::from(found.is_whole), spans as u64]);
        let Some(question) = self.promises.reads.remove(&client) else { return };
        *(if found.is_whole { &mut self.figures.whole } else { &mut self.figures.partial }) += 1;
        let promised = &self.promises.traces[question.trace];
        let mut numbers = BTreeSet::new();
        for seen in found.trace.spans() {
            let number = (u64::from_be_bytes(seen.span_id.0) as u32).wrapping_sub(1);
            if number as usize >= promised.acknowledged.len() || *seen != span(promised.id, number) {
                return self.broken(Broken::Invented, Some(promised.id), format!("n{on} gives {seen:?}"));
            }
            if !numbers.insert(number) {
                return self.broken(
                    Broken::Twice,
                    Some(promised.id),
                    format!("n{on} gives span {number} twice"),
                );
            }
        }
        if question.must == Must::BeWhole && !found.is_whole {
            let what = format!("all is well, and n{on} does not hear {:?}", found.silent);
            return self.broken(Broken::NotWhole, Some(promised.id), what);
        }
        let missing: Vec<u32> = question.expected.iter().filter(|n| !numbers.contains(n)).copied().collect();
        if (found.is_whole || question.must == Must::LackNothing) && !missing.is_empty() {
            let said = if found.is_whole { "calls whole" } else { "gives" };
            let what =
                format!("n{on} {said} what lacks the spans {missing:?}, not hearing {:?}", found.silent);
            self.broken(Broken::Lost, Some(promised.id), what);
        }
    }
}
