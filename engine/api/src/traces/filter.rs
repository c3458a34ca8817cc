//! The parameter `q` of a trace by id: the spans for which one filter holds, and spans near them.

use spanloom_span::model::Trace;
use spanloom_traceql::ast::Query;

use super::near::{self, Reach};
use crate::params::Params;
use crate::{QueryError, language};

/// Which spans of a trace are wanted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TraceFilter {
    query: Query,
    /// How far below a match spans are kept.
    below: Reach,
    /// How far above a match spans are kept.
    above: Reach,
}

impl TraceFilter {
    /// From parameters: `q`, one filter; `keep_hierarchy` with `ancestor_depth` (all without it); `match_depth` (none
    /// without it). `None` without `q`.
    pub fn from_params(params: &Params, max_bytes: usize) -> Result<Option<Self>, QueryError> {
        let reach = |name: &str| params.read(name, "a whole number, or -1 for no limit", Reach::parse);
        let keep_hierarchy = params.flag("keep_hierarchy")?;
        let above = reach("ancestor_depth")?.unwrap_or(Reach::Any);
        let above = if keep_hierarchy { above } else { Reach::Steps(0) };
        let below = reach("match_depth")?.unwrap_or(Reach::Steps(0));
        let Some(text) = params.get("q") else { return Ok(None) };
        Ok(Some(Self { query: language::filter(text, max_bytes)?, below, above }))
    }

    /// The trace with the wanted spans alone.
    pub fn apply(&self, trace: Trace) -> Result<Trace, QueryError> {
        let matches = self.matches(&trace)?;
        Ok(near::keep(trace, &matches, self.above, self.below))
    }
}

impl TraceFilter {
    /// For each span of the trace, in order, whether the filter holds.
    fn matches(&self, _trace: &Trace) -> Result<Vec<bool>, QueryError> {
        Err(QueryError::Unavailable("filtering a trace is not wired yet".into()))
    }
}
