//! Rows of a table in one row group of an input, moved into the output one after the other.
//!
//! What a row needs follows from its class, or from its shape where there are no classes: a plan, which is made once
//! and then run for each row.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use rkyv::rend::u32_le;

use crate::columns::{Field, Table};
use crate::error::{BlockError, OrDamaged, Result};
use crate::merge::source::{CodeMap, How, Met, Source, Step, how_of_field};
use crate::merge::window::{Touched, Window};
use crate::reader::contents::Contents;
use crate::reader::table::open_shapes;
use crate::seq::SeqView;
use crate::shape::ShapesView;
use crate::writer::Boundary;
use crate::writer::table::{SetValue, TableBuilder};

const UNKNOWN: u32 = u32::MAX;

/// Steps of all plans that are kept, before they are made anew.
const MAX_STEPS: usize = 1 << 17;

/// Most events or links of a span: as many as the largest request could hold, whatever a sequence claims.
const MAX_CHILDREN: u64 = 1 << 25;

/// Classes that are remembered. A row group has at most one for 16 of its rows.
pub(crate) const MAX_CLASSES: u64 = 1 << 16;

/// Fields of spans that are not moved by steps: whoever moves the row sees to them.
const APART: [Field; 7] =
    [Field::Shape, Field::Ranks, Field::Class, Field::SpanId, Field::Parent, Field::Start, Field::Duration];

/// What the columns of an input's table are in the output, as far as it is known. It holds for all row groups, until
/// another output is begun.
#[derive(Default)]
pub(crate) struct Columns {
    outs: Vec<Out>,
    codes: Vec<CodeMap>,
}

/// The column of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Out {
    #[default]
    Unknown,
    Column(u32),
    /// There is none: the values go to the overflow column.
    Overflow,
}

impl Columns {
    /// Forgets all, for another output.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// What it takes in memory.
    pub fn held_bytes(&self) -> usize {
        self.codes.iter().map(CodeMap::held_bytes).sum()
    }

    fn out_of(&mut self, block: &Contents, table: Table, column: u32, out: &mut TableBuilder) -> Result<Out> {
        let known = self.outs.get(column as usize).or_damaged("a shape names an unknown column")?;
        if *known != Out::Unknown {
            return Ok(*known);
        }
        let id = block.column(table, column)?;
        let found = match Field::of_table(table).iter().find(|&&field| field as u8 == id.field) {
            Some(&field) => Out::Column(out.column_of(field)),
            None if id.field != Field::Attribute as u8 => {
                return Err(BlockError::Damaged("a column's field is not one of its table"));
            }
            None => out.column_for(id.key.as_bytes(), id.value_type).map_or(Out::Overflow, Out::Column),
        };
        self.outs[column as usize] = found;
        Ok(found)
    }
}

/// What the rows of a shape need.
struct Plan {
    /// The shape's head: of a span kind, status code and flags.
    head: [u32; 3],
    /// What a mark of the input's row says.
    mark: Boundary,
    /// Columns that rows have values in, and how these get into the output; first the fields that every row has.
    /// `None` where there are no values.
    items: Vec<(u32, Option<How>)>,
    /// How many items are fields that every row has.
    dense: usize,
    /// The same for the output, once a row was moved there.
    moves: Option<Moves>,
}

/// How rows of a shape get into an output.
struct Moves {
    /// One after the other.
    steps: Vec<Step>,
    /// All at once: the columns that have one value a class.
    of_class: Vec<Step>,
    /// The output's shape, and its number without a mark, with that of a scope, with that of a resource.
    shape: Vec<u32>,
    codes: [u32; 3],
}

/// The plan of a class, and the set of its values in the output. There may be thousands in each input, so they are
/// kept small.
#[derive(Debug, Clone, Copy)]
struct ClassPlan {
    plan: u32,
    set: u32,
}

