//! Stop 2 of 9: slice. Receives the bytes of an `ExportTraceServiceRequest`, hands on a [`Batch`].
//!
//! One walk over the bytes checks all of them (lengths, wire types, UTF-8, ids, nesting) and notes where each
//! trace's spans lie. Nothing is copied and nothing is built but the slices. Budget: 300 ns a span of 400 B.
//!
//! Fields may come in any order. A message field that protobuf allows to be split over several occurrences
//! (`resource`, `scope`) is refused when it comes twice: no sender does that. `instrumentation_library_spans`
//! of OTLP before 0.15 (field 1000) is read as `scope_spans`, to which it is identical on the wire.

use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use crate::batch::{Batch, ResourceSlice, ScopeSlice, SpanSlice, Stretch, TraceGroup};
use crate::proto::{ProtoError, Reader, Value};
use crate::view::{SpanField, SpanFields, ValueView, any_value, short_text, status};
use crate::{SpanId, TraceId};

/// What a request may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliceLimits {
    /// Deepest nesting of array and map values; deeper requests are refused.
    pub max_depth: u32,
    /// Largest span in bytes; larger spans are refused, the others of the request are taken.
    pub max_span_bytes: u32,
}

impl Default for SliceLimits {
    fn default() -> Self {
        Self { max_depth: 32, max_span_bytes: 64 << 20 }
    }
}

/// Why a request is refused whole. Nothing was kept of it; sending it again cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SliceError {
    /// Not protobuf.
    #[error("{message} at byte {at} of the request is not protobuf: {source}")]
    Proto {
        /// The message being read.
        message: &'static str,
        /// Where it begins.
        at: usize,
        /// What is wrong, counted from there.
        source: ProtoError,
    },
    /// A known field with a wire type that it cannot have.
    #[error("field {field} of {message} at byte {at} of the request has the wrong wire type")]
    WireType {
        /// The message being read.
        message: &'static str,
        /// The field.
        field: u32,
        /// Where the message begins.
        at: usize,
    },
    /// A string that is not UTF-8.
    #[error("{what} at byte {at} of the request is not UTF-8")]
    Utf8 {
        /// Which string.
        what: &'static str,
        /// Where it begins.
        at: usize,
    },
    /// A trace id of another length than 16 bytes, or all zero.
    #[error("trace ids must be 128 bit and not zero, found {found} in the span at byte {at} of the request")]
    TraceId {
        /// What was found.
        found: String,
        /// Where the span begins.
        at: usize,
    },
    /// A span id of another length than 8 bytes, or all zero.
    #[error("span ids must be 64 bit and not zero, found {found} in the span at byte {at} of the request")]
    SpanId {
        /// What was found.
        found: String,
        /// Where the span begins.
        at: usize,
    },
    /// Array or map values nested too deeply.
    #[error("a value at byte {at} of the request is nested deeper than {max} levels")]
    TooDeep {
        /// Where the value begins.
        at: usize,
        /// The limit.
        max: u32,
    },
    /// A message that may stand once stands twice.
    #[error("{what} at byte {at} of the request comes a second time, expected once")]
    Twice {
        /// Which one.
        what: &'static str,
        /// Where the second begins.
        at: usize,
    },
    /// More bytes than a slice can name.
    #[error("the request has {found} bytes, expected less than 4 GiB")]
    TooLarge {
        /// Its bytes.
        found: usize,
    },
}

/// Checks a request and slices it by trace.
pub fn slice(bytes: Bytes, limits: &SliceLimits) -> Result<Batch, SliceError> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(SliceError::TooLarge { found: bytes.len() });
    }
    let mut walk = Walk::new(&bytes, *limits);
    walk.request()?;
    let Walk { resources, scopes, found, mut groups, refused_spans, .. } = walk;
    let spans = gather(&found, &mut groups);
    Ok(Batch { resources, scopes, spans, groups, refused_spans, permit: None, bytes })
}

