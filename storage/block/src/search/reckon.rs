//! Conditions over several values of a span, judged row by row: `{ span.a + span.b > 3 }`, `{ span.a = span.b }`.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;
use spanloom_traceql::ast::Intrinsic;
use spanloom_traceql::eval::ReadError;
use spanloom_traceql::plan::{Expr, FieldId, Reckon};
use spanloom_traceql::value::Value;

use crate::columns::{Field, Storage, Table};
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::column::ColumnReader;
use crate::reader::contents::Contents;
use crate::reader::table::TableReader;
use crate::search::bits::{Bits, Set};
use crate::search::counters::Touched;
use crate::search::group::end_of;
use crate::search::ids::{Parents, trace_id_of};
use crate::search::judge::{Form, bytes_value, int_value, put_hex};
use crate::search::node::{Compiled, Reading};
use crate::search::rows::Rows;
use crate::search::source::{Named, Source, see_value};

/// The wanted rows of a row group for which a condition holds.
pub(crate) fn rows(
    compiled: &Compiled<'_>,
    block: &Contents,
    group: u32,
    range: &Range<u64>,
    of: &Arc<Reckon>,
    wanted: Option<&Set>,
) -> Result<Set> {
    let expr = Expr::Reckon(of.clone());
    let mut values = Values { compiled, block, group, range, tables: Default::default(), parents: None };
    let mut out = Bits::none((range.end - range.start) as usize);
    let wanted = wanted.cloned().unwrap_or(Set::All).into_bits(out.len());
    for row in wanted.iter() {
        let mut failed = None;
        let holds = expr.eval(&mut |field, see| {
            values.see(row, field, see).map_err(|error| {
                failed = Some(error);
                ReadError("a block could not be read".into())
            })
        });
        match (holds, failed) {
            (Ok(true), _) => out.set(row),
            (Ok(false), _) => {}
            (Err(_), Some(error)) => return Err(error),
            (Err(_), None) => return Err(BlockError::Damaged("a condition could not be reckoned")),
        }
    }
    Ok(Set::Some(out).tidy())
}

/// The values of the rows of one row group, in any order of rows.
struct Values<'c, 'a> {
    compiled: &'c Compiled<'a>,
    block: &'c Contents,
    group: u32,
    range: &'c Range<u64>,
    tables: [Option<Lookup<'c>>; 5],
    /// Parent id of each row, once one was needed.
    parents: Option<HashMap<usize, Vec<u8>, foldhash::fast::RandomState>>,
}

impl<'c> Values<'c, '_> {
    /// Shows each value of a field in a row, nil once when there is none.
    fn see(&mut self, row: usize, field: FieldId, see: &mut dyn FnMut(Value<'_>)) -> Result<()> {
        let compiled = self.compiled;
        match compiled.readings.get(usize::from(field.0)).and_then(Option::as_ref) {
            Some(Reading::Attribute(sources)) => {
                for &source in sources {
                    if self.attribute(row, &compiled.sources[source], see)? {
                        return Ok(());
                    }
                }
                see(Value::Nil);
                Ok(())
            }
            Some(Reading::Intrinsic(intrinsic)) => self.intrinsic(row, *intrinsic, see),
            Some(Reading::Unknown) | None => {
                see(Value::Nil);
                Ok(())
            }
        }
    }

    fn table(&mut self, table: Table) -> Result<Option<&mut Lookup<'c>>> {
        let slot = &mut self.tables[table as usize];
        if slot.is_none() {
            let group = if matches!(table, Table::Resources | Table::Scopes) { 0 } else { self.group };
            *slot = Lookup::open(self.block, table, group)?;
        }
        Ok(slot.as_mut())
    }

