//! The spans of a trace as they came, ordered and with their parents, for a trace of any size: what a span needs
//! beside its bytes is some 100 bytes, and the rest is read when it is shown.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use spanloom_span::model::{AnyValue, KeyValue, Resource, Span};
use spanloom_span::proto::{ProtoError, Reader, Value};
use spanloom_span::view::{self, SpanField, SpanFields};
use spanloom_span::{SpanId, decode};
use spanloom_traceql::eval::{Identity, ParentId, Tree};

/// OTLP's code of a span that failed.
const ERROR: i32 = 2;

/// No span.
const NONE: u32 = u32::MAX;

/// Why a span stands at the top of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Top {
    /// It has no parent.
    Root,
    /// The parent that it names has not come.
    Orphan(SpanId),
    /// What it names as its parent is no span id.
    NoId,
    /// Its parents form a circle, which begins here.
    Circle,
}

/// A span.
pub(super) struct Row {
    body: Bytes,
    identity: Identity,
    /// Which resource made it.
    pub resource: u32,
    /// Whether it failed.
    pub failed: bool,
}

/// A trace: spans in order of start, id and kind, numbered from 0.
pub(super) struct Spans {
    rows: Vec<Row>,
    resources: Vec<Bytes>,
    services: Vec<String>,
    tree: Tree,
    /// First child, next sibling.
    first: Vec<u32>,
    next: Vec<u32>,
    /// What the server says is missing.
    pub partial: Option<String>,
}

impl Spans {
    /// Reads a `TraceByIDResponse`: `{1 trace, 2 metrics, 3 status, 4 message}`, the trace as
    /// `{1 resource_spans}`.
    pub fn read(answer: &Bytes) -> Result<Self, ProtoError> {
        let mut out = Self {
            rows: Vec::new(),
            resources: Vec::new(),
            services: Vec::new(),
            tree: Tree::default(),
            first: Vec::new(),
            next: Vec::new(),
            partial: None,
        };
        let mut reader = Reader::new(answer);
        let (mut is_partial, mut message) = (false, String::new());
        while let Some(field) = reader.next()? {
            match field {
                (1, Value::Bytes(trace)) => out.read_trace(answer, trace)?,
                (3, Value::Varint(status)) => is_partial = status == 1,
                (4, Value::Bytes(text)) => message = String::from_utf8_lossy(text).into_owned(),
                _ => {}
            }
        }
        out.partial = is_partial.then_some(message);
        out.rows.sort_by_key(|row| (row.identity.start, row.identity.id, row.identity.kind));
        out.grow();
        Ok(out)
    }

    fn read_trace(&mut self, answer: &Bytes, trace: &[u8]) -> Result<(), ProtoError> {
        let mut trace = Reader::new(trace);
        while let Some(field) = trace.next()? {
            let (1, Value::Bytes(resource_spans)) = field else { continue };
            let at = self.resources.len() as u32;
            let mut resource: &[u8] = &[];
            let mut reader = Reader::new(resource_spans);
            while let Some(field) = reader.next()? {
                match field {
                    (1, Value::Bytes(body)) => resource = body,
                    (2, Value::Bytes(scope_spans)) => self.read_scope(answer, scope_spans, at)?,
                    _ => {}
                }
            }
            self.services.push(service(&decode::resource(resource)?));
            self.resources.push(answer.slice_ref(resource));
        }
        Ok(())
    }

    fn read_scope(&mut self, answer: &Bytes, scope_spans: &[u8], resource: u32) -> Result<(), ProtoError> {
        let mut reader = Reader::new(scope_spans);
        while let Some(field) = reader.next()? {
            let (2, Value::Bytes(body)) = field else { continue };
            let (identity, failed) = identity(body)?;
            self.rows.push(Row { body: answer.slice_ref(body), identity, resource, failed });
        }
        Ok(())
    }