/// Sorts spans by trace, keeping their order within a trace (a counting sort).
pub(crate) fn gather(found: &[(SpanSlice, u32)], groups: &mut [TraceGroup]) -> Vec<SpanSlice> {
    let mut next = 0;
    for group in groups.iter_mut() {
        group.first = next;
        next += group.count;
    }
    let mut places: Vec<u32> = groups.iter().map(|g| g.first).collect();
    let mut spans = vec![SpanSlice::default(); found.len()];
    for (span, group) in found {
        let place = &mut places[*group as usize];
        spans[*place as usize] = *span;
        *place += 1;
    }
    // Roots were noted by arrival order within the group.
    for group in groups.iter_mut() {
        group.root = group.root.map(|nth| group.first + nth);
    }
    spans
}

struct Walk<'a> {
    whole: &'a [u8],
    limits: SliceLimits,
    resources: Vec<ResourceSlice>,
    scopes: Vec<ScopeSlice>,
    found: Vec<(SpanSlice, u32)>,
    groups: Vec<TraceGroup>,
    index: HashTable<u32>,
    hasher: RandomState,
    last_group: usize,
    refused_spans: u32,
}

impl<'a> Walk<'a> {
    fn new(whole: &'a [u8], limits: SliceLimits) -> Self {
        // A span takes some hundreds of bytes; a wrong guess costs one growth.
        let spans = whole.len() / 300 + 1;
        Self {
            whole,
            limits,
            resources: Vec::new(),
            scopes: Vec::new(),
            found: Vec::with_capacity(spans),
            groups: Vec::new(),
            index: HashTable::new(),
            hasher: RandomState::default(),
            last_group: usize::MAX,
            refused_spans: 0,
        }
    }

    fn at(&self, part: &[u8]) -> usize {
        part.as_ptr().addr() - self.whole.as_ptr().addr()
    }

    fn stretch(&self, part: &[u8]) -> Stretch {
        if part.is_empty() {
            return Stretch::default();
        }
        let from = self.at(part) as u32;
        Stretch { from, to: from + part.len() as u32 }
    }

    fn proto(&self, message: &'static str, body: &[u8]) -> impl FnOnce(ProtoError) -> SliceError {
        let at = self.at(body);
        move |source| SliceError::Proto { message, at, source }
    }

    fn wire_type<T>(&self, message: &'static str, field: u32, body: &[u8]) -> Result<T, SliceError> {
        Err(SliceError::WireType { message, field, at: self.at(body) })
    }

    #[inline]
    fn utf8(&self, what: &'static str, text: &[u8]) -> Result<(), SliceError> {
        if is_utf8(text) { Ok(()) } else { Err(SliceError::Utf8 { what, at: self.at(text) }) }
    }

    fn request(&mut self) -> Result<(), SliceError> {
        let whole = self.whole;
        let mut reader = Reader::new(whole);
        while let Some(field) = reader.next().map_err(self.proto("the request", whole))? {
            match field {
                (1, Value::Bytes(body)) => self.resource_spans(body)?,
                (1, _) => return self.wire_type("the request", 1, whole),
                _ => {}
            }
        }
        Ok(())
    }

    fn resource_spans(&mut self, body: &'a [u8]) -> Result<(), SliceError> {
        let mine = self.resources.len();
        let spans_before = self.found.len();
        self.resources.push(ResourceSlice::default());
        let mut seen = false;
        let mut reader = Reader::new(body);
        while let Some(field) = reader.next().map_err(self.proto("ResourceSpans", body))? {
            match field {
                (1, Value::Bytes(resource)) => {
                    if std::mem::replace(&mut seen, true) {
                        return Err(SliceError::Twice { what: "resource", at: self.at(resource) });
                    }
                    self.resources[mine].resource = self.stretch(resource);
                    self.resources[mine].service = self.resource(resource)?;
                }
                (2 | 1000, Value::Bytes(scope_spans)) => self.scope_spans(scope_spans, mine as u32)?,
                (3, Value::Bytes(url)) => {
                    self.utf8("schema_url", url)?;
                    self.resources[mine].schema_url = self.stretch(url);
                }
                (number @ (1..=3 | 1000), _) => return self.wire_type("ResourceSpans", number, body),
                _ => {}
            }
        }
        if self.found.len() == spans_before {
            self.resources.truncate(mine);
        }
        Ok(())
    }

