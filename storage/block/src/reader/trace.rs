//! Stop 9, within one block: a trace rebuilt from its rows' columns.

use std::ops::Range;

use rkyv::rend::u32_le;
use spanloom_span::decode;
use spanloom_span::model::{
    AnyValue, Event, KeyValue, Link, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status, Trace,
};
use spanloom_span::view::ValueView;
use spanloom_span::{SpanId, TraceId};

use crate::columns::{Field, Storage, Table, ValueType, flip_sign, unzigzag};
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::contents::Contents;
use crate::reader::table::TableReader;
use crate::reader::traces::TraceRow;

/// Where the spans of the trace lie.
pub(crate) struct TraceRows {
    pub id: TraceId,
    pub row: TraceRow,
}

/// What an owned span or attribute takes, about.
const ITEM_BYTES: u64 = 32;

/// Rebuilds one trace.
pub(crate) struct Rebuild<'a> {
    block: &'a Contents,
    trace: TraceRow,
    id: TraceId,
    limit: u64,
    left: u64,
    resources: Option<TableReader<'a>>,
    scopes: Option<TableReader<'a>>,
    /// Scope and resource rows of the span before.
    last: Option<(u64, u64)>,
    out: Trace,
    /// Ids of the spans so far, and parents that may come later: (place of the span, row of its parent).
    ids: Vec<SpanId>,
    parents: Vec<u64>,
}

impl<'a> Rebuild<'a> {
    /// Starts with nothing read.
    pub fn new(block: &'a Contents, rows: TraceRows, limit: u64) -> Result<Self> {
        Ok(Self {
            block,
            trace: rows.row,
            id: rows.id,
            limit,
            left: limit,
            resources: TableReader::open(block, Table::Resources, 0)?,
            scopes: TableReader::open(block, Table::Scopes, 0)?,
            last: None,
            out: Trace::default(),
            ids: Vec::new(),
            parents: Vec::new(),
        })
    }

    /// For resources and scopes alone.
    pub fn of_scopes(block: &'a Contents, limit: u64) -> Result<Self> {
        let row = TraceRow { rows: 0..0, start: 0, first_orphan: 0 };
        Self::new(block, TraceRows { id: TraceId::default(), row }, limit)
    }

    /// The row of a scope's resource.
    pub fn resource_of(&mut self, scope: u64) -> Result<u64> {
        self.scopes.as_mut().or_damaged("there are no scopes")?.dense_int(Field::Resource, scope)
    }

    /// Reads all rows.
    pub fn run(mut self) -> Result<Trace> {
        let Range { start, end } = self.trace.rows;
        let mut row = start;
        while row < end {
            let (group, rows) = self.block.group_of(row).or_damaged("a row lies in no group")?;
            let to = end.min(rows.end);
            self.group(group, row - rows.start..to - rows.start)?;
            row = to;
        }
        self.link_parents()?;
        Ok(self.out)
    }

    fn spend(&mut self, bytes: usize) -> Result<()> {
        let left = self.left.checked_sub(bytes as u64 + ITEM_BYTES);
        self.left = left.ok_or(BlockError::TooLarge { limit: self.limit })?;
        Ok(())
    }

    fn group(&mut self, group: u32, rows: Range<u64>) -> Result<()> {
        let spans = TableReader::open(self.block, Table::Spans, group)?;
        let mut spans = spans.or_damaged("a row group has no spans")?;
        let mut events = TableReader::open(self.block, Table::Events, group)?;
        let mut links = TableReader::open(self.block, Table::Links, group)?;
        spans.seek(rows.start)?;
        for row in rows {
            let (head, items) = spans.next_row()?;
            let [kind, code, flags] = head else { return Err(BlockError::Damaged("a shape is too short")) };
            let start = spans.dense_int(Field::Start, row)?.wrapping_add(self.trace.start);
            let mut span = Span {
                trace_id: self.id,
                span_id: SpanId(spans.dense_int(Field::SpanId, row)?.to_be_bytes()),
                name: text(spans.dense_bytes(Field::Name, row)?),
                kind: kind.to_native() as i32,
                flags: flags.to_native(),
                start_time_unix_nano: start,
                end_time_unix_nano: start.wrapping_add(spans.dense_int(Field::Duration, row)?),
                status: Status { code: code.to_native() as i32, ..Status::default() },
                ..Span::default()
            };
            self.ids.push(span.span_id);
            self.parents.push(spans.dense_int(Field::Parent, row)?);
            self.spend(span.name.len())?;
            let scope = spans.dense_int(Field::Scope, row)?;
            let mut boundary = Boundary::None;
            span.attributes.reserve(items.len().min(64));
            for item in items {
                self.item(&mut spans, item.to_native(), &mut span, &mut boundary, &mut events, &mut links)?;
            }
            self.put(span, scope, boundary)?;
        }
        Ok(())
    }

