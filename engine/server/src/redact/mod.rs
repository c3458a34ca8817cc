//! Redaction: given traces, or what a query finds, deleted from all blocks. `docs/REDACTION.md`.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the course of a redaction, over all roles |
//! | `audit.rs` | the audit log |
//! | `gone.rs` | what was deleted, so that it is not fetched from other nodes |
//! | `metrics.rs` | what is counted |
//!
//! The order is what keeps spans gone. First everything is sealed and leaves the log, so that blocks alone have what was
//! acknowledged, and live columns are let go of. Then the query engine selects from blocks, upkeep writes them anew, and
//! what arrived meanwhile and was sealed into those blocks leaves the log, too.

mod audit;
mod gone;
mod metrics;

use std::path::Path;
use std::time::Duration;

use prometheus_client::registry::Registry;
use spanloom_api::redact::seconds;
use spanloom_api::{QueryError, RedactRequest, RedactWhat, Redacted, RewrittenBlock};
use spanloom_query::SelectRequest;
use spanloom_span::{Tenant, TraceId};
use spanloom_upkeep::{Doomed, RedactFailed, Redaction};
use tokio::sync::Mutex;

use crate::config::Config;
use crate::engine::Inner;
use audit::AuditLog;
pub(crate) use gone::Gone;
use metrics::RedactionMetrics;

/// Why spans were not deleted, or not all of them. The same redaction may be done again.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    /// What was asked cannot be done by anybody. Nothing was changed.
    #[error("{0}")]
    Invalid(String),
    /// More would go than one redaction may delete. Nothing was changed.
    #[error("found {found} {what}, expected at most {allowed} ({key}); nothing was deleted")]
    TooMany {
        /// `traces` or `spans`.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many are allowed.
        allowed: u64,
        /// The limit's key in the configuration.
        key: &'static str,
    },
    /// Another redaction is under way. Nothing was changed.
    #[error("another redaction is under way; nothing was deleted")]
    Busy,
    /// What is live could not be sealed, or not leave the log. Nothing was changed.
    #[error("spans that were taken are not all in blocks: {0}; nothing was deleted")]
    Unsettled(String),
    /// The query could not be answered. Nothing was changed.
    #[error("what is to go was not found: {0}; nothing was deleted")]
    Query(#[from] spanloom_query::QueryError),
    /// The audit log could not be written before anything was done. Nothing was changed.
    #[error("the audit log cannot be written: {0}; nothing was deleted")]
    Audit(std::io::Error),
    /// It ended early: what was done until then holds.
    #[error("{reason}; until then {} spans were deleted from {} blocks", done.spans, done.blocks)]
    Partly {
        /// What was done.
        done: Box<Redacted>,
        /// Why it ended.
        reason: String,
    },
    /// The engine is stopping, or the redaction panicked. The audit log says how far it came.
    #[error("the redaction ended with the engine")]
    Stopping,
}

impl From<RedactError> for QueryError {
    fn from(error: RedactError) -> Self {
        let message = error.to_string();
        match error {
            RedactError::Invalid(_) => Self::Invalid(message),
            RedactError::TooMany { key, .. } => Self::OverLimit { limit: key, message },
            RedactError::Busy => Self::Busy { message, limit: None, retry_after: Duration::from_secs(10) },
            RedactError::Query(error @ spanloom_query::QueryError::Invalid(_)) => error.into(),
            RedactError::Unsettled(_) | RedactError::Query(_) | RedactError::Stopping => {
                Self::Unavailable(message)
            }
            RedactError::Audit(_) | RedactError::Partly { .. } => Self::Internal(message),
        }
    }
}

/// What redactions share.
pub(crate) struct Redactor {
    audit: AuditLog,
    metrics: RedactionMetrics,
    gone: Gone,
    /// One at a time.
    alone: Mutex<()>,
}

impl Redactor {
    /// For a data directory. What was begun by a former run and has no end is told.
    pub fn new(data_dir: &str, registry: &mut Registry) -> Self {
        let metrics = RedactionMetrics::default();
        metrics.register(registry.sub_registry_with_prefix("spanloom"));
        let audit = AuditLog::new(Path::new(data_dir));
        for number in audit.unfinished() {
            tracing::warn!(target: "audit", number, "a redaction has no end in the audit log: do it again");
        }
        let gone = Gone::open(Path::new(data_dir));
        Self { audit, metrics, gone, alone: Mutex::default() }
    }

    /// What was deleted, for who fetches spans from other nodes.
    pub fn gone(&self) -> Gone {
        self.gone.clone()
    }
}

/// Does a redaction.
pub(crate) async fn run(
    inner: &Inner,
    is_stopping: bool,
    request: RedactRequest,
) -> Result<Redacted, RedactError> {
    let redactor = &inner.redactor;
    let Ok(_alone) = redactor.alone.try_lock() else { return Err(RedactError::Busy) };
    if is_stopping {
        return Err(RedactError::Stopping);
    }
    let begun = redactor.audit.begin(&request).map_err(RedactError::Audit)?;
    let done = course(inner, &request).await;
    redactor.metrics.count(&done);
    if let Err(error) = redactor.audit.end(&begun, &request, &done) {
        tracing::error!(target: "audit", %error, number = begun.number, "the end of a redaction was not written");
    }
    done
}

