//! Every attribute of a span and of its resource.

use std::rc::Rc;

use spanloom_span::view;
use spanloom_traceql::ast::Scope;
use spanloom_traceql::value::Value;

use crate::columns::{Field, Table, ValueType};
use crate::error::Result;
use crate::search::lookup::{Found, Lookup, SpanRow};

/// Most shapes that are remembered.
const MAX_SHAPES: usize = 1 << 12;

/// What a shape names.
pub(crate) struct Named {
    /// Columns, of each key the first.
    columns: Vec<(u32, ValueType)>,
    /// Whether there are more in overflow, perhaps of the same keys.
    has_overflow: bool,
}

/// What takes an attribute.
type See<'s> = &'s mut dyn FnMut(Scope, &[u8], Value<'_>);

impl Lookup<'_> {
    /// Shows every attribute of a span's resource, and of the span; of a key that one of them has twice the first.
    pub fn attributes(&mut self, at: SpanRow, see: See<'_>) -> Result<()> {
        let (scope, _) = self.scope(at)?;
        let resource = self.resource(scope)?;
        self.attributes_of(Table::Resources, SpanRow { row: resource, ..at }, Scope::Resource, see)?;
        self.attributes_of(Table::Spans, at, Scope::Span, see)
    }

    fn attributes_of(&mut self, table: Table, at: SpanRow, scope: Scope, see: See<'_>) -> Result<()> {
        let rows = self.rows(table, at.group)?;
        let key = rows.key(at.row)?;
        let shape = rows.shape_of(key)?;
        let named = match self.named.get(&(table as u8, shape)) {
            Some(named) => named.clone(),
            None => self.look_at_shape(table, at.group, shape)?,
        };
        if named.has_overflow {
            return self.walk(table, at, scope, see);
        }
        let block = self.block;
        for &(column, value_type) in &named.columns {
            let key = block.column(table, column)?.key.as_bytes();
            let found = if value_type == ValueType::Empty {
                Found::Nil
            } else {
                let rows = self.rows(table, at.group)?;
                let slot = rows.slot(column)?;
                Found::Value { table, value_type, slot, at: rows.place(slot, at.row)? }
            };
            self.show(at.group, found, &mut |value| see(scope, key, value))?;
        }
        Ok(())
    }

    fn look_at_shape(&mut self, table: Table, group: u32, shape: u64) -> Result<Rc<Named>> {
        let block = self.block;
        let (_, items) = self.rows(table, group)?.items(shape)?;
        let mut named = Named { columns: Vec::new(), has_overflow: false };
        let mut keys = hashbrown::HashSet::<&str, foldhash::fast::RandomState>::default();
        for item in items {
            let id = block.column(table, item.to_native())?;
            named.has_overflow |= id.field == Field::Overflow as u8;
            if id.field == Field::Attribute as u8 && keys.insert(&id.key) {
                named.columns.push((item.to_native(), id.value_type));
            }
        }
        let named = Rc::new(named);
        if self.named.len() >= MAX_SHAPES {
            self.named.clear();
        }
        self.named.insert((table as u8, shape), named.clone());
        Ok(named)
    }

    /// The same for a row that has overflow: item by item.
    fn walk(&mut self, table: Table, at: SpanRow, scope: Scope, see: See<'_>) -> Result<()> {
        let block = self.block;
        let rows = self.rows(table, at.group)?;
        let key = rows.key(at.row)?;
        let (_, items) = rows.items(rows.shape_of(key)?)?;
        let mut keys = hashbrown::HashSet::<Box<[u8]>, foldhash::fast::RandomState>::default();
        let mut next = None;
        for item in items {
            let column = item.to_native();
            let id = block.column(table, column)?;
            let is_overflow = id.field == Field::Overflow as u8;
            if !is_overflow && (id.field != Field::Attribute as u8 || !keys.insert(id.key.as_bytes().into()))
            {
                continue;
            }
            let rows = self.rows(table, at.group)?;
            if is_overflow {
                let (slot, place) = match next {
                    Some(next) => next,
                    None => {
                        let slot = rows.slot(column)?;
                        (slot, rows.place(slot, at.row)?)
                    }
                };
                let (key, value) = view::key_value(rows.bytes(slot, place)?)?;
                if keys.insert(key.into()) {
                    see(scope, key, Value::of_attribute(value));
                }
                next = Some((slot, if rows.is_by_class(slot) { place } else { place + 1 }));
            } else if id.value_type == ValueType::Empty {
                see(scope, id.key.as_bytes(), Value::Nil);
            } else {
                let slot = rows.slot(column)?;
                let found =
                    Found::Value { table, value_type: id.value_type, slot, at: rows.place(slot, at.row)? };
                self.show(at.group, found, &mut |value| see(scope, id.key.as_bytes(), value))?;
            }
        }
        Ok(())
    }
}
