//! A filter over the columns of one block: tests become leaves that know their columns, and what the block's keys,
//! resources and scopes say of every span is reckoned at once.

use std::sync::Arc;

use spanloom_traceql::ast::{Attribute, Field as Asked, Intrinsic, Scope};
use spanloom_traceql::plan::{Expr, FieldId, Filter, Matcher, Reckon};

use crate::columns::{Field, Table, ValueType};
use crate::error::{BlockError, OrDamaged, Result};
use crate::reader::contents::Contents;
use crate::search::attribute::{Memory, dense_rows, matching_rows, present_rows};
use crate::search::bits::{Bits, Set};
use crate::search::column::{MAX_VALUES, Question};
use crate::search::judge::{Fate, Form, Judge};
use crate::search::rows::Rows;
use crate::search::source::Source;
use crate::seq::SeqView;

/// A condition over one span.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Const(bool),
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    /// A leaf, by its number.
    Leaf(usize),
}

impl Node {
    fn all(of: impl IntoIterator<Item = Node>) -> Node {
        let mut left = Vec::new();
        for node in of {
            match node {
                Node::Const(true) => {}
                Node::Const(false) => return Node::Const(false),
                other => left.push(other),
            }
        }
        match left.len() {
            0 => Node::Const(true),
            1 => left.remove(0),
            _ => Node::All(left),
        }
    }

    fn any(of: impl IntoIterator<Item = Node>) -> Node {
        let mut left = Vec::new();
        for node in of {
            match node {
                Node::Const(false) => {}
                Node::Const(true) => return Node::Const(true),
                other => left.push(other),
            }
        }
        match left.len() {
            0 => Node::Const(false),
            1 => left.remove(0),
            _ => Node::Any(left),
        }
    }

    fn negated(of: Node) -> Node {
        match of {
            Node::Const(known) => Node::Const(!known),
            other => Node::Not(Box::new(other)),
        }
    }
}

/// What a leaf asks of an event or link.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Child {
    /// An attribute, by the number of its source.
    Attribute(usize),
    /// A field that every row has.
    Field(Field, Form),
}

/// A test over columns. Judges and sources are named by their numbers.
pub(crate) enum Leaf {
    /// An attribute of the span matches.
    Attribute { source: usize, judge: usize },
    /// An attribute of the span is there and not nil.
    HasAttribute { source: usize },
    /// The span's scope is one of these.
    Scope(Set),
    /// The span's kind matches.
    Kind { judge: usize },
    /// The span's status matches.
    Status { judge: usize },
    /// A field that every span has matches.
    Dense { field: Field, form: Form, judge: usize },
    /// The message of the span's status matches.
    StatusMessage { judge: usize },
    /// An event or link of the span matches, or where there is no judge has the attribute, not nil.
    Child { table: Table, child: Child, judge: Option<usize> },
    /// The span has an event or link.
    HasChild { table: Table },
    /// The span has no parent id.
    Root,
    /// The span's parent id matches.
    ParentId { judge: usize },
    /// The trace's id matches.
    TraceId { judge: usize },
    /// A condition over values that are reckoned.
    Reckon(Arc<Reckon>),
    /// A test that needs the whole trace: it may hold.
    Unknown,
}

/// How the values of a field of the plan are read.
#[derive(Debug, Clone)]
pub(crate) enum Reading {
    /// The attribute of the first of these sources that has it.
    Attribute(Vec<usize>),
    Intrinsic(Intrinsic),
    /// It needs the whole trace.
    Unknown,
}

/// Filters over the columns of one block.
pub(crate) struct Compiled<'a> {
    block: &'a Contents,
    fields: &'a [Asked],
    pub filters: Vec<Node>,
    /// Whether a filter's rows are exact; else each of them may match.
    pub exact: Vec<bool>,
    pub leaves: Vec<Leaf>,
    pub judges: Vec<Judge>,
    pub sources: Vec<Source>,
    /// How each field of the plan is read, where a reckoned condition reads it.
    pub readings: Vec<Option<Reading>>,
    /// Resource of each scope, once it was needed.
    resource_of: Option<Vec<u64>>,
    reads_trace: bool,
}

