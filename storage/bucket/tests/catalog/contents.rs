//! What a block of the simulation holds: numbers in place of spans, as a line of text.

use std::collections::BTreeSet;
use std::fmt::Write;

use bytes::Bytes;
use spanloom_block::BlockId;
use spanloom_bucket::catalog::{BlockEntry, ReadBlock};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    pub id: BlockId,
    pub level: u32,
    /// From when to when its spans lasted.
    pub time: (u64, u64),
    /// Any number: no two blocks that were made apart are the same to the byte.
    pub salt: u64,
    pub spans: BTreeSet<u64>,
    pub replaces: Vec<BlockId>,
}

impl Contents {
    pub fn bytes(&self) -> Bytes {
        let mut text = format!("{};{};{};{};{};", self.id, self.level, self.time.0, self.time.1, self.salt);
        for span in &self.spans {
            write!(text, "{span},").unwrap();
        }
        text.push(';');
        for id in &self.replaces {
            write!(text, "{id},").unwrap();
        }
        text.into()
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let fields: Vec<&str> = text.split(';').collect();
        let [id, level, from, to, salt, spans, replaces] = fields[..] else { return None };
        Some(Self {
            id: id.parse().ok()?,
            level: level.parse().ok()?,
            time: (from.parse().ok()?, to.parse().ok()?),
            salt: salt.parse().ok()?,
            spans: spans.split_terminator(',').map(|span| span.parse().ok()).collect::<Option<_>>()?,
            replaces: replaces.split_terminator(',').map(|id| id.parse().ok()).collect::<Option<_>>()?,
        })
    }

    pub fn entry(&self) -> BlockEntry {
        let bytes = self.bytes().len() as u64;
        BlockEntry {
            id: self.id,
            bytes,
            tail: bytes / 2,
            traces: self.spans.len() as u64,
            spans: self.spans.len() as u64,
            raw_bytes: bytes * 3,
            min_start: self.time.0,
            max_end: self.time.1,
            level: self.level,
        }
    }

    pub fn block(&self) -> ReadBlock {
        ReadBlock { entry: self.entry(), replaces: self.replaces.clone() }
    }
}
