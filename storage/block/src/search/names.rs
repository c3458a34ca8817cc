//! Names of attributes, by scope.

use std::collections::BTreeSet;

use spanloom_span::view;
use spanloom_traceql::ast::Scope;
use spanloom_traceql::value::Value;

use crate::columns::{Field, Table, ValueType};
use crate::error::Result;
use crate::reader::BlockReader;
use crate::reader::contents::Contents;
use crate::search::lookup::source::{SCOPES, table_of};
use crate::search::lookup::{Lookup, SpanRow};
use crate::search::wanted::{Met, Of, Wanted, keys, scopes};

/// How much a list may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListLimits {
    /// Most entries (of names: in each scope); 0 is no limit.
    pub count: usize,
    /// Most bytes of all together.
    pub bytes: usize,
}

/// Names of attributes by scope, each once, ascending.
#[derive(Debug, Default)]
pub struct Names {
    scopes: [BTreeSet<String>; 5],
    bytes: usize,
    /// Whether a limit was met.
    pub is_cut: bool,
}

impl Names {
    /// The names of a scope.
    pub fn of(&self, scope: Scope) -> &BTreeSet<String> {
        &self.scopes[index(scope)]
    }

    /// Adds a name, within limits.
    pub fn add(&mut self, scope: Scope, name: &str, limits: ListLimits) {
        let names = &mut self.scopes[index(scope)];
        if names.contains(name) {
            return;
        }
        if limits.count > 0 && names.len() >= limits.count || self.bytes + name.len() > limits.bytes {
            self.is_cut = true;
            return;
        }
        self.bytes += name.len();
        names.insert(name.to_owned());
    }
}

fn index(scope: Scope) -> usize {
    SCOPES.iter().position(|&known| known == scope).unwrap_or(0)
}

impl BlockReader {
    /// Lists the names of the attributes that rows have, in one scope or all. An attribute without a value is none.
    pub fn names(
        &self,
        scope: Option<Scope>,
        wanted: Wanted<'_>,
        limits: ListLimits,
        out: &mut Names,
    ) -> Result<()> {
        let block = self.contents();
        let groups = wanted.groups(block);
        let mut lookup = Lookup::new(block, &[])?;
        let is_all = wanted.is_all(block);
        for scope in scope.as_ref().map_or(&SCOPES[..], std::slice::from_ref) {
            let table = table_of(*scope);
            let mut list = List { block, scope: *scope, table, limits, out, seen: Met::default() };
            match table {
                Table::Resources | Table::Scopes if is_all => list.of_group(0)?,
                Table::Resources | Table::Scopes => list.referred(&mut lookup, &groups)?,
                _ => {
                    for &(group, of) in &groups {
                        match of {
                            Of::Some(_) => list.of_rows(&mut lookup, group, of)?,
                            _ => list.of_group(group)?,
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// Names of one table, as they are listed.
struct List<'l, 'a> {
    block: &'a Contents,
    scope: Scope,
    table: Table,
    limits: ListLimits,
    out: &'l mut Names,
    /// Shapes whose names are listed.
    seen: Met,
}

impl List<'_, '_> {
    /// Names of all columns that have values in a row group.
    fn of_group(&mut self, group: u32) -> Result<()> {
        for global in self.block.table_columns(self.table) {
            let Some(id) = self.block.columns.get(global as usize) else { continue };
            if self.block.chunk(global, group).is_none() {
                continue;
            }
            if id.field == Field::Attribute as u8 {
                self.out.add(self.scope, &id.key, self.limits);
            } else if id.field == Field::Overflow as u8 {
                self.overflow(global, group)?;
            }
        }
        Ok(())
    }

    fn overflow(&mut self, column: u32, group: u32) -> Result<()> {
        let mut values = crate::reader::column::ColumnReader::open(self.block, column, group)?;
        for at in 0..values.checks() {
            self.body(values.bytes(at)?)?;
        }
        Ok(())
    }

    /// Lists the key of an overflowing attribute.
    fn body(&mut self, body: &[u8]) -> Result<()> {
        let (key, value) = view::key_value(body)?;
        if Value::of_attribute(value) != Value::Nil {
            self.out.add(self.scope, &String::from_utf8_lossy(key), self.limits);
        }
        Ok(())
    }

    /// Names in the resources or scopes that spans refer to.
    fn referred(&mut self, lookup: &mut Lookup<'_>, groups: &[(u32, Of<'_>)]) -> Result<()> {
        let (mut met, mut resources) = (Met::default(), Met::default());
        for &(group, of) in groups {
            scopes(lookup, group, of, &mut met, &mut |lookup, scope| {
                let row = if self.table == Table::Scopes { scope } else { lookup.resource(scope)? };
                if self.table == Table::Scopes || resources.is_new(row) {
                    self.of_row(lookup, group, row)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Names that rows of spans have, or their events or links.
    fn of_rows(&mut self, lookup: &mut Lookup<'_>, group: u32, of: Of<'_>) -> Result<()> {
        if self.table == Table::Spans {
            let keys = keys(&mut lookup.group(group)?.spans, of)?;
            let mut any = false;
            for &(_, row) in &keys {
                any |= self.of_row(lookup, group, row)?;
            }
            if !any {
                return Ok(());
            }
            // Overflow differs from row to row.
            let rows = lookup.group(group)?.spans.len();
            return of.each(rows, &mut |row| self.overflow_of_row(lookup, group, row));
        }
        let rows = lookup.group(group)?.spans.len();
        of.each(rows, &mut |row| {
            for child in lookup.children(SpanRow { group, row }, self.table)? {
                if self.of_row(lookup, group, child)? {
                    self.overflow_of_row(lookup, group, child)?;
                }
            }
            Ok(())
        })
    }

    /// Lists the names of a row's shape; of a resource or scope those in overflow, too. Gives whether it has overflow.
    fn of_row(&mut self, lookup: &mut Lookup<'_>, group: u32, row: u64) -> Result<bool> {
        let rows = lookup.rows(self.table, group)?;
        let key = rows.key(row)?;
        let shape = rows.shape_of(key)?;
        let (_, items) = rows.items(shape)?;
        let is_new = self.seen.is_new(shape);
        let mut has_overflow = false;
        for item in items {
            let id = self.block.column(self.table, item.to_native())?;
            has_overflow |= id.field == Field::Overflow as u8;
            if is_new && id.field == Field::Attribute as u8 && id.value_type != ValueType::Empty {
                self.out.add(self.scope, &id.key, self.limits);
            }
        }
        if has_overflow && matches!(self.table, Table::Resources | Table::Scopes) {
            self.overflow_of_row(lookup, group, row)?;
        }
        Ok(has_overflow)
    }

    fn overflow_of_row(&mut self, lookup: &mut Lookup<'_>, group: u32, row: u64) -> Result<()> {
        let rows = lookup.rows(self.table, group)?;
        let key = rows.key(row)?;
        let (_, items) = rows.items(rows.shape_of(key)?)?;
        let mut next = None;
        for item in items {
            let column = item.to_native();
            if self.block.field_of(self.table, column)? != Field::Overflow as u8 {
                continue;
            }
            let (slot, at) = match next {
                Some(next) => next,
                None => {
                    let slot = rows.slot(column)?;
                    (slot, rows.place(slot, row)?)
                }
            };
            self.body(rows.bytes(slot, at)?)?;
            next = Some((slot, if rows.is_by_class(slot) { at } else { at + 1 }));
        }
        Ok(())
    }
}
