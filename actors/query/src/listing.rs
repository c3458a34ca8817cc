//! Tags: which attributes there are, and which values a field has.

use bytes::Bytes;
use parking_lot::Mutex;
use spanloom_block::{Bits, BlockReader, ListLimits, Names, TraceTable, Values, Wanted};
use spanloom_peer::{ScanList, ScanQuestion};
use spanloom_ring::NodeName;
use spanloom_span::TraceId;
use spanloom_traceql::ast::{Body, Field, FieldExpr, Pipeline, Query, Scope, Set, Stage};
use spanloom_traceql::plan::{Expr, FilterId, Plan};
use spanloom_traceql::value::Value;
use spanloom_traceql::wire::WireError;

use crate::columns::Matches;
use crate::kind::{Kind, Turn};
use crate::progress::Progress;
use crate::sources::Sources;
use crate::{QueryError, SearchStats, TagScope, TagType, TagValues, Tags, wire};

/// The one filter of a listing's plan.
const FILTER: FilterId = FilterId(0);

/// What is listed.
#[derive(Debug, Clone)]
pub(crate) enum Listed {
    /// Names of attributes, of one scope or all.
    Names(Option<Scope>),
    /// Values of a field.
    Values(Field),
}

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub names: Names,
    pub values: Values,
}

/// What was found, and what there is to say of it.
pub(crate) struct Told {
    pub found: Found,
    pub stats: SearchStats,
    pub partial: Option<String>,
}

/// A listing, ready to be put.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    question: ScanQuestion,
    listed: Listed,
    plan: Plan,
    time: (u64, u64),
    limits: ListLimits,
}

/// A listing under way.
pub(crate) struct Listing {
    wish: Wish,
    sources: Sources,
    found: Mutex<Found>,
}

/// A plan with one filter that reads, beside it, the given field.
fn plan(filter: Option<FieldExpr>, field: Option<&Field>) -> Result<Plan, QueryError> {
    let mut stages = vec![Stage::Set(Set::Filter(filter.map(Box::new)))];
    stages.extend(field.map(|field| Stage::Select(vec![field.clone()])));
    let query = Query { body: Body::Search(Pipeline { stages }), hints: Vec::new() };
    Plan::new(&query).map_err(|error| QueryError::Invalid(error.to_string()))
}

impl Wish {
    /// What a question asks for; the question is one for a listing.
    pub fn of(question: ScanQuestion) -> Result<Self, QueryError> {
        let (listed, list) = match &question {
            ScanQuestion::Names { scope, list } => (Listed::Names(wire::scope_of(*scope)), list),
            ScanQuestion::Values { field, list } => (Listed::Values(field_of(field)?), list),
            _ => return Err(QueryError::Invalid("found a query, expected a question for a list".into())),
        };
        let ScanList { filter, start, end, count, bytes } = list;
        let filter = filter.as_deref().and_then(spanloom_traceql::lenient_filter);
        let field = match &listed {
            Listed::Names(_) => None,
            Listed::Values(field) => Some(field),
        };
        let plan = plan(filter, field)?;
        let most = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        let (time, limits) = ((*start, *end), ListLimits { count: most(*count), bytes: most(*bytes) });
        Ok(Self { question, listed, plan, time, limits })
    }
}

/// A field of TraceQL by its text.
fn field_of(text: &str) -> Result<Field, QueryError> {
    let query = spanloom_traceql::parse(&format!("{{ }} | select({text})"));
    if let Ok(query) = query
        && let Body::Search(pipeline) = query.body
        && let [_, Stage::Select(fields)] = &pipeline.stages[..]
        && let [field] = &fields[..]
    {
        return Ok(field.clone());
    }
    Err(QueryError::Invalid(format!(
        "found `{text}`, expected a field such as resource.service.name, .user or duration"
    )))
}

impl Listing {
    /// A listing of what is in these sources, which comes as one part.
    pub fn new(wish: Wish, sources: Sources) -> Self {
        Self { wish, sources, found: Mutex::default() }
    }

    fn is_out(&self, number: usize) -> bool {
        let meta = self.sources.blocks[number].listed.block.meta();
        meta.min_start > self.wish.time.1 || meta.max_end < self.wish.time.0
    }

    fn is_all(&self) -> bool {
        self.wish.plan.filter(FILTER).is_none_or(|filter| matches!(filter.expr, Expr::Const(true)))
    }

