//! Where an attribute comes from: a table and a key, and so up to a column a type, and perhaps the overflow column.

use std::cell::Cell;

use spanloom_span::view::ValueView;
use spanloom_traceql::value::Value;

use crate::columns::{Field, Table, ValueType};
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::column::ColumnReader;
use crate::reader::contents::Contents;
use crate::reader::table::TableReader;
use crate::search::column::MAX_VALUES;
use crate::search::judge::{Form, bytes_value, int_value};
use crate::shape::{ArchivedShapes, ShapesView};
use crate::writer::attribute::key_value;

/// The shape names none of the source's columns.
const NONE: u8 = 0;
/// The shape names several of them, or one several times.
const REPEATED: u8 = u8::MAX;

/// Which of a source's columns a shape names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// None.
    None,
    /// One, once: its place among the source's columns.
    One(usize),
    /// More: which comes first must be looked up row by row.
    Several,
}

/// The attribute of a key in a table.
pub(crate) struct Source {
    pub table: Table,
    pub key: String,
    /// Its columns within the table, with the type of their values.
    pub columns: Vec<(u32, ValueType)>,
    /// The table's overflow column, when it has values.
    pub overflow: Option<u32>,
    /// Whether the overflow column of a row group has the key, for the row group asked last.
    last_overflow: Cell<Option<(u32, bool)>>,
    /// By shape: [`NONE`], [`REPEATED`], or 1 + the place of its only column.
    shapes: Vec<u8>,
}

impl Source {
    /// Finds the columns; `None` when the block has no such attribute.
    pub fn find(block: &Contents, table: Table, key: &str) -> Result<Option<Self>> {
        let range = block.table_columns(table);
        let mut columns = Vec::new();
        for number in range.clone() {
            let id = block.columns.get(number as usize).or_damaged("there is no such column")?;
            if id.field == Field::Attribute as u8 && id.key == key {
                columns.push((number - range.start, id.value_type));
            }
        }
        let overflow = block.field_column(table, Field::Overflow).filter(|&column| block.has_chunks(column));
        if columns.is_empty() && overflow.is_none() {
            return Ok(None);
        }
        if columns.len() >= REPEATED as usize {
            return Err(BlockError::Damaged("a key has more columns than types"));
        }
        let mut out = Self {
            table,
            key: key.to_owned(),
            columns,
            overflow: overflow.map(|column| column - range.start),
            last_overflow: Cell::new(None),
            shapes: Vec::new(),
        };
        out.read_shapes(block)?;
        Ok(Some(out))
    }

    fn read_shapes(&mut self, block: &Contents) -> Result<()> {
        let section = block.shapes[self.table as usize];
        if section == crate::seq::NONE {
            return Ok(());
        }
        let shapes = ShapesView::new(block.sections.archive::<ArchivedShapes>(section)?);
        for shape in 0..shapes.len() as u64 {
            let items = shapes.get(shape).or_damaged("the shapes are out of order")?;
            let mut named = NONE;
            for item in items.get(self.table.shape_header()..).unwrap_or_default() {
                if let Some(place) = self.place(item.to_native()) {
                    named = if named == NONE { place as u8 + 1 } else { REPEATED };
                }
            }
            self.shapes.push(named);
        }
        Ok(())
    }

    /// The place of a column among the source's.
    fn place(&self, column: u32) -> Option<usize> {
        self.columns.iter().position(|&(of, _)| of == column)
    }

    /// Which of the columns a shape names.
    pub fn named(&self, shape: u32) -> Result<Named> {
        Ok(match *self.shapes.get(shape as usize).or_damaged("a row has an unknown shape")? {
            NONE => Named::None,
            REPEATED => Named::Several,
            place => Named::One(usize::from(place) - 1),
        })
    }

    /// Whether the overflow column has the key in a row group.
    pub fn is_in_overflow(&self, block: &Contents, group: u32) -> Result<bool> {
        if let Some((last, found)) = self.last_overflow.get()
            && last == group
        {
            return Ok(found);
        }
        let found = self.look_into_overflow(block, group)?;
        self.last_overflow.set(Some((group, found)));
        Ok(found)
    }

    fn look_into_overflow(&self, block: &Contents, group: u32) -> Result<bool> {
        let Some(column) = self.overflow.map(|column| block.table_columns(self.table).start + column) else {
            return Ok(false);
        };
        let Some(chunk) = block.chunk(column, group) else { return Ok(false) };
        if chunk.seq.len > MAX_VALUES {
            return Err(BlockError::Damaged("a column has more values than a row group can have"));
        }
        let mut values = ColumnReader::of_chunk(block, chunk)?;
        for at in 0..values.checks() {
            if key_value(values.bytes(at)?)?.0 == self.key.as_bytes() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes the items of a row whose columns a reader reads in order, and shows the first value of the key, nil when
    /// there is none. Every row must be taken.
    pub fn take(
        &self,
        rows: &mut TableReader<'_>,
        items: &[rkyv::rend::u32_le],
        mut see: impl FnMut(Value<'_>),
    ) -> Result<()> {
        let mut is_seen = false;
        for item in items {
            let column = item.to_native();
            if let Some(place) = self.place(column) {
                let (reader, at) = rows.take(column)?;
                if !is_seen {
                    see_value(reader, at, self.columns[place].1, &mut see)?;
                    is_seen = true;
                }
            } else if self.overflow == Some(column) {
                let (reader, at) = rows.take(column)?;
                if !is_seen {
                    let (key, value) = key_value(reader.bytes(at)?)?;
                    if key == self.key.as_bytes() {
                        see(Value::of_attribute(value));
                        is_seen = true;
                    }
                }
            }
        }
        if !is_seen {
            see(Value::of_attribute(ValueView::Empty));
        }
        Ok(())
    }
}

/// Shows a value of an attribute's column.
pub(crate) fn see_value(
    reader: &mut ColumnReader<'_>,
    at: u64,
    value_type: ValueType,
    see: &mut dyn FnMut(Value<'_>),
) -> Result<()> {
    let form = Form::Attribute(value_type);
    match value_type {
        ValueType::Empty => see(Value::Nil),
        ValueType::Bool | ValueType::Int | ValueType::Double => see(int_value(form, reader.int(at)?)),
        _ => see(bytes_value(form, reader.bytes(at)?, &mut Vec::new())),
    }
    Ok(())
}