    /// Finds parents as every other question does: `docs/TRACEQL.md`, "The trace that is judged".
    fn grow(&mut self) {
        self.tree.grow(self.rows.iter().map(|row| &row.identity));
        self.first = vec![NONE; self.rows.len()];
        self.next = vec![NONE; self.rows.len()];
        for at in (0..self.rows.len() as u32).rev() {
            if let Some(parent) = self.tree.parent(at) {
                self.next[at as usize] = std::mem::replace(&mut self.first[parent as usize], at);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn row(&self, span: u32) -> &Row {
        &self.rows[span as usize]
    }

    /// The service of a span, not escaped; empty when its resource names none.
    pub fn service(&self, span: u32) -> &str {
        &self.services[self.row(span).resource as usize]
    }

    /// Different services, those without a name left out.
    pub fn service_count(&self) -> usize {
        self.services.iter().filter(|name| !name.is_empty()).collect::<HashSet<_>>().len()
    }

    /// Spans that failed.
    pub fn failed_count(&self) -> usize {
        self.rows.iter().filter(|row| row.failed).count()
    }

    /// The attributes of a resource.
    pub fn resource(&self, resource: u32) -> Result<Resource, ProtoError> {
        decode::resource(&self.resources[resource as usize])
    }

    pub fn first_child(&self, span: u32) -> Option<u32> {
        Some(self.first[span as usize]).filter(|child| *child != NONE)
    }

    pub fn next_sibling(&self, span: u32) -> Option<u32> {
        Some(self.next[span as usize]).filter(|sibling| *sibling != NONE)
    }

    /// Earliest start and latest end, nanoseconds since 1970.
    pub fn time(&self) -> (u64, u64) {
        let start = self.rows.first().map_or(0, Row::start);
        (start, self.rows.iter().map(Row::end).max().unwrap_or(0))
    }

    /// The spans without a parent: roots first, then orphans, those of one parent beside each other.
    pub fn tops(&self) -> Vec<(Top, Vec<u32>)> {
        let tops: Vec<u32> =
            (0..self.rows.len() as u32).filter(|at| self.tree.parent(*at).is_none()).collect();
        let is_orphan = |at: &u32| self.row(*at).identity.parent != ParentId::Root;
        // Ids are looked up only where a span names a parent that the tree does not give it.
        let ids: HashSet<u64> = match tops.iter().any(is_orphan) {
            true => self.rows.iter().map(|row| row.identity.id).collect(),
            false => HashSet::new(),
        };
        let mut out: Vec<(Top, Vec<u32>)> = vec![(Top::Root, Vec::new())];
        let mut places: HashMap<u64, usize> = HashMap::new();
        for at in tops {
            let top = match self.row(at).identity.parent {
                ParentId::Root => {
                    out[0].1.push(at);
                    continue;
                }
                ParentId::Other => Top::NoId,
                ParentId::Id(id) if ids.contains(&id) => Top::Circle,
                ParentId::Id(id) => {
                    let place = *places.entry(id).or_insert_with(|| {
                        out.push((Top::Orphan(SpanId(id.to_be_bytes())), Vec::new()));
                        out.len() - 1
                    });
                    out[place].1.push(at);
                    continue;
                }
            };
            out.push((top, vec![at]));
        }
        out.retain(|(_, spans)| !spans.is_empty());
        out
    }
}

impl Row {
    /// Nanoseconds since 1970.
    pub fn start(&self) -> u64 {
        self.identity.start
    }

    /// Nanoseconds since 1970, never before the start.
    pub fn end(&self) -> u64 {
        self.identity.start.saturating_add(self.identity.duration)
    }

    /// Nanoseconds.
    pub fn duration(&self) -> u64 {
        self.identity.duration
    }

    /// Its id.
    pub fn id(&self) -> SpanId {
        SpanId(self.identity.id.to_be_bytes())
    }

    /// Its name, not escaped.
    pub fn name(&self) -> String {
        String::from_utf8_lossy(view::name(&self.body).unwrap_or_default()).into_owned()
    }

    /// All of it.
    pub fn whole(&self) -> Result<Span, ProtoError> {
        decode::span(&self.body)
    }
}

/// What tells a span from others, and whether it failed.
fn identity(body: &[u8]) -> Result<(Identity, bool), ProtoError> {
    let mut out = Identity { id: 0, kind: 0, parent: ParentId::Root, start: 0, duration: 0 };
    let (mut end, mut failed) = (0, false);
    let mut fields = SpanFields::new(body);
    while let Some(field) = fields.next()? {
        match field {
            SpanField::SpanId(id) => out.id = id.try_into().map_or(0, u64::from_be_bytes),
            SpanField::ParentSpanId(id) => out.parent = parent(id),
            SpanField::Kind(kind) => out.kind = kind,
            SpanField::Start(start) => out.start = start,
            SpanField::End(at) => end = at,
            SpanField::Status(status) => failed = view::status(status)?.0 == ERROR,
            _ => {}
        }
    }
    out.duration = u64::saturating_sub(end, out.start);
    Ok((out, failed))
}

fn parent(id: &[u8]) -> ParentId {
    match id.try_into().map(u64::from_be_bytes) {
        Ok(0) => ParentId::Root,
        Ok(id) => ParentId::Id(id),
        Err(_) if id.iter().all(|byte| *byte == 0) => ParentId::Root,
        Err(_) => ParentId::Other,
    }
}

fn service(resource: &Resource) -> String {
    let named = |of: &&KeyValue| of.key == "service.name";
    match resource.attributes.iter().find(named).map(|of| &of.value) {
        Some(AnyValue::Str(text)) => text.clone(),
        _ => String::new(),
    }
}