    /// Lists what some rows of a block have.
    fn list(
        &self,
        reader: &BlockReader,
        table: &TraceTable<'_>,
        rows: Option<&[Bits]>,
        found: &mut Found,
    ) -> spanloom_block::Result<()> {
        let Wish { listed, time, limits, .. } = &self.wish;
        let wanted = Wanted { time: Some(*time), rows };
        match listed {
            Listed::Names(scope) => reader.names(*scope, wanted, *limits, &mut found.names),
            Listed::Values(field) => reader.values(table, field, wanted, *limits, &mut found.values),
        }
    }

    /// The rows that the filter holds for, by row group. Where the columns cannot tell, traces are judged whole.
    fn rows(
        &self,
        number: usize,
        matches: &Matches<'_>,
        turn: &mut Turn<'_>,
    ) -> Result<Vec<Bits>, QueryError> {
        if matches.is_exact(FILTER) {
            return Ok(matches.rows(FILTER));
        }
        let block = &self.sources.blocks[number];
        let mut rows: Vec<Bits> = matches.rows(FILTER).iter().map(|rows| Bits::none(rows.len())).collect();
        for place in matches.candidates(&self.wish.plan.needs, &[], &block.sealed, false) {
            if turn.is_over() {
                return Ok(rows);
            }
            let id = matches.table.id(place);
            let is_shared = || block.elsewhere.as_ref().is_none_or(|all| all.binary_search(&place).is_ok());
            if turn.tells() && is_shared() {
                turn.claims(&id, place);
                continue;
            }
            let first = matches.table.rows(place).start;
            let mut set = |row: u64| matches.set(&mut rows, first + row);
            self.matching(id, (number, place), turn, &mut set)?;
        }
        Ok(rows)
    }

    /// Shows the rows of a trace in a block for which the filter holds, counted from the trace's first.
    fn matching(
        &self,
        id: TraceId,
        (number, place): (usize, u32),
        turn: &mut Turn<'_>,
        see: &mut dyn FnMut(u64),
    ) -> Result<(), QueryError> {
        let blocks = turn.desk.places(&id, number, place.into())?;
        let mine = blocks.iter().position(|&(block, _)| block == number);
        let judged = self.judged(id, &blocks, turn)?;
        judged.into_iter().filter(|&(at, _)| Some(at) == mine).for_each(|(_, row)| see(row.into()));
        Ok(())
    }

    /// Fragment and number of each span of a trace for which the filter holds.
    fn judged(
        &self,
        id: TraceId,
        blocks: &[(usize, u64)],
        turn: &mut Turn<'_>,
    ) -> Result<Vec<(usize, u32)>, QueryError> {
        let Turn { desk, seen, .. } = turn;
        let found = desk.whole(id, blocks, |whole| {
            seen.judged(whole.len());
            let mut found = Vec::new();
            let Some(filter) = self.wish.plan.filter(FILTER) else { return Ok(found) };
            for span in 0..whole.len() {
                if filter.expr.eval(&mut |field, see| whole.see(span, field, see))? {
                    found.push(whole.place(span));
                }
            }
            Ok(found)
        })?;
        Ok(found.unwrap_or_default())
    }
}

impl Kind for Listing {
    type Part = Told;
    type Found = Found;

    fn sources(&self) -> &Sources {
        &self.sources
    }

    fn plan(&self) -> &Plan {
        &self.wish.plan
    }

    fn nothing(&self, _: bool) -> Found {
        Found::default()
    }

    fn block(&self, number: usize, turn: &mut Turn<'_>, found: &mut Found) -> Result<(), QueryError> {
        if self.is_out(number) {
            return Ok(());
        }
        let Wish { listed, plan, time, limits, .. } = &self.wish;
        let reader = turn.desk.reader(number)?;
        let failed = |error| self.sources.blocks[number].failed(error);
        if let (Listed::Names(scope), true) = (listed, self.is_all()) {
            let wanted = Wanted { time: Some(*time), rows: None };
            return reader.names(*scope, wanted, *limits, &mut found.names).map_err(failed);
        }
        let matches = Matches::read(reader, plan, Some(*time)).map_err(failed)?;
        turn.seen.bytes += matches.counters.bytes_touched;
        let rows = if self.is_all() { None } else { Some(self.rows(number, &matches, turn)?) };
        self.list(reader, &matches.table, rows.as_deref(), found).map_err(failed)
    }

    fn shared(
        &self,
        number: usize,
        places: &[u32],
        turn: &mut Turn<'_>,
        found: &mut Found,
    ) -> Result<(), QueryError> {
        let reader = turn.desk.reader(number)?;
        let failed = |error| self.sources.blocks[number].failed(error);
        let table = TraceTable::open(reader).map_err(failed)?;
        let mut rows = Rows::none(reader, &self.sources, number);
        for &place in places.iter().filter(|place| **place < table.len()) {
            if turn.is_over() {
                return Ok(());
            }
            let first = table.rows(place).start;
            self.matching(table.id(place), (number, place), turn, &mut |row| rows.set(first + row))?;
        }
        self.list(reader, &table, Some(&rows.by_group), found).map_err(failed)
    }

