//! The distinct values of a field.
//!
//! Where a column's values are those of the field (no row has the key twice or in overflow), they are taken from
//! dictionaries and columns without looking at rows; else, and where only some rows count, the rows are asked, those
//! of a class together when it decides the value.

use spanloom_traceql::ast::{self, Intrinsic};
use spanloom_traceql::value::Value;

use crate::columns::{Field, Table, ValueType};
use crate::directory::{Chunk, DICTIONARY_GROUP, Mode};
use crate::error::{OrDamaged, Result};
use crate::reader::BlockReader;
use crate::reader::column::ColumnReader;
use crate::reader::contents::Contents;
use crate::search::lookup::rows::Rows;
use crate::search::lookup::source::{Keyed, SCOPES, Source, table_of};
use crate::search::lookup::{Found, Lookup, OfTrace, SpanRow, value_of_int};
use crate::search::names::ListLimits;
use crate::search::table::TraceTable;
use crate::search::values::ValueSet;
use crate::search::wanted::{Met, Of, Wanted, scopes};
use crate::shape::{ArchivedShapes, ShapesView};
use crate::store::{StoreKind, StoreView};

/// Integers that are unpacked at once.
const PIECE: u64 = 4096;

/// Distinct values, within limits.
#[derive(Default)]
pub struct Values {
    set: ValueSet,
    /// Whether a limit was met.
    pub is_cut: bool,
}

impl Values {
    /// The values in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = Value<'_>> {
        self.set.iter()
    }

    /// How many values.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Adds a value, within limits. Nil is none, and bytes, arrays, maps and codes without a word are not listed.
    pub fn add(&mut self, value: Value<'_>, limits: ListLimits) {
        let is_listed = match value {
            Value::Nil | Value::Bytes(_) | Value::Array(_) | Value::Map(_) => false,
            Value::Status(_) | Value::Kind(_) => value.word().is_some(),
            _ => true,
        };
        if !is_listed || self.is_cut {
            return;
        }
        let is_full = limits.count > 0 && self.set.len() >= limits.count || self.set.bytes() >= limits.bytes;
        if !is_full {
            self.set.number(value);
        } else if !self.set.has(value) {
            self.is_cut = true;
        }
    }
}

impl BlockReader {
    /// Lists the values that a field has. Of a field without scope: those that it has in any scope. `rootName` and
    /// `rootServiceName` are those of the root that the block has of a trace; the other fields that need the whole
    /// trace have none.
    pub fn values(
        &self,
        table: &TraceTable<'_>,
        field: &ast::Field,
        wanted: Wanted<'_>,
        limits: ListLimits,
        out: &mut Values,
    ) -> Result<()> {
        let block = self.contents();
        let mut list = List { block, table, groups: wanted.groups(block), limits, out };
        if let ast::Field::Intrinsic(intrinsic @ (Intrinsic::RootName | Intrinsic::RootService)) = field {
            return list.of_roots(*intrinsic);
        }
        let is_by_rows = wanted.rows.is_some();
        match Source::of(block, field) {
            Source::Trace => Ok(()),
            Source::Attribute(tables) => {
                for keyed in tables {
                    let is_referred = matches!(keyed.table, Table::Resources | Table::Scopes);
                    let is_once = is_once(block, &keyed)?;
                    if is_referred && !(is_once && wanted.is_all(block)) {
                        list.of_referred(keyed)?;
                    } else if is_by_rows || !is_once {
                        list.of_rows(&in_one_scope(field, keyed.table))?;
                    } else {
                        list.of_columns(&keyed)?;
                    }
                }
                Ok(())
            }
            Source::Intrinsic(intrinsic) if is_by_rows => list.of_rows(&ast::Field::Intrinsic(intrinsic)),
            Source::Intrinsic(intrinsic) => list.of_intrinsic(intrinsic),
        }
    }
}

/// The field, in the scope of a table alone.
fn in_one_scope(field: &ast::Field, table: Table) -> ast::Field {
    let mut field = field.clone();
    if let ast::Field::Attribute(attribute) = &mut field {
        attribute.scope = SCOPES.into_iter().find(|&scope| table_of(scope) == table);
    }
    field
}

