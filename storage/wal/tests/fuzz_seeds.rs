//! The seeds of the fuzz target `log_replay`, written by the log itself and then damaged, as an ordinary test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

#[path = "../../../engine/fuzz/corpus.rs"]
mod corpus;
#[path = "fuzz/log_replay.rs"]
mod log_replay;

use std::sync::Arc;

use spanloom_wal::disk::{Disk, SimDisk};
use spanloom_wal::{
    Entry, FRAME_HEADER_BYTES, Log, Options, SEGMENT_COPY_AT, SEGMENT_HEADER_BYTES, segment_name,
};

#[test]
fn log_replay_holds_for_every_seed() {
    corpus::check("log_replay", &seeds(), log_replay::holds);
}

/// A segment file with groups of so many frames each, without the room that was made for more.
fn segment(groups: &[usize]) -> Vec<u8> {
    let disk = SimDisk::new();
    let options = Options { new_log_id: 0x5eed, segment_bytes: 16 << 10, ..Options::default() };
    let (mut log, _) = Log::open(Arc::new(disk.clone()), "log", &options, |_| 1).unwrap();
    for (at, frames) in groups.iter().enumerate() {
        let payload = vec![at as u8; 10 * at];
        let entry =
            |nth| Entry { tenant: ["a", "tenant-b"][nth % 2], kind: 1, spans: nth as u32, payload: &payload };
        let entries: Vec<Entry<'_>> = (0..*frames).map(entry).collect();
        log.append_group(&entries, 1_700_000_000_000 + at as u64).unwrap();
        log.sync().unwrap();
    }
    drop(log);
    let mut bytes = disk.read(&format!("log/{}", segment_name(1))).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(end.max(SEGMENT_HEADER_BYTES));
    bytes
}

fn flipped(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 0x10;
    bytes
}

fn cut(mut bytes: Vec<u8>, from_end: usize) -> Vec<u8> {
    bytes.truncate(bytes.len() - from_end);
    bytes
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let full = || segment(&[1, 3, 2]);
    let first_frame = SEGMENT_HEADER_BYTES;
    let both_headers = flipped(flipped(full(), 20), SEGMENT_COPY_AT + 20);
    vec![
        ("empty", Vec::new()),
        ("header-alone", segment(&[])),
        ("six-frames", full()),
        ("torn-payload", cut(full(), 5)),
        ("torn-header", cut(segment(&[1, 1]), FRAME_HEADER_BYTES - 3)),
        ("zeros-at-the-end", [full(), vec![0; 600]].concat()),
        ("first-header-damaged", flipped(full(), 20)),
        ("both-headers-damaged", both_headers),
        ("first-frame-damaged", flipped(full(), first_frame + 20)),
        ("first-magic-damaged", flipped(full(), first_frame)),
        ("a-length-damaged", flipped(full(), first_frame + 12)),
        ("frames-twice", [full(), full()[first_frame..].to_vec()].concat()),
        ("later-version", {
            let mut bytes = full();
            bytes[8] = 2;
            bytes
        }),
    ]
}
