//! Stop 3 of 9: route. Receives a sliced request, checks the limits, gives each trace to its shard by token, and
//! hands the request to the head. Budget: 20 ns a span.

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use spanloom_ring::Tokens;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{Batch, TraceGroup};
use spanloom_stage::Permit;

use crate::metrics::IngestMetrics;
use crate::refusal::Refusal;
use crate::shard::{Routed, ShardState};
use crate::tenants::{TenantEntry, TraceKey};

/// Spans that a limit keeps out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// How many.
    pub spans: u64,
    /// The first reason.
    pub message: String,
}

/// Limits on live traces; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveLimits {
    /// Most live traces of a tenant.
    pub max_live_traces: u64,
    /// Most bytes of a live trace.
    pub max_trace_bytes: u64,
}

/// Gives traces to shards.
#[derive(Clone)]
pub struct Distributor {
    shards: Arc<[Arc<ShardState>]>,
    slice: SliceLimits,
    limits: LiveLimits,
    metrics: Arc<IngestMetrics>,
}

impl Distributor {
    /// A distributor to these shards.
    pub fn new(
        shards: Arc<[Arc<ShardState>]>,
        slice: SliceLimits,
        limits: LiveLimits,
        metrics: Arc<IngestMetrics>,
    ) -> Self {
        Self { shards, slice, limits, metrics }
    }

    /// Stop 2: checks and slices a request's bytes.
    pub fn slice(&self, request: Bytes) -> Result<Batch, Refusal> {
        slice(request, &self.slice).map_err(|error| Refusal::Invalid(error.to_string()))
    }

    /// What slicing left out of a batch, counted.
    pub fn too_large(&self, batch: &Batch) -> LeftOut {
        let spans = u64::from(batch.refused_spans());
        if spans == 0 {
            return LeftOut::default();
        }
        self.metrics.spans_refused("span_too_large", spans);
        let message = format!("SPAN_TOO_LARGE: a span is larger than {} bytes", self.slice.max_span_bytes);
        LeftOut { spans, message }
    }

    /// Takes out what the limits refuse; `None` when that is nothing. The log keeps a request's bytes as they are, so
    /// what is refused must not be in them: such a request, a rare one, is put together anew from what is left.
    pub fn limit(&self, tenant: &TenantEntry, batch: &Batch) -> Option<(Bytes, LeftOut)> {
        let mut out = self.too_large(batch);
        let kept: Vec<&TraceGroup> = if self.limits == LiveLimits::default() {
            batch.groups().iter().collect()
        } else {
            batch.groups().iter().filter(|group| self.admits(tenant, group, &mut out)).collect()
        };
        (out.spans > 0).then(|| (batch.extract_all(kept.into_iter()), out))
    }

    fn admits(&self, tenant: &TenantEntry, group: &TraceGroup, out: &mut LeftOut) -> bool {
        let key = TraceKey { tenant: tenant.number, id: group.id };
        let held = self.shards[self.shard_of(&Tokens::of(&tenant.name), group)].trace_bytes(&key);
        let (reason, message) = match (self.limits, held) {
            (LiveLimits { max_live_traces: max @ 1.., .. }, None) if tenant.live() >= max => (
                "live_traces_exceeded",
                format!("LIVE_TRACES_EXCEEDED: the tenant has {max} live traces, no more are taken"),
            ),
            (LiveLimits { max_trace_bytes: max @ 1.., .. }, held)
                if held.unwrap_or(0) + u64::from(group.bytes) > max =>
            {
                ("trace_too_large", format!("TRACE_TOO_LARGE: trace {} is larger than {max} bytes", group.id))
            }
            _ => return true,
        };
        self.metrics.spans_refused(reason, u64::from(group.count));
        out.spans += u64::from(group.count);
        if out.message.is_empty() {
            out.message = message;
        }
        false
    }

    fn shard_of(&self, tokens: &Tokens, group: &TraceGroup) -> usize {
        let shards = NonZeroUsize::new(self.shards.len()).unwrap_or(NonZeroUsize::MIN);
        tokens.token(&group.id).shard(shards)
    }

    /// Gives each trace to its shard. `opening` is room for those that are not live yet.
    pub fn route(&self, tenant: Arc<TenantEntry>, batch: Arc<Batch>, opening: Permit) -> Routed {
        let tokens = Tokens::of(&tenant.name);
        let share = batch.groups().len() / self.shards.len() + 8;
        let mut routes: Vec<Vec<u32>> = self.shards.iter().map(|_| Vec::with_capacity(share)).collect();
        for (at, group) in batch.groups().iter().enumerate() {
            routes[self.shard_of(&tokens, group)].push(at as u32);
        }
        Routed { tenant, batch, routes, opening }
    }
}
