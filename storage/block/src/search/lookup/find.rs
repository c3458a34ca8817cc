//! Attributes found in tables: in which column a row has its first value of a key.

use std::ops::Range;

use spanloom_span::view;
use spanloom_traceql::value::Value;

use crate::columns::{Table, ValueType};
use crate::error::{BlockError, Result};
use crate::search::lookup::rows::{MAX_REMEMBERED, Rows};
use crate::search::lookup::source::{Keyed, Named};
use crate::search::lookup::{Found, Lookup, SpanRow};

/// Most events, and links, of a span that are looked at. A forged block may claim any number.
const MAX_CHILDREN: u64 = 1 << 22;

impl Lookup<'_> {
    /// Where the attribute of a span lies in one table, and whether the span's class decides it. [`Found::ByRow`] for
    /// events and links that are there.
    pub(super) fn find(&mut self, at: SpanRow, keyed: &mut Keyed) -> Result<(Found, bool)> {
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
                Ok((self.find_referred(at.group, resource, keyed)?, is_decided))
            }
            Table::Scopes => {
                let (scope, is_decided) = self.scope(at)?;
                Ok((self.find_referred(at.group, scope, keyed)?, is_decided))
            }
            Table::Traces => Ok((Found::Nil, true)),
        }
    }

    /// Where the attribute of a resource or scope lies; found once for each.
    pub(super) fn find_referred(&mut self, group: u32, row: u64, keyed: &mut Keyed) -> Result<Found> {
        match keyed.found.get(row as usize) {
            Some(&found) if found != Found::Unknown => return Ok(found),
            _ => {}
        }
        let (found, _) = self.find_in(group, row, keyed)?;
        let found = self.keep(group, found)?;
        let row = row as usize;
        if row < MAX_REMEMBERED {
            if keyed.found.len() <= row {
                keyed.found.resize(row + 1, Found::Unknown);
            }
            keyed.found[row] = found;
        }
        Ok(found)
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