    fn spans(&mut self) -> Result<&mut Lookup<'c>> {
        self.table(Table::Spans)?.or_damaged("a row group has no spans")
    }

    /// Shows the values of an attribute that are there; whether there are any.
    fn attribute(&mut self, row: usize, source: &Source, see: &mut dyn FnMut(Value<'_>)) -> Result<bool> {
        let rows = match source.table {
            Table::Spans => row..row + 1,
            Table::Events | Table::Links => self.children(row, source.table)?,
            table => {
                let scope = self.spans()?.dense_int(Field::Scope, row)?;
                let mut at = usize::try_from(scope).ok().or_damaged("there is no such scope")?;
                if table == Table::Resources {
                    let scopes = self.table(Table::Scopes)?.or_damaged("there are no scopes")?;
                    let resource = scopes.dense_int(Field::Resource, at)?;
                    at = usize::try_from(resource).ok().or_damaged("there is no such resource")?;
                }
                at..at + 1
            }
        };
        let mut is_there = false;
        if let Some(table) = self.table(source.table)? {
            for row in rows {
                table.attribute(row, source, &mut |value| {
                    if value != Value::Nil {
                        is_there = true;
                        see(value);
                    }
                })?;
            }
        }
        Ok(is_there)
    }

    /// The rows of a span's events or links.
    fn children(&mut self, row: usize, table: Table) -> Result<Range<usize>> {
        let end = self.spans()?.span_end(end_of(table), row)?;
        let count = self.table(table)?.map_or(0, |rows| rows.rows.len() as u64);
        let Some((from, to)) = end else { return Ok(0..0) };
        if from >= to || to > count {
            return Err(BlockError::Damaged("a span's events or links are out of order"));
        }
        Ok(from as usize..to as usize)
    }

    fn intrinsic(&mut self, row: usize, of: Intrinsic, see: &mut dyn FnMut(Value<'_>)) -> Result<()> {
        let mut digits = Vec::new();
        match of {
            Intrinsic::Duration => {
                see(int_value(Form::Duration, self.spans()?.dense_int(Field::Duration, row)?));
            }
            Intrinsic::Name => see(Value::Text(self.spans()?.dense_bytes(Field::Name, row)?)),
            Intrinsic::Kind => see(Value::Kind(self.spans()?.head(row, 0)?)),
            Intrinsic::Status => see(Value::Status(self.spans()?.head(row, 1)?)),
            Intrinsic::StatusMessage => self.spans()?.status_message(row, see)?,
            Intrinsic::SpanId => {
                put_hex(&self.spans()?.dense_int(Field::SpanId, row)?.to_be_bytes(), &mut digits);
                see(Value::Text(&digits));
            }
            Intrinsic::TraceId => {
                trace_id_of(self.block, self.range.start + row as u64, &mut digits)?;
                see(Value::Text(&digits));
            }
            Intrinsic::ParentId => match self.parent(row)? {
                Some(id) => {
                    put_hex(id, &mut digits);
                    see(Value::Text(&digits));
                }
                None => see(Value::Nil),
            },
            Intrinsic::EventName => self.each_child(row, Table::Events, Field::Name, Form::Text, see)?,
            Intrinsic::EventTimeSinceStart => {
                self.each_child(row, Table::Events, Field::Time, Form::Time, see)?;
            }
            Intrinsic::LinkTraceId => {
                self.each_child(row, Table::Links, Field::LinkTraceId, Form::Hex, see)?;
            }
            Intrinsic::LinkSpanId => self.each_child(row, Table::Links, Field::LinkSpanId, Form::Hex, see)?,
            Intrinsic::InstrumentationName => self.of_scope(row, Field::Name, see)?,
            Intrinsic::InstrumentationVersion => self.of_scope(row, Field::Version, see)?,
            // Those that need the whole trace are never asked for.
            _ => see(Value::Nil),
        }
        Ok(())
    }

    fn of_scope(&mut self, row: usize, field: Field, see: &mut dyn FnMut(Value<'_>)) -> Result<()> {
        let scope = self.spans()?.dense_int(Field::Scope, row)?;
        let scope = usize::try_from(scope).ok().or_damaged("there is no such scope")?;
        let scopes = self.table(Table::Scopes)?.or_damaged("there are no scopes")?;
        see(Value::Text(scopes.dense_bytes(field, scope)?));
        Ok(())
    }

    fn each_child(
        &mut self,
        row: usize,
        table: Table,
        field: Field,
        form: Form,
        see: &mut dyn FnMut(Value<'_>),
    ) -> Result<()> {
        let rows = self.children(row, table)?;
        if rows.is_empty() {
            see(Value::Nil);
        }
        for at in rows {
            let children =
                self.table(table)?.or_damaged("a span has events or links and its group has none")?;
            if form == Form::Time {
                see(int_value(form, children.dense_int(field, at)?));
            } else {
                see(bytes_value(form, children.dense_bytes(field, at)?, &mut Vec::new()));
            }
        }
        Ok(())
    }

    /// A row's parent id. All of the group are read at once: only in order do they cost little.
    fn parent(&mut self, row: usize) -> Result<Option<&[u8]>> {
        if self.parents.is_none() {
            let mut parents = HashMap::default();
            let range = self.range;
            let rows = &self.spans()?.rows;
            Parents::open(rows)?.each(rows, range, None, |row, parent| {
                if let Some(parent) = parent {
                    parents.insert(row, parent.to_vec());
                }
            })?;
            self.parents = Some(parents);
        }
        Ok(self.parents.as_ref().and_then(|parents| parents.get(&row)).map(Vec::as_slice))
    }
}

/// Any value of any row of a table in a row group.
struct Lookup<'a> {
    rows: Rows<'a>,
    /// Columns that were read, by their numbers within the table.
    columns: HashMap<u32, Column<'a>, foldhash::fast::RandomState>,
    /// For rows whose items must be gone through.
    walker: Option<TableReader<'a>>,
}

struct Column<'a> {
    reader: ColumnReader<'a>,
    is_by_class: bool,
    presence: Rc<Set>,
    /// Values before every 64th row.
    ranks: Vec<u32>,
}

impl<'a> Lookup<'a> {
    fn open(block: &'a Contents, table: Table, group: u32) -> Result<Option<Self>> {
        let rows = Rows::open(block, table, group, &mut Touched::default())?;
        Ok(rows.map(|rows| Self { rows, columns: HashMap::default(), walker: None }))
    }

    fn column(&mut self, column: u32) -> Result<&mut Column<'a>> {
        if !self.columns.contains_key(&column) {
            let global = self.rows.global(column);
            let block = self.rows.block;
            let id = block.columns.get(global as usize).or_damaged("there is no such column")?;
            let presence =
                if Field::is_dense(id.field) { Rc::new(Set::All) } else { self.rows.presence(column)? };
            let mut ranks = Vec::new();
            if let Set::Some(present) = &*presence {
                let mut before = 0;
                for word in present.words() {
                    ranks.push(before);
                    before += word.count_ones();
                }
            }
            let reader = ColumnReader::open(block, global, self.rows.group)?;
            let is_by_class =
                block.chunk(global, self.rows.group).is_some_and(|chunk| chunk.mode.is_by_class());
            self.columns.insert(column, Column { reader, is_by_class, presence, ranks });
        }
        self.columns.get_mut(&column).or_damaged("there is no such column")
    }

    /// The column's reader and the place of a row's value; `None` when the row has none.
    fn place(&mut self, column: u32, row: usize) -> Result<Option<(&mut ColumnReader<'a>, u64)>> {
        let label = self.rows.labels.get(row)?;
        let Column { reader, is_by_class, presence, ranks } = self.column(column)?;
        if !presence.has(row) {
            return Ok(None);
        }
        let at = match &**presence {
            _ if *is_by_class => u64::from(label),
            Set::Some(present) => {
                let below = present.words()[row / 64] & !(u64::MAX << (row % 64));
                u64::from(ranks[row / 64] + below.count_ones())
            }
            _ => row as u64,
        };
        Ok(Some((reader, at)))
    }

    fn dense(&mut self, field: Field, row: usize) -> Result<(&mut ColumnReader<'a>, u64)> {
        let column = self.rows.field(field).or_damaged("a field has no column")?;
        self.place(column, row)?.or_damaged("a row lies outside of its group")
    }

    fn dense_int(&mut self, field: Field, row: usize) -> Result<u64> {
        let (reader, at) = self.dense(field, row)?;
        reader.int(at)
    }

    fn dense_bytes(&mut self, field: Field, row: usize) -> Result<&[u8]> {
        let (reader, at) = self.dense(field, row)?;
        reader.bytes(at)
    }

    fn head(&self, row: usize, place: usize) -> Result<i32> {
        let (head, _) = self.rows.shape(self.shape_at(row)?)?;
        Ok(head.get(place).or_damaged("a shape is too short")?.to_native() as i32)
    }

    fn shape_at(&self, row: usize) -> Result<u32> {
        self.rows.shape_of(self.rows.labels.get(row)?)
    }

    /// From where to where a span's events or links reach; `None` when it has none.
    fn span_end(&mut self, field: Field, row: usize) -> Result<Option<(u64, u64)>> {
        let Some(column) = self.rows.field(field) else { return Ok(None) };
        let (_, items) = self.rows.shape(self.shape_at(row)?)?;
        if !items.iter().any(|item| item.to_native() == column) {
            return Ok(None);
        }
        let Some((reader, at)) = self.place(column, row)? else { return Ok(None) };
        let from = if at == 0 { 0 } else { reader.int(at - 1)? };
        Ok(Some((from, reader.int(at)?)))
    }

    fn status_message(&mut self, row: usize, see: &mut dyn FnMut(Value<'_>)) -> Result<()> {
        let column = self.rows.field(Field::StatusMessage);
        let (_, items) = self.rows.shape(self.shape_at(row)?)?;
        match column.filter(|column| items.iter().any(|item| item.to_native() == *column)) {
            Some(column) => {
                let (reader, at) = self.place(column, row)?.or_damaged("a row lies outside of its group")?;
                see(Value::Text(reader.bytes(at)?));
            }
            None => see(Value::Text(b"")),
        }
        Ok(())
    }

    /// Shows the first value of an attribute in a row, nil when there is none.
    fn attribute(&mut self, row: usize, source: &Source, see: &mut dyn FnMut(Value<'_>)) -> Result<()> {
        let in_overflow = source.is_in_overflow(self.rows.block, self.rows.group)?;
        match source.named(self.shape_at(row)?)? {
            Named::None if !in_overflow => see(Value::Nil),
            Named::One(place) if !in_overflow => {
                let (column, value_type) = source.columns[place];
                if value_type.storage() == Storage::Marker {
                    see(Value::Nil);
                } else {
                    let found = self.place(column, row)?;
                    let (reader, at) = found.or_damaged("a row lies outside of its group")?;
                    see_value(reader, at, value_type, see)?;
                }
            }
            _ => {
                let walker = match &mut self.walker {
                    Some(walker) => walker,
                    None => {
                        let walker = TableReader::open(self.rows.block, self.rows.table, self.rows.group)?;
                        self.walker.insert(walker.or_damaged("a row group has no rows")?)
                    }
                };
                walker.seek(row as u64)?;
                let (_, items) = walker.next_row()?;
                source.take(walker, items, see)?;
            }
        }
        Ok(())
    }
}