async fn course(inner: &Inner, request: &RedactRequest) -> Result<Redacted, RedactError> {
    let (tenant, dry) = (&request.tenant, request.dry_run);
    let named = named(&inner.config, &request.what)?;
    // Nothing is fetched from other nodes meanwhile.
    let quiet = inner.redactor.gone.quiet();
    let _quiet = quiet.write().await;
    inner.ingest.settle(tenant).await.map_err(RedactError::Unsettled)?;
    // They may hold columns of what is in blocks by now.
    inner.querier.forget_live(tenant).await;
    let doomed = match named {
        Some(traces) => Doomed::Traces(traces),
        None => select(inner, request).await?,
    };
    if !dry {
        remember(inner, tenant, &doomed).await?;
    }
    let upkeep = inner.store.upkeep();
    let redacted = |redaction: &Redaction| redacted(&inner.config, dry, redaction);
    let redaction = upkeep.redact(tenant, doomed, dry).await.map_err(|RedactFailed { done, reason }| {
        RedactError::Partly { done: Box::new(redacted(&done)), reason: reason.to_string() }
    })?;
    let done = redacted(&redaction);
    if dry || redaction.blocks.is_empty() {
        return Ok(done);
    }
    let partly = |reason: String| RedactError::Partly { done: Box::new(redacted(&redaction)), reason };
    let unsettled = |reason| partly(format!("what arrived meanwhile is in the log, too: {reason}"));
    inner.ingest.settle(tenant).await.map_err(unsettled)?;
    let (upkeep, of) = (upkeep.clone(), tenant.clone());
    let freed = tokio::task::spawn_blocking(move || upkeep.let_go(&of).map_err(|error| error.to_string()));
    freed.await.map_err(|_| RedactError::Stopping)?.map_err(partly)?;
    Ok(done)
}

/// Before anything is deleted, so that it is not fetched again from a node that still has it.
async fn remember(inner: &Inner, tenant: &Tenant, doomed: &Doomed) -> Result<(), RedactError> {
    let (gone, of, doomed) = (inner.redactor.gone(), tenant.clone(), doomed.clone());
    let kept = tokio::task::spawn_blocking(move || gone.add(&of, &doomed)).await;
    kept.map_err(|_| RedactError::Stopping)?.map_err(RedactError::Audit)
}

/// The traces that are named, each once; `None` when a query is to find them.
fn named(config: &Config, what: &RedactWhat) -> Result<Option<Vec<TraceId>>, RedactError> {
    let RedactWhat::Traces(traces) = what else { return Ok(None) };
    let mut traces = traces.clone();
    traces.sort_unstable();
    traces.dedup();
    if traces.is_empty() {
        return Err(RedactError::Invalid("found no trace ids, expected at least one".into()));
    }
    check_count("traces", traces.len() as u64, config.redaction.max_traces, "redaction.max_traces")?;
    Ok(Some(traces))
}

fn check_count(what: &'static str, found: u64, allowed: u32, key: &'static str) -> Result<(), RedactError> {
    match found > allowed.into() {
        true => Err(RedactError::TooMany { what, found, allowed: allowed.into(), key }),
        false => Ok(()),
    }
}

/// What a query finds.
async fn select(inner: &Inner, request: &RedactRequest) -> Result<Doomed, RedactError> {
    let RedactWhat::Query { query, spans } = &request.what else { return Ok(Doomed::Traces(Vec::new())) };
    let limits = &inner.config.redaction;
    let selected = inner.querier.select(SelectRequest {
        tenant: request.tenant.clone(),
        query: query.clone(),
        spans: *spans,
        max_traces: limits.max_traces as usize,
        max_spans: limits.max_spans as usize,
    });
    let selected = selected.await?;
    check_count("traces", selected.found_traces, limits.max_traces, "redaction.max_traces")?;
    check_count("spans", selected.found_spans, limits.max_spans, "redaction.max_spans")?;
    Ok(match spans {
        true => Doomed::Spans(selected.spans),
        false => Doomed::Traces(selected.traces),
    })
}

fn redacted(config: &Config, dry_run: bool, redaction: &Redaction) -> Redacted {
    let listed = redaction.blocks.iter().take(Redacted::MOST_LISTED).map(|block| RewrittenBlock {
        block: block.id.to_string(),
        bytes: block.bytes,
        traces: block.traces,
        spans: block.spans,
        left: block.left,
    });
    let timing = config.store_timing();
    let in_store = config.store_config().is_some() && !redaction.blocks.is_empty();
    Redacted {
        dry_run,
        traces: redaction.traces,
        spans: redaction.spans,
        blocks: redaction.blocks.len() as u64,
        emptied: redaction.emptied(),
        bytes: redaction.bytes(),
        rewritten: listed.collect(),
        deleted_after_seconds: if in_store { seconds(timing.grace + timing.act_within) } else { 0 },
    }
}
