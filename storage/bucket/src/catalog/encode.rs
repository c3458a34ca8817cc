//! Writes a manifest: `docs/formats/manifest.md`.

use spanloom_block::BlockId;
use xxhash_rust::xxh3::xxh3_64;

use super::column::{RUN, put_differences, put_run, put_varint};
use super::decode::{FORMAT, HEADER_BYTES, MAGIC, reason_number};
use super::manifest::{BlockEntry, Gone, Manifest};

impl Manifest {
    /// The manifest's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.blocks.len() * 32 + self.gone.len() * 32 + 64);
        out.extend(MAGIC);
        out.extend(FORMAT.to_le_bytes());
        for len in [self.blocks.len(), self.gone.len(), self.aside.len()] {
            out.extend((len as u32).to_le_bytes());
        }
        out.extend(self.version.to_le_bytes());
        put_blocks(&mut out, &self.blocks);
        put_gone(&mut out, &self.gone);
        put_aside(&mut out, &self.aside);
        out.extend(xxh3_64(&out).to_le_bytes());
        out
    }
}

fn put_blocks(out: &mut Vec<u8>, blocks: &[BlockEntry]) {
    let Some(first) = blocks.first() else { return };
    put_varint(out, first.id.created);
    put_varint(out, first.max_end);
    let (mut created, mut end) = (first.id.created, first.max_end);
    for run in blocks.chunks(RUN) {
        put_ids(out, &mut created, run.iter().map(|entry| entry.id));
        put(out, run, |entry| entry.bytes);
        put(out, run, |entry| entry.bytes.wrapping_sub(entry.tail));
        put(out, run, |entry| entry.traces);
        put(out, run, |entry| entry.spans);
        put(out, run, |entry| entry.raw_bytes);
        put_steps(out, run, &mut end, |entry| entry.max_end);
        let lasts: Vec<i64> =
            run.iter().map(|entry| entry.max_end.wrapping_sub(entry.min_start) as i64).collect();
        put_differences(out, &lasts);
        put(out, run, |entry| u64::from(entry.level));
    }
}

fn put_gone(out: &mut Vec<u8>, gone: &[Gone]) {
    let Some(first) = gone.first() else { return };
    put_varint(out, first.id.created);
    put_varint(out, first.since);
    let (mut created, mut since) = (first.id.created, first.since);
    for run in gone.chunks(RUN) {
        put_ids(out, &mut created, run.iter().map(|gone| gone.id));
        put_steps(out, run, &mut since, |gone| gone.since);
        put(out, run, |gone| match gone.deleted {
            0 => 0,
            deleted => deleted.saturating_sub(gone.since).saturating_add(1),
        });
        put(out, run, |gone| gone.bytes);
        put(out, run, |gone| reason_number(gone.reason));
    }
}

fn put_aside(out: &mut Vec<u8>, aside: &[BlockId]) {
    let Some(first) = aside.first() else { return };
    put_varint(out, first.created);
    let mut created = first.created;
    for run in aside.chunks(RUN) {
        put_ids(out, &mut created, run.iter().copied());
    }
}

/// Two columns: when, after the block before; and the second numbers.
fn put_ids(out: &mut Vec<u8>, before: &mut u64, ids: impl Iterator<Item = BlockId> + Clone) {
    let after = |id: BlockId| id.created.wrapping_sub(std::mem::replace(before, id.created));
    put_run(out, &ids.clone().map(after).collect::<Vec<_>>());
    put_run(out, &ids.map(|id| id.number).collect::<Vec<_>>());
}

fn put<T>(out: &mut Vec<u8>, run: &[T], value: impl Fn(&T) -> u64) {
    put_run(out, &run.iter().map(value).collect::<Vec<_>>());
}

/// A column of differences to the value before.
fn put_steps<T>(out: &mut Vec<u8>, run: &[T], before: &mut u64, value: impl Fn(&T) -> u64) {
    let step = |entry: &T| {
        let value = value(entry);
        value.wrapping_sub(std::mem::replace(before, value)) as i64
    };
    put_differences(out, &run.iter().map(step).collect::<Vec<_>>());
}