    fn scope_spans(&mut self, body: &'a [u8], resource: u32) -> Result<(), SliceError> {
        let mine = self.scopes.len();
        let spans_before = self.found.len();
        self.scopes.push(ScopeSlice { resource, ..ScopeSlice::default() });
        let mut seen = false;
        let mut reader = Reader::new(body);
        while let Some(field) = reader.next().map_err(self.proto("ScopeSpans", body))? {
            match field {
                (2, Value::Bytes(span)) => self.span(span, mine as u32)?,
                (1, Value::Bytes(scope)) => {
                    if std::mem::replace(&mut seen, true) {
                        return Err(SliceError::Twice { what: "scope", at: self.at(scope) });
                    }
                    self.scope(scope)?;
                    self.scopes[mine].scope = self.stretch(scope);
                }
                (3, Value::Bytes(url)) => {
                    self.utf8("schema_url", url)?;
                    self.scopes[mine].schema_url = self.stretch(url);
                }
                (number @ 1..=3, _) => return self.wire_type("ScopeSpans", number, body),
                _ => {}
            }
        }
        if self.found.len() == spans_before {
            self.scopes.truncate(mine);
        }
        Ok(())
    }

    /// Checks a resource; yields where its `service.name` lies.
    fn resource(&self, body: &'a [u8]) -> Result<Stretch, SliceError> {
        let mut service = Stretch::default();
        let mut reader = Reader::new(body);
        while let Some(field) = reader.next().map_err(self.proto("Resource", body))? {
            match field {
                (1, Value::Bytes(attribute)) => {
                    if let (b"service.name", ValueView::Str(name)) = self.key_value(attribute, 0)? {
                        service = self.stretch(name);
                    }
                }
                (2, Value::Varint(_)) => {}
                (number @ 1..=2, _) => return self.wire_type("Resource", number, body),
                _ => {}
            }
        }
        Ok(service)
    }

    fn scope(&self, body: &'a [u8]) -> Result<(), SliceError> {
        let mut reader = Reader::new(body);
        while let Some(field) = reader.next().map_err(self.proto("InstrumentationScope", body))? {
            match field {
                (1 | 2, Value::Bytes(text)) => self.utf8("a scope's name or version", text)?,
                (3, Value::Bytes(attribute)) => drop(self.key_value(attribute, 0)?),
                (4, Value::Varint(_)) => {}
                (number @ 1..=4, _) => return self.wire_type("InstrumentationScope", number, body),
                _ => {}
            }
        }
        Ok(())
    }

    fn span(&mut self, body: &'a [u8], scope: u32) -> Result<(), SliceError> {
        let facts = self.check_span(body)?;
        if body.len() > self.limits.max_span_bytes as usize {
            self.refused_spans += 1;
            return Ok(());
        }
        let group = self.group_of(facts.trace_id);
        let entry = &mut self.groups[group];
        if entry.count == 0 {
            (entry.start, entry.end) = (facts.start, facts.end);
        }
        if facts.root && entry.root.is_none() {
            entry.root = Some(entry.count);
        }
        entry.count += 1;
        entry.bytes += body.len() as u32;
        entry.errors += u32::from(facts.error);
        entry.start = entry.start.min(facts.start);
        entry.end = entry.end.max(facts.end);
        let body = self.stretch(body);
        self.found.push((SpanSlice { body, scope }, group as u32));
        Ok(())
    }

    /// The group of a trace: most often that of the span before.
    #[inline]
    fn group_of(&mut self, id: TraceId) -> usize {
        if self.groups.get(self.last_group).is_some_and(|g| g.id == id) {
            return self.last_group;
        }
        let hash = self.hasher.hash_one(id);
        let (groups, hasher) = (&mut self.groups, &self.hasher);
        self.last_group = match self.index.find(hash, |&at| groups[at as usize].id == id) {
            Some(&at) => at as usize,
            None => {
                let at = groups.len();
                groups.push(TraceGroup {
                    id,
                    first: 0,
                    count: 0,
                    bytes: 0,
                    errors: 0,
                    start: 0,
                    end: 0,
                    root: None,
                });
                let rehash = |&at: &u32| hasher.hash_one(groups[at as usize].id);
                self.index.insert_unique(hash, at as u32, rehash);
                at
            }
        };
        self.last_group
    }

