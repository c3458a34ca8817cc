//! The log on a simulated disk: what is appended is replayed; what fails leaves nothing; what is damaged is told.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use spanloom_wal::disk::{Disk, RealDisk, SimDisk};
use spanloom_wal::{
    DamageKind, Entry, Log, Options, ReplayReport, SEGMENT_HEADER_BYTES, WalError, aside_name, segment_name,
};

const DIR: &str = "log";

/// Segments of this size hold everything that these tests append.
const LARGE: u64 = 100_000;

fn options(segment_bytes: u64) -> Options {
    Options { segment_bytes, min_next_seq: 1, new_log_id: 0x1d, ..Options::default() }
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
    for segment_bytes in [1, 5_000, 6_000, LARGE] {
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

#[test]
fn a_group_that_does_not_fit_on_the_disk_leaves_nothing() {
    for space in 0..4_000 {
        let disk = SimDisk::new();
        let (mut log, ..) = open(&disk, 3_000);
        append(&mut log, &payload(1)).unwrap();
        let entry = Entry { tenant: "tenant", kind: 1, spans: 5, payload: &[9; 700] };
        let before = log.ledger().figures();
        disk.set_space(Some(space));
        let appended = log.append_group(&[entry; 3], 0);
        disk.set_space(None);
        assert_eq!(appended.is_ok(), space >= 3 * 754 + 4096, "with room for {space}");
        if let Err(error) = appended {
            assert!(error.is_disk_full(), "{error}");
            assert_eq!((log.next_seq(), log.ledger().figures()), (2, before));
            // What came back after a crash would have been refused and be there.
            disk.crash(space);
            let (.., frames) = open(&disk, 3_000);
            assert!(frames == payloads(1..=1) || frames.is_empty(), "with room for {space}");
        }
    }
}

#[test]
fn a_segment_that_could_not_be_created_does_not_come_back() {
    for seed in 0..300 {
        let disk = SimDisk::new();
        let (mut log, ..) = open(&disk, 6_000);
        append(&mut log, &payload(1)).unwrap();
        // Room for a copy of the header, but not for its block.
        disk.set_space(Some(48));
        assert!(append(&mut log, &[7; 3_000]).unwrap_err().is_disk_full());
        disk.set_space(None);
        append(&mut log, &[8; 1_000]).unwrap();
        disk.crash(seed);
        let (_, report, frames) = open(&disk, 6_000);
        assert_eq!((&frames[0], report.damage), (&(1, payload(1)), vec![]), "seed {seed}");
    }
}

#[test]
fn the_log_goes_on_when_there_is_room_again() {
    for segment_bytes in [5_000, 20_000] {
        let disk = SimDisk::new();
        let (mut log, ..) = open(&disk, segment_bytes);
        let mut seq = 1;
        for space in (0..200).map(|step| step * 37) {
            disk.set_space(Some(space));
            while append(&mut log, &payload(seq)).is_ok() {
                seq += 1;
            }
            disk.set_space(None);
            assert_eq!(append(&mut log, &payload(seq)).unwrap(), seq);
            seq += 1;
        }
        log.sync().unwrap();
        disk.crash_losing_all();
        let (_, report, frames) = open(&disk, segment_bytes);
        assert_eq!(frames, payloads(1..=seq - 1));
        assert_eq!(report.damage, []);
    }
}

#[test]
fn a_log_on_a_full_disk_opens_and_gives_its_room_back() {
    let disk = written(5_000, 100);
    disk.set_space(Some(0));
    let (mut log, _, frames) = open(&disk, 5_000);
    assert_eq!(frames.len(), 100);
    assert!(append(&mut log, &payload(101)).unwrap_err().is_disk_full());
    assert_eq!(log.sync().unwrap(), 100);
    let segments = log.ledger().figures().segments;
    log.ledger().sealed_all((1..=100).map(|seq| (seq, 1)));
    // The newest stays: it tells the ordinals.
    assert_eq!(log.ledger().release().unwrap().deleted.len() as u64, segments - 1);
    disk.set_space(None);
    assert_eq!(append(&mut log, &payload(101)).unwrap(), 101);
    assert_eq!(log.ledger().release().unwrap().deleted.len(), 1);
    log.sync().unwrap();
    disk.sync_dir(DIR).unwrap();
    disk.crash_losing_all();
    let (_, report, frames) = open(&disk, 5_000);
    assert_eq!((frames, report.damage), (payloads(101..=101), vec![]));
}

#[test]
fn a_failed_sync_ends_the_log_for_good() {
    let disk = written(LARGE, 3);
    let (mut log, ..) = open(&disk, LARGE);
    append(&mut log, &payload(4)).unwrap();
    disk.fail_sync(0);
    let text = "the log has failed and must be opened anew: syncing 0000000000000002.log: \
                the simulated medium fails (EIO)";
    assert_eq!(log.sync().unwrap_err().to_string(), text);
    assert_eq!(log.sync().unwrap_err().to_string(), text);
    assert_eq!(append(&mut log, &payload(5)).unwrap_err().to_string(), text);
    disk.crash_losing_all();
    let (log, _, frames) = open(&disk, LARGE);
    assert_eq!((frames, log.next_seq()), (payloads(1..=3), 4));
}

#[test]
fn a_group_that_cannot_be_taken_back_ends_the_log() {
    let disk = SimDisk::new();
    let (mut log, ..) = open(&disk, LARGE);
    disk.set_space(Some(10));
    disk.fail_set_len(true);
    assert!(matches!(append(&mut log, &payload(1)), Err(WalError::Poisoned { .. })));
    assert!(matches!(log.sync(), Err(WalError::Poisoned { .. })));
}

#[test]
fn a_torn_tail_is_cut_at_the_last_good_frame() {
    let whole = written(LARGE, 5);
    let frame_5 = find(&whole, 1, &payload(5)) - 54;
    let end = frame_5 + 54 + payload(5).len();
    for cut in frame_5 + 1..end {
        let disk = written(LARGE, 5);
        damage(&disk, 1, |bytes| bytes[cut..].fill(0));
        let (mut log, report, frames) = open(&disk, LARGE);
        assert_eq!((frames, &report.damage, log.next_seq()), (payloads(1..=4), &vec![], 5));
        assert!(report.torn_bytes > 0);
        append(&mut log, &payload(5)).unwrap();
        disk.kill();
        let (_, report, frames) = open(&disk, LARGE);
        assert_eq!((frames, report.torn_bytes, report.damage), (payloads(1..=5), 0, vec![]));
    }
}

/// What is left of the log when `change` has been done to segment 1 of 2, and where the damage is.
fn check_damage(change: impl FnOnce(&mut Vec<u8>), lost: &[u64], expected: &[(DamageKind, u64)]) {
    let disk = written(LARGE, 3);
    let (mut log, ..) = open(&disk, LARGE);
    for seq in 4..=6 {
        append(&mut log, &payload(seq)).unwrap();
    }
    disk.kill();
    damage(&disk, 1, change);
    // The same again and again, as long as there is something to seal.
    for _ in 0..3 {
        let (log, report, frames) = open(&disk, LARGE);
        let left: Frames = payloads(1..=6).into_iter().filter(|(seq, _)| !lost.contains(seq)).collect();
        assert_eq!((frames, log.next_seq()), (left, 7));
        let kinds: Vec<_> = report.damage.iter().map(|d| (d.kind, d.frames)).collect();
        assert_eq!(kinds, expected, "{report:?}");
        assert!(report.damage.iter().all(|damage| damage.segment == 1));
        assert_eq!(report.set_aside, if lost == [1, 2, 3] { vec![1] } else { vec![] });
        disk.kill();
        if lost == [1, 2, 3] {
            break;
        }
    }
    let (log, ..) = open(&disk, LARGE);
    log.ledger().sealed_all((1..=6).filter(|seq| !lost.contains(seq)).map(|seq| (seq, 1)));
    log.ledger().release().unwrap();
    assert_eq!(log_files(&disk)[0], aside_name(1), "{:?}", log_files(&disk));
    disk.kill();
    let (log, report, frames) = open(&disk, LARGE);
    assert_eq!((frames, log.next_seq(), report.aside_files), (vec![], 7, 1));
    assert_eq!(report.damage, []);
}

#[test]
fn damage_costs_only_the_frames_it_is_in_and_the_file_is_kept() {
    let disk = written(LARGE, 3);
    let at = |seq| find(&disk, 1, &payload(seq));
    let (one, two, three) = (at(1), at(2), at(3));
    let header = SEGMENT_HEADER_BYTES;
    check_damage(|b| b[one] ^= 1, &[1], &[(DamageKind::Frames, 1)]);
    check_damage(|b| b[two] ^= 1, &[2], &[(DamageKind::Frames, 1)]);
    check_damage(|b| b[two - 50] ^= 1, &[2], &[(DamageKind::Frames, 1)]);
    check_damage(|b| b[three] ^= 1, &[3], &[(DamageKind::Tail, 1)]);
    check_damage(|b| b[one..three - 54].fill(0), &[1, 2], &[(DamageKind::Frames, 2)]);
    check_damage(|b| b[two - 54..].fill(0), &[2, 3], &[(DamageKind::Tail, 2)]);
    check_damage(|b| b.truncate(three), &[3], &[(DamageKind::Tail, 1)]);
    check_damage(|b| b[..header].fill(0), &[], &[(DamageKind::Header, 0)]);
    check_damage(|b| b[..one].fill(7), &[1], &[(DamageKind::Header, 0), (DamageKind::Frames, 1)]);
    check_damage(|b| b.truncate(0), &[1, 2, 3], &[(DamageKind::Header, 0), (DamageKind::Tail, 3)]);
    check_damage(|b| b[header..].fill(0xff), &[1, 2, 3], &[(DamageKind::Tail, 3)]);
}

#[test]
fn damage_in_the_last_segment_is_told_from_a_crash_by_what_was_synced() {
    let disk = written(LARGE, 3);
    let two = find(&disk, 1, &payload(2));
    damage(&disk, 1, |bytes| bytes[two] ^= 1);
    // Frame 3 says that frame 2 was durable.
    let (_, report, frames) = open(&disk, LARGE);
    assert_eq!(frames.iter().map(|frame| frame.0).collect::<Vec<_>>(), [1, 3]);
    assert_eq!((report.damage.len(), report.unwritten_bytes), (1, 0));

    let disk = SimDisk::new();
    let (mut log, ..) = open(&disk, LARGE);
    for seq in 1..=3 {
        append(&mut log, &payload(seq)).unwrap();
    }
    disk.kill();
    damage(&disk, 1, |bytes| bytes[two] ^= 1);
    for _ in 0..3 {
        let (_, report, frames) = open(&disk, LARGE);
        assert_eq!(frames.iter().map(|frame| frame.0).collect::<Vec<_>>(), [1, 3]);
        assert_eq!((report.damage.len(), report.unwritten_bytes), (0, 54 + payload(2).len() as u64));
    }
}

#[test]
fn a_segment_that_cannot_be_read_is_told_and_kept() {
    let disk = written(1, 3);
    disk.fail_read(&format!("{DIR}/{}", segment_name(2)), true);
    let (_, report, frames) = open(&disk, 1);
    assert_eq!(frames, [(1, payload(1)), (3, payload(3))]);
    assert_eq!(report.damage.last().unwrap().kind, DamageKind::Unreadable);
    assert!(log_files(&disk).contains(&aside_name(2)));
}

#[test]
fn a_segment_of_a_later_version_stops_the_start() {
    let disk = written(LARGE, 1);
    let mut block = disk.read(&format!("{DIR}/{}", segment_name(1))).unwrap();
    block[8] = 2;
    block[12..16].fill(0);
    let crc = crc_fast::crc32_iscsi(&block[..48]);
    block[12..16].copy_from_slice(&crc.to_le_bytes());
    damage(&disk, 1, |bytes| *bytes = block);
    let error = Log::open(Arc::new(disk), DIR, &options(1), |_| 0).err().unwrap();
    assert_eq!(error.to_string(), "the segment has layout version 2, expected 1");
}

#[test]
fn a_segment_that_was_never_finished_is_removed() {
    for leftover in [&b""[..], b"SpanLog\n\x01", &[0; 5000]] {
        let disk = written(LARGE, 2);
        let mut file = disk.create(&format!("{DIR}/{}", segment_name(2))).unwrap();
        file.append_vectored(&mut [std::io::IoSlice::new(leftover)]).unwrap();
        drop(file);
        let (_, report, frames) = open(&disk, LARGE);
        assert_eq!((frames, report.segments, report.damage), (payloads(1..=2), 1, vec![]));
        assert_eq!(log_files(&disk), [segment_name(1), segment_name(3)]);
    }
}

#[test]
fn a_log_can_be_moved_to_its_thread_and_its_ledger_shared() {
    fn moved<T: Send>(value: T) -> T {
        value
    }
    fn shared<T: Send + Sync + Clone>(value: &T) -> T {
        value.clone()
    }
    let (log, ..) = open(&SimDisk::new(), LARGE);
    assert_eq!(shared(moved(log).ledger()).figures().segments, 1);
}

#[test]
fn files_of_others_are_left_alone() {
    let disk = written(LARGE, 2);
    disk.create(&format!("{DIR}/notes.txt")).unwrap();
    disk.create(&format!("{DIR}/0000000000000009.log.tmp")).unwrap();
    assert_eq!(open(&disk, LARGE).2, payloads(1..=2));
    assert_eq!(log_files(&disk).len(), 4);
}

#[test]
fn segments_are_released_in_any_order_and_ordinals_go_on() {
    let disk = written(1, 6);
    let (mut log, ..) = open(&disk, 1);
    let ledger = log.ledger().clone();
    assert_eq!(ledger.segment_of(3), Some(3));
    assert!(ledger.sealed(3, 1) && ledger.sealed(5, 1));
    assert!(!ledger.sealed(3, 1), "its span is sealed already");
    assert_eq!(ledger.releasable(), [3, 5]);
    assert_eq!(ledger.release().unwrap().deleted.len(), 2);
    let figures = ledger.figures();
    assert_eq!((figures.segments, figures.unsealed_spans, figures.oldest_unsealed_ms), (5, 4, Some(1_001)));
    disk.crash_losing_all();
    let (log_after, report, frames) = open(&disk, 1);
    // The deletions were not synced.
    assert_eq!((frames.len(), report.damage, log_after.next_seq()), (6, vec![], 7));
    log_after.ledger().sealed_all((1..=6).map(|seq| (seq, 1)));
    log_after.ledger().release().unwrap();
    disk.sync_dir(DIR).unwrap();
    assert!(log.sync().is_ok(), "nothing to sync");
    disk.kill();
    let (mut log, report, frames) = open(&disk, 1);
    assert_eq!((frames, report.damage.len()), (vec![], 0));
    assert_eq!(append(&mut log, &payload(7)).unwrap(), 7);
}

#[test]
fn what_is_released_after_a_rotation_does_not_come_back() {
    let disk = SimDisk::new();
    let (mut log, ..) = open(&disk, LARGE);
    let ledger = log.ledger().clone();
    assert_eq!(log.rotate().unwrap(), 1, "an empty segment stays");
    assert_eq!(ledger.figures().segments, 1);
    for seq in 1..=3 {
        append(&mut log, &payload(seq)).unwrap();
    }
    ledger.sealed_all((1..=3).map(|seq| (seq, 1)));
    assert_eq!(ledger.release().unwrap().deleted, [], "the open segment stays, though all in it is sealed");
    assert_eq!(log.rotate().unwrap(), 4);
    assert_eq!(ledger.release().unwrap().deleted.len(), 1);
    ledger.sync().unwrap();
    assert_eq!(ledger.first_seq(), Some(4));
    disk.crash_losing_all();
    let (mut log, report, frames) = open(&disk, LARGE);
    assert_eq!((frames, report.damage.len()), (vec![], 0));
    assert_eq!(append(&mut log, &payload(4)).unwrap(), 4);
    // What a rotation ends is durable.
    log.rotate().unwrap();
    disk.crash_losing_all();
    assert_eq!(open(&disk, LARGE).2, payloads(4..=4));
}

#[test]
fn ordinals_start_where_the_caller_says_when_the_log_was_lost() {
    let disk = SimDisk::new();
    for (min_next_seq, expected) in [(40, 40), (1, 41), (90, 90), (1, 91)] {
        let options = Options { min_next_seq, ..options(LARGE) };
        let (mut log, report, _) = open_with(&|| Arc::new(disk.clone()), &options);
        assert_eq!(append(&mut log, &payload(1)).unwrap(), expected);
        assert_eq!(report.damage, []);
        log.sync().unwrap();
        disk.crash_losing_all();
    }
}

#[test]
fn a_payload_that_holds_frames_of_this_log_is_one_payload() {
    let disk = written(LARGE, 3);
    let stolen =
        disk.read(&format!("{DIR}/{}", segment_name(1))).unwrap()[SEGMENT_HEADER_BYTES..][..200].to_vec();
    let (mut log, ..) = open(&disk, LARGE);
    append(&mut log, &stolen).unwrap();
    append(&mut log, &payload(5)).unwrap();
    disk.kill();
    // Even where the frame around it is damaged.
    let at = find(&disk, 2, &stolen) - 30;
    damage(&disk, 2, |bytes| bytes[at] ^= 1);
    let (.., frames) = open(&disk, LARGE);
    assert_eq!(frames.iter().map(|frame| frame.0).collect::<Vec<_>>(), [1, 2, 3, 5]);
}

#[test]
fn nothing_is_taken_from_the_room_that_is_to_stay_free() {
    let disk = SimDisk::new();
    let (segment_bytes, min_free) = (20_000, 50_000);
    let options = Options { min_free, ..options(segment_bytes) };
    let (mut log, ..) = open_with(&|| Arc::new(disk.clone()), &options);
    // With this much free a group of 1,000 bytes and its header fit, and no reserved segment.
    let bytes = 1_000 + 54;
    let check = |log: &mut Log, free: u64, expected: Option<&str>| {
        disk.set_space(Some(free));
        let (probed, next) = (log.probe(bytes).err().map(|error| error.to_string()), log.next_seq());
        let appended = append(log, &[7; 1_000]).err().map(|error| error.to_string());
        assert_eq!((probed.as_deref(), appended.as_deref()), (expected, expected), "{free} bytes are free");
        assert_eq!(log.next_seq(), next + u64::from(expected.is_none()));
        disk.set_space(None);
    };
    let too_little = |free: u64| {
        format!(
            "{free} bytes are free on the disk, expected 51054: 50000 stay free for making blocks of what the log holds"
        )
    };
    for free in [0, 49_999, 51_053] {
        check(&mut log, free, Some(&too_little(free)));
    }
    check(&mut log, 51_054 + 66_000, None);
    check(&mut log, 1 << 20, None);
    log.sync().unwrap();
    disk.crash_losing_all();
    let (log, report, frames) = open_with(&|| Arc::new(disk.clone()), &options);
    assert_eq!((frames.len(), report.damage, log.next_seq()), (2, vec![], 3));
}

#[test]
fn a_probe_tells_whether_a_group_fits_and_leaves_nothing() {
    for space in (0..6_000).step_by(97) {
        let disk = written(LARGE, 3);
        let (mut log, ..) = open(&disk, LARGE);
        append(&mut log, &payload(4)).unwrap();
        disk.set_space(Some(space));
        let probed = log.probe(3_000);
        // Zeros are written in pieces of 64 KiB.
        assert!(probed.is_err_and(|error| error.is_disk_full()), "with room for {space}");
        disk.set_space(None);
        log.probe(3_000).unwrap();
        disk.crash(space);
        let (mut log, report, frames) = open(&disk, LARGE);
        assert_eq!(
            (frames, &report.damage),
            (payloads(1..=4), &vec![]),
            "a probe made durable what was before"
        );
        append(&mut log, &payload(5)).unwrap();
    }
}