impl<'a> Compiled<'a> {
    /// Compiles filters for a block.
    pub fn new(
        block: &'a Contents,
        fields: &'a [Asked],
        filters: &[Filter],
        memory: &mut Memory,
    ) -> Result<Self> {
        let mut out = Self {
            block,
            fields,
            filters: Vec::new(),
            exact: Vec::new(),
            leaves: Vec::new(),
            judges: Vec::new(),
            sources: Vec::new(),
            readings: vec![None; fields.len()],
            resource_of: None,
            reads_trace: false,
        };
        for filter in filters {
            out.reads_trace = false;
            let node = out.expr(&filter.expr, memory)?;
            out.exact.push(!out.reads_trace || matches!(node, Node::Const(_)));
            out.filters.push(node);
        }
        Ok(out)
    }

    fn expr(&mut self, expr: &Expr, memory: &mut Memory) -> Result<Node> {
        Ok(match expr {
            Expr::Const(known) => Node::Const(*known),
            Expr::All(of) => Node::all(self.exprs(of, memory)?),
            Expr::Any(of) => Node::any(self.exprs(of, memory)?),
            Expr::Not(of) => Node::negated(self.expr(of, memory)?),
            Expr::Test(test) => self.test(test.field, &test.matcher, memory)?,
            Expr::Reckon(reckon) => self.reckon(expr, reckon)?,
        })
    }

    fn exprs(&mut self, of: &[Expr], memory: &mut Memory) -> Result<Vec<Node>> {
        of.iter().map(|expr| self.expr(expr, memory)).collect()
    }

    fn leaf(&mut self, leaf: Leaf) -> Node {
        self.leaves.push(leaf);
        Node::Leaf(self.leaves.len() - 1)
    }

    fn unknown(&mut self) -> Node {
        self.reads_trace = true;
        self.leaf(Leaf::Unknown)
    }

    /// The source of an attribute, which is looked for once.
    fn source(&mut self, table: Table, key: &str) -> Result<Option<usize>> {
        if let Some(known) = self.sources.iter().position(|s| s.table == table && s.key == key) {
            return Ok(Some(known));
        }
        Ok(Source::find(self.block, table, key)?.map(|source| {
            self.sources.push(source);
            self.sources.len() - 1
        }))
    }

    fn test(&mut self, field: FieldId, matcher: &Matcher, memory: &mut Memory) -> Result<Node> {
        let Some(field) = self.fields.get(usize::from(field.0)) else {
            return Ok(Node::Const(matcher.matches_nil()));
        };
        self.judges.push(Judge::new(matcher));
        let judge = self.judges.len() - 1;
        match field {
            Asked::Attribute(Attribute { parent: true, .. }) => Ok(self.unknown()),
            Asked::Attribute(attribute) => self.attribute(attribute, judge, memory),
            Asked::Intrinsic(intrinsic) => self.intrinsic(*intrinsic, judge, memory),
        }
    }

    fn attribute(&mut self, of: &Attribute, judge: usize, memory: &mut Memory) -> Result<Node> {
        let mut out = Node::Const(self.judges[judge].nil());
        for &scope in scopes_of(of).iter().rev() {
            let Some(source) = self.source(table_of(scope), &of.name)? else { continue };
            let (is_there, matches) = self.in_scope(scope, source, judge, memory)?;
            out = Node::any([matches, Node::all([Node::negated(is_there), out])]);
        }
        Ok(out)
    }

    /// Whether an attribute is there, and whether it matches.
    fn in_scope(
        &mut self,
        scope: Scope,
        source: usize,
        judge: usize,
        memory: &mut Memory,
    ) -> Result<(Node, Node)> {
        let of = &self.sources[source];
        let types = || of.columns.iter().map(|column| column.1);
        let is_open = of.overflow.is_some();
        let can_be_there = is_open || types().any(|of| of != ValueType::Empty);
        let fate = |of: ValueType| self.judges[judge].fate(Form::Attribute(of));
        let can_match = is_open || types().any(|of| fate(of) != Fate::Never);
        let same = !is_open && types().all(|of| of == ValueType::Empty || fate(of) == Fate::Always);
        if !can_be_there {
            return Ok((Node::Const(false), Node::Const(false)));
        }
        let table = table_of(scope);
        let (is_there, matches) = match scope {
            Scope::Span => (Leaf::HasAttribute { source }, Leaf::Attribute { source, judge }),
            Scope::Event | Scope::Link => {
                let child = Child::Attribute(source);
                (Leaf::Child { table, child, judge: None }, Leaf::Child { table, child, judge: Some(judge) })
            }
            Scope::Resource | Scope::Instrumentation => {
                let is_there = self
                    .scopes_where(table, memory, |rows, this, _| present_rows(rows, &this.sources[source]))?;
                let matches = self.scopes_where(table, memory, |rows, this, memory| {
                    let judged = &this.judges[judge];
                    matching_rows(rows, &this.sources[source], judge as u32, judged, memory, None)
                })?;
                return Ok((self.scope_node(is_there), self.scope_node(matches)));
            }
        };
        let is_there = self.leaf(is_there);
        let matches = match (can_match, same) {
            (false, _) => Node::Const(false),
            (true, true) => is_there.clone(),
            (true, false) => self.leaf(matches),
        };
        Ok((is_there, matches))
    }

