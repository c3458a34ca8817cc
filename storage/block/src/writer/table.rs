//! A table while a block is built: its columns, and the shapes of the rows of the open row group.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use spanloom_span::view::ValueView;

use crate::columns::{Field, Table, ValueType, flip_sign};
use crate::directory::{Chunk, ColumnId, Mode};
use crate::error::{BlockError, OrDamaged, Result};
use crate::seq::Seq;
use crate::shape::ShapeSet;
use crate::writer::attribute;
use crate::writer::class::Classes;
use crate::writer::column::{Column, Values};
use crate::writer::output::Output;

/// Rows between two ranks: how far a reader counts to find a value's place.
pub(crate) const RANK_STEP: usize = 512;

/// Most columns of a table. Attributes of further keys go to the overflow column, key and value together.
pub(crate) const MAX_COLUMNS: usize = 4096;

/// Longest key that has a column of its own.
const MAX_KEY_BYTES: usize = 1024;

const UNKNOWN: u32 = u32::MAX;

/// A table of the block that is being built.
pub(crate) struct TableBuilder {
    table: Table,
    /// Fields first, in the order of [`Field::of_table`], then attributes by first appearance.
    pub columns: Vec<Column>,
    /// Column of each field, by its number.
    fields: [u32; crate::columns::FIELDS],
    by_key: HashTable<u32>,
    hasher: RandomState,
    /// For each column the one that followed it last: the guess for the next attribute.
    successors: Vec<u32>,
    previous: usize,
    /// The row that is being pushed.
    row: Vec<u32>,
    /// Shapes of the open row group's rows.
    pub row_shapes: Vec<u32>,
    shapes: ShapeSet,
    /// Bytes pushed into the open row group, about.
    pub pending_bytes: usize,
    /// Values that come together again and again, one set after the other, and where each set ends.
    set_values: Vec<SetValue>,
    set_ends: Vec<u32>,
    sets: HashTable<u32>,
}

/// One of values that come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SetValue {
    /// Its column.
    pub column: u32,
    /// The integer, or the number of the entry of the column's dictionary.
    pub value: u64,
}

impl TableBuilder {
    /// An empty table.
    pub fn new(table: Table) -> Self {
        let mut out = Self {
            table,
            columns: Vec::new(),
            fields: [UNKNOWN; crate::columns::FIELDS],
            by_key: HashTable::new(),
            hasher: RandomState::default(),
            successors: Vec::new(),
            previous: 0,
            row: vec![0; table.shape_header()],
            row_shapes: Vec::new(),
            shapes: ShapeSet::default(),
            pending_bytes: 0,
            set_values: Vec::new(),
            set_ends: Vec::new(),
            sets: HashTable::new(),
        };
        for &field in Field::of_table(table) {
            out.fields[field as usize] = out.columns.len() as u32;
            let values = Values::new(Field::storage_of(field as u8));
            out.columns.push(Column { field: field as u8, value_type: 0, key: Box::default(), values });
            out.successors.push(UNKNOWN);
        }
        out
    }

    /// Pushes an integer of a field that every row has.
    pub fn dense_int(&mut self, field: Field, value: u64) {
        let column = self.fields[field as usize] as usize;
        if let Values::Ints(values) = &mut self.columns[column].values {
            values.push(value);
        }
    }

    /// Pushes bytes of a field that every row has.
    pub fn dense_bytes(&mut self, field: Field, value: &[u8]) {
        let column = self.fields[field as usize] as usize;
        if let Values::Bytes(values) = &mut self.columns[column].values {
            values.push(value);
            self.pending_bytes += value.len();
        }
    }

    /// Pushes an integer of a rare field.
    pub fn sparse_int(&mut self, field: Field, value: u64) {
        self.row.push(self.fields[field as usize]);
        self.dense_int(field, value);
    }

    /// Pushes bytes of a rare field.
    pub fn sparse_bytes(&mut self, field: Field, value: &[u8]) {
        self.row.push(self.fields[field as usize]);
        self.dense_bytes(field, value);
    }

    /// Rows of the open row group.
    pub fn rows(&self) -> usize {
        self.row_shapes.len()
    }

    /// Notes that the row has a mark.
    pub fn mark(&mut self, field: Field) {
        self.row.push(self.fields[field as usize]);
    }

    /// Pushes the body of a `KeyValue`.
    #[inline]
    pub fn attribute(&mut self, body: &[u8]) -> Result<()> {
        let (key, value) = attribute::key_value(body)?;
        let value_type = ValueType::of_value(&value);
        let guess = self.successors[self.previous];
        let column = match self.columns.get(guess as usize) {
            Some(column) if *column.key == *key && column.value_type == value_type as u8 => guess,
            _ => self.find(key, value_type),
        };
        if column == UNKNOWN {
            self.sparse_bytes(Field::Overflow, body);
            return Ok(());
        }
        self.row.push(column);
        self.successors[self.previous] = column;
        self.previous = column as usize;
        match (&mut self.columns[column as usize].values, value) {
            (
                Values::Bytes(values),
                ValueView::Str(b) | ValueView::Bytes(b) | ValueView::Array(b) | ValueView::Map(b),
            ) => {
                values.push(b);
                self.pending_bytes += b.len() + 4;
            }
            (Values::Ints(values), ValueView::Bool(v)) => values.push(u64::from(v)),
            (Values::Ints(values), ValueView::Int(v)) => values.push(flip_sign(v as u64)),
            (Values::Ints(values), ValueView::Double(v)) => values.push(v.to_bits()),
            _ => {}
        }
        Ok(())
    }

