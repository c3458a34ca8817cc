//! Filters over one row group. What the classes of its rows decide is reckoned first, once a class; for the rows that
//! this leaves open the values of single columns are compared in bulk, the cheap ones first. Only conditions over
//! several values at once are judged row by row, and only for the rows that all else leaves.

use std::ops::Range;

use spanloom_traceql::value::Value;

use crate::columns::{Field, Table};
use crate::directory::Group;
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::contents::Contents;
use crate::search::attribute::{
    Known, KnownColumn, MAY, MUST, Memory, column_rows, dense_rows, known, known_by_shape,
    known_of_attribute, known_of_column, known_of_presence, matching_rows, present_rows,
};
use crate::search::bits::{Bits, Set};
use crate::search::column::{Question, is_dear};
use crate::search::ids::{has_zero_ids, parent_rows, root_rows, trace_rows};
use crate::search::judge::Form;
use crate::search::node::{Child, Compiled, Leaf, Node};
use crate::search::reckon;
use crate::search::rows::{Labels, Rows, by_class};
use crate::seq::SeqView;

/// The rows of one row group, searched.
pub(crate) struct GroupSearch<'s, 'a> {
    block: &'a Contents,
    number: u32,
    bounds: Group,
    /// Its rows, counted within the block.
    range: Range<u64>,
    compiled: &'s Compiled<'a>,
    memory: &'s mut Memory,
    zero_ids: &'s mut Option<bool>,
    spans: Rows<'a>,
    /// Scope of each class, or where there are no classes of each row.
    scopes: Option<Scopes<'a>>,
    events: Option<Option<Rows<'a>>>,
    links: Option<Option<Rows<'a>>>,
    /// Whether more was looked at than what stands for many rows at once.
    pub looked_at_rows: bool,
}

enum Scopes<'a> {
    OfClasses(Vec<u32>),
    OfRows(Labels<'a>),
}

/// A condition, and what is known of it for each class.
struct Judged {
    known: Vec<Known>,
    parts: Vec<Judged>,
}

/// What a leaf costs, in a rough order.
const BY_CLASS: u32 = 2;
const DEAR: u32 = 20;

impl<'s, 'a> GroupSearch<'s, 'a> {
    /// Opens a row group.
    pub fn open(
        block: &'a Contents,
        number: u32,
        compiled: &'s Compiled<'a>,
        memory: &'s mut Memory,
        zero_ids: &'s mut Option<bool>,
    ) -> Result<Self> {
        let bounds = *block.groups.get(number as usize).or_damaged("there is no such row group")?;
        let end = block.groups.get(number as usize + 1).map_or(block.meta.spans, |next| next.first_row);
        let spans = Rows::open(block, Table::Spans, number, &mut memory.touched)?;
        let spans = spans.or_damaged("a row group has no spans")?;
        if spans.len() as u64 != end.saturating_sub(bounds.first_row) {
            return Err(BlockError::Damaged("a row group has another count of rows"));
        }
        Ok(Self {
            block,
            number,
            bounds,
            range: bounds.first_row..end,
            compiled,
            memory,
            zero_ids,
            spans,
            scopes: None,
            events: None,
            links: None,
            looked_at_rows: false,
        })
    }

    /// The rows for which a filter holds, or may hold where it needs the whole trace.
    pub fn filter(&mut self, node: &Node) -> Result<Set> {
        if let Node::Const(holds) = node {
            return Ok(Set::of(*holds));
        }
        let judged = self.judge(node)?;
        let must: Vec<u8> = judged.known.iter().map(|&known| u8::from(known & MUST != 0)).collect();
        let open: Vec<u8> = judged.known.iter().map(|&known| u8::from(known == MAY)).collect();
        let certain = self.rows_of_classes(&must)?;
        if !open.contains(&1) {
            return Ok(certain);
        }
        // Where all open classes agree on a part of the condition, that part is not looked at again.
        let residual = residual(node, &judged, &open);
        let of_open = if open.contains(&0) { None } else { Some(Set::All) };
        let wanted = match &of_open {
            None if self.cost(&residual) >= DEAR => Some(self.rows_of_classes(&open)?),
            _ => None,
        };
        let found = self.rows(&residual, true, wanted.as_ref())?;
        self.looked_at_rows = true;
        if found.is_none() {
            return Ok(certain);
        }
        let of_open = match of_open.or(wanted) {
            Some(known) => known,
            None => self.rows_of_classes(&open)?,
        };
        Ok(certain.or(found.and(of_open)))
    }