    fn scope_node(&mut self, of: Set) -> Node {
        match of {
            Set::None => Node::Const(false),
            Set::All => Node::Const(true),
            some => self.leaf(Leaf::Scope(some)),
        }
    }

    /// The scopes, or the scopes of the resources, for which something holds.
    fn scopes_where(
        &mut self,
        table: Table,
        memory: &mut Memory,
        holds: impl FnOnce(&mut Rows<'a>, &Self, &mut Memory) -> Result<Set>,
    ) -> Result<Set> {
        let Some(mut rows) = Rows::open(self.block, table, 0, &mut memory.touched)? else {
            return Ok(Set::None);
        };
        let found = holds(&mut rows, self, memory)?;
        let Set::Some(found) = found else { return Ok(found) };
        if table == Table::Scopes {
            return Ok(Set::Some(found));
        }
        let resources = match self.resource_of.take() {
            Some(known) => known,
            None => self.read_resources()?,
        };
        let mut out = Bits::none(resources.len());
        for (scope, &resource) in resources.iter().enumerate() {
            if usize::try_from(resource).is_ok_and(|resource| found.has(resource)) {
                out.set(scope);
            }
        }
        self.resource_of = Some(resources);
        Ok(Set::Some(out).tidy())
    }

    /// The resource of each scope.
    fn read_resources(&self) -> Result<Vec<u64>> {
        let column = self.block.field_column(Table::Scopes, Field::Resource);
        let chunk =
            column.and_then(|column| self.block.chunk(column, 0)).or_damaged("there are no scopes")?;
        let values = SeqView::open(&self.block.sections, &chunk.seq)?;
        if values.len() > self.block.meta.spans.min(MAX_VALUES) {
            return Err(BlockError::Damaged("there are more scopes than spans"));
        }
        let mut out = vec![0; values.len() as usize];
        values.read(0, &mut out)?;
        Ok(out)
    }

    fn intrinsic(&mut self, of: Intrinsic, judge: usize, memory: &mut Memory) -> Result<Node> {
        let dense = |field, form| Leaf::Dense { field, form, judge };
        Ok(match of {
            Intrinsic::Duration => self.dense(dense(Field::Duration, Form::Duration), judge, Form::Duration),
            Intrinsic::Name => self.dense(dense(Field::Name, Form::Text), judge, Form::Text),
            Intrinsic::SpanId => self.dense(dense(Field::SpanId, Form::SpanId), judge, Form::SpanId),
            Intrinsic::TraceId => self.dense(Leaf::TraceId { judge }, judge, Form::Text),
            Intrinsic::StatusMessage => self.dense(Leaf::StatusMessage { judge }, judge, Form::Text),
            Intrinsic::Status => self.leaf(Leaf::Status { judge }),
            Intrinsic::Kind => self.leaf(Leaf::Kind { judge }),
            Intrinsic::ParentId => {
                let root = self.leaf(Leaf::Root);
                match (self.judges[judge].nil(), self.judges[judge].fate(Form::Text)) {
                    (true, _) => root,
                    (_, Fate::Always) => Node::negated(root),
                    (_, Fate::Never) => Node::Const(false),
                    _ => self.leaf(Leaf::ParentId { judge }),
                }
            }
            Intrinsic::EventName => self.child(Table::Events, Field::Name, Form::Text, judge),
            Intrinsic::EventTimeSinceStart => self.child(Table::Events, Field::Time, Form::Time, judge),
            Intrinsic::LinkTraceId => self.child(Table::Links, Field::LinkTraceId, Form::Hex, judge),
            Intrinsic::LinkSpanId => self.child(Table::Links, Field::LinkSpanId, Form::Hex, judge),
            Intrinsic::InstrumentationName => self.of_scope(Field::Name, judge, memory)?,
            Intrinsic::InstrumentationVersion => self.of_scope(Field::Version, judge, memory)?,
            Intrinsic::Parent
            | Intrinsic::RootName
            | Intrinsic::RootService
            | Intrinsic::TraceDuration
            | Intrinsic::NestedSetLeft
            | Intrinsic::NestedSetRight
            | Intrinsic::NestedSetParent
            | Intrinsic::ChildCount => self.unknown(),
        })
    }

    /// A leaf over a field that every span has, unless it is known for all.
    fn dense(&mut self, leaf: Leaf, judge: usize, form: Form) -> Node {
        match self.judges[judge].fate(form) {
            Fate::Never => Node::Const(false),
            Fate::Always => Node::Const(true),
            Fate::Depends => self.leaf(leaf),
        }
    }

    fn child(&mut self, table: Table, field: Field, form: Form, judge: usize) -> Node {
        let is_there = self.leaf(Leaf::HasChild { table });
        let judged = &self.judges[judge];
        match (judged.nil(), judged.fate(form)) {
            (true, _) => Node::negated(is_there),
            (_, Fate::Always) => is_there,
            (_, Fate::Never) => Node::Const(false),
            _ => self.leaf(Leaf::Child { table, child: Child::Field(field, form), judge: Some(judge) }),
        }
    }

    fn of_scope(&mut self, field: Field, judge: usize, memory: &mut Memory) -> Result<Node> {
        let found = self.scopes_where(Table::Scopes, memory, |rows, this, memory| {
            let ask = Question { number: judge as u32, form: Form::Text, judge: &this.judges[judge] };
            dense_rows(rows, field, ask, memory, None)
        })?;
        Ok(self.scope_node(found))
    }

    fn reckon(&mut self, expr: &Expr, reckon: &Arc<Reckon>) -> Result<Node> {
        let mut fields = Vec::new();
        expr.fields(&mut |field| fields.push(field));
        let mut is_local = true;
        for id in fields {
            let Some(field) = self.fields.get(usize::from(id.0)) else { continue };
            let reading = match field {
                Asked::Attribute(Attribute { parent: true, .. }) => Reading::Unknown,
                Asked::Attribute(attribute) => {
                    let mut sources = Vec::new();
                    for &scope in scopes_of(attribute) {
                        sources.extend(self.source(table_of(scope), &attribute.name)?);
                    }
                    Reading::Attribute(sources)
                }
                Asked::Intrinsic(
                    Intrinsic::Parent
                    | Intrinsic::RootName
                    | Intrinsic::RootService
                    | Intrinsic::TraceDuration
                    | Intrinsic::NestedSetLeft
                    | Intrinsic::NestedSetRight
                    | Intrinsic::NestedSetParent
                    | Intrinsic::ChildCount,
                ) => Reading::Unknown,
                Asked::Intrinsic(intrinsic) => Reading::Intrinsic(*intrinsic),
            };
            is_local &= !matches!(reading, Reading::Unknown);
            self.readings[usize::from(id.0)] = Some(reading);
        }
        Ok(if is_local { self.leaf(Leaf::Reckon(reckon.clone())) } else { self.unknown() })
    }
}

const EVERYWHERE: [Scope; 5] =
    [Scope::Span, Scope::Resource, Scope::Event, Scope::Link, Scope::Instrumentation];

/// Where an attribute is looked for, in this order.
fn scopes_of(attribute: &Attribute) -> &[Scope] {
    attribute.scope.as_ref().map_or(&EVERYWHERE, std::slice::from_ref)
}

/// The table of a scope's attributes.
fn table_of(scope: Scope) -> Table {
    match scope {
        Scope::Span => Table::Spans,
        Scope::Resource => Table::Resources,
        Scope::Event => Table::Events,
        Scope::Link => Table::Links,
        Scope::Instrumentation => Table::Scopes,
    }
}