    /// The column of a key and type, made when it is new; [`UNKNOWN`] when it may have none.
    fn find(&mut self, key: &[u8], value_type: ValueType) -> u32 {
        let Self { columns, by_key, hasher, successors, .. } = self;
        let hash = hasher.hash_one((key, value_type as u8));
        let is_it = |column: &Column| *column.key == *key && column.value_type == value_type as u8;
        if let Some(&column) = by_key.find(hash, |&column| is_it(&columns[column as usize])) {
            return column;
        }
        if columns.len() >= MAX_COLUMNS || key.len() > MAX_KEY_BYTES || std::str::from_utf8(key).is_err() {
            return UNKNOWN;
        }
        let column = columns.len() as u32;
        let values = Values::new(value_type.storage());
        columns.push(Column { field: 0, value_type: value_type as u8, key: key.into(), values });
        successors.push(UNKNOWN);
        by_key.insert_unique(hash, column, |&column| {
            let column = &columns[column as usize];
            hasher.hash_one((&*column.key, column.value_type))
        });
        column
    }

    /// Ends the row.
    pub fn end_row(&mut self, header: &[u32]) -> Result<()> {
        self.row[..header.len()].copy_from_slice(header);
        let code = self.shapes.code(&self.row).ok_or(BlockError::Full("too many shapes"))?;
        self.row.truncate(header.len());
        self.row_shapes.push(code);
        self.previous = 0;
        self.pending_bytes += 48;
        Ok(())
    }

    /// The column of a key and type, made when it is new; `None` when values of the key go to the overflow column.
    pub fn column_for(&mut self, key: &[u8], value_type: ValueType) -> Option<u32> {
        Some(self.find(key, value_type)).filter(|&column| column != UNKNOWN)
    }

    /// The number of a shape: its head, then columns.
    pub fn shape(&mut self, items: &[u32]) -> Result<u32> {
        self.shapes.code(items).ok_or(BlockError::Full("too many shapes"))
    }

    /// Ends a row whose values were pushed into the columns, with the number of its shape.
    #[inline]
    pub fn end_shaped(&mut self, shape: u32) {
        self.row_shapes.push(shape);
        self.pending_bytes += 48;
    }

    /// The number of a set of values that come together.
    pub fn set(&mut self, values: &[SetValue]) -> u32 {
        let Self { set_values, set_ends, sets, hasher, .. } = self;
        let hash = hasher.hash_one(values);
        if let Some(&set) = sets.find(hash, |&set| get_set(set_values, set_ends, set) == values) {
            return set;
        }
        let set = set_ends.len() as u32;
        set_values.extend_from_slice(values);
        set_ends.push(set_values.len() as u32);
        sets.insert_unique(hash, set, |&set| hasher.hash_one(get_set(set_values, set_ends, set)));
        set
    }

    /// Pushes a set's values. Those whose column no longer has a dictionary are left out: then this is false, and
    /// [`Self::left_out`] says which.
    #[inline]
    pub fn push_set(&mut self, set: u32) -> bool {
        let Self { columns, set_values, set_ends, .. } = self;
        let mut is_whole = true;
        for SetValue { column, value } in get_set(set_values, set_ends, set) {
            match &mut columns[*column as usize].values {
                Values::Ints(values) => values.push(*value),
                Values::Bytes(values) if values.is_coded() => values.push_code(*value as u32),
                _ => is_whole = false,
            }
        }
        is_whole
    }

    /// Columns of a set's values that [`Self::push_set`] leaves out.
    pub fn left_out(&self, set: u32) -> Vec<u32> {
        let is_out = |column: &u32| match &self.columns[*column as usize].values {
            Values::Bytes(values) => !values.is_coded(),
            _ => false,
        };
        let values = get_set(&self.set_values, &self.set_ends, set);
        values.iter().map(|value| value.column).filter(is_out).collect()
    }

    /// Bytes that stay until the block is finished, about.
    pub fn held_bytes(&self) -> usize {
        let column = |column: &Column| {
            let values = if let Values::Bytes(values) = &column.values { values.held_bytes() } else { 0 };
            values + column.key.len() + size_of::<Column>()
        };
        let sets = self.set_values.len() * size_of::<SetValue>() + self.set_ends.len() * 12;
        self.shapes.held_bytes() + self.columns.iter().map(column).sum::<usize>() + sets
    }