/// The rows of a table in a row group.
pub(crate) struct TableCopy<'a> {
    block: &'a Contents,
    table: Table,
    group: u32,
    shapes: ShapesView<'a>,
    classes: Option<Window<'a>>,
    shape_codes: SeqView<'a>,
    shape_window: Window<'a>,
    sources: Vec<Source<'a>>,
    is_open: Vec<bool>,
    plans: Vec<Plan>,
    /// Plan of each shape.
    plan_of: HashMap<u64, u32, RandomState>,
    /// Plan of each class that is not far beyond the others.
    classes_known: Vec<ClassPlan>,
    steps: usize,
    touched: Touched,
    next_row: u64,
    len: u64,
}

/// The row that comes next: its plan, and what its shape says.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RowPlan {
    plan: u32,
    set: u32,
    pub class: u64,
    pub head: [u32; 3],
    pub mark: Boundary,
}

impl<'a> TableCopy<'a> {
    /// Opens the rows; `None` when the table has none in this row group.
    pub fn open(block: &'a Contents, table: Table, group: u32, touched: &Touched) -> Result<Option<Self>> {
        let Some((shapes, classes, shape_codes)) = open_shapes(block, table, group)? else { return Ok(None) };
        let columns = block.table_columns(table).len();
        Ok(Some(Self {
            block,
            table,
            group,
            shapes,
            classes: classes.map(|classes| Window::new(classes, touched)),
            shape_codes,
            shape_window: Window::new(shape_codes, touched),
            touched: touched.clone(),
            sources: std::iter::repeat_with(|| Source::None).take(columns).collect(),
            is_open: vec![false; columns],
            plans: Vec::new(),
            plan_of: HashMap::default(),
            classes_known: Vec::new(),
            steps: 0,
            next_row: 0,
            len: classes.unwrap_or(shape_codes).len(),
        }))
    }

    /// How many rows.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Forgets what holds for one output.
    pub fn begin_output(&mut self) {
        self.clear_plans();
        self.sources.iter_mut().for_each(Source::begin_output);
    }

    fn clear_plans(&mut self) {
        self.plans.clear();
        self.plan_of.clear();
        self.classes_known.clear();
        self.steps = 0;
    }

    /// Looks at the row that comes next.
    #[inline]
    pub fn plan(&mut self) -> Result<RowPlan> {
        let (class, known) = match &mut self.classes {
            Some(classes) => {
                let class = classes.get(self.next_row)?;
                match self.classes_known.get(class as usize) {
                    Some(known) if known.plan != UNKNOWN => (class, *known),
                    _ => (class, self.class_plan(class)?),
                }
            }
            None => {
                let code = self.shape_window.get(self.next_row)?;
                (self.next_row, ClassPlan { plan: self.shape_plan(code)?, set: UNKNOWN })
            }
        };
        let Plan { head, mark, .. } = &self.plans[known.plan as usize];
        Ok(RowPlan { plan: known.plan, set: known.set, class, head: *head, mark: *mark })
    }

    #[cold]
    fn class_plan(&mut self, class: u64) -> Result<ClassPlan> {
        self.touched.add(0);
        let code = self.shape_codes.get(class)?;
        let known = ClassPlan { plan: self.shape_plan(code)?, set: UNKNOWN };
        self.remember(class, known);
        Ok(known)
    }

    fn remember(&mut self, class: u64, known: ClassPlan) {
        if class < MAX_CLASSES {
            let at = class as usize;
            if at >= self.classes_known.len() {
                self.classes_known.resize(at + 1, ClassPlan { plan: UNKNOWN, set: UNKNOWN });
            }
            self.classes_known[at] = known;
        }
    }

    #[inline]
    fn shape_plan(&mut self, code: u64) -> Result<u32> {
        match self.plan_of.get(&code) {
            Some(&plan) => Ok(plan),
            None => self.make_plan(code),
        }
    }