    /// Reads one item of a span's shape: an attribute or a rare field.
    fn item(
        &mut self,
        spans: &mut TableReader<'a>,
        column: u32,
        span: &mut Span,
        boundary: &mut Boundary,
        events: &mut Option<TableReader<'a>>,
        links: &mut Option<TableReader<'a>>,
    ) -> Result<()> {
        let field = self.block.field_of(Table::Spans, column)?;
        if field == Field::Attribute as u8 || field == Field::Overflow as u8 {
            span.attributes.push(self.attribute(spans, Table::Spans, column)?);
            return Ok(());
        }
        let (reader, at) = spans.take(column)?;
        match field {
            f if f == Field::NewScopeSpans as u8 => *boundary = Boundary::Scope,
            f if f == Field::NewResourceSpans as u8 => *boundary = Boundary::Resource,
            f if f == Field::ParentBytes as u8 => span.parent_span_id = reader.bytes(at)?.to_vec(),
            f if f == Field::TraceState as u8 => span.trace_state = text(reader.bytes(at)?),
            f if f == Field::End as u8 => span.end_time_unix_nano = reader.int(at)?,
            f if f == Field::DroppedAttributes as u8 => {
                span.dropped_attributes_count = reader.int(at)? as u32
            }
            f if f == Field::DroppedEvents as u8 => span.dropped_events_count = reader.int(at)? as u32,
            f if f == Field::DroppedLinks as u8 => span.dropped_links_count = reader.int(at)? as u32,
            f if f == Field::StatusMessage as u8 => span.status.message = text(reader.bytes(at)?),
            f if f == Field::StatusUnknown as u8 => span.status.unknown = reader.bytes(at)?.to_vec(),
            f if f == Field::Unknown as u8 => span.unknown = reader.bytes(at)?.to_vec(),
            f if f == Field::EventsEnd as u8 || f == Field::LinksEnd as u8 => {
                let from = if at == 0 { 0 } else { reader.int(at - 1)? };
                let rows = from..reader.int(at)?;
                let start = span.start_time_unix_nano;
                if f == Field::EventsEnd as u8 {
                    let events = events.as_mut().or_damaged("a span has events and its group has none")?;
                    span.events = self.children(events, rows, |this, table| this.event(table, start))?;
                } else {
                    let links = links.as_mut().or_damaged("a span has links and its group has none")?;
                    span.links = self.children(links, rows, Self::link)?;
                }
            }
            _ => return Err(BlockError::Damaged("a shape names a column that is no part of a span")),
        }
        let spent = span.parent_span_id.len() + span.trace_state.len() + span.status.message.len();
        self.spend(spent + span.unknown.len())
    }

