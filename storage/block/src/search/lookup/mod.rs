//! The values of fields in any span of a block, read in place.
//!
//! What a row's class decides (what its shape names, what its resource says, columns by class) is found once for each
//! class and remembered; the rest is looked up in the row.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | where values lie, and what they are |
//! | `rows.rs` | rows of a table in a row group, at any place |
//! | `source.rs` | which columns a field of TraceQL reads |
//! | `attributes.rs` | every attribute of a span |
//! | `services.rs` | the services of spans |

mod attributes;
pub(crate) mod rows;
pub(crate) mod services;
pub(crate) mod source;

use std::ops::Range;
use std::rc::Rc;

use hashbrown::HashMap;

use spanloom_span::view;
use spanloom_traceql::ast;
use spanloom_traceql::ast::Intrinsic;
use spanloom_traceql::value::Value;

use crate::columns::{Field, Storage, Table, ValueType, flip_sign};
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::contents::Contents;
use crate::search::lookup::rows::{MAX_REMEMBERED, Rows, SlotId};
use crate::search::lookup::source::{Keyed, Named, Source};

/// Row groups that are held open. Beyond it all are closed: a block has a row group for 65,536 spans.
const MAX_OPEN: usize = 32;

/// Most events, and links, of a span that are looked at. A forged block may claim any number.
const MAX_CHILDREN: u64 = 1 << 22;

/// Where the value of a field lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Found {
    /// Not looked for yet.
    Unknown,
    /// Somewhere else in each row.
    ByRow,
    /// Nowhere.
    Nil,
    /// It is empty text.
    Empty,
    Kind(i32),
    Status(i32),
    /// A value of a column.
    Value {
        table: Table,
        value_type: ValueType,
        slot: SlotId,
        at: u64,
    },
    /// A value of an overflow column, with its key.
    Overflow {
        table: Table,
        slot: SlotId,
        at: u64,
    },
}

/// What the head of a shape says of its rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub kind: i32,
    pub status: i32,
    has_events: bool,
    has_links: bool,
}

/// A row of the table of spans.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpanRow {
    pub group: u32,
    /// Within the group.
    pub row: u64,
}

/// What a span's trace says of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfTrace<'t> {
    pub id: &'t [u8; 16],
    /// First row in the block.
    pub first_row: u64,
    /// Its number among the block's traces.
    pub place: u64,
}

/// A row group that is open.
pub(crate) struct OpenGroup<'a> {
    pub first_row: u64,
    pub spans: Rows<'a>,
    events: Option<Rows<'a>>,
    links: Option<Rows<'a>>,
    heads: Vec<Option<Head>>,
    /// Where each field's value lies, by class.
    found: Vec<Vec<Found>>,
    /// Number of the service of each class.
    pub services: Vec<u32>,
}

/// The values of fields in any span of a block.
pub(crate) struct Lookup<'a> {
    pub block: &'a Contents,
    sources: Vec<Source>,
    groups: Vec<Option<Box<OpenGroup<'a>>>>,
    open: usize,
    resources: Option<Rows<'a>>,
    scopes: Option<Rows<'a>>,
    /// Columns of events and links in the shapes of spans.
    ends: [u32; 2],
    scratch: Vec<u8>,
    /// What shapes name, by table.
    named: HashMap<(u8, u64), Rc<attributes::Named>, foldhash::fast::FixedState>,
}

const NOWHERE: u32 = u32::MAX;

impl<'a> Lookup<'a> {
    /// Resolves fields, which are asked for by their places in the list.
    pub fn new(block: &'a Contents, fields: &[ast::Field]) -> Result<Self> {
        let base = block.table_columns(Table::Spans).start;
        let column = |field| block.field_column(Table::Spans, field).map_or(NOWHERE, |column| column - base);
        Ok(Self {
            block,
            sources: fields.iter().map(|field| Source::of(block, field)).collect(),
            groups: block.groups.iter().map(|_| None).collect(),
            open: 0,
            resources: Rows::open(block, Table::Resources, 0)?,
            scopes: Rows::open(block, Table::Scopes, 0)?,
            ends: [column(Field::EventsEnd), column(Field::LinksEnd)],
            scratch: Vec::new(),
            named: HashMap::default(),
        })
    }