    #[cold]
    fn make_plan(&mut self, code: u64) -> Result<u32> {
        if self.steps > MAX_STEPS {
            self.clear_plans();
        }
        let items = self.shapes.get(code).or_damaged("a row has an unknown shape")?;
        let (head, items) =
            items.split_at_checked(self.table.shape_header()).or_damaged("a shape is too short")?;
        let head = std::array::from_fn(|at| head.get(at).map_or(0, |item| item.to_native()));
        let mut plan = Plan { head, mark: Boundary::None, items: Vec::new(), dense: 0, moves: None };
        let is_moved = |field: Field| {
            Field::is_dense(field as u8)
                && !APART.contains(&field)
                && !(self.table == Table::Spans && field == Field::Scope)
        };
        let base = self.block.table_columns(self.table).start;
        for &field in Field::of_table(self.table).iter().filter(|&&field| is_moved(field)) {
            let column = self.block.field_column(self.table, field).or_damaged("a field has no column")?;
            plan.items.push((column - base, None));
        }
        plan.dense = plan.items.len();
        for column in items.iter().copied().map(u32_le::to_native) {
            match self.block.field_of(self.table, column)? {
                f if f == Field::NewScopeSpans as u8 => plan.mark = plan.mark.max(Boundary::Scope),
                f if f == Field::NewResourceSpans as u8 => plan.mark = Boundary::Resource,
                f if Field::is_dense(f) => {
                    return Err(BlockError::Damaged("a shape names a field that every row has"));
                }
                _ => plan.items.push((column, None)),
            }
        }
        for (column, how) in &mut plan.items {
            *how = self.how(*column)?;
        }
        self.steps += 2 * plan.items.len() + 16;
        let number = self.plans.len() as u32;
        self.plans.push(plan);
        self.plan_of.insert(code, number);
        Ok(number)
    }

    /// How a column's values get into the output; the column is opened when it is first named.
    fn how(&mut self, column: u32) -> Result<Option<How>> {
        let at = column as usize;
        if !std::mem::replace(self.is_open.get_mut(at).or_damaged("a shape names an unknown column")?, true) {
            let base = self.block.table_columns(self.table).start;
            self.sources[at] = Source::open(self.block, base + column, self.group, &self.touched)?;
        }
        let field = self.block.field_of(self.table, column)?;
        self.sources[at].how().map(|how| how_of_field(field, how)).transpose()
    }

    #[cold]
    fn make_moves(&mut self, plan: u32, columns: &mut Columns, out: &mut TableBuilder) -> Result<()> {
        let Self { plans, sources, block, table, .. } = self;
        let plan = &mut plans[plan as usize];
        columns.outs.resize(sources.len(), Out::Unknown);
        columns.codes.resize_with(sources.len(), CodeMap::default);
        let shape = plan.head[..table.shape_header()].to_vec();
        let mut moves = Moves { steps: Vec::new(), of_class: Vec::new(), shape, codes: [UNKNOWN; 3] };
        for (nth, &(column, how)) in plan.items.iter().enumerate() {
            let (out_column, how) = match columns.out_of(block, *table, column, out)? {
                Out::Column(out_column) => (out_column, how),
                _ => (out.column_of(Field::Overflow), Some(How::Overflow)),
            };
            if nth >= plan.dense {
                moves.shape.push(out_column);
            }
            let Some(how) = how else { continue };
            let steps = match how {
                How::ClassInt | How::ClassCode => &mut moves.of_class,
                _ => &mut moves.steps,
            };
            steps.push(Step { column, out: out_column, how });
        }
        plan.moves = Some(moves);
        Ok(())
    }

    /// Moves the row's values into the output's columns.
    #[inline]
    pub fn run(&mut self, row: &RowPlan, columns: &mut Columns, out: &mut TableBuilder) -> Result<Met> {
        if self.plans[row.plan as usize].moves.is_none() {
            self.make_moves(row.plan, columns, out)?;
        }
        let mut met = Met::default();
        let base = self.block.table_columns(self.table).start as usize;
        let moves = self.plans[row.plan as usize].moves.as_ref().or_damaged("a row cannot be moved")?;
        for step in &moves.steps {
            let at = step.column as usize;
            let id = &self.block.columns[base + at];
            step.run(id, row.class, &mut self.sources[at], &mut columns.codes[at], out, &mut met)?;
        }
        if !moves.of_class.is_empty() {
            out.pending_bytes += 8 * moves.of_class.len();
            if row.set == UNKNOWN || !out.push_set(row.set) {
                self.run_class(row, columns, out)?;
            }
        }
        self.next_row += 1;
        Ok(met)
    }