    fn rows_of_classes(&mut self, table: &[u8]) -> Result<Set> {
        if !table.contains(&1) {
            return Ok(Set::None);
        }
        self.looked_at_rows = true;
        match self.spans.classes() {
            Some(_) => self.spans.labels.rows_where(table),
            None => Ok(Set::All),
        }
    }

    /// What is known of a condition by class; where there are no classes all rows count as one.
    fn judge(&mut self, node: &Node) -> Result<Judged> {
        let classes = self.spans.classes().unwrap_or(1);
        let leaf = |known| Judged { known, parts: Vec::new() };
        Ok(match node {
            Node::Const(holds) => leaf(vec![known(*holds); classes]),
            Node::Leaf(number) => leaf(self.known(*number, classes)?),
            Node::Not(of) => {
                let part = self.judge(of)?;
                let not = |known: &Known| {
                    let (may, must) = (known & MAY != 0, known & MUST != 0);
                    if must {
                        0
                    } else if may {
                        MAY
                    } else {
                        MAY | MUST
                    }
                };
                Judged { known: part.known.iter().map(not).collect(), parts: vec![part] }
            }
            Node::All(of) | Node::Any(of) => {
                let is_all = matches!(node, Node::All(_));
                let mut all = vec![known(is_all); classes];
                let mut parts = Vec::with_capacity(of.len());
                for node in of {
                    let part = self.judge(node)?;
                    for (all, part) in all.iter_mut().zip(&part.known) {
                        *all = if is_all { *all & *part } else { *all | *part };
                    }
                    parts.push(part);
                }
                Judged { known: all, parts }
            }
        })
    }

    /// What is known of a leaf by class.
    fn known(&mut self, number: usize, classes: usize) -> Result<Vec<Known>> {
        let compiled = self.compiled;
        let ask =
            |judge: usize, form| Question { number: judge as u32, form, judge: &compiled.judges[judge] };
        match &compiled.leaves[number] {
            Leaf::Attribute { source, judge } => {
                let (source, judged) = (&compiled.sources[*source], &compiled.judges[*judge]);
                known_of_attribute(&mut self.spans, source, *judge as u32, judged, self.memory)
            }
            Leaf::HasAttribute { source } => known_of_presence(&self.spans, &compiled.sources[*source]),
            Leaf::Scope(wanted) => match self.scopes()? {
                Scopes::OfClasses(scopes) => {
                    Ok(scopes.iter().map(|&scope| known(wanted.has(scope as usize))).collect())
                }
                Scopes::OfRows(_) => Ok(vec![MAY; classes]),
            },
            Leaf::Kind { judge } => {
                self.known_of_head(0, |code| ask(*judge, Form::Text).judge.value(Value::Kind(code)))
            }
            Leaf::Status { judge } => {
                self.known_of_head(1, |code| ask(*judge, Form::Text).judge.value(Value::Status(code)))
            }
            Leaf::Dense { field, form, judge } => {
                if *field == Field::Duration
                    && let Some(same) = self.known_of_duration(*judge)
                {
                    return Ok(vec![known(same); classes]);
                }
                let column = self.spans.field(*field).or_damaged("a field has no column")?;
                let of = known_of_column(&self.spans, column, ask(*judge, *form), self.memory)?;
                Ok((0..classes).map(|class| of.of(class)).collect())
            }
            Leaf::StatusMessage { judge } => {
                let empty = known(ask(*judge, Form::Text).judge.value(Value::Text(b"")));
                let Some(column) = self.spans.field(Field::StatusMessage) else {
                    return Ok(vec![empty; classes]);
                };
                let of = known_of_column(&self.spans, column, ask(*judge, Form::Text), self.memory)?;
                self.known_where_named(column, |class| of.of(class), empty)
            }
            Leaf::Child { table, child, judge } => {
                let of = self.known_of_child(*table, *child, *judge)?;
                match self.spans.field(end_of(*table)) {
                    Some(column) => self.known_where_named(column, |_| of, 0),
                    None => Ok(vec![0; classes]),
                }
            }
            Leaf::HasChild { table } => match self.spans.field(end_of(*table)) {
                Some(column) => self.known_where_named(column, |_| known(true), 0),
                None => Ok(vec![0; classes]),
            },
            Leaf::Root | Leaf::ParentId { .. } | Leaf::TraceId { .. } | Leaf::Reckon(_) | Leaf::Unknown => {
                Ok(vec![MAY; classes])
            }
        }
    }

