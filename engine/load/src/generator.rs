//! The stream of requests: traces are drawn one after the other, each of their spans goes to the buffer of the
//! instance that made it, and a buffer that is full or old becomes a request.
//!
//! So a request holds one `ResourceSpans` with the spans of many traces in several `ScopeSpans`, and the spans
//! of a trace arrive in several requests, within `flush_after` of generated time.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use spanloom_span::proto::{ProtoError, put_varint, varint_len};
use spanloom_span::{SpanId, TraceId};

use crate::attributes::Role;
use crate::compile::Shop;
use crate::encode::Facts;
use crate::fingerprint::Fingerprint;
use crate::pattern::Context;
use crate::plan::{OUTSIDE, Plan};
use crate::profile::Profile;
use crate::random::{Random, Zipf, splitmix};
use crate::sample::{Part, Sampler};
use crate::shop::ENTRIES;

/// Users of the shop.
const USERS: u32 = 10_000;

/// Producers that are remembered, so that later consumers can link to them.
const REMEMBERED: usize = 64;

/// Where generated time begins when nothing else is asked for: 2026-01-01 00:00:00 UTC in nanoseconds.
pub const DEFAULT_START: u64 = 1_767_225_600_000_000_000;

/// Address of the load balancer, from which traces come.
const LOAD_BALANCER: &str = "10.4.0.2";

/// The `schema_url` field that ends each `ResourceSpans` and `ScopeSpans`.
const SCHEMA: &[u8] = b"\x1a\x27https://opentelemetry.io/schemas/1.37.0";

/// What is generated. The same options and seed give the same bytes, unless `start` is empty.
#[derive(Debug, Clone)]
pub struct GeneratorOptions {
    /// Size of the spans.
    pub profile: Profile,
    /// Seed of everything random.
    pub seed: u64,
    /// Start of generated time in nanoseconds since 1970; none: each trace ends at the moment it is made.
    pub start: Option<u64>,
    /// Spans for each second of generated time.
    pub rate: f64,
    /// Spans in a request, about; each buffer's limit is drawn between 0.6 and 1.4 of it.
    pub spans_per_request: u32,
    /// Generated time after which a buffer is sent though it is not full.
    pub flush_after: Duration,
    /// No trace begins after so many spans.
    pub max_spans: Option<u64>,
}

impl GeneratorOptions {
    /// The defaults, at a fixed time.
    pub fn new(profile: Profile, seed: u64) -> Self {
        Self {
            profile,
            seed,
            start: Some(DEFAULT_START),
            rate: 60_000.0,
            spans_per_request: 350,
            flush_after: Duration::from_millis(400),
            max_spans: None,
        }
    }
}

/// One `ExportTraceServiceRequest`.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Ordinal in the stream, from 0.
    pub number: u64,
    /// The message.
    pub bytes: Bytes,
    /// Its spans, in wire order.
    pub spans: Vec<(TraceId, SpanId)>,
    /// What is kept of its sampled traces, to compare with what is read back.
    pub parts: Vec<Part>,
}

/// Generates requests without end, or until [`GeneratorOptions::max_spans`] or [`Generator::stop`].
pub struct Generator {
    shop: Shop,
    options: GeneratorOptions,
    random: Random,
    users: Zipf,
    plan: Plan,
    ids: Vec<SpanId>,
    buffers: Vec<Buffer>,
    ready: VecDeque<Request>,
    sampler: Sampler,
    producers: VecDeque<(TraceId, SpanId)>,
    scratch: Vec<u8>,
    /// Nanoseconds of generated time.
    clock: f64,
    spans: u64,
    traces: u64,
    requests: u64,
    stopped: bool,
}

/// The spans of one instance that were not sent yet.
#[derive(Default)]
struct Buffer {
    scopes: Vec<ScopeBuffer>,
    spans: u32,
    limit: u32,
    /// Generated time of the first span.
    since: f64,
    parts: Vec<Part>,
}

#[derive(Default)]
struct ScopeBuffer {
    bytes: Vec<u8>,
    ids: Vec<(TraceId, SpanId)>,
}

impl Generator {
    /// A generator at a fixed time, so that the same seed gives the same bytes.
    pub fn new(profile: Profile, seed: u64) -> Self {
        Self::with(GeneratorOptions::new(profile, seed), Sampler::none())
    }