    fn children<T>(
        &mut self,
        table: &mut TableReader<'a>,
        rows: Range<u64>,
        read: impl Fn(&mut Self, &mut TableReader<'a>) -> Result<T>,
    ) -> Result<Vec<T>> {
        if rows.start >= rows.end || rows.end > table.len() {
            return Err(BlockError::Damaged("a span's events or links are out of order"));
        }
        table.seek(rows.start)?;
        let mut out = Vec::new();
        for _ in rows {
            self.spend(0)?;
            out.push(read(self, table)?);
        }
        Ok(out)
    }

    fn event(&mut self, table: &mut TableReader<'a>, start: u64) -> Result<Event> {
        let mut out = Event::default();
        let row = table.row();
        let (_, items) = table.next_row()?;
        out.time_unix_nano = table.dense_int(Field::Time, row)?.wrapping_add(start);
        out.name = text(table.dense_bytes(Field::Name, row)?);
        self.spend(out.name.len())?;
        (out.attributes, out.dropped_attributes_count, out.unknown) =
            self.owner(table, Table::Events, items, |_, _| false)?;
        Ok(out)
    }

    fn link(&mut self, table: &mut TableReader<'a>) -> Result<Link> {
        let mut out = Link::default();
        let row = table.row();
        let (_, items) = table.next_row()?;
        out.trace_id = table.dense_bytes(Field::LinkTraceId, row)?.to_vec();
        out.span_id = table.dense_bytes(Field::LinkSpanId, row)?.to_vec();
        self.spend(out.trace_id.len() + out.span_id.len())?;
        let (mut flags, mut trace_state) = (0, String::new());
        (out.attributes, out.dropped_attributes_count, out.unknown) =
            self.owner(table, Table::Links, items, |field, value| {
                match value {
                    Taken::Int(value) if field == Field::Flags as u8 => flags = value as u32,
                    Taken::Bytes(bytes) if field == Field::TraceState as u8 => trace_state = text(bytes),
                    _ => return false,
                }
                true
            })?;
        (out.flags, out.trace_state) = (flags, trace_state);
        Ok(out)
    }

    /// Reads attributes, dropped count and unknown fields of an event, link, resource or scope; `take` is offered
    /// the other fields.
    fn owner(
        &mut self,
        table: &mut TableReader<'a>,
        of: Table,
        items: &[u32_le],
        mut take: impl FnMut(u8, Taken<'_>) -> bool,
    ) -> Result<(Vec<KeyValue>, u32, Vec<u8>)> {
        let (mut attributes, mut dropped, mut unknown) = (Vec::new(), 0, Vec::new());
        for item in items {
            let column = item.to_native();
            let field = self.block.field_of(of, column)?;
            if field == Field::Attribute as u8 || field == Field::Overflow as u8 {
                attributes.push(self.attribute(table, of, column)?);
                continue;
            }
            self.spend(0)?;
            let (reader, at) = table.take(column)?;
            if field == Field::DroppedAttributes as u8 {
                dropped = reader.int(at)? as u32;
            } else if field == Field::Unknown as u8 {
                unknown = reader.bytes(at)?.to_vec();
            } else {
                let taken = match reader.int(at) {
                    Ok(value) => take(field, Taken::Int(value)),
                    Err(_) => take(field, Taken::Bytes(reader.bytes(at)?)),
                };
                taken.then_some(()).or_damaged("a shape names a column that is no part of its table")?;
            }
        }
        self.spend(unknown.len())?;
        Ok((attributes, dropped, unknown))
    }

    fn attribute(&mut self, table: &mut TableReader<'a>, of: Table, column: u32) -> Result<KeyValue> {
        let block = self.block;
        let id = block.column(of, column)?;
        let (reader, at) = table.take(column)?;
        if id.field == Field::Overflow as u8 {
            let body = reader.bytes(at)?;
            let out = decode::key_value(body)?;
            let len = body.len();
            self.spend(len)?;
            return Ok(out);
        }
        let mut spent = id.key.len();
        let value = match id.value_type.storage() {
            Storage::Marker => AnyValue::Empty,
            Storage::Ints => {
                let value = reader.int(at)?;
                match id.value_type {
                    ValueType::Bool => AnyValue::Bool(value != 0),
                    ValueType::Double => AnyValue::Double(f64::from_bits(value)),
                    _ => AnyValue::Int(flip_sign(value) as i64),
                }
            }
            Storage::Bytes => {
                let bytes = reader.bytes(at)?;
                spent += bytes.len();
                match id.value_type {
                    ValueType::Array => decode::value(ValueView::Array(bytes))?,
                    ValueType::Map => decode::value(ValueView::Map(bytes))?,
                    ValueType::Bytes => AnyValue::Bytes(bytes.to_vec()),
                    _ => AnyValue::Str(text(bytes)),
                }
            }
        };
        self.spend(spent)?;
        Ok(KeyValue { key: id.key.clone(), value })
    }

    /// Puts a span where it belongs: it opens a new `ResourceSpans` or `ScopeSpans` when its scope is another one
    /// than that of the span before, or when it is marked.
    fn put(&mut self, span: Span, scope: u64, mark: Boundary) -> Result<()> {
        let resource = match self.last {
            Some((last, resource)) if last == scope => resource,
            _ => self.resource_of(scope)?,
        };
        let implied = match self.last {
            Some(last) if last == (scope, resource) => Boundary::None,
            Some((_, last)) if last == resource => Boundary::Scope,
            _ => Boundary::Resource,
        };
        let boundary = implied.max(mark);
        if boundary == Boundary::Resource {
            let resource_spans = self.resource(resource)?;
            self.out.resource_spans.push(resource_spans);
        }
        if boundary >= Boundary::Scope {
            let scope_spans = self.scope(scope)?;
            let resource_spans = self.out.resource_spans.last_mut();
            resource_spans.or_damaged("a scope without a resource")?.scope_spans.push(scope_spans);
        }
        self.last = Some((scope, resource));
        let scope_spans = self.out.resource_spans.last_mut().and_then(|r| r.scope_spans.last_mut());
        scope_spans.or_damaged("a span without a scope")?.spans.push(span);
        Ok(())
    }

    /// A resource by its row.
    pub fn resource(&mut self, row: u64) -> Result<ResourceSpans> {
        let mut table = self.resources.take().or_damaged("there are no resources")?;
        table.seek(row)?;
        let (_, items) = table.next_row()?;
        let schema_url = text(table.dense_bytes(Field::SchemaUrl, row)?);
        self.spend(schema_url.len())?;
        let (attributes, dropped_attributes_count, unknown) =
            self.owner(&mut table, Table::Resources, items, |_, _| false)?;
        self.resources = Some(table);
        let resource = Resource { attributes, dropped_attributes_count, unknown };
        Ok(ResourceSpans { resource, scope_spans: Vec::new(), schema_url })
    }

    /// A scope by its row.
    pub fn scope(&mut self, row: u64) -> Result<ScopeSpans> {
        let mut table = self.scopes.take().or_damaged("there are no scopes")?;
        table.seek(row)?;
        let (_, items) = table.next_row()?;
        let name = text(table.dense_bytes(Field::Name, row)?);
        let version = text(table.dense_bytes(Field::Version, row)?);
        let schema_url = text(table.dense_bytes(Field::SchemaUrl, row)?);
        self.spend(name.len() + version.len() + schema_url.len())?;
        let (attributes, dropped_attributes_count, unknown) =
            self.owner(&mut table, Table::Scopes, items, |_, _| false)?;
        self.scopes = Some(table);
        let scope = Scope { name, version, attributes, dropped_attributes_count, unknown };
        Ok(ScopeSpans { scope, spans: Vec::new(), schema_url })
    }

    fn link_parents(&mut self) -> Result<()> {
        let spans = self.out.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans);
        let spans = spans.flat_map(|s| &mut s.spans);
        for ((row, &code), span) in self.parents.iter().enumerate().zip(spans) {
            if code == 0 {
                continue;
            }
            let parent = if code % 2 == 1 {
                let row = (row as i64).checked_sub(unzigzag((code - 1) / 2));
                let row = row.and_then(|row| usize::try_from(row).ok());
                row.and_then(|row| self.ids.get(row)).or_damaged("a parent lies outside of its trace")?.0
            } else {
                let at = self.trace.first_orphan.checked_add((code - 2) / 2);
                self.block.orphan(at.or_damaged("an orphan is out of range")?)?.to_be_bytes()
            };
            span.parent_span_id = parent.to_vec();
        }
        Ok(())
    }
}

/// A value of a rare field.
enum Taken<'a> {
    Int(u64),
    Bytes(&'a [u8]),
}

/// What begins with a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Boundary {
    None,
    Scope,
    Resource,
}

/// Text that was checked when it came in; bytes that are no text can only come from a forged block.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}