    fn check_span(&self, body: &'a [u8]) -> Result<SpanFacts, SliceError> {
        let (mut trace_id, mut span_id, mut parent): (&[u8], &[u8], &[u8]) = (&[], &[], &[]);
        let (mut start, mut end, mut error) = (0, 0, false);
        let mut fields = SpanFields::new(body);
        while let Some(field) = fields.next().map_err(self.proto("Span", body))? {
            match field {
                SpanField::Attribute(attribute) => drop(self.key_value(attribute, 0)?),
                SpanField::TraceId(id) => trace_id = id,
                SpanField::SpanId(id) => span_id = id,
                SpanField::ParentSpanId(id) => parent = id,
                SpanField::Name(text) => self.utf8("a span's name", text)?,
                SpanField::Start(t) => start = t,
                SpanField::End(t) => end = t,
                SpanField::Status(body) => error = self.status(body)?,
                SpanField::Event(body) => self.event(body)?,
                SpanField::Link(body) => self.link(body)?,
                SpanField::TraceState(text) => self.utf8("a trace state", text)?,
                SpanField::Unknown(raw) => self.unknown(raw, body)?,
                SpanField::Flags(_)
                | SpanField::Kind(_)
                | SpanField::DroppedAttributes(_)
                | SpanField::DroppedEvents(_)
                | SpanField::DroppedLinks(_) => {}
            }
        }
        let at = self.at(body);
        let trace_id = id_of(trace_id).map_err(|found| SliceError::TraceId { found, at })?;
        let _: [u8; 8] = id_of(span_id).map_err(|found| SliceError::SpanId { found, at })?;
        let root = is_root_parent(parent);
        Ok(SpanFacts { trace_id: TraceId(trace_id), start, end, error, root })
    }

    /// A field of a later OTLP is kept; a known one of the wrong wire type is an error.
    #[cold]
    fn unknown(&self, raw: &[u8], body: &[u8]) -> Result<(), SliceError> {
        match Reader::new(raw).next().map_err(self.proto("Span", body))? {
            Some((number @ 1..=16, _)) => self.wire_type("Span", number, body),
            _ => Ok(()),
        }
    }

    /// Checks a status; yields whether it says error.
    fn status(&self, body: &'a [u8]) -> Result<bool, SliceError> {
        let mut reader = Reader::new(body);
        while let Some(field) = reader.next().map_err(self.proto("Status", body))? {
            match field {
                (2, Value::Bytes(text)) => self.utf8("a status message", text)?,
                (1 | 3, Value::Varint(_)) => {}
                (number @ 1..=3, _) => return self.wire_type("Status", number, body),
                _ => {}
            }
        }
        let (code, _) = status(body).map_err(self.proto("Status", body))?;
        Ok(code == 2)
    }

    fn event(&self, body: &'a [u8]) -> Result<(), SliceError> {
        let mut reader = Reader::new(body);
        while let Some(field) = reader.next().map_err(self.proto("Event", body))? {
            match field {
                (2, Value::Bytes(text)) => self.utf8("an event's name", text)?,
                (3, Value::Bytes(attribute)) => drop(self.key_value(attribute, 0)?),
                (1, Value::Fixed64(_)) | (4, Value::Varint(_)) => {}
                (number @ 1..=4, _) => return self.wire_type("Event", number, body),
                _ => {}
            }
        }
        Ok(())
    }

    fn link(&self, body: &'a [u8]) -> Result<(), SliceError> {
        let mut reader = Reader::new(body);
        while let Some(field) = reader.next().map_err(self.proto("Link", body))? {
            match field {
                (3, Value::Bytes(text)) => self.utf8("a link's trace state", text)?,
                (4, Value::Bytes(attribute)) => drop(self.key_value(attribute, 0)?),
                (1 | 2, Value::Bytes(_)) | (5, Value::Varint(_)) | (6, Value::Fixed32(_)) => {}
                (number @ 1..=6, _) => return self.wire_type("Link", number, body),
                _ => {}
            }
        }
        Ok(())
    }

