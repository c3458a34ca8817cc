//! What must hold for any bytes found as a segment of the log. Shared by the fuzz target and the seed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

use std::io::IoSlice;
use std::sync::Arc;

use spanloom_wal::disk::{Disk, SimDisk};
use spanloom_wal::{Entry, Log, Options, ReplayReport, WalError, segment_name};

/// A frame as it was replayed.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    seq: u64,
    tenant: String,
    kind: u8,
    spans: u32,
    payload: Vec<u8>,
}

/// The log opens with the frames that are good, or says why not; what it replayed is durable, and what is
/// appended then comes back behind it.
pub fn holds(data: &[u8]) {
    let disk = SimDisk::new();
    put(&disk, data);
    let Ok((mut log, report, found)) = open(&disk) else { return };
    assert_eq!(report.frames as usize, found.len());
    assert!(found.is_sorted_by(|one, next| one.seq < next.seq), "ordinals ascend");
    assert!(found.iter().all(|frame| frame.payload.len() <= data.len()));
    let next = found.last().map_or(1, |frame| frame.seq + 1).max(log.next_seq());
    let entry = Entry { tenant: "t", kind: 1, spans: 1, payload: b"appended" };
    let appended = log.append_group(&[entry], 1).expect("a log that opened takes appends");
    assert_eq!(appended.first_seq, next, "ordinals are never given twice");
    log.sync().expect("the disk is good");
    drop(log);
    disk.crash_losing_all();
    let (_, _, mut again) = open(&disk).expect("a log that opened once opens again");
    let last = again.pop().expect("the appended frame is there");
    assert_eq!((last.seq, &last.payload[..]), (next, &b"appended"[..]));
    assert_eq!(again, found, "what was replayed is durable");
}

/// Writes the first segment file, durably.
fn put(disk: &SimDisk, data: &[u8]) {
    disk.create_dir_all("log").unwrap();
    let mut file = disk.create(&format!("log/{}", segment_name(1))).unwrap();
    file.append_vectored(&mut [IoSlice::new(data)]).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir("log").unwrap();
}

fn open(disk: &SimDisk) -> Result<(Log, ReplayReport, Vec<Frame>), WalError> {
    let mut frames = Vec::new();
    let options = Options { new_log_id: 7, segment_bytes: 64 << 10, ..Options::default() };
    let (log, report) = Log::open(Arc::new(disk.clone()), "log", &options, |frame| {
        frames.push(Frame {
            seq: frame.seq,
            tenant: frame.tenant.to_owned(),
            kind: frame.kind,
            spans: frame.spans,
            payload: frame.payload.to_vec(),
        });
        1 // not sealed: the segment stays
    })?;
    Ok((log, report, frames))
}