    /// Closes all row groups, and forgets what was found in them.
    pub fn close(&mut self) {
        self.groups.iter_mut().for_each(|group| *group = None);
        self.open = 0;
    }

    /// A row group, opened now if it is not.
    #[inline]
    pub fn group(&mut self, group: u32) -> Result<&mut OpenGroup<'a>> {
        if !self.groups.get(group as usize).is_some_and(Option::is_some) {
            self.open_group(group)?;
        }
        self.groups
            .get_mut(group as usize)
            .and_then(Option::as_deref_mut)
            .or_damaged("there is no such row group")
    }

    fn open_group(&mut self, group: u32) -> Result<()> {
        if self.open >= MAX_OPEN {
            self.close();
        }
        let block = self.block;
        let first_row = block.groups.get(group as usize).or_damaged("there is no such row group")?.first_row;
        let spans = Rows::open(block, Table::Spans, group)?.or_damaged("a row group has no spans")?;
        self.groups[group as usize] = Some(Box::new(OpenGroup {
            first_row,
            spans,
            events: Rows::open(block, Table::Events, group)?,
            links: Rows::open(block, Table::Links, group)?,
            heads: Vec::new(),
            found: self.sources.iter().map(|_| Vec::new()).collect(),
            services: Vec::new(),
        }));
        self.open += 1;
        Ok(())
    }

    /// What the head of the shape of the rows with a key says.
    #[inline]
    pub fn head(&mut self, group: u32, key: u64) -> Result<Head> {
        let ends = self.ends;
        let group = self.group(group)?;
        match group.heads.get(key as usize) {
            Some(Some(head)) => Ok(*head),
            _ => group.look_at_head(key, ends),
        }
    }

    /// The row of a span's scope, and whether its class decides it.
    pub fn scope(&mut self, at: SpanRow) -> Result<(u64, bool)> {
        let spans = &mut self.group(at.group)?.spans;
        let slot = spans.field(Field::Scope)?;
        let place = spans.dense(slot, at.row)?;
        Ok((spans.int(slot, place)?, spans.is_by_class(slot)))
    }

    /// The row of a scope's resource.
    pub fn resource(&mut self, scope: u64) -> Result<u64> {
        let scopes = self.scopes.as_mut().or_damaged("there are no scopes")?;
        let slot = scopes.field(Field::Resource)?;
        scopes.int(slot, scope)
    }

    /// A table's rows, those of spans, events and links in a group.
    pub fn rows(&mut self, table: Table, group: u32) -> Result<&mut Rows<'a>> {
        let rows = match table {
            Table::Resources => self.resources.as_mut(),
            Table::Scopes => self.scopes.as_mut(),
            Table::Spans => Some(&mut self.group(group)?.spans),
            Table::Events => self.group(group)?.events.as_mut(),
            Table::Links => self.group(group)?.links.as_mut(),
            Table::Traces => None,
        };
        rows.or_damaged("a table has no rows where it is referred to")
    }

    /// Where the value of a field lies for all rows of a class, of which `row` is one; [`Found::ByRow`] when its rows
    /// have values of their own, and always in a group without classes.
    #[inline]
    pub fn of_class(&mut self, at: SpanRow, field: usize) -> Result<Found> {
        let group = self.group(at.group)?;
        if !group.spans.has_classes() {
            return Ok(Found::ByRow);
        }
        let class = group.spans.key(at.row)?;
        match group.found.get(field).and_then(|found| found.get(class as usize)) {
            Some(found) if *found != Found::Unknown => Ok(*found),
            _ => self.decide(at, class, field),
        }
    }

    fn decide(&mut self, at: SpanRow, class: u64, field: usize) -> Result<Found> {
        let found = self.with_source(field, |this, source| this.decided(at, source))?;
        let class = class as usize;
        if class < MAX_REMEMBERED
            && let Some(known) = self.group(at.group)?.found.get_mut(field)
        {
            if known.len() <= class {
                known.resize(class + 1, Found::Unknown);
            }
            known[class] = found;
        }
        Ok(found)
    }

    /// Runs `run` with a field's source taken out, so that both can be changed.
    fn with_source<T>(
        &mut self,
        field: usize,
        run: impl FnOnce(&mut Self, &mut Source) -> Result<T>,
    ) -> Result<T> {
        let source = self.sources.get_mut(field).or_damaged("there is no such field")?;
        let mut source = std::mem::replace(source, Source::Trace);
        let out = run(self, &mut source);
        self.sources[field] = source;
        out
    }

    fn decided(&mut self, at: SpanRow, source: &mut Source) -> Result<Found> {
        let tables = match source {
            Source::Trace => return Ok(Found::Nil),
            Source::Intrinsic(intrinsic) => return self.decided_intrinsic(at, *intrinsic),
            Source::Attribute(tables) => tables,
        };
        for keyed in tables {
            let (found, is_decided) = self.find(at, keyed)?;
            if !is_decided {
                return Ok(Found::ByRow);
            }
            if found != Found::Nil {
                return Ok(found);
            }
        }
        Ok(Found::Nil)
    }

    fn decided_intrinsic(&mut self, at: SpanRow, intrinsic: Intrinsic) -> Result<Found> {
        let key = self.group(at.group)?.spans.key(at.row)?;
        let head = self.head(at.group, key)?;
        Ok(match intrinsic {
            Intrinsic::Kind => Found::Kind(head.kind),
            Intrinsic::Status => Found::Status(head.status),
            Intrinsic::EventName | Intrinsic::EventTimeSinceStart if !head.has_events => Found::Nil,
            Intrinsic::LinkTraceId | Intrinsic::LinkSpanId if !head.has_links => Found::Nil,
            Intrinsic::Name | Intrinsic::StatusMessage => {
                let found = self.text_of_span(at, intrinsic)?;
                let is_decided = match found {
                    Found::Value { slot, .. } => self.group(at.group)?.spans.is_by_class(slot),
                    _ => true,
                };
                if is_decided { found } else { Found::ByRow }
            }
            Intrinsic::InstrumentationName | Intrinsic::InstrumentationVersion => {
                let (scope, is_decided) = self.scope(at)?;
                if is_decided { self.text_of_scope(scope, intrinsic)? } else { Found::ByRow }
            }
            _ => Found::ByRow,
        })
    }

    /// Where the attribute of a span lies in one table, and whether the span's class decides it. [`Found::ByRow`] for
    /// events and links that are there.
    fn find(&mut self, at: SpanRow, keyed: &mut Keyed) -> Result<(Found, bool)> {
        match keyed.table {
            Table::Spans => self.find_in(at.group, at.row, keyed),
            Table::Events | Table::Links => {
                let key = self.group(at.group)?.spans.key(at.row)?;
                let head = self.head(at.group, key)?;
                let is_there = if keyed.table == Table::Events { head.has_events } else { head.has_links };
                Ok(if is_there { (Found::ByRow, false) } else { (Found::Nil, true) })
            }
            Table::Resources => {
                let (scope, is_decided) = self.scope(at)?;
                let resource = self.resource(scope)?;
                Ok((self.find_in(at.group, resource, keyed)?.0, is_decided))
            }
            Table::Scopes => {
                let (scope, is_decided) = self.scope(at)?;
                Ok((self.find_in(at.group, scope, keyed)?.0, is_decided))
            }
            Table::Traces => Ok((Found::Nil, true)),
        }
    }

    /// Where the attribute of a row of a table lies, and whether the row's class decides it.
    pub fn find_in(&mut self, group: u32, row: u64, keyed: &mut Keyed) -> Result<(Found, bool)> {
        let table = keyed.table;
        let rows = self.rows(table, group)?;
        let key = rows.key(row)?;
        let shape = rows.shape_of(key)?;
        let (_, items) = rows.items(shape)?;
        match keyed.named(shape, items) {
            Named::Unknown | Named::Not => Ok((Found::Nil, true)),
            Named::Perhaps => Ok((search_overflow(rows, row, keyed)?, false)),
            Named::First(place) => {
                let (column, value_type) = keyed.columns[place as usize];
                if value_type == ValueType::Empty {
                    return Ok((Found::Nil, true));
                }
                let slot = rows.slot(column)?;
                let at = rows.place(slot, row)?;
                Ok((Found::Value { table, value_type, slot, at }, rows.is_by_class(slot)))
            }
        }
    }

    fn text_of_span(&mut self, at: SpanRow, intrinsic: Intrinsic) -> Result<Found> {
        let base = self.block.table_columns(Table::Spans).start;
        let message = self.block.field_column(Table::Spans, Field::StatusMessage);
        let spans = &mut self.group(at.group)?.spans;
        let (slot, place) = if intrinsic == Intrinsic::Name {
            let slot = spans.field(Field::Name)?;
            (slot, spans.dense(slot, at.row)?)
        } else {
            let key = spans.key(at.row)?;
            let (_, items) = spans.items(spans.shape_of(key)?)?;
            let column = message.map_or(NOWHERE, |column| column - base);
            if !items.iter().any(|item| item.to_native() == column) {
                return Ok(Found::Empty);
            }
            let slot = spans.slot(column)?;
            (slot, spans.place(slot, at.row)?)
        };
        Ok(Found::Value { table: Table::Spans, value_type: ValueType::Str, slot, at: place })
    }

    fn text_of_scope(&mut self, scope: u64, intrinsic: Intrinsic) -> Result<Found> {
        let field = if intrinsic == Intrinsic::InstrumentationName { Field::Name } else { Field::Version };
        let scopes = self.scopes.as_mut().or_damaged("there are no scopes")?;
        let slot = scopes.field(field)?;
        Ok(Found::Value { table: Table::Scopes, value_type: ValueType::Str, slot, at: scope })
    }

    /// Where the value of a field lies in a row; [`Found::ByRow`] when it does not lie in one place: values of events
    /// and links, and those that are made.
    pub fn of_row(&mut self, at: SpanRow, field: usize) -> Result<Found> {
        match self.of_class(at, field)? {
            Found::ByRow => self.with_source(field, |this, source| this.found_in_row(at, source)),
            found => Ok(found),
        }
    }

    fn found_in_row(&mut self, at: SpanRow, source: &mut Source) -> Result<Found> {
        let tables = match source {
            Source::Trace => return Ok(Found::Nil),
            Source::Intrinsic(intrinsic @ (Intrinsic::Name | Intrinsic::StatusMessage)) => {
                return self.text_of_span(at, *intrinsic);
            }
            Source::Intrinsic(Intrinsic::InstrumentationName | Intrinsic::InstrumentationVersion) => {
                return Ok(Found::ByRow);
            }
            Source::Intrinsic(intrinsic) => return self.decided_intrinsic(at, *intrinsic),
            Source::Attribute(tables) => tables,
        };
        for keyed in tables {
            let (found, _) = self.find(at, keyed)?;
            if found != Found::Nil {
                return Ok(found);
            }
        }
        Ok(Found::Nil)
    }

    /// Shows the values of a field in a span: each of them for events and links, nil once where there is none.
    pub fn see(
        &mut self,
        at: SpanRow,
        of: OfTrace<'_>,
        field: usize,
        see: &mut dyn FnMut(Value<'_>),
    ) -> Result<()> {
        match self.of_class(at, field)? {
            Found::ByRow => self.with_source(field, |this, source| this.see_in_row(at, of, source, see)),
            found => self.show(at.group, found, see),
        }
    }

    fn see_in_row(
        &mut self,
        at: SpanRow,
        of: OfTrace<'_>,
        source: &mut Source,
        see: &mut dyn FnMut(Value<'_>),
    ) -> Result<()> {
        let tables = match source {
            Source::Trace => {
                see(Value::Nil);
                return Ok(());
            }
            Source::Intrinsic(intrinsic) => return self.see_intrinsic(at, of, *intrinsic, see),
            Source::Attribute(tables) => tables,
        };
        for keyed in tables {
            let found = if matches!(keyed.table, Table::Events | Table::Links) {
                let mut is_there = false;
                for row in self.children(at, keyed.table)? {
                    let found = self.find_in(at.group, row, keyed)?.0;
                    if found != Found::Nil {
                        is_there = true;
                        self.show(at.group, found, see)?;
                    }
                }
                if is_there {
                    return Ok(());
                }
                Found::Nil
            } else {
                self.find(at, keyed)?.0
            };
            if found != Found::Nil {
                return self.show(at.group, found, see);
            }
        }
        see(Value::Nil);
        Ok(())
    }

    fn see_intrinsic(
        &mut self,
        at: SpanRow,
        of: OfTrace<'_>,
        intrinsic: Intrinsic,
        see: &mut dyn FnMut(Value<'_>),
    ) -> Result<()> {
        match intrinsic {
            Intrinsic::Duration => {
                let nanos = self.dense(at, Field::Duration)?;
                see(Value::Duration(i64::try_from(nanos).unwrap_or(i64::MAX)));
            }
            Intrinsic::TraceId => see_hex(of.id, &mut self.scratch, see),
            Intrinsic::SpanId => {
                let id = self.dense(at, Field::SpanId)?;
                see_hex(&id.to_be_bytes(), &mut self.scratch, see);
            }
            Intrinsic::ParentId => return self.see_parent_id(at, of, see),
            Intrinsic::EventName | Intrinsic::EventTimeSinceStart => {
                return self.see_children(at, Table::Events, intrinsic, see);
            }
            Intrinsic::LinkTraceId | Intrinsic::LinkSpanId => {
                return self.see_children(at, Table::Links, intrinsic, see);
            }
            Intrinsic::Name | Intrinsic::StatusMessage => {
                let found = self.text_of_span(at, intrinsic)?;
                return self.show(at.group, found, see);
            }
            Intrinsic::InstrumentationName | Intrinsic::InstrumentationVersion => {
                let (scope, _) = self.scope(at)?;
                let found = self.text_of_scope(scope, intrinsic)?;
                return self.show(at.group, found, see);
            }
            Intrinsic::Kind | Intrinsic::Status => {
                let found = self.decided_intrinsic(at, intrinsic)?;
                return self.show(at.group, found, see);
            }
            _ => see(Value::Nil),
        }
        Ok(())
    }

    fn dense(&mut self, at: SpanRow, field: Field) -> Result<u64> {
        let spans = &mut self.group(at.group)?.spans;
        let slot = spans.field(field)?;
        let place = spans.dense(slot, at.row)?;
        spans.int(slot, place)
    }

    fn see_children(
        &mut self,
        at: SpanRow,
        table: Table,
        intrinsic: Intrinsic,
        see: &mut dyn FnMut(Value<'_>),
    ) -> Result<()> {
        let children = self.children(at, table)?;
        if children.is_empty() {
            see(Value::Nil);
            return Ok(());
        }
        let field = match intrinsic {
            Intrinsic::EventName => Field::Name,
            Intrinsic::EventTimeSinceStart => Field::Time,
            Intrinsic::LinkTraceId => Field::LinkTraceId,
            _ => Field::LinkSpanId,
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        let rows = self.rows(table, at.group)?;
        let slot = rows.field(field)?;
        for row in children {
            if field == Field::Time {
                see(Value::Duration(rows.int(slot, row)? as i64));
                continue;
            }
            let bytes = rows.bytes(slot, row)?;
            if field == Field::Name { see(Value::Text(bytes)) } else { see_hex(bytes, &mut scratch, see) }
        }
        self.scratch = scratch;
        Ok(())
    }

    /// Rows of the events, or links, of a span.
    pub fn children(&mut self, at: SpanRow, table: Table) -> Result<Range<u64>> {
        let column = self.ends[usize::from(table == Table::Links)];
        let key = self.group(at.group)?.spans.key(at.row)?;
        let head = self.head(at.group, key)?;
        if !(if table == Table::Events { head.has_events } else { head.has_links }) {
            return Ok(0..0);
        }
        let rows = self.rows(table, at.group)?.len();
        let spans = &mut self.group(at.group)?.spans;
        let slot = spans.slot(column)?;
        let place = spans.place(slot, at.row)?;
        let from = if place == 0 { 0 } else { spans.int(slot, place - 1)? };
        let to = spans.int(slot, place)?;
        if from >= to || to > rows || to - from > MAX_CHILDREN {
            return Err(BlockError::Damaged("a span's events or links are out of order"));
        }
        Ok(from..to)
    }

    fn see_parent_id(&mut self, at: SpanRow, of: OfTrace<'_>, see: &mut dyn FnMut(Value<'_>)) -> Result<()> {
        let block = self.block;
        if let Some((slot, place)) = self.group(at.group)?.parent_bytes(at.row, block)? {
            let mut scratch = std::mem::take(&mut self.scratch);
            let bytes = self.group(at.group)?.spans.bytes(slot, place)?;
            if is_zero(bytes) {
                see(Value::Nil)
            } else {
                see_hex(bytes, &mut scratch, see)
            }
            self.scratch = scratch;
            return Ok(());
        }
        match self.parent(at, of)? {
            Some(id) if id != 0 => see_hex(&id.to_be_bytes(), &mut self.scratch, see),
            _ => see(Value::Nil),
        }
        Ok(())
    }

    /// The id of a span's parent, where it is a span id.
    fn parent(&mut self, at: SpanRow, of: OfTrace<'_>) -> Result<Option<u64>> {
        let code = self.dense(at, Field::Parent)?;
        if code == 0 {
            return Ok(None);
        }
        if code.is_multiple_of(2) {
            let orphan = self
                .block
                .trace_column(Field::FirstOrphan)?
                .get(of.place)?
                .checked_add((code - 2) / 2)
                .or_damaged("an orphan is out of range")?;
            return self.block.orphan(orphan).map(Some);
        }
        let row = self.group(at.group)?.first_row + at.row;
        let parent = parent_row(row, code).filter(|&parent| parent >= of.first_row);
        let parent = parent.or_damaged("a parent lies outside of its trace")?;
        let (group, rows) = self.block.group_of(parent).or_damaged("a parent lies outside of its trace")?;
        if parent >= rows.end {
            return Err(BlockError::Damaged("a parent lies outside of its trace"));
        }
        self.dense(SpanRow { group, row: parent - rows.start }, Field::SpanId).map(Some)
    }

    /// Shows what was found.
    pub fn show(&mut self, group: u32, found: Found, see: &mut dyn FnMut(Value<'_>)) -> Result<()> {
        match found {
            Found::Unknown | Found::ByRow | Found::Nil => see(Value::Nil),
            Found::Empty => see(Value::Text(b"")),
            Found::Kind(code) => see(Value::Kind(code)),
            Found::Status(code) => see(Value::Status(code)),
            Found::Value { table, value_type, slot, at } => {
                see(value(self.rows(table, group)?, value_type, slot, at)?)
            }
            Found::Overflow { table, slot, at } => {
                let body = self.rows(table, group)?.bytes(slot, at)?;
                see(Value::of_attribute(view::key_value(body)?.1));
            }
        }
        Ok(())
    }

    /// The dictionary's code of what was found, if it has one.
    pub fn code(&mut self, group: u32, found: Found) -> Result<Option<u64>> {
        match found {
            Found::Value { table, slot, at, .. } => self.rows(table, group)?.code(slot, at),
            _ => Ok(None),
        }
    }
}

impl OpenGroup<'_> {
    fn look_at_head(&mut self, key: u64, ends: [u32; 2]) -> Result<Head> {
        let (head, items) = self.spans.items(self.spans.shape_of(key)?)?;
        let [kind, status, _] = head else { return Err(BlockError::Damaged("a shape is too short")) };
        let names = |column: u32| items.iter().any(|item| item.to_native() == column);
        let head = Head {
            kind: kind.to_native() as i32,
            status: status.to_native() as i32,
            has_events: names(ends[0]),
            has_links: names(ends[1]),
        };
        let key = key as usize;
        if key < MAX_REMEMBERED {
            if self.heads.len() <= key {
                self.heads.resize(key + 1, None);
            }
            self.heads[key] = Some(head);
        }
        Ok(head)
    }

    /// Where the parent id of a row lies that is no span id, if it has one.
    pub fn parent_bytes(&mut self, row: u64, block: &Contents) -> Result<Option<(SlotId, u64)>> {
        let Some(column) = block.field_column(Table::Spans, Field::ParentBytes) else { return Ok(None) };
        if block.chunks_of(column).is_empty() {
            return Ok(None);
        }
        let column = column - block.table_columns(Table::Spans).start;
        let key = self.spans.key(row)?;
        let (_, items) = self.spans.items(self.spans.shape_of(key)?)?;
        if !items.iter().any(|item| item.to_native() == column) {
            return Ok(None);
        }
        let slot = self.spans.slot(column)?;
        Ok(Some((slot, self.spans.place(slot, row)?)))
    }
}

/// The row of a parent that lies in the trace, from the code that its child keeps.
pub(crate) fn parent_row(row: u64, code: u64) -> Option<u64> {
    let row = i64::try_from(row).ok()?.checked_sub(crate::columns::unzigzag((code - 1) / 2))?;
    u64::try_from(row).ok()
}

/// Looks for a key in a row whose shape has overflow, item by item: the first one counts.
fn search_overflow(rows: &mut Rows<'_>, row: u64, keyed: &Keyed) -> Result<Found> {
    let table = keyed.table;
    let key = rows.key(row)?;
    let (_, items) = rows.items(rows.shape_of(key)?)?;
    let mut next = None;
    for item in items {
        let column = item.to_native();
        if keyed.is_overflow(column) {
            let (slot, at) = match next {
                Some(next) => next,
                None => {
                    let slot = rows.slot(column)?;
                    (slot, rows.place(slot, row)?)
                }
            };
            let (key, value) = view::key_value(rows.bytes(slot, at)?)?;
            if *key == *keyed.key {
                let is_nil = Value::of_attribute(value) == Value::Nil;
                return Ok(if is_nil { Found::Nil } else { Found::Overflow { table, slot, at } });
            }
            // By class there is one for all, and it is not the one.
            next = Some((slot, if rows.is_by_class(slot) { at } else { at + 1 }));
        } else if let Some(&(_, value_type)) = keyed.columns.iter().find(|&&(known, _)| known == column) {
            if value_type == ValueType::Empty {
                return Ok(Found::Nil);
            }
            let slot = rows.slot(column)?;
            let at = rows.place(slot, row)?;
            return Ok(Found::Value { table, value_type, slot, at });
        }
    }
    Ok(Found::Nil)
}

fn value<'r>(rows: &'r mut Rows<'_>, value_type: ValueType, slot: SlotId, at: u64) -> Result<Value<'r>> {
    Ok(match value_type.storage() {
        Storage::Marker => Value::Nil,
        Storage::Ints => value_of_int(rows.int(slot, at)?, value_type),
        Storage::Bytes => {
            let bytes = rows.bytes(slot, at)?;
            match value_type {
                ValueType::Array => Value::Array(bytes),
                ValueType::Map => Value::Map(bytes),
                ValueType::Bytes => Value::Bytes(bytes),
                _ => Value::Text(bytes),
            }
        }
    })
}

/// The value of an attribute that is kept as an integer.
pub(crate) fn value_of_int(value: u64, value_type: ValueType) -> Value<'static> {
    match value_type {
        ValueType::Bool => Value::Bool(value != 0),
        ValueType::Double => Value::Float(f64::from_bits(value)),
        _ => Value::Int(flip_sign(value) as i64),
    }
}

/// Shows bytes as lower-case hexadecimal digits.
fn see_hex(bytes: &[u8], scratch: &mut Vec<u8>, see: &mut dyn FnMut(Value<'_>)) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    scratch.clear();
    for byte in bytes {
        scratch.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    see(Value::Text(scratch));
}

/// Whether a parent id is that of a root.
pub(crate) fn is_zero(id: &[u8]) -> bool {
    id.iter().all(|&byte| byte == 0)
}
