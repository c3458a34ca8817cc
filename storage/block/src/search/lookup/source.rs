//! Where the values of a field of TraceQL come from: the columns of its key, or of what every span has.

use rkyv::rend::u32_le;
use spanloom_traceql::ast::{self, Intrinsic, Scope};

use crate::columns::{Field, Table, ValueType};
use crate::reader::contents::Contents;
use crate::search::lookup::Found;
use crate::search::lookup::rows::MAX_REMEMBERED;

/// Where the values of a field come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Of the whole trace: no block alone knows it.
    Trace,
    /// An attribute: the tables in which it is looked for, in order.
    Attribute(Vec<Keyed>),
    /// What every span, event, link or scope has.
    Intrinsic(Intrinsic),
}

/// Attributes of one key in one table.
#[derive(Debug)]
pub(crate) struct Keyed {
    pub table: Table,
    pub key: Box<[u8]>,
    /// The key's columns, by number within the table, one for each type.
    pub columns: Vec<(u32, ValueType)>,
    /// The overflow column, if the table has one in use.
    overflow: Option<u32>,
    /// Where it lies in each resource or scope, as far as that was found.
    pub found: Vec<Found>,
    /// What was found of each shape.
    shapes: Vec<Named>,
}

/// How a shape names a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// Not looked at yet.
    Unknown,
    /// Not at all.
    Not,
    /// First by this one of [`Keyed::columns`].
    First(u32),
    /// Perhaps: the shape has overflow, in which it may stand first.
    Perhaps,
}

impl Source {
    /// Resolves a field.
    pub fn of(block: &Contents, field: &ast::Field) -> Self {
        use Intrinsic::{
            ChildCount, NestedSetLeft, NestedSetParent, NestedSetRight, Parent, RootName, RootService,
            TraceDuration,
        };
        match field {
            ast::Field::Attribute(attribute) if attribute.parent => Self::Trace,
            ast::Field::Attribute(attribute) => {
                let keyed = |&scope: &Scope| Keyed::of(block, table_of(scope), attribute.name.as_bytes());
                let scopes = attribute.scope.as_ref().map_or(&SCOPES[..], std::slice::from_ref);
                Self::Attribute(scopes.iter().map(keyed).filter(|keyed| !keyed.is_nowhere()).collect())
            }
            ast::Field::Intrinsic(intrinsic) => match intrinsic {
                Parent | RootName | RootService | TraceDuration | NestedSetLeft | NestedSetRight
                | NestedSetParent | ChildCount => Self::Trace,
                other => Self::Intrinsic(*other),
            },
        }
    }
}

/// The scopes in the order in which an attribute without one is looked for.
pub(crate) const SCOPES: [Scope; 5] =
    [Scope::Span, Scope::Resource, Scope::Event, Scope::Link, Scope::Instrumentation];

/// The table that has the attributes of a scope.
pub(crate) fn table_of(scope: Scope) -> Table {
    match scope {
        Scope::Span => Table::Spans,
        Scope::Resource => Table::Resources,
        Scope::Event => Table::Events,
        Scope::Link => Table::Links,
        Scope::Instrumentation => Table::Scopes,
    }
}

impl Keyed {
    /// Finds the columns of a key.
    pub fn of(block: &Contents, table: Table, key: &[u8]) -> Self {
        let range = block.table_columns(table);
        let columns = block.columns.get(range.start as usize..range.end as usize).unwrap_or_default();
        let is_it =
            |id: &crate::directory::ColumnId| id.field == Field::Attribute as u8 && id.key.as_bytes() == key;
        let found = columns.iter().enumerate().filter(|(_, id)| is_it(id));
        let overflow = block.field_column(table, Field::Overflow);
        let overflow = overflow.filter(|&column| block.has_chunks(column));
        Self {
            table,
            key: key.into(),
            columns: found.map(|(number, id)| (number as u32, id.value_type)).collect(),
            overflow: overflow.map(|column| column - range.start),
            found: Vec::new(),
            shapes: Vec::new(),
        }
    }

    /// Whether no row has the key.
    pub fn is_nowhere(&self) -> bool {
        self.columns.is_empty() && self.overflow.is_none()
    }

    /// Whether a column is the overflow column.
    pub fn is_overflow(&self, column: u32) -> bool {
        self.overflow == Some(column)
    }

    /// How a shape names the key.
    #[inline]
    pub fn named(&mut self, shape: u64, items: &[u32_le]) -> Named {
        match self.shapes.get(shape as usize) {
            Some(&named) if named != Named::Unknown => named,
            _ => self.look(shape, items),
        }
    }

    fn look(&mut self, shape: u64, items: &[u32_le]) -> Named {
        let of_column = |item: &u32_le| {
            let item = item.to_native();
            if self.is_overflow(item) {
                return Some(Named::Perhaps);
            }
            let place = self.columns.iter().position(|&(column, _)| column == item)?;
            Some(Named::First(place as u32))
        };
        let named = items.iter().find_map(of_column).unwrap_or(Named::Not);
        let shape = shape as usize;
        if shape < MAX_REMEMBERED {
            if self.shapes.len() <= shape {
                self.shapes.resize(shape + 1, Named::Unknown);
            }
            self.shapes[shape] = named;
        }
        named
    }
}
