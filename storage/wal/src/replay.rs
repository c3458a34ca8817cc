//! Reads the log at start: every good frame in order, and what to do about the others.
//!
//! What a crash leaves is told from damage by what the log says of itself. A segment that begins because the
//! one before was full proves that the one before was durable whole; a frame says through which ordinal the log
//! was durable when it was written. What was durable and is unreadable is damage; the rest was never
//! acknowledged as durable.

use std::sync::Arc;

use bytes::Bytes;

use crate::WalError;
use crate::disk::{Disk, Listed, join};
use crate::frame::FrameHeader;
use crate::ledger::{Segment, SegmentLedger};
use crate::scan::{Scan, Tail, scan};
use crate::segment::{Origin, SEGMENT_HEADER_BYTES, SegmentHeader, parse_name, salt, segment_name};

/// A frame of the log, read back.
#[derive(Debug)]
pub struct Replayed<'a> {
    /// Its ordinal.
    pub seq: u64,
    /// The segment that holds it.
    pub segment: u64,
    /// Milliseconds since 1970 at which it was appended.
    pub time_ms: u64,
    /// Whose it is.
    pub tenant: &'a str,
    /// What the payload is; the caller's numbers.
    pub kind: u8,
    /// How many spans it has.
    pub spans: u32,
    /// Its bytes: a slice of the piece of the file that was read, 1 MiB or the whole frame if that is larger.
    /// Who keeps most frames keeps the slice; who keeps few of them copies it, or each holds its piece.
    pub payload: Bytes,
}

/// What the replay found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Segment files read.
    pub segments: u64,
    /// Frames replayed.
    pub frames: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// The last ordinal replayed, or 0.
    pub last_seq: u64,
    /// Bytes cut from the end of the last segment: frames that were being written when the process ended.
    pub torn_bytes: u64,
    /// Bytes between good frames that a crash left unwritten before they were durable.
    pub unwritten_bytes: u64,
    /// Everything that was durable and could not be read.
    pub damage: Vec<Damage>,
    /// Segments that were set aside now: damaged, and without a span that is still needed.
    pub set_aside: Vec<u64>,
    /// Segments that were set aside at some time and are still there.
    pub aside_files: u64,
}

/// A part of a segment that was durable and could not be read. The segment's good frames were replayed. It
/// stays until they are sealed, and is then renamed to `<name>.aside`; it is never deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub segment: u64,
    /// Where in the file it begins.
    pub at: u64,
    /// How long it is.
    pub bytes: u64,
    /// How many frames are missing there; 0 if that is not known.
    pub frames: u64,
    /// What it is.
    pub kind: DamageKind,
}

/// Kinds of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DamageKind {
    /// Neither copy of the segment's header is good.
    Header,
    /// No good frame here, but one behind it.
    Frames,
    /// No good frame from here to the end of the segment.
    Tail,
    /// The disk failed to read from here on.
    Unreadable,
}

/// Where the log goes on.
pub(crate) struct Resume {
    /// Of the newest good header.
    pub log_id: Option<u64>,
    pub next_segment: u64,
    pub next_seq: u64,
    pub last_seq: u64,
}

/// A segment file before it is scanned.
struct Found {
    id: u64,
    header: Option<SegmentHeader>,
}

type OnFrame<'a> = &'a mut dyn FnMut(Replayed<'_>) -> u64;

/// Replays every segment in `dir` and enters it into the ledger.
pub(crate) fn replay(
    disk: &Arc<dyn Disk>,
    dir: &str,
    ledger: &SegmentLedger,
    report: &mut ReplayReport,
    on_frame: OnFrame<'_>,
) -> Result<Resume, WalError> {
    let listed = disk.list(dir).map_err(WalError::io("listing", dir))?;
    let names = || listed.iter().filter(|entry: &&Listed| !entry.is_dir).filter_map(|e| parse_name(&e.name));
    report.aside_files = names().filter(|(_, aside)| *aside).count() as u64;
    let mut found = Vec::new();
    for (id, _) in names().filter(|(_, aside)| !aside) {
        found.push(Found { id, header: read_header(disk.as_ref(), dir, id)? });
    }
    found.sort_by_key(|segment| segment.id);
    let newest = found.iter().rev().find_map(|segment| segment.header);
    let mut resume = Resume {
        log_id: newest.map(|header| header.log_id),
        next_segment: names().map(|(id, _)| id).max().unwrap_or(0).saturating_add(1),
        next_seq: newest.map_or(0, |header| header.first_seq),
        last_seq: 0,
    };
    while let Some(id) = unborn(disk.as_ref(), dir, &found, resume.log_id)? {
        let path = join(dir, &segment_name(id));
        disk.remove(&path).map_err(WalError::io("deleting", &path))?;
        found.pop();
    }
    for (at, segment) in found.iter().enumerate() {
        let next = found.get(at + 1).filter(|next| next.id == segment.id + 1).and_then(|next| next.header);
        let replay = OneSegment { disk, dir, ledger, segment, next, is_last: at + 1 == found.len() };
        replay.run(&mut resume, report, on_frame)?;
    }
    if let Some(newest) = found.last() {
        ledger.close_before(newest.id);
    }
    report.segments = found.len() as u64;
    report.last_seq = resume.last_seq;
    resume.next_seq = resume.next_seq.max(resume.last_seq.saturating_add(1));
    Ok(resume)
}

/// The header; `None` if it is damaged or the disk cannot read it.
fn read_header(disk: &dyn Disk, dir: &str, id: u64) -> Result<Option<SegmentHeader>, WalError> {
    let mut block = vec![0; SEGMENT_HEADER_BYTES];
    let read = disk.open_read(&join(dir, &segment_name(id))).and_then(|file| file.read_at(0, &mut block));
    block.truncate(read.unwrap_or(0));
    Ok(SegmentHeader::decode(&block)?.filter(|header| header.segment == id))
}

/// The last segment, if the process ended before its header was durable: then it holds no frame.
fn unborn(disk: &dyn Disk, dir: &str, found: &[Found], log_id: Option<u64>) -> Result<Option<u64>, WalError> {
    let Some(Found { id, header: None }) = found.last() else { return Ok(None) };
    let path = join(dir, &segment_name(*id));
    let file = disk.open_read(&path).map_err(WalError::io("opening", &path))?;
    let scan = scan(&*file, salt(log_id.unwrap_or(0), *id), 0, &mut |_, _, _| {});
    Ok((scan.frames == 0 && scan.tail == Tail::Clean).then_some(*id))
}

struct OneSegment<'a> {
    disk: &'a Arc<dyn Disk>,
    dir: &'a str,
    ledger: &'a SegmentLedger,
    segment: &'a Found,
    /// The header of the segment with the following number, if there is one.
    next: Option<SegmentHeader>,
    is_last: bool,
}