    /// Moves the values of the row's class where their set is not known, or no longer has all of them.
    #[cold]
    fn run_class(&mut self, row: &RowPlan, columns: &mut Columns, out: &mut TableBuilder) -> Result<()> {
        self.touched.add(0);
        let Self { plans, sources, block, table, .. } = self;
        let moves = plans[row.plan as usize].moves.as_ref().or_damaged("a row cannot be moved")?;
        let base = block.table_columns(*table).start as usize;
        let (mut set, mut missing) = (row.set, Vec::new());
        if set == UNKNOWN {
            let mut values = Vec::with_capacity(moves.of_class.len());
            for step in &moves.of_class {
                let at = step.column as usize;
                let of_out = &mut out.columns[step.out as usize].values;
                match sources[at].of_class(row.class, &mut columns.codes[at], of_out)? {
                    Some(value) => values.push(SetValue { column: step.out, value }),
                    None => missing.push(step.out),
                }
            }
            set = out.set(&values);
            missing.extend(out.left_out(set));
            out.push_set(set);
        } else {
            missing = out.left_out(set);
        }
        for step in moves.of_class.iter().filter(|step| missing.contains(&step.out)) {
            let at = step.column as usize;
            let mut met = Met::default();
            let id = &block.columns[base + at];
            step.run(id, row.class, &mut sources[at], &mut columns.codes[at], out, &mut met)?;
        }
        if row.set == UNKNOWN && missing.is_empty() && self.classes.is_some() {
            self.remember(row.class, ClassPlan { plan: row.plan, set });
        }
        Ok(())
    }

    /// Passes over the row.
    pub fn skip(&mut self, row: &RowPlan) -> Result<Met> {
        let mut met = Met::default();
        for &(column, how) in &self.plans[row.plan as usize].items {
            let source = &mut self.sources[column as usize];
            match how {
                Some(How::EventsEnd) => met.ends[0] = Some(source.next_int(row.class)?),
                Some(How::LinksEnd) => met.ends[1] = Some(source.next_int(row.class)?),
                _ => source.skip(),
            }
        }
        self.next_row += 1;
        Ok(met)
    }

    /// Moves the rows before `end`: those of a span, whose events or links they are. Gives where they end in the output.
    pub fn take_to(&mut self, end: u64, columns: &mut Columns, out: &mut TableBuilder) -> Result<u64> {
        self.check_end(end)?;
        while self.next_row < end {
            let row = self.plan()?;
            self.run(&row, columns, out)?;
            let shape = self.shape(&row, Boundary::None, out)?;
            out.end_shaped(shape);
        }
        Ok(out.rows() as u64)
    }

    /// Passes over the rows before `end`.
    pub fn skip_to(&mut self, end: u64) -> Result<()> {
        self.check_end(end)?;
        while self.next_row < end {
            let row = self.plan()?;
            self.skip(&row)?;
        }
        Ok(())
    }

    fn check_end(&self, end: u64) -> Result<()> {
        let is_right = end > self.next_row && end <= self.len && end - self.next_row <= MAX_CHILDREN;
        is_right.then_some(()).or_damaged("a span's events or links are out of order")
    }

    /// Number of the row's shape in the output, with a mark.
    #[inline]
    pub fn shape(&mut self, row: &RowPlan, mark: Boundary, out: &mut TableBuilder) -> Result<u32> {
        let moves = self.plans[row.plan as usize].moves.as_mut();
        let moves = moves.or_damaged("a row has a shape and no values")?;
        let known = moves.codes[mark as usize];
        if known != UNKNOWN {
            return Ok(known);
        }
        let mut shape = moves.shape.clone();
        let marked = match mark {
            Boundary::None => None,
            Boundary::Scope => Some(Field::NewScopeSpans),
            Boundary::Resource => Some(Field::NewResourceSpans),
        };
        if let Some(field) = marked {
            shape.insert(self.table.shape_header(), out.column_of(field));
        }
        let code = out.shape(&shape)?;
        moves.codes[mark as usize] = code;
        Ok(code)
    }
}