    /// Column of a field.
    pub fn column_of(&self, field: Field) -> u32 {
        self.fields[field as usize]
    }

    /// Writes the open row group, if it has rows, and forgets it.
    pub fn cut(&mut self, out: &mut Output, group: u32, chunks: &mut Vec<Chunk>) -> Result<()> {
        if self.row_shapes.is_empty() {
            return Ok(());
        }
        for &code in &self.row_shapes {
            let column = self.fields[Field::Shape as usize] as usize;
            if let Values::Ints(values) = &mut self.columns[column].values {
                values.push(u64::from(code));
            }
        }
        let first = chunks.len();
        let by_class = self.classify(out, group, chunks)?;
        for (number, column) in self.columns.iter_mut().enumerate() {
            match by_class.get(number).and_then(Option::as_ref) {
                Some(values) => chunks.push(column.cut_by_class(out, number as u32, group, values)?),
                None => column.cut(out, number as u32, group, chunks)?,
            }
        }
        let ranks = self.rank(&mut chunks[first..]);
        if !ranks.is_empty() {
            let column = self.fields[Field::Ranks as usize];
            chunks.push(Chunk::new(column, group, Mode::Ints, Seq::write_packed(out, &ranks)?));
        }
        self.row_shapes.clear();
        self.pending_bytes = 0;
        Ok(())
    }

    /// Writes the class of each row, when classes pay; gives each column's values by class, where they are.
    fn classify(
        &self,
        out: &mut Output,
        group: u32,
        chunks: &mut Vec<Chunk>,
    ) -> Result<Vec<Option<Vec<u64>>>> {
        if self.table != Table::Spans {
            return Ok(Vec::new());
        }
        let column = |field: Field| self.fields[field as usize] as usize;
        let (scope, name, shape) = (column(Field::Scope), column(Field::Name), column(Field::Shape));
        let (scopes, names) = (self.columns[scope].ints(), self.columns[name].codes());
        let Some(classes) = Classes::find(scopes, names, &self.row_shapes) else { return Ok(Vec::new()) };
        let mut values = classes.values(&self.columns, &self.shapes, self.table.shape_header());
        let seq = Seq::write_packed(out, &classes.of_rows)?;
        chunks.push(Chunk::new(self.fields[Field::Class as usize], group, Mode::Ints, seq));
        let Classes { scopes, names, shapes, .. } = classes;
        (values[scope], values[name], values[shape]) = (Some(scopes), Some(names), Some(shapes));
        Ok(values)
    }

    /// How many values each sparse column has before each [`RANK_STEP`]th row, column after column; the first
    /// step is left out, since it is 0.
    fn rank(&self, chunks: &mut [Chunk]) -> Vec<u64> {
        let steps = self.row_shapes.len().div_ceil(RANK_STEP) - 1;
        let mut rows = vec![UNKNOWN; self.columns.len()];
        let mut counted = 0;
        if steps > 0 {
            for chunk in chunks.iter_mut() {
                if chunk.part == 0
                    && !chunk.mode.is_by_class()
                    && !Field::is_dense(self.columns[chunk.column as usize].field)
                {
                    chunk.rank = counted;
                    rows[chunk.column as usize] = counted;
                    counted += 1;
                }
            }
        }
        let mut ranks = vec![0; counted as usize * steps];
        let mut counts = vec![0u64; counted as usize];
        for (step, block) in self.row_shapes.chunks(RANK_STEP).take(steps).enumerate() {
            for &code in block {
                for &column in &self.shapes.get(code)[self.table.shape_header()..] {
                    if let Some(count) = counts.get_mut(rows[column as usize] as usize) {
                        *count += 1;
                    }
                }
            }
            for (row, count) in counts.iter().enumerate() {
                ranks[row * steps + step] = *count;
            }
        }
        ranks
    }

    /// Writes dictionaries and shapes, and gives the columns' identities and the section of the shapes.
    pub fn finish(&mut self, out: &mut Output, chunks: &mut Vec<Chunk>) -> Result<(Vec<ColumnId>, u32)> {
        for (number, column) in self.columns.iter().enumerate() {
            chunks.extend(column.finish(out, number as u32)?);
        }
        let shapes = out.archive(&self.shapes.shapes)?;
        let id = |column: &Column| {
            let key = std::str::from_utf8(&column.key).ok();
            Ok(ColumnId {
                table: self.table,
                field: column.field,
                value_type: ValueType::of(column.value_type).or_damaged("a column has no type")?,
                key: key.or_damaged("a column's key is not text")?.to_owned(),
            })
        };
        Ok((self.columns.iter().map(id).collect::<Result<_>>()?, shapes))
    }
}

fn get_set<'a>(values: &'a [SetValue], ends: &[u32], set: u32) -> &'a [SetValue] {
    let set = set as usize;
    let from = if set == 0 { 0 } else { ends[set - 1] as usize };
    &values[from..ends[set] as usize]
}