impl OneSegment<'_> {
    fn run(
        &self,
        resume: &mut Resume,
        report: &mut ReplayReport,
        on_frame: OnFrame<'_>,
    ) -> Result<(), WalError> {
        let id = self.segment.id;
        let path = join(self.dir, &segment_name(id));
        let file = self.disk.open_read(&path).map_err(WalError::io("opening", &path))?;
        let (mut unsealed, mut oldest_ms, mut first_seq) = (0, None, None);
        // The ordinals below a segment's first were never used, or are those of a segment that was released.
        let after = self.segment.header.map_or(0, |header| header.first_seq.saturating_sub(1));
        let mut scan = scan(
            &*file,
            salt(resume.log_id.unwrap_or(0), id),
            after.max(resume.last_seq),
            &mut |head, tenant, payload| {
                let needed = on_frame(replayed(id, head, tenant, payload));
                unsealed += needed;
                oldest_ms = oldest_ms.or((needed > 0).then_some(head.time_ms));
                first_seq = first_seq.or(Some(head.seq));
            },
        );
        drop(file);
        let damage = self.damage(&scan, report);
        if self.is_last {
            self.make_durable(&path, &mut scan, damage.is_empty(), report)?;
        }
        if scan.frames > 0 {
            resume.last_seq = scan.last_seq;
        }
        report.frames += scan.frames;
        report.payload_bytes += scan.payload_bytes;
        self.ledger.add(Segment {
            id,
            first_seq: self
                .segment
                .header
                .map(|header| header.first_seq)
                .or(first_seq)
                .unwrap_or(resume.last_seq.saturating_add(1)),
            bytes: scan.len,
            unsealed,
            oldest_ms,
            closed: false,
            damaged: !damage.is_empty(),
        });
        report.damage.extend(damage);
        Ok(())
    }

    /// What was durable here and is unreadable.
    fn damage(&self, scan: &Scan, report: &mut ReplayReport) -> Vec<Damage> {
        let segment = self.segment.id;
        let all_was_synced = self.next.is_some_and(|next| next.origin == Origin::Rotated);
        let mut damage = Vec::new();
        if self.segment.header.is_none() {
            let bytes = SEGMENT_HEADER_BYTES as u64;
            damage.push(Damage { segment, at: 0, bytes, frames: 0, kind: DamageKind::Header });
        }
        for hole in &scan.holes {
            if hole.was_synced || all_was_synced {
                let frames = hole.before - hole.after - 1;
                let kind = DamageKind::Frames;
                damage.push(Damage { segment, at: hole.at, bytes: hole.bytes, frames, kind });
            } else {
                report.unwritten_bytes += hole.bytes;
            }
        }
        let missing = self.next.map_or(0, |next| next.after.saturating_sub(scan.last_seq));
        let (at, bytes) = (scan.good_end, scan.len - scan.good_end);
        let tail = |kind| Damage { segment, at, bytes, frames: missing, kind };
        match scan.tail {
            Tail::Unreadable => damage.push(tail(DamageKind::Unreadable)),
            Tail::Torn if !self.is_last => damage.push(tail(DamageKind::Tail)),
            _ if missing > 0 => damage.push(tail(DamageKind::Tail)),
            _ => {}
        }
        damage
    }

    /// The last segment may hold frames that are in the page cache alone. They were replayed, so they are made
    /// durable; and what was being written behind them is cut, unless the segment is damaged.
    fn make_durable(
        &self,
        path: &str,
        scan: &mut Scan,
        cut: bool,
        report: &mut ReplayReport,
    ) -> Result<(), WalError> {
        let mut file = self.disk.open_append(path).map_err(WalError::io("opening", path))?;
        if cut {
            if scan.tail == Tail::Torn {
                report.torn_bytes += scan.len - scan.good_end;
            }
            file.set_len(scan.good_end).map_err(WalError::io("cutting", path))?;
            scan.len = scan.good_end;
        }
        file.sync_data().map_err(WalError::io("syncing", path))
    }
}

fn replayed<'a>(segment: u64, head: &FrameHeader, tenant: &'a str, payload: Bytes) -> Replayed<'a> {
    Replayed {
        seq: head.seq,
        segment,
        time_ms: head.time_ms,
        tenant,
        kind: head.kind,
        spans: head.spans,
        payload,
    }
}