    fn known_of_head(&self, place: usize, holds: impl Fn(i32) -> bool) -> Result<Vec<Known>> {
        known_by_shape(&self.spans, |_, shape| Ok(known(holds(head(&self.spans, shape, place)?))))
    }

    fn known_where_named(
        &self,
        column: u32,
        named: impl Fn(usize) -> Known,
        unnamed: Known,
    ) -> Result<Vec<Known>> {
        let names = self.spans.names(column)?;
        match self.spans.classes() {
            Some(_) => {
                let each = names.iter().enumerate();
                Ok(each.map(|(class, &names)| if names != 0 { named(class) } else { unnamed }).collect())
            }
            None => known_by_shape(&self.spans, |_, shape| {
                Ok(if names.get(shape as usize).is_some_and(|&names| names != 0) {
                    named(0)
                } else {
                    unnamed
                })
            }),
        }
    }

    /// What the shortest and longest durations of the group say.
    fn known_of_duration(&self, judge: usize) -> Option<bool> {
        known_of_duration(&self.bounds, &self.compiled.judges[judge].ranges(Form::Duration)?)
    }

    /// What is known of spans with events (or links) as to whether one of those matches.
    fn known_of_child(&mut self, table: Table, child: Child, judge: Option<usize>) -> Result<Known> {
        let compiled = self.compiled;
        let Some(judge) = judge else { return Ok(MAY) };
        self.open_children(table)?;
        let memory = &mut *self.memory;
        let children = if table == Table::Events { &self.events } else { &self.links };
        let Some(Some(rows)) = children else { return Ok(0) };
        let ask = |form| Question { number: judge as u32, form, judge: &compiled.judges[judge] };
        let nothing = |of: KnownColumn| matches!(of, KnownColumn::Same(0));
        let none = match child {
            Child::Field(field, form) => {
                let column = rows.field(field).or_damaged("a field has no column")?;
                nothing(known_of_column(rows, column, ask(form), memory)?)
            }
            Child::Attribute(source) => {
                let source = &compiled.sources[source];
                let mut none = !source.is_in_overflow(rows.block, rows.group)?;
                for &(column, value_type) in &source.columns {
                    none = none
                        && nothing(known_of_column(rows, column, ask(Form::Attribute(value_type)), memory)?);
                }
                none
            }
        };
        Ok(if none { 0 } else { MAY })
    }

    /// The rows for which a condition holds; of rows that are not wanted nothing is said. A test that needs the whole
    /// trace counts as `unknown`.
    fn rows(&mut self, node: &Node, unknown: bool, wanted: Option<&Set>) -> Result<Set> {
        match node {
            Node::Const(holds) => Ok(Set::of(*holds)),
            Node::Leaf(number) => self.leaf_rows(*number, unknown, wanted),
            Node::Not(of) => Ok(self.rows(of, !unknown, wanted)?.not()),
            Node::All(of) => {
                let mut left = wanted.cloned();
                for node in self.by_cost(of) {
                    let found = self.rows(node, unknown, left.as_ref())?;
                    let found = match left {
                        Some(left) => left.and(found),
                        None => found,
                    };
                    if found.is_none() {
                        return Ok(Set::None);
                    }
                    left = Some(found);
                }
                Ok(left.unwrap_or(Set::All))
            }
            Node::Any(of) => {
                let mut found = Set::None;
                for node in self.by_cost(of) {
                    let left = match wanted {
                        Some(wanted) => Some(wanted.clone().without(&found)),
                        None if found.is_none() => None,
                        None => Some(found.clone().not()),
                    };
                    if left.as_ref().is_some_and(Set::is_none) {
                        break;
                    }
                    let more = self.rows(node, unknown, left.as_ref())?;
                    let more = match left {
                        Some(left) => left.and(more),
                        None => more,
                    };
                    found = found.or(more);
                }
                Ok(found)
            }
        }
    }

