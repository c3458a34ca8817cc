//! Tags: which attributes there are, and which values a field has.

use std::sync::Arc;

use parking_lot::Mutex;
use spanloom_block::{Bits, ListLimits, Names, Values, Wanted};
use spanloom_span::TraceId;
use spanloom_traceql::ast::{Body, Field, FieldExpr, Pipeline, Query, Scope, Set, Stage};
use spanloom_traceql::plan::{Expr, FilterId, Plan};
use spanloom_traceql::value::Value;

use crate::asked::Asked;
use crate::columns::Matches;
use crate::desk::{Desk, Readers};
use crate::pool::Work;
use crate::sources::Sources;
use crate::{QueryError, SearchStats, TagScope, TagType, TagValues, Tags};

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

/// A listing under way.
pub(crate) struct Listing {
    listed: Listed,
    plan: Plan,
    sources: Sources,
    time: (u64, u64),
    limits: ListLimits,
    asked: Asked<Told>,
    found: Mutex<Found>,
}

/// A plan with one filter that reads, beside it, the given field.
pub(crate) fn plan(filter: Option<FieldExpr>, field: Option<&Field>) -> Result<Plan, QueryError> {
    let mut stages = vec![Stage::Set(Set::Filter(filter.map(Box::new)))];
    stages.extend(field.map(|field| Stage::Select(vec![field.clone()])));
    let query = Query { body: Body::Search(Pipeline { stages }), hints: Vec::new() };
    Plan::new(&query).map_err(|error| QueryError::Invalid(error.to_string()))
}

impl Listing {
    /// A listing of what is in these sources, which comes as one part.
    pub fn new(
        listed: Listed,
        plan: Plan,
        sources: Sources,
        time: (u64, u64),
        limits: ListLimits,
        asked: Asked<Told>,
    ) -> Arc<Self> {
        Arc::new(Self { listed, plan, sources, time, limits, asked, found: Mutex::default() })
    }

    fn run(&self, block: usize) -> Result<(), QueryError> {
        let readers = Readers::new(&self.sources);
        let mut desk = Desk::new(&self.sources, &self.plan, &readers);
        let mut found = Found::default();
        self.block(block, &mut desk, &mut found)?;
        self.add(&found);
        Ok(())
    }

    fn add(&self, found: &Found) {
        let mut all = self.found.lock();
        for scope in SCOPES.map(|(scope, _)| scope) {
            found.names.of(scope).iter().for_each(|name| all.names.add(scope, name, self.limits));
        }
        found.values.iter().for_each(|value| all.values.add(value, self.limits));
    }

    fn is_all(&self) -> bool {
        self.plan.filter(FILTER).is_none_or(|filter| matches!(filter.expr, Expr::Const(true)))
    }

    fn block(&self, number: usize, desk: &mut Desk<'_>, found: &mut Found) -> Result<(), QueryError> {
        let block = &self.sources.blocks[number];
        let meta = block.listed.block.meta();
        if meta.min_start > self.time.1 || meta.max_end < self.time.0 {
            return Ok(());
        }
        let reader = desk.reader(number)?;
        let failed = |error| block.failed(error);
        if let (Listed::Names(scope), true) = (&self.listed, self.is_all()) {
            let wanted = Wanted { time: Some(self.time), rows: None };
            return reader.names(*scope, wanted, self.limits, &mut found.names).map_err(failed);
        }
        let matches = Matches::read(reader, &self.plan, Some(self.time)).map_err(failed)?;
        self.asked.progress.read(matches.counters.bytes_touched);
        let rows = if self.is_all() { None } else { Some(self.rows(number, &matches, desk)?) };
        let wanted = Wanted { time: Some(self.time), rows: rows.as_deref() };
        match &self.listed {
            Listed::Names(scope) => reader.names(*scope, wanted, self.limits, &mut found.names),
            Listed::Values(field) => {
                reader.values(&matches.table, field, wanted, self.limits, &mut found.values)
            }
        }
        .map_err(failed)
    }

    /// The rows that the filter holds for, by row group. Where the columns cannot tell, traces are judged whole.
    fn rows(
        &self,
        number: usize,
        matches: &Matches<'_>,
        desk: &mut Desk<'_>,
    ) -> Result<Vec<Bits>, QueryError> {
        if matches.is_exact(FILTER) {
            return Ok(matches.rows(FILTER));
        }
        let mut rows: Vec<Bits> = matches.rows(FILTER).iter().map(|rows| Bits::none(rows.len())).collect();
        let sealed = &self.sources.blocks[number].sealed;
        for place in matches.candidates(&self.plan.needs, &[], sealed, false) {
            if self.asked.is_over() {
                return Ok(rows);
            }
            let id = matches.table.id(place);
            let blocks = desk.places(&id, number, place.into())?;
            let mine = blocks.iter().position(|&(block, _)| block == number);
            for (_, row) in self.judged(id, &blocks, desk)?.into_iter().filter(|&(at, _)| Some(at) == mine) {
                matches.set(&mut rows, matches.table.rows(place).start + u64::from(row));
            }
        }
        Ok(rows)
    }

    /// Fragment and number of each span of a trace for which the filter holds.
    fn judged(
        &self,
        id: TraceId,
        blocks: &[(usize, u64)],
        desk: &mut Desk<'_>,
    ) -> Result<Vec<(usize, u32)>, QueryError> {
        let found = desk.whole(id, blocks, |whole| {
            self.asked.progress.judged(whole.len());
            let mut found = Vec::new();
            let Some(filter) = self.plan.filter(FILTER) else { return Ok(found) };
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

impl Work for Listing {
    fn pieces(&self) -> usize {
        self.asked.pieces()
    }

    fn piece(&self, number: usize) -> bool {
        let no_part = None::<fn() -> Told>;
        self.asked.piece(number, |block| self.run(block), no_part)
    }

    fn finish(&self) {
        self.asked.finish(|| Told {
            found: std::mem::take(&mut *self.found.lock()),
            stats: self.asked.progress.stats(),
            partial: self.sources.partial.clone(),
        });
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
