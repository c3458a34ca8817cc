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
//! | `find.rs` | attributes found in tables |
//! | `intrinsic.rs` | what every span has |
//! | `attributes.rs` | every attribute of a span |
//! | `services.rs` | the services of spans |

mod attributes;
mod find;
pub(crate) mod intrinsic;
pub(crate) mod rows;
pub(crate) mod services;
pub(crate) mod source;

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
use crate::search::lookup::source::Source;

/// Row groups that are held open. Beyond it all are closed: a block has a row group for 65,536 spans.
const MAX_OPEN: usize = 32;

/// Most bytes of texts that are kept.
const MAX_KEPT: usize = 1 << 20;

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
    /// Text that is kept.
    Kept {
        from: u32,
        len: u32,
    },
    /// An integer.
    Int(i64),
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
    /// Scope of each class, where classes decide it.
    scopes: Vec<u64>,
    /// Where each field's value lies, by class.
    found: Vec<Vec<Found>>,
    /// For each key that decides it the number of the service, doubled, and 1 when the status is error.
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
    /// Small texts that were found, one after the other.
    kept: Vec<u8>,
    /// Resource of each scope.
    resource_of: Vec<u64>,
    /// What shapes name, by table.
    named: HashMap<(u8, u64), Rc<attributes::Named>, foldhash::fast::FixedState>,
}

const NOWHERE: u32 = u32::MAX;

impl<'a> Lookup<'a> {
    /// Resolves fields, which are asked for by their places in the list.
    pub fn new(block: &'a Contents, fields: &[ast::Field]) -> Result<Self> {
        let base = block.table_columns(Table::Spans).start;
        let column = |field| block.field_column(Table::Spans, field).map_or(NOWHERE, |column| column - base);
        let resources = Rows::open(block, Table::Resources, 0)?;
        let mut scopes = Rows::open(block, Table::Scopes, 0)?;
        let mut resource_of = Vec::new();
        if let Some(scopes) = scopes.as_mut().filter(|scopes| scopes.len() <= MAX_REMEMBERED as u64) {
            scopes.fill(Field::Resource, 0..scopes.len(), &mut resource_of)?;
        }
        Ok(Self {
            block,
            sources: fields.iter().map(|field| Source::of(block, field)).collect(),
            groups: block.groups.iter().map(|_| None).collect(),
            open: 0,
            resources,
            scopes,
            ends: [column(Field::EventsEnd), column(Field::LinksEnd)],
            scratch: Vec::new(),
            kept: Vec::new(),
            resource_of,
            named: HashMap::default(),
        })
    }

    /// Closes all row groups, and forgets what was found in them.
    pub fn close(&mut self) {
        self.groups.iter_mut().for_each(|group| *group = None);
        self.open = 0;
        self.kept.clear();
        for source in &mut self.sources {
            if let Source::Attribute(tables) = source {
                tables.iter_mut().for_each(|keyed| keyed.found.clear());
            }
        }
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
        let mut spans = Rows::open(block, Table::Spans, group)?.or_damaged("a row group has no spans")?;
        let scopes = spans.by_class(Field::Scope)?;
        self.groups[group as usize] = Some(Box::new(OpenGroup {
            first_row,
            spans,
            events: Rows::open(block, Table::Events, group)?,
            links: Rows::open(block, Table::Links, group)?,
            heads: Vec::new(),
            scopes,
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
        let OpenGroup { spans, scopes, .. } = self.group(at.group)?;
        if !scopes.is_empty() {
            let class = spans.key(at.row)?;
            if let Some(&scope) = scopes.get(class as usize) {
                return Ok((scope, true));
            }
        }
        let slot = spans.field(Field::Scope)?;
        let place = spans.dense(slot, at.row)?;
        Ok((spans.int(slot, place)?, spans.is_by_class(slot)))
    }

    /// The row of a scope's resource.
    pub fn resource(&mut self, scope: u64) -> Result<u64> {
        if let Some(&resource) = self.resource_of.get(scope as usize) {
            return Ok(resource);
        }
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
        let found = self.keep(at.group, found)?;
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

    /// Keeps the value that was found, if it is small, so that no column is asked for it again.
    fn keep(&mut self, group: u32, found: Found) -> Result<Found> {
        let Found::Value { .. } = found else { return Ok(found) };
        let mut kept = std::mem::take(&mut self.kept);
        let (mut out, from) = (found, kept.len());
        let shown = self.show(group, found, &mut |value| match value {
            Value::Int(value) => out = Found::Int(value),
            Value::Text(text) if from + text.len() <= MAX_KEPT => {
                kept.extend_from_slice(text);
                out = Found::Kept { from: from as u32, len: text.len() as u32 };
            }
            _ => {}
        });
        self.kept = kept;
        shown.map(|()| out)
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
            Found::Int(value) => see(Value::Int(value)),
            Found::Kept { from, len } => {
                let text = self.kept.get(from as usize..(from + len) as usize);
                see(Value::Text(text.or_damaged("a text was not kept")?));
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
