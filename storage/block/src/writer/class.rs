//! Classes: the rows of a row group by scope, name and shape. `docs/formats/block.md`, section "Classes".
//!
//! What a span is called and where it comes from decides most of its attributes: the route, the server's address, the
//! query's text. Each distinct (scope, name, shape) of a row group is a class. A row keeps its class's number; a
//! column whose value is the same for all rows of a class keeps one value a class instead of one a row.

use hashbrown::HashMap;

use crate::columns::Field;
use crate::shape::ShapeSet;
use crate::writer::column::Column;

/// Rows that a class must stand for, on the average, so that classes pay.
const MIN_ROWS_PER_CLASS: usize = 16;

/// Most columns times classes that are looked at.
const MAX_CELLS: usize = 1 << 21;

/// The classes of a row group.
pub(crate) struct Classes {
    /// Class of each row.
    pub of_rows: Vec<u64>,
    /// Scope, name and shape of each class.
    pub scopes: Vec<u64>,
    pub names: Vec<u64>,
    pub shapes: Vec<u64>,
}

impl Classes {
    /// Finds the classes; `None` when there are too many to pay.
    pub fn find(scopes: &[u64], names: &[u32], shapes: &[u32]) -> Option<Self> {
        let rows = shapes.len();
        if scopes.len() != rows || names.len() != rows {
            return None;
        }
        let mut classes = HashMap::<(u64, u32, u32), u64, foldhash::fast::RandomState>::default();
        let mut out =
            Self { of_rows: Vec::with_capacity(rows), scopes: vec![], names: vec![], shapes: vec![] };
        for ((&scope, &name), &shape) in scopes.iter().zip(names).zip(shapes) {
            let next = out.shapes.len();
            let class = *classes.entry((scope, name, shape)).or_insert(next as u64);
            if class == next as u64 {
                if (next + 1) * MIN_ROWS_PER_CLASS > rows {
                    return None;
                }
                out.scopes.push(scope);
                out.names.push(u64::from(name));
                out.shapes.push(u64::from(shape));
            }
            out.of_rows.push(class);
        }
        Some(out)
    }

    /// For each column the value of each class, where every row of a class has the same one. `header` is how many
    /// items of a shape are no columns.
    pub fn values(&self, columns: &[Column], shapes: &ShapeSet, header: usize) -> Vec<Option<Vec<u64>>> {
        let classes = self.shapes.len();
        let mut out: Vec<Option<Vec<u64>>> = columns.iter().map(|_| None).collect();
        if columns.len() * classes > MAX_CELLS {
            return out;
        }
        let mut cells: Vec<Option<u64>> = vec![None; columns.len() * classes];
        // Ends of events and links are read with the value before, so they stay in the order of the rows.
        let is_positional = |c: &Column| [Field::EventsEnd as u8, Field::LinksEnd as u8].contains(&c.field);
        let is_out = |c: &Column| c.count() == 0 || is_positional(c);
        let mut next: Vec<usize> = columns.iter().map(|c| if is_out(c) { DIFFERS } else { 0 }).collect();
        for &class in &self.of_rows {
            let shape = self.shapes[class as usize] as u32;
            for &column in &shapes.get(shape)[header..] {
                let column = column as usize;
                let at = next[column];
                if at == DIFFERS {
                    continue;
                }
                let value = columns[column].code(at);
                let cell = &mut cells[column * classes + class as usize];
                let is_same = value.is_some() && cell.is_none_or(|kept| Some(kept) == value);
                *cell = value;
                next[column] = if is_same { at + 1 } else { DIFFERS };
            }
        }
        for (column, out) in out.iter_mut().enumerate().filter(|(column, _)| next[*column] != DIFFERS) {
            let cells = &cells[column * classes..(column + 1) * classes];
            // A class without the column takes any value: one that is there keeps a constant column constant.
            if let Some(filler) = cells.iter().flatten().next() {
                *out = Some(cells.iter().map(|cell| cell.unwrap_or(*filler)).collect());
            }
        }
        out
    }
}

/// The column has different values within a class.
const DIFFERS: usize = usize::MAX;