    fn by_cost<'n>(&self, of: &'n [Node]) -> Vec<&'n Node> {
        let mut nodes: Vec<&Node> = of.iter().collect();
        nodes.sort_by_cached_key(|node| self.cost(node));
        nodes
    }

    fn cost(&self, node: &Node) -> u32 {
        match node {
            Node::Const(_) => 0,
            Node::Not(of) => self.cost(of),
            Node::All(of) | Node::Any(of) => of.iter().map(|node| self.cost(node)).max().unwrap_or(0),
            Node::Leaf(number) => self.leaf_cost(&self.compiled.leaves[*number]),
        }
    }

    fn leaf_cost(&self, leaf: &Leaf) -> u32 {
        let of_column = |column: Option<u32>, form: Form, judge: usize| {
            let chunk = column.and_then(|column| self.block.chunk(self.spans.global(column), self.number));
            let judge = &self.compiled.judges[judge];
            if chunk.is_some_and(|chunk| is_dear(chunk, form, judge)) { DEAR } else { 1 }
        };
        match leaf {
            Leaf::Unknown => 0,
            Leaf::Attribute { source, judge } => {
                let source = &self.compiled.sources[*source];
                let costs = source.columns.iter().map(|&(column, value_type)| {
                    of_column(Some(column), Form::Attribute(value_type), *judge)
                });
                costs.max().unwrap_or(1)
            }
            Leaf::Dense { field, form, judge } => of_column(self.spans.field(*field), *form, *judge),
            Leaf::StatusMessage { judge } => {
                of_column(self.spans.field(Field::StatusMessage), Form::Text, *judge)
            }
            Leaf::HasAttribute { .. }
            | Leaf::Scope(_)
            | Leaf::Kind { .. }
            | Leaf::Status { .. }
            | Leaf::HasChild { .. } => BY_CLASS,
            Leaf::Root | Leaf::TraceId { .. } => 3,
            Leaf::Child { .. } => 4,
            Leaf::ParentId { .. } => DEAR,
            Leaf::Reckon(_) => DEAR + 10,
        }
    }

    fn leaf_rows(&mut self, number: usize, unknown: bool, wanted: Option<&Set>) -> Result<Set> {
        let compiled = self.compiled;
        let ask =
            |judge: usize, form| Question { number: judge as u32, form, judge: &compiled.judges[judge] };
        let spans = &mut self.spans;
        let memory = &mut *self.memory;
        match &compiled.leaves[number] {
            Leaf::Unknown => Ok(Set::of(unknown)),
            Leaf::Attribute { source, judge } => {
                let (source, judged) = (&compiled.sources[*source], &compiled.judges[*judge]);
                matching_rows(spans, source, *judge as u32, judged, memory, wanted)
            }
            Leaf::HasAttribute { source } => present_rows(spans, &compiled.sources[*source]),
            Leaf::Scope(of) => self.scope_rows(of),
            Leaf::Kind { judge } => {
                self.head_rows(0, |code| compiled.judges[*judge].value(Value::Kind(code)))
            }
            Leaf::Status { judge } => {
                self.head_rows(1, |code| compiled.judges[*judge].value(Value::Status(code)))
            }
            Leaf::Dense { field, form, judge } => {
                dense_rows(spans, *field, ask(*judge, *form), memory, wanted)
            }
            Leaf::StatusMessage { judge } => {
                let empty = compiled.judges[*judge].value(Value::Text(b""));
                let Some(column) = spans.field(Field::StatusMessage) else { return Ok(Set::of(empty)) };
                let Some(chunk) = self.block.chunk(spans.global(column), self.number) else {
                    return Ok(Set::of(empty));
                };
                let found = column_rows(spans, column, chunk, ask(*judge, Form::Text), memory, wanted)?;
                if !empty {
                    return Ok(found);
                }
                let present = spans.presence(column)?;
                Ok(found.or((*present).clone().not()))
            }
            Leaf::Child { table, child, judge } => self.child_rows(*table, *child, *judge),
            Leaf::HasChild { table } => match spans.field(end_of(*table)) {
                Some(column) => Ok((*spans.presence(column)?).clone()),
                None => Ok(Set::None),
            },
            Leaf::Root => {
                let zero_ids = match *self.zero_ids {
                    Some(known) => known,
                    None => *self.zero_ids.insert(has_zero_ids(self.block)?),
                };
                root_rows(&mut self.spans, &self.range, zero_ids)
            }
            Leaf::ParentId { judge } => {
                parent_rows(&mut self.spans, &self.range, &compiled.judges[*judge], wanted)
            }
            Leaf::TraceId { judge } => trace_rows(self.block, &self.range, &compiled.judges[*judge]),
            Leaf::Reckon(of) => reckon::rows(compiled, self.block, self.number, &self.range, of, wanted),
        }
    }

    fn head_rows(&mut self, place: usize, holds: impl Fn(i32) -> bool) -> Result<Set> {
        let table = self.spans.label_table(|shape| Ok(holds(head(&self.spans, shape, place)?)))?;
        self.spans.labels.rows_where(&table)
    }

    fn scope_rows(&mut self, of: &Set) -> Result<Set> {
        let len = self.block.meta.spans.min(crate::search::column::MAX_VALUES) as usize;
        self.scopes()?;
        match &mut self.scopes {
            Some(Scopes::OfClasses(scopes)) => {
                let table: Vec<u8> = scopes.iter().map(|&scope| u8::from(of.has(scope as usize))).collect();
                self.spans.labels.rows_where(&table)
            }
            Some(Scopes::OfRows(labels)) => {
                let bits = of.clone().into_bits(len);
                let table: Vec<u8> = (0..bits.len()).map(|scope| u8::from(bits.has(scope))).collect();
                labels.rows_where(&table)
            }
            None => Err(BlockError::Damaged("there are no scopes")),
        }
    }

    fn scopes(&mut self) -> Result<&Scopes<'a>> {
        if self.scopes.is_none() {
            let column =
                self.block.field_column(Table::Spans, Field::Scope).or_damaged("a field has no column")?;
            let chunk = self.block.chunk(column, self.number);
            let chunk = chunk.or_damaged("a field that every row has has no values")?;
            self.memory.touched.chunk(self.block, chunk);
            let values = SeqView::open(&self.block.sections, &chunk.seq)?;
            let expected =
                if chunk.mode.is_by_class() { self.spans.classes() } else { Some(self.spans.len()) };
            if expected.map(|rows| rows as u64) != Some(values.len()) {
                return Err(BlockError::Damaged("a column has another count of values than its rows name"));
            }
            self.scopes = Some(if chunk.mode.is_by_class() {
                Scopes::OfClasses(by_class(values)?)
            } else {
                Scopes::OfRows(Labels::new(values))
            });
        }
        self.scopes.as_ref().or_damaged("there are no scopes")
    }

    fn open_children(&mut self, table: Table) -> Result<()> {
        let children = if table == Table::Events { &mut self.events } else { &mut self.links };
        if children.is_none() {
            *children = Some(Rows::open(self.block, table, self.number, &mut self.memory.touched)?);
        }
        Ok(())
    }

    /// The spans that have an event or link which matches.
    fn child_rows(&mut self, table: Table, child: Child, judge: Option<usize>) -> Result<Set> {
        let compiled = self.compiled;
        self.open_children(table)?;
        let memory = &mut *self.memory;
        let children = if table == Table::Events { &mut self.events } else { &mut self.links };
        let Some(Some(rows)) = children else { return Ok(Set::None) };
        let found = match (child, judge) {
            (Child::Attribute(source), Some(judge)) => {
                let (source, judged) = (&compiled.sources[source], &compiled.judges[judge]);
                matching_rows(rows, source, judge as u32, judged, memory, None)?
            }
            (Child::Attribute(source), None) => present_rows(rows, &compiled.sources[source])?,
            (Child::Field(field, form), Some(judge)) => {
                let ask = Question { number: judge as u32, form, judge: &compiled.judges[judge] };
                dense_rows(rows, field, ask, memory, None)?
            }
            (Child::Field(..), None) => Set::All,
        };
        self.owners(table, found)
    }

    /// The spans of events or links.
    fn owners(&mut self, table: Table, children: Set) -> Result<Set> {
        let Some(column) = self.spans.field(end_of(table)) else { return Ok(Set::None) };
        let Set::Some(children) = children else { return self.spans.place(column, children) };
        let chunk = self.block.chunk(self.spans.global(column), self.number);
        let chunk = chunk.or_damaged("a row group has events or links of no span")?;
        if chunk.seq.len > self.spans.len() as u64 || chunk.mode.is_by_class() {
            return Err(BlockError::Damaged("a column has another count of values than its rows name"));
        }
        self.memory.touched.chunk(self.block, chunk);
        let mut ends = vec![0; chunk.seq.len as usize];
        SeqView::open(&self.block.sections, &chunk.seq)?.read(0, &mut ends)?;
        let mut owners = Bits::none(ends.len());
        let mut at = 0;
        for child in children.iter() {
            while ends.get(at).is_some_and(|&end| end <= child as u64) {
                at += 1;
            }
            owners.set(at);
        }
        self.spans.place(column, Set::Some(owners).tidy())
    }
}