    /// A generator with these options; `sampler` chooses the traces whose content is kept.
    pub fn with(options: GeneratorOptions, sampler: Sampler) -> Self {
        let shop = Shop::new(ENTRIES, options.profile.level());
        let mut random = Random::new(options.seed);
        let buffers = shop
            .instances
            .iter()
            .map(|instance| Buffer {
                scopes: instance.scopes.iter().map(|_| ScopeBuffer::default()).collect(),
                limit: limit(&mut random, options.spans_per_request),
                ..Buffer::default()
            })
            .collect();
        Self {
            shop,
            options,
            random,
            users: Zipf::new(USERS),
            plan: Plan::default(),
            ids: Vec::new(),
            buffers,
            ready: VecDeque::new(),
            sampler,
            producers: VecDeque::new(),
            scratch: Vec::new(),
            clock: 0.0,
            spans: 0,
            traces: 0,
            requests: 0,
            stopped: false,
        }
    }

    /// Begins no more traces; what is buffered still comes.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Spans generated so far, those in buffers included.
    pub fn spans(&self) -> u64 {
        self.spans
    }

    /// Traces generated so far.
    pub fn traces(&self) -> u64 {
        self.traces
    }

    /// Draws one trace and puts its spans into the buffers.
    fn trace(&mut self) {
        let Self { shop, random, plan, .. } = self;
        plan.draw(shop, random);
        let origin = self.origin();
        let high = u128::from(self.random.nonzero()) << 64;
        let trace = TraceId((high | u128::from(self.random.bits())).to_be_bytes());
        let context = Context { user: self.random.zipf(self.users), session: self.random.bits() };
        let state = if self.random.chance(40) { "shop=t61rcWkgMzE" } else { "" };
        self.ids.clear();
        for _ in 0..self.plan.spans.len() {
            self.ids.push(SpanId(self.random.nonzero().to_be_bytes()));
        }
        let key = splitmix(self.options.seed ^ splitmix(self.traces));
        let sampled = self.sampler.wants(key);
        for place in 0..self.plan.ended.len() {
            let at = self.plan.ended[place];
            self.span(at, trace, origin, context, state, sampled.then_some(key));
        }
        self.spans += self.plan.spans.len() as u64;
        self.traces += 1;
        self.clock += self.plan.spans.len() as f64 * 1e9 / self.options.rate;
    }