    #[inline]
    fn key_value(&self, body: &'a [u8], depth: u32) -> Result<(&'a [u8], ValueView<'a>), SliceError> {
        // The framing bytes of such an attribute are below 0x80 too, so one look over all of it checks both texts.
        if let Some((key, text)) = short_text(body)
            && is_ascii(body)
        {
            return Ok((key, ValueView::Str(text)));
        }
        let mut reader = Reader::new(body);
        let (mut key, mut value): (&[u8], _) = (&[], ValueView::Empty);
        while let Some(field) = reader.next().map_err(self.proto("KeyValue", body))? {
            match field {
                (1, Value::Bytes(text)) => {
                    self.utf8("an attribute's key", text)?;
                    key = text;
                }
                (2, Value::Bytes(any)) => value = self.any_value(any, depth)?,
                (number @ 1..=2, _) => return self.wire_type("KeyValue", number, body),
                _ => {}
            }
        }
        Ok((key, value))
    }

    /// Most values are one scalar. Everything else is read field by field: of several fields the last wins, but
    /// all are kept, so all are checked.
    #[inline]
    fn any_value(&self, body: &'a [u8], depth: u32) -> Result<ValueView<'a>, SliceError> {
        let mut reader = Reader::new(body);
        let first = reader.next().map_err(self.proto("AnyValue", body))?;
        Ok(match first.filter(|_| reader.is_empty()) {
            Some((1, Value::Bytes(text))) => {
                self.utf8("a string value", text)?;
                ValueView::Str(text)
            }
            Some((2, Value::Varint(v))) => ValueView::Bool(v != 0),
            Some((3, Value::Varint(v))) => ValueView::Int(v as i64),
            Some((4, Value::Fixed64(v))) => ValueView::Double(f64::from_bits(v)),
            Some((7, Value::Bytes(bytes))) => ValueView::Bytes(bytes),
            _ => {
                self.nested(body, depth)?;
                any_value(body).map_err(self.proto("AnyValue", body))?
            }
        })
    }

    /// Checks what the short way above does not: nested values, and fields of the wrong wire type.
    fn nested(&self, body: &'a [u8], depth: u32) -> Result<(), SliceError> {
        if depth >= self.limits.max_depth {
            return Err(SliceError::TooDeep { at: self.at(body), max: self.limits.max_depth });
        }
        let mut reader = Reader::new(body);
        while let Some(field) = reader.next().map_err(self.proto("AnyValue", body))? {
            let (number, list) = match field {
                (number @ (5 | 6), Value::Bytes(list)) => (number, list),
                (1, Value::Bytes(text)) => {
                    self.utf8("a string value", text)?;
                    continue;
                }
                (7, Value::Bytes(_)) | (2 | 3, Value::Varint(_)) | (4, Value::Fixed64(_)) => continue,
                (number @ 1..=7, _) => return self.wire_type("AnyValue", number, body),
                _ => continue,
            };
            let mut items = Reader::new(list);
            while let Some(item) = items.next().map_err(self.proto("a list value", list))? {
                match (number, item) {
                    (5, (1, Value::Bytes(any))) => drop(self.any_value(any, depth + 1)?),
                    (6, (1, Value::Bytes(pair))) => drop(self.key_value(pair, depth + 1)?),
                    (_, (1, _)) => return self.wire_type("a list value", 1, list),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

struct SpanFacts {
    trace_id: TraceId,
    start: u64,
    end: u64,
    error: bool,
    root: bool,
}

/// Whether a span with this parent has none.
pub(crate) fn is_root_parent(parent: &[u8]) -> bool {
    parent.is_empty() || parent == SpanId::default().0
}

/// An id of `N` bytes, not all zero; else what was found.
fn id_of<const N: usize>(bytes: &[u8]) -> Result<[u8; N], String> {
    match <[u8; N]>::try_from(bytes) {
        Ok(id) if id != [0; N] => Ok(id),
        Ok(_) => Err("only zeros".to_owned()),
        Err(_) => Err(format!("{} bits", bytes.len() * 8)),
    }
}

/// UTF-8 check that is quick for the short ASCII strings that attributes are made of.
#[inline]
fn is_utf8(text: &[u8]) -> bool {
    is_ascii(text) || std::str::from_utf8(text).is_ok()
}

#[inline]
fn is_ascii(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    let mut high = 0u64;
    for word in words {
        high |= u64::from_le_bytes(*word);
    }
    for &b in rest {
        high |= u64::from(b);
    }
    high & 0x8080_8080_8080_8080 == 0
}

#[cfg(test)]
pub(crate) mod tests;