/// What the shortest and longest durations of a row group say of a test that holds for ranges of them.
pub(crate) fn known_of_duration(bounds: &Group, ranges: &[(u64, u64)]) -> Option<bool> {
    let (least, most) = (bounds.min_duration, bounds.max_duration);
    if ranges.iter().any(|&(low, high)| low <= least && most <= high) {
        return Some(true);
    }
    let apart = ranges.iter().all(|&(low, high)| most < low || high < least);
    apart.then_some(false)
}

/// One of the integers that a span's shape begins with.
fn head(rows: &Rows<'_>, shape: u32, place: usize) -> Result<i32> {
    let (head, _) = rows.shape(shape)?;
    Ok(head.get(place).or_damaged("a shape is too short")?.to_native() as i32)
}

/// The field that says where a span's events or links end.
pub(crate) fn end_of(table: Table) -> Field {
    if table == Table::Events { Field::EventsEnd } else { Field::LinksEnd }
}

/// What is left of a condition for the rows of open classes: parts that are the same for all of them are gone.
fn residual(node: &Node, judged: &Judged, open: &[u8]) -> Node {
    let of_open = || judged.known.iter().zip(open).filter(|(_, open)| **open != 0).map(|(known, _)| *known);
    if of_open().all(|known| known & MUST != 0) {
        return Node::Const(true);
    }
    if of_open().all(|known| known == 0) {
        return Node::Const(false);
    }
    let parts = |of: &[Node], neutral: bool| {
        let parts = of.iter().zip(&judged.parts).map(|(node, judged)| residual(node, judged, open));
        parts.filter(|node| !matches!(node, Node::Const(known) if *known == neutral)).collect()
    };
    match node {
        Node::Not(of) => {
            let inner = judged.parts.first().map(|part| residual(of, part, open));
            Node::Not(Box::new(inner.unwrap_or_else(|| (**of).clone())))
        }
        Node::All(of) => Node::All(parts(of, true)),
        Node::Any(of) => Node::Any(parts(of, false)),
        other => other.clone(),
    }
}