    /// When the trace begins, nanoseconds since 1970.
    fn origin(&self) -> u64 {
        match self.options.start {
            Some(start) => start + self.clock as u64,
            None => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                (now.as_nanos() as u64).saturating_sub(self.plan.duration())
            }
        }
    }

    /// Writes one span of the planned trace into its instance's buffer.
    fn span(
        &mut self,
        at: usize,
        trace: TraceId,
        origin: u64,
        context: Context,
        state: &str,
        key: Option<u64>,
    ) {
        let planned = self.plan.spans[at];
        let shape = &self.shop.shapes[planned.shape];
        let span = self.ids[at];
        let parent = if planned.parent == at { SpanId::default() } else { self.ids[planned.parent] };
        let link = match shape.role {
            Role::Consumer if planned.parent == at => {
                let place = self.random.below(self.producers.len() as u32) as usize;
                self.producers.get(place).copied()
            }
            Role::Consumer => Some((trace, parent)),
            _ => None,
        };
        let peer = match planned.peer {
            OUTSIDE => LOAD_BALANCER,
            peer => &self.shop.instances[peer].address,
        };
        let facts = Facts {
            trace,
            span,
            parent,
            link,
            start: origin + planned.start,
            end: origin + planned.end,
            error: planned.error,
            peer,
            context,
            state,
        };
        let buffer = &mut self.buffers[planned.instance];
        if buffer.spans == 0 {
            buffer.since = self.clock;
        }
        buffer.spans += 1;
        let scope = &mut buffer.scopes[shape.scope];
        let mark = scope.bytes.len();
        shape.write(&mut scope.bytes, &mut self.scratch, &mut self.random, &facts);
        scope.ids.push((trace, span));
        if shape.role == Role::Producer {
            if self.producers.len() == REMEMBERED {
                self.producers.pop_front();
            }
            self.producers.push_back((trace, span));
        }
        if let Some(key) = key {
            let of = self.plan.spans.len() as u32;
            let instance = &self.shop.instances[planned.instance];
            if let Ok(print) =
                printed(&scope.bytes[mark..], &instance.resource, &instance.scopes[shape.scope])
            {
                keep(&mut buffer.parts, key, trace, of, print);
            }
        }
        if buffer.spans >= buffer.limit {
            self.flush(planned.instance);
        }
    }

    /// Sends the buffers that are old.
    fn flush_old(&mut self) {
        // One buffer is looked at for each trace: every one of them within a few milliseconds.
        let at = self.traces as usize % self.buffers.len();
        let age = self.clock - self.buffers[at].since;
        if self.buffers[at].spans > 0 && age >= self.options.flush_after.as_nanos() as f64 {
            self.flush(at);
        }
    }

    /// Makes a request of an instance's buffer.
    fn flush(&mut self, at: usize) {
        let buffer = &mut self.buffers[at];
        let instance = &self.shop.instances[at];
        let mut body = instance.resource.len() + SCHEMA.len();
        let scope_len = |scope: usize, bytes: usize| instance.scopes[scope].len() + bytes + SCHEMA.len();
        for (place, scope) in buffer.scopes.iter().enumerate().filter(|(_, s)| !s.ids.is_empty()) {
            let len = scope_len(place, scope.bytes.len());
            body += 1 + varint_len(len as u64) + len;
        }
        let mut out = Vec::with_capacity(body + 6);
        let mut spans = Vec::with_capacity(buffer.spans as usize);
        out.push(0x0a);
        put_varint(&mut out, body as u64);
        out.extend_from_slice(&instance.resource);
        for (place, scope) in buffer.scopes.iter_mut().enumerate().filter(|(_, s)| !s.ids.is_empty()) {
            out.push(0x12);
            put_varint(&mut out, scope_len(place, scope.bytes.len()) as u64);
            out.extend_from_slice(&instance.scopes[place]);
            out.extend_from_slice(&scope.bytes);
            out.extend_from_slice(SCHEMA);
            spans.append(&mut scope.ids);
            scope.bytes.clear();
        }
        out.extend_from_slice(SCHEMA);
        let parts = std::mem::take(&mut buffer.parts);
        buffer.spans = 0;
        buffer.limit = limit(&mut self.random, self.options.spans_per_request);
        self.ready.push_back(Request { number: self.requests, bytes: out.into(), spans, parts });
        self.requests += 1;
    }
}

impl Iterator for Generator {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        loop {
            if let Some(request) = self.ready.pop_front() {
                return Some(request);
            }
            if !self.stopped && self.options.max_spans.is_none_or(|most| self.spans < most) {
                self.trace();
                self.flush_old();
                continue;
            }
            let left = self.buffers.iter().position(|buffer| buffer.spans > 0)?;
            self.flush(left);
        }
    }
}

fn limit(random: &mut Random, spans_per_request: u32) -> u32 {
    let least = spans_per_request * 6 / 10;
    (least + random.below(spans_per_request * 8 / 10 + 1)).max(1)
}

/// The fingerprint of a `spans` field that was just written.
fn printed(field: &[u8], resource: &[u8], scope: &[u8]) -> Result<Fingerprint, ProtoError> {
    let mut reader = spanloom_span::proto::Reader::new(field);
    match reader.next()? {
        Some((2, spanloom_span::proto::Value::Bytes(body))) => {
            let resource = crate::fingerprint::field_body(resource)?;
            let scope = crate::fingerprint::field_body(scope)?;
            let place = crate::fingerprint::place(resource, &SCHEMA[2..], scope, &SCHEMA[2..])?;
            Ok(Fingerprint::of_span(body, place)?.1)
        }
        _ => Err(ProtoError::Truncated { at: 0 }),
    }
}

fn keep(parts: &mut Vec<Part>, key: u64, trace: TraceId, of: u32, print: Fingerprint) {
    match parts.iter_mut().rev().find(|part| part.trace == trace) {
        Some(part) => part.spans.push(print),
        None => parts.push(Part { key, trace, of, spans: vec![print] }),
    }
}