    fn add(&self, found: Found, _: Option<&NodeName>) -> Result<(), QueryError> {
        let (mut all, limits) = (self.found.lock(), self.wish.limits);
        for scope in SCOPES.map(|(scope, _)| scope) {
            found.names.of(scope).iter().for_each(|name| all.names.add(scope, name, limits));
        }
        found.values.iter().for_each(|value| all.values.add(value, limits));
        Ok(())
    }

    fn part(&self, progress: &Progress) -> Told {
        self.last(progress)
    }

    fn last(&self, progress: &Progress) -> Told {
        Told {
            found: std::mem::take(&mut *self.found.lock()),
            stats: progress.stats(),
            partial: self.sources.partial.clone(),
        }
    }

    fn wants(&self, number: usize) -> bool {
        number < self.sources.blocks.len() && !self.is_out(number)
    }

    fn question(&self) -> Option<ScanQuestion> {
        Some(self.wish.question.clone())
    }

    fn pack(&self, found: Found) -> Bytes {
        wire::put_listing(&found)
    }

    fn unpack(&self, _: &[usize], found: &[u8]) -> Result<Found, WireError> {
        wire::take_listing(found, self.wish.limits)
    }
}

/// Sets of a block's rows, by row group.
struct Rows {
    first: Vec<u64>,
    by_group: Vec<Bits>,
}

impl Rows {
    fn none(reader: &BlockReader, sources: &Sources, number: usize) -> Self {
        let first: Vec<u64> = reader.groups().iter().map(|group| group.first_row).collect();
        let end = sources.blocks[number].listed.block.meta().spans;
        let ends = first.iter().skip(1).copied().chain([end]);
        let by_group =
            first.iter().zip(ends).map(|(first, end)| Bits::none(end.saturating_sub(*first) as usize));
        Self { by_group: by_group.collect(), first }
    }

    fn set(&mut self, row: u64) {
        let group = self.first.partition_point(|first| *first <= row).wrapping_sub(1);
        if let (Some(first), Some(rows)) = (self.first.get(group), self.by_group.get_mut(group)) {
            rows.set((row - first) as usize);
        }
    }
}

/// The scopes as answers name them.
const SCOPES: [(Scope, TagScope); 5] = [
    (Scope::Resource, TagScope::Resource),
    (Scope::Span, TagScope::Span),
    (Scope::Event, TagScope::Event),
    (Scope::Link, TagScope::Link),
    (Scope::Instrumentation, TagScope::Instrumentation),
];

/// A scope as the language names it.
pub(crate) fn scope_of(tag: TagScope) -> Scope {
    SCOPES.iter().find(|(_, of)| *of == tag).map_or(Scope::Span, |(scope, _)| *scope)
}

/// Names as they are answered.
pub(crate) fn tags(Told { found, stats, partial }: Told) -> Tags {
    let scopes = SCOPES.iter().map(|(scope, tag)| (*tag, found.names.of(*scope)));
    let some = scopes.filter(|(_, names)| !names.is_empty());
    Tags { scopes: some.map(|(tag, names)| (tag, names.iter().cloned().collect())).collect(), stats, partial }
}

/// Values as they are answered.
pub(crate) fn tag_values(Told { found, stats, partial }: Told) -> TagValues {
    let mut values: Vec<(TagType, String)> = found.values.iter().filter_map(typed).collect();
    values.sort_unstable();
    values.dedup();
    TagValues { values, stats, partial }
}

fn typed(value: Value<'_>) -> Option<(TagType, String)> {
    use spanloom_span::model::AnyValue;
    Some(match value {
        Value::Text(text) => (TagType::String, String::from_utf8_lossy(text).into_owned()),
        Value::Int(value) => (TagType::Int, value.to_string()),
        Value::Float(value) => (TagType::Float, value.to_string()),
        Value::Bool(value) => (TagType::Bool, value.to_string()),
        Value::Duration(value) => {
            (TagType::Duration, spanloom_traceql::ast::Literal::Duration(value).to_string())
        }
        Value::Status(_) | Value::Kind(_) => match value.to_any() {
            AnyValue::Str(word) => (TagType::Keyword, word),
            _ => return None,
        },
        Value::Nil | Value::Array(_) | Value::Map(_) | Value::Bytes(_) => return None,
    })
}