/// Whether every row has a key at most once, and none in overflow: then the values of its columns are its values.
fn is_once(block: &Contents, keyed: &Keyed) -> Result<bool> {
    let section = block.shapes[keyed.table as usize];
    let shapes = ShapesView::new(block.sections.archive::<ArchivedShapes>(section)?);
    for shape in 0..shapes.len() as u64 {
        let items = shapes.get(shape).and_then(|items| items.get(keyed.table.shape_header()..));
        let items = items.or_damaged("a shape is too short")?.iter().map(|item| item.to_native());
        let mut times = 0;
        for item in items {
            // Overflow counts for two: what stands in it is not in a column of its own.
            times += 2 * usize::from(keyed.is_overflow(item));
            times += keyed.columns.iter().filter(|&&(column, _)| column == item).count();
        }
        if times > 1 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Values of one field, as they are listed.
struct List<'l, 'a> {
    block: &'a Contents,
    table: &'l TraceTable<'l>,
    groups: Vec<(u32, Of<'l>)>,
    limits: ListLimits,
    out: &'l mut Values,
}

impl List<'_, '_> {
    /// Values of the columns of a key, in the groups that count.
    fn of_columns(&mut self, keyed: &Keyed) -> Result<()> {
        let base = self.block.table_columns(keyed.table).start;
        for &(column, value_type) in &keyed.columns {
            self.of_column(keyed.table, base + column, value_type)?;
        }
        Ok(())
    }

    fn of_column(&mut self, table: Table, column: u32, value_type: ValueType) -> Result<()> {
        let block = self.block;
        let is_referred = matches!(table, Table::Resources | Table::Scopes);
        let groups: Vec<u32> =
            if is_referred { vec![0] } else { self.groups.iter().map(|(group, _)| *group).collect() };
        let is_all = is_referred || groups.len() == block.groups.len();
        if !matches!(value_type, ValueType::Str | ValueType::Bool | ValueType::Int | ValueType::Double) {
            return Ok(());
        }
        if is_all && let Some(dictionary) = block.chunk(column, DICTIONARY_GROUP) {
            let store = StoreView::open(&block.sections, StoreKind::Dictionary, &dictionary.store())?;
            self.entries(store, None)?;
        }
        for group in groups {
            match block.chunk(column, group) {
                Some(chunk) if is_all && matches!(chunk.mode, Mode::Codes | Mode::ClassCodes) => {}
                Some(chunk) => self.of_chunk(chunk, value_type)?,
                None => {}
            }
            if self.out.is_cut {
                break;
            }
        }
        Ok(())
    }

    fn of_chunk(&mut self, chunk: &Chunk, value_type: ValueType) -> Result<()> {
        match ColumnReader::of_chunk(self.block, chunk)? {
            ColumnReader::Marker => Ok(()),
            ColumnReader::Ints(values) => distinct(&values, &mut |value| {
                self.out.add(value_of_int(value, value_type), self.limits);
                !self.out.is_cut
            }),
            ColumnReader::Codes { codes, dictionary } => {
                let mut met = Met::default();
                let mut order = Vec::new();
                distinct(&codes, &mut |code| {
                    if met.is_new(code) {
                        order.push(code);
                    }
                    true
                })?;
                order.sort_unstable();
                self.entries(dictionary, Some(&order))
            }
            mut values => {
                for at in 0..values.checks() {
                    self.out.add(Value::Text(values.bytes(at)?), self.limits);
                    if self.out.is_cut {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// Entries of a dictionary: all, or some, ascending.
    fn entries(&mut self, mut dictionary: StoreView<'_>, codes: Option<&[u64]>) -> Result<()> {
        let count = codes.map_or(dictionary.checks(), |codes| codes.len() as u64);
        for at in 0..count {
            let code = codes.map_or(at, |codes| codes[at as usize]);
            self.out.add(Value::Text(dictionary.get(code)?), self.limits);
            if self.out.is_cut {
                break;
            }
        }
        Ok(())
    }

    /// Values of a key in the resources or scopes that the rows that count refer to.
    fn of_referred(&mut self, mut keyed: Keyed) -> Result<()> {
        let mut lookup = Lookup::new(self.block, &[])?;
        let mut met = Met::default();
        let mut resources = Met::default();
        for (group, of) in std::mem::take(&mut self.groups) {
            scopes(&mut lookup, group, of, &mut met, &mut |lookup, scope| {
                let row = if keyed.table == Table::Scopes { scope } else { lookup.resource(scope)? };
                if keyed.table == Table::Resources && !resources.is_new(row) {
                    return Ok(());
                }
                let (found, _) = lookup.find_in(group, row, &mut keyed)?;
                lookup.show(group, found, &mut |value| self.out.add(value, self.limits))
            })?;
            self.groups.push((group, of));
        }
        Ok(())
    }

    /// Values of a field in the rows that count, asked one by one, or class by class.
    fn of_rows(&mut self, field: &ast::Field) -> Result<()> {
        let block = self.block;
        let mut lookup = Lookup::new(block, std::slice::from_ref(field))?;
        for &(group, of) in &self.groups {
            let open = lookup.group(group)?;
            let (rows, first_row) = (open.spans.len(), open.first_row);
            let (mut met, mut place) = (Met::default(), 0);
            of.each(rows, &mut |row| {
                let at = SpanRow { group, row };
                let found = lookup.of_class(at, 0)?;
                if self.out.is_cut {
                    return Ok(());
                }
                if found != Found::ByRow {
                    let key = lookup.group(group)?.spans.key(row)?;
                    if met.is_new(key) {
                        lookup.show(group, found, &mut |value| self.out.add(value, self.limits))?;
                    }
                    return Ok(());
                }
                let table = self.table;
                place = table.place_of_row(first_row + row, place).or_damaged("a row belongs to no trace")?;
                let of = OfTrace {
                    id: &table.ids()[place as usize],
                    first_row: table.rows(place).start,
                    place: place.into(),
                };
                lookup.see(at, of, 0, &mut |value| self.out.add(value, self.limits))
            })?;
        }
        Ok(())
    }

    fn of_intrinsic(&mut self, intrinsic: Intrinsic) -> Result<()> {
        let (table, field) = match intrinsic {
            Intrinsic::Kind | Intrinsic::Status => return self.of_heads(intrinsic),
            Intrinsic::Name => (Table::Spans, Field::Name),
            Intrinsic::EventName => (Table::Events, Field::Name),
            other => return self.of_rows(&ast::Field::Intrinsic(other)),
        };
        let column = self.block.field_column(table, field).or_damaged("a field has no column")?;
        self.of_column(table, column, ValueType::Str)
    }

    /// Kinds or status codes, which stand in the shapes.
    fn of_heads(&mut self, intrinsic: Intrinsic) -> Result<()> {
        for (group, _) in std::mem::take(&mut self.groups) {
            let rows = Rows::open(self.block, Table::Spans, group)?.or_damaged("a row group has no spans")?;
            distinct(rows.shape_codes(), &mut |shape| {
                if let Ok((head, _)) = rows.items(shape) {
                    let code = |at: usize| head.get(at).map_or(0, |code| code.to_native() as i32);
                    let is_kind = intrinsic == Intrinsic::Kind;
                    let value = if is_kind { Value::Kind(code(0)) } else { Value::Status(code(1)) };
                    self.out.add(value, self.limits);
                }
                true
            })?;
        }
        Ok(())
    }

    /// Names, or services, of the roots of the traces that have rows that count.
    fn of_roots(&mut self, intrinsic: Intrinsic) -> Result<()> {
        let block = self.block;
        let roots = match self.table.is_empty() {
            true => return Ok(()),
            false => block.trace_column(Field::RootRow)?,
        };
        let of_root = match intrinsic {
            Intrinsic::RootName => ast::Field::Intrinsic(Intrinsic::Name),
            _ => ast::Field::Attribute(ast::Attribute {
                parent: false,
                scope: Some(ast::Scope::Resource),
                name: "service.name".to_owned(),
            }),
        };
        let mut lookup = Lookup::new(block, &[of_root])?;
        let mut met = Met::default();
        for (group, of) in std::mem::take(&mut self.groups) {
            let first_row = block.groups[group as usize].first_row;
            let rows = lookup.group(group)?.spans.len();
            let mut places = Vec::new();
            match of {
                Of::Some(bits) => self.table.touched(first_row, bits, |place| places.push(place)),
                _ => {
                    let place = |row| self.table.place_of_row(row, 0).or_damaged("a row belongs to no trace");
                    places.extend(place(first_row)?..=place(first_row + rows.max(1) - 1)?);
                }
            }
            for place in places.into_iter().filter(|&place| met.is_new(place.into())) {
                let Some(root) = roots.get(place.into())?.checked_sub(1) else { continue };
                let root = self.table.rows(place).start.checked_add(root);
                let found = root.and_then(|root| Some((root, block.group_of(root)?)));
                let (root, (group, rows)) = found.or_damaged("a root lies in no group")?;
                let at = SpanRow { group, row: root - rows.start };
                let found = lookup.of_row(at, 0)?;
                // As where a trace is judged: empty when it is not there or no string.
                let mut first = true;
                lookup.show(group, found, &mut |value| {
                    if std::mem::take(&mut first) {
                        let text = if matches!(value, Value::Text(_)) { value } else { Value::Text(b"") };
                        self.out.add(text, self.limits);
                    }
                })?;
                if first {
                    self.out.add(Value::Text(b""), self.limits);
                }
            }
        }
        Ok(())
    }
}

/// Shows the values of a sequence, of equal neighbours one, until `see` says that it is enough.
fn distinct(values: &crate::seq::SeqView<'_>, see: &mut dyn FnMut(u64) -> bool) -> Result<()> {
    let mut last = None;
    let mut piece = [0; PIECE as usize];
    let len = values.checks();
    for from in (0..len).step_by(PIECE as usize) {
        let piece = &mut piece[..PIECE.min(len - from) as usize];
        values.read(from, piece)?;
        for &value in &*piece {
            if last.replace(value) != Some(value) && !see(value) {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_takes_no_room() {
        let check = |not_listed: Value<'_>| {
            let (mut values, limits) = (Values::default(), ListLimits { count: 2, bytes: 1000 });
            for value in [Value::Kind(2), not_listed, Value::Kind(3), Value::Kind(3), not_listed] {
                values.add(value, limits);
            }
            let found: Vec<Value<'_>> = values.iter().collect();
            assert_eq!((found.as_slice(), values.is_cut), (&[Value::Kind(2), Value::Kind(3)][..], false));
        };
        check(Value::Kind(9));
        check(Value::Status(7));
        check(Value::Nil);
        check(Value::Bytes(b"x"));
    }
}
