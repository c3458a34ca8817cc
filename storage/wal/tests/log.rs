//! The log on a simulated disk: what is appended is replayed; what fails leaves nothing; what is damaged is told.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use spanloom_wal::disk::{Disk, RealDisk, SimDisk};
use spanloom_wal::{
    DamageKind, Entry, Log, Options, ReplayReport, SEGMENT_HEADER_BYTES, WalError, aside_name, segment_name,
};

const DIR: &str = "log";

fn options(segment_bytes: u64) -> Options {
    Options { segment_bytes, min_next_seq: 1, new_log_id: 0x1d }
}

/// Frames as (ordinal, payload).
type Frames = Vec<(u64, Vec<u8>)>;

fn open_with(disk: &dyn Fn() -> Arc<dyn Disk>, options: &Options) -> (Log, ReplayReport, Frames) {
    let mut frames = Vec::new();
    let (log, report) = Log::open(disk(), DIR, options, |frame| {
        assert_eq!((frame.tenant, frame.kind, frame.time_ms), ("tenant", 1, 1_000 + frame.seq));
        frames.push((frame.seq, frame.payload.to_vec()));
        u64::from(frame.spans)
    })
    .unwrap();
    (log, report, frames)
}

fn open(disk: &SimDisk, segment_bytes: u64) -> (Log, ReplayReport, Frames) {
    open_with(&|| Arc::new(disk.clone()), &options(segment_bytes))
}

fn append(log: &mut Log, payload: &[u8]) -> Result<u64, WalError> {
    let entry = Entry { tenant: "tenant", kind: 1, spans: 1, payload };
    let time_ms = 1_000 + log.next_seq();
    log.append_group(&[entry], time_ms).map(|appended| appended.first_seq)
}

fn payload(seq: u64) -> Vec<u8> {
    format!("payload {seq}").repeat(1 + seq as usize % 7).into_bytes()
}

fn payloads(range: std::ops::RangeInclusive<u64>) -> Frames {
    range.map(|seq| (seq, payload(seq))).collect()
}

/// A disk whose log holds the frames 1 to `last`, closed as by a kill.
fn written(segment_bytes: u64, last: u64) -> SimDisk {
    let disk = SimDisk::new();
    let (mut log, ..) = open(&disk, segment_bytes);
    for seq in 1..=last {
        assert_eq!(append(&mut log, &payload(seq)).unwrap(), seq);
        assert_eq!(log.sync().unwrap(), seq);
    }
    disk.kill();
    disk
}

fn log_files(disk: &dyn Disk) -> Vec<String> {
    disk.list(DIR).unwrap().into_iter().map(|entry| entry.name).collect()
}

/// Where the bytes of a payload lie in a segment.
fn find(disk: &SimDisk, segment: u64, needle: &[u8]) -> usize {
    let bytes = disk.read(&format!("{DIR}/{}", segment_name(segment))).unwrap();
    bytes.windows(needle.len()).position(|window| window == needle).unwrap()
}

fn damage(disk: &SimDisk, segment: u64, change: impl FnOnce(&mut Vec<u8>)) {
    disk.damage(&format!("{DIR}/{}", segment_name(segment)), change).unwrap();
}

#[test]
fn what_is_appended_is_replayed_over_many_segments() {
    for segment_bytes in [1, 5_000, 6_000, 64 << 20] {
        let disk = written(segment_bytes, 100);
        for _ in 0..3 {
            let (log, report, frames) = open(&disk, segment_bytes);
            assert_eq!(frames, payloads(1..=100), "{segment_bytes}");
            assert_eq!((log.next_seq(), log.synced_seq(), report.last_seq), (101, 100, 100));
            assert_eq!((report.damage.len(), report.torn_bytes, report.unwritten_bytes), (0, 0, 0));
            disk.kill();
        }
    }
}

#[test]
fn a_real_disk_gives_back_what_it_got() {
    let root = tempfile::tempdir().unwrap();
    let disk = || Arc::new(RealDisk::new(root.path()).unwrap()) as Arc<dyn Disk>;
    let large = vec![0xab; 3 << 20];
    for round in 0..3 {
        let (mut log, _, frames) = open_with(&disk, &options(4 << 20));
        assert_eq!(frames.len(), round * 4);
        assert!(frames.iter().all(|(_, payload)| *payload == large));
        for _ in 0..4 {
            append(&mut log, &large).unwrap();
        }
        log.sync().unwrap();
    }
}

#[test]
fn a_group_has_ordinals_in_a_row_and_one_segment() {
    let disk = SimDisk::new();
    let (mut log, ..) = open(&disk, 5_000);
    let entry = |payload| Entry { tenant: "tenant", kind: 1, spans: 2, payload };
    let group = [entry(&[1; 800][..]), entry(&[]), entry(&[2; 4000])];
    let appended = log.append_group(&group, 7).unwrap();
    assert_eq!((appended.first_seq, appended.segment, appended.bytes), (1, 1, 4800 + 3 * 54));
    let appended = log.append_group(&group[..1], 7).unwrap();
    assert_eq!((appended.first_seq, appended.segment), (4, 2));
    assert_eq!(log.append_group(&[], 7).unwrap().bytes, 0);
    assert_eq!(log.next_seq(), 5);
}
