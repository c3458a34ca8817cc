//! "Whose spans do you have?" and "which traces?": `docs/formats/peer.md`, "List tenants" and "List traces".

use bytes::Bytes;
use spanloom_span::{Tenant, TraceId};

use super::fields::without_payload;
use super::{Fields, FrameError, Kind, Message, Writer};
use crate::{ListTraces, TraceList, TraceSum};

/// Bytes of a trace in the payload.
const TRACE_BYTES: usize = 24;

/// The question for all tenants, which has no fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListTenants;

/// The tenants of which the one asked has spans.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TenantList(pub Vec<Tenant>);

impl Message for ListTenants {
    const KIND: Kind = Kind::ListTenants;

    fn write(self, _: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        Ok(Vec::new())
    }

    fn read(_: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError> {
        without_payload(&payload)?;
        Ok(Self)
    }
}

impl Message for TenantList {
    const KIND: Kind = Kind::TenantList;

    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        head.count(self.0.len(), "list of tenants")?;
        self.0.iter().for_each(|tenant| head.tenant(tenant));
        Ok(Vec::new())
    }

    fn read(head: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError> {
        without_payload(&payload)?;
        let count = head.u32("count of tenants")?;
        let mut tenants = Vec::new(); // grows with what is there: the count is only claimed
        for _ in 0..count {
            tenants.push(head.tenant()?);
        }
        Ok(Self(tenants))
    }
}

impl Message for ListTraces {
    const KIND: Kind = Kind::ListTraces;

    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        head.tenant(&self.tenant);
        head.u8(u8::from(self.after.is_some()));
        if let Some(after) = self.after {
            head.raw(&after.0);
        }
        head.u64(self.since);
        head.u32(self.most);
        Ok(Vec::new())
    }

    fn read(head: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError> {
        without_payload(&payload)?;
        let tenant = head.tenant()?;
        let after = match flag(head, "mark of a trace id")? {
            true => Some(TraceId(head.array("trace id")?)),
            false => None,
        };
        Ok(Self { tenant, after, since: head.u64("moment")?, most: head.u32("most traces")? })
    }
}

impl Message for TraceList {
    const KIND: Kind = Kind::TraceList;

    fn write(self, head: &mut Writer) -> Result<Vec<Bytes>, FrameError> {
        ascending(&self.traces)?;
        head.u8(u8::from(self.is_last));
        let mut payload = Vec::with_capacity(self.traces.len() * TRACE_BYTES);
        for TraceSum { id, spans, digest } in &self.traces {
            payload.extend_from_slice(&id.0);
            payload.extend_from_slice(&spans.to_le_bytes());
            payload.extend_from_slice(&digest.to_le_bytes());
        }
        Ok(vec![payload.into()])
    }

    fn read(head: &mut Fields<'_>, payload: Bytes) -> Result<Self, FrameError> {
        let is_last = flag(head, "mark of the last list")?;
        let (entries, rest) = payload.as_chunks::<TRACE_BYTES>();
        if !rest.is_empty() {
            return Err(FrameError::Field { field: "list of traces", problem: "ends within a trace" });
        }
        let mut traces = Vec::with_capacity(entries.len());
        for entry in entries {
            let mut fields = Fields::new(entry);
            let id = TraceId(fields.array("trace id")?);
            traces.push(TraceSum { id, spans: fields.u32("spans")?, digest: fields.u32("digest")? });
        }
        ascending(&traces)?;
        Ok(Self { traces, is_last })
    }
}

fn flag(head: &mut Fields<'_>, field: &'static str) -> Result<bool, FrameError> {
    match head.u8(field)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(FrameError::Field { field, problem: "is neither 0 nor 1" }),
    }
}

fn ascending(traces: &[TraceSum]) -> Result<(), FrameError> {
    if traces.is_sorted_by(|a, b| a.id < b.id) {
        return Ok(());
    }
    Err(FrameError::Field { field: "list of traces", problem: "is not ascending" })
}
