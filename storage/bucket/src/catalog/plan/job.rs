//! A piece of compaction: which blocks become others.

use std::fmt;

use spanloom_block::BlockId;
use spanloom_span::Tenant;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::show::{Bytes, Time};
use crate::catalog::manifest::{BlockEntry, Reason};

/// What a job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Several blocks are joined; no span may be lost.
    Join,
    /// One block is written anew without some of its spans.
    Redact,
}

/// Blocks that are to be replaced by others with their spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What for.
    pub purpose: Purpose,
    /// The blocks, ascending.
    pub inputs: Vec<BlockId>,
    /// Level of the outputs.
    pub level: u32,
    /// Bytes of the inputs.
    pub bytes: u64,
    /// Spans of the inputs, those that are in several counted as often.
    pub spans: u64,
    /// From when to when the newest spans of the inputs ended, nanoseconds since 1970.
    pub newest: (u64, u64),
}

/// Jobs of a tenant and level whose newest spans ended in the same hour have the same key.
const KEY_WINDOW_NS: u64 = 3600 * 1_000_000_000;

impl Job {
    /// A number by which nodes share the work: the same on every node, and for what is left of a job after another
    /// node changed some of its inputs.
    pub fn key(&self, tenant: &Tenant) -> u64 {
        let numbers = [u64::from(self.level), self.newest.1 / KEY_WINDOW_NS];
        let bytes: Vec<u8> = numbers.into_iter().flat_map(u64::to_le_bytes).collect();
        xxh3_64_with_seed(&bytes, Self::key_of_tenant(tenant))
    }

    /// The same for what is done for a tenant as a whole.
    pub fn key_of_tenant(tenant: &Tenant) -> u64 {
        xxh3_64(tenant.as_str().as_bytes())
    }

    /// A job that joins blocks. The outputs' level is one above the inputs' highest, at most `max_level`.
    pub fn join(inputs: &[&BlockEntry], max_level: u32) -> Self {
        let highest = inputs.iter().map(|entry| entry.level).max().unwrap_or(0);
        Self::of(Purpose::Join, inputs, highest.saturating_add(1).min(max_level.max(highest)))
    }

    /// A job that writes a block anew without some of its spans.
    pub fn redact(input: &BlockEntry) -> Self {
        Self::of(Purpose::Redact, &[input], input.level)
    }

    fn of(purpose: Purpose, inputs: &[&BlockEntry], level: u32) -> Self {
        let mut ids: Vec<BlockId> = inputs.iter().map(|entry| entry.id).collect();
        ids.sort_unstable();
        let newest = inputs.iter().map(|entry| entry.newest());
        Self {
            purpose,
            inputs: ids,
            level,
            bytes: inputs.iter().fold(0, |sum, entry| sum.saturating_add(entry.bytes)),
            spans: inputs.iter().fold(0, |sum, entry| sum.saturating_add(entry.spans)),
            newest: (newest.clone().min().unwrap_or(0), newest.max().unwrap_or(0)),
        }
    }

    /// A number that tells it from other jobs, the same on every node: a hash of its inputs.
    pub fn token(&self) -> u64 {
        let mut bytes = Vec::with_capacity(self.inputs.len() * 16);
        for id in &self.inputs {
            bytes.extend(id.created.to_le_bytes());
            bytes.extend(id.number.to_le_bytes());
        }
        xxh3_64(&bytes)
    }

    /// The name of an output, by its place among the outputs. `attempt` is drawn at random for each time that the work
    /// is done, so that no object is ever written over by another that is perhaps not the same to the byte, and no
    /// name is used again that others may be about to delete.
    ///
    /// `created` is that of the newest input. The number is 32 bits of a hash and 16 of the place, so that the siblings
    /// of an output are known from its name.
    pub fn output(&self, attempt: u64, place: u16) -> BlockId {
        let created = self.inputs.iter().map(|id| id.created).max().unwrap_or(0);
        let hash = xxh3_64_with_seed(&self.token().to_le_bytes(), attempt) >> 32;
        BlockId { created, number: hash << 16 | u64::from(place) }
    }

    /// Why the inputs are gone when it is done.
    pub fn reason(&self, outputs: usize) -> Reason {
        match self.purpose {
            _ if outputs == 0 => Reason::Emptied,
            Purpose::Join => Reason::Compacted,
            Purpose::Redact => Reason::Redacted,
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.newest;
        let what = match self.purpose {
            Purpose::Join => "join",
            Purpose::Redact => "redact",
        };
        write!(
            f,
            "{what} {} blocks of {} to {}, {}, {} spans, to level {}:",
            self.inputs.len(),
            Time(first),
            Time(last),
            Bytes(self.bytes),
            self.spans,
            self.level
        )?;
        self.inputs.iter().try_for_each(|id| write!(f, " {id}"))
    }
}
