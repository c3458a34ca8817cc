//! The log: groups are appended, then synced; both are separate so that a request can be handed on in between.
//!
//! **Invariant:** when a segment is created, every earlier one is durable whole; when a frame is written, its
//! segment's header is durable, and so is the file's name.
//! **Invariant:** after a failed sync nothing is appended or synced any more: the kernel may have dropped the
//! bytes in question and would report the next sync as good.

use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::WalError;
use crate::disk::{Disk, DiskFile, join};
use crate::frame::{Entry, FRAME_HEADER_BYTES, MAX_PAYLOAD_BYTES, MAX_TENANT_BYTES, Stamp, encode_header};
use crate::ledger::{Segment, SegmentLedger};
use crate::replay::{ReplayReport, Replayed, replay};
use crate::segment::{Origin, SEGMENT_HEADER_BYTES, SegmentHeader, salt, segment_name};

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// A segment gets no further group when it would grow beyond this. Choose it small enough that the log's
    /// space comes back soon after sealing, and large enough that creating files does not count: 64 MiB.
    pub segment_bytes: u64,
    /// Bytes that stay free on the disk: with less the log takes nothing and reserves nothing, so that what it holds
    /// can be put elsewhere on the same disk. 0 for none.
    pub min_free: u64,
    /// The next ordinal is at least this: one more than the highest that blocks know of, so that ordinals go on
    /// ascending although the log was lost.
    pub min_next_seq: u64,
    /// Names the log, if there is none yet: draw it at random. It keeps frames of another log, and frames
    /// hidden in a payload, from being taken for frames of this one.
    pub new_log_id: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, min_free: 0, min_next_seq: 1, new_log_id: 0 }
    }
}

/// A group that was appended. It is durable once [`Log::sync`] returned `Ok` after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The ordinal of the group's first entry; the others follow without gaps.
    pub first_seq: u64,
    /// The segment that holds the group.
    pub segment: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// An append log in one directory of a disk. One thread drives it.
pub struct Log {
    disk: Arc<dyn Disk>,
    dir: String,
    segment_bytes: u64,
    min_free: u64,
    log_id: u64,
    ledger: SegmentLedger,
    current: Option<Current>,
    next_segment: u64,
    next_seq: u64,
    /// The last ordinal that was replayed when the log was opened.
    replayed: u64,
    /// Every ordinal up to this is durable.
    synced: u64,
    poison: Option<String>,
    /// Headers of the group being written; kept for its memory.
    headers: Vec<u8>,
}

/// The segment that is written to.
struct Current {
    id: u64,
    salt: u32,
    file: Box<dyn DiskFile>,
    end: u64,
    is_dirty: bool,
}

impl Log {
    /// Opens the log in `dir`, which is created if it is missing, and replays it: `on_frame` gets every good
    /// frame in the order of ordinals and returns how many of its spans are not in a synced block yet. What was
    /// replayed is durable when this returns.
    ///
    /// If the disk is full the log opens all the same, so that what it holds can be sealed and make room.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &str,
        options: &Options,
        mut on_frame: impl FnMut(Replayed<'_>) -> u64,
    ) -> Result<(Self, ReplayReport), WalError> {
        disk.create_dir_all(dir).map_err(WalError::io("creating", dir))?;
        let ledger = SegmentLedger::new(disk.clone(), dir);
        let mut report = ReplayReport::default();
        let resume = replay(&disk, dir, &ledger, &mut report, &mut on_frame)?;
        let next_seq = resume.next_seq.max(options.min_next_seq).max(1);
        let mut log = Self {
            disk,
            dir: dir.to_owned(),
            segment_bytes: options.segment_bytes,
            min_free: options.min_free,
            log_id: resume.log_id.unwrap_or(options.new_log_id),
            ledger,
            current: None,
            next_segment: resume.next_segment,
            next_seq,
            replayed: resume.last_seq,
            synced: next_seq - 1,
            poison: None,
            headers: Vec::new(),
        };
        match log.create_segment(Origin::Opened) {
            Err(error) if !error.is_disk_full() => return Err(error),
            _ => report.set_aside = log.ledger.release_if(|segment| segment.damaged)?.set_aside,
        }
        Ok((log, report))
    }

    /// Appends the entries as one write; payloads are not copied. Their ordinals follow each other. After an
    /// error nothing of the group is in the log.
    pub fn append_group(&mut self, entries: &[Entry<'_>], time_ms: u64) -> Result<Appended, WalError> {
        self.check_poison()?;
        let bytes = group_bytes(entries)?;
        self.check_free(bytes)?;
        self.make_room(bytes)?;
        let (log_next, synced) = (self.next_seq, self.synced);
        let Some(current) = &mut self.current else { return Err(no_segment()) };
        self.headers.clear();
        for (seq, entry) in (log_next..).zip(entries) {
            encode_header(current.salt, entry, Stamp { seq, synced, time_ms }, &mut self.headers)?;
        }
        let mut slices = Vec::with_capacity(entries.len() * 2);
        let mut headers = self.headers.as_slice();
        for entry in entries {
            let (header, rest) = headers.split_at(FRAME_HEADER_BYTES + entry.tenant.len());
            slices.extend([IoSlice::new(header), IoSlice::new(entry.payload)]);
            headers = rest;
        }
        current.is_dirty = true;
        if let Err(source) = current.file.append_vectored(&mut slices) {
            return Err(self.take_back(source));
        }
        current.end += bytes;
        let segment = current.id;
        let spans = entries.iter().map(|entry| u64::from(entry.spans)).sum();
        self.ledger.appended(segment, bytes, spans, time_ms);
        self.next_seq += entries.len() as u64;
        Ok(Appended { first_seq: log_next, segment, bytes })
    }

    /// Makes durable every group appended so far and returns the last durable ordinal. After an error the log
    /// is of no more use.
    pub fn sync(&mut self) -> Result<u64, WalError> {
        self.check_poison()?;
        let Some(current) = self.current.as_mut().filter(|current| current.is_dirty) else {
            return Ok(self.synced);
        };
        if let Err(error) = current.file.sync_data() {
            let name = segment_name(current.id);
            return Err(self.poison(format!("syncing {name}: {error}")));
        }
        current.is_dirty = false;
        self.synced = self.next_seq - 1;
        Ok(self.synced)
    }

    /// Begins a new segment, unless the current one is empty, so that everything before can be released once it is
    /// sealed. Returns the ordinal that the next entry gets: all lower ones lie in earlier segments.
    pub fn rotate(&mut self) -> Result<u64, WalError> {
        self.check_poison()?;
        match &self.current {
            None => self.create_segment(Origin::Opened)?,
            Some(current) if current.end == SEGMENT_HEADER_BYTES as u64 => {}
            Some(_) => self.turn_over()?,
        }
        Ok(self.next_seq)
    }

    /// Whether a group of so many bytes could be appended now: zeros are written behind the last one and taken back.
    /// A crash in between leaves them there, which does no harm: reserved room reads as zeros, too.
    pub fn probe(&mut self, bytes: u64) -> Result<(), WalError> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        self.check_poison()?;
        self.check_free(bytes)?;
        self.make_room(bytes)?;
        let Some(current) = &mut self.current else { return Err(no_segment()) };
        let pieces = usize::try_from(bytes.div_ceil(ZEROS.len() as u64)).unwrap_or(usize::MAX).clamp(1, 1024);
        current.is_dirty = true;
        match current.file.append_vectored(&mut vec![IoSlice::new(&ZEROS); pieces]) {
            Ok(()) => self.cut_back(),
            Err(source) => Err(self.take_back(source)),
        }
    }

    /// The account of segments: tell it what is sealed, and let it release what is no longer needed.
    pub fn ledger(&self) -> &SegmentLedger {
        &self.ledger
    }

    /// The ordinal that the next entry gets.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Every ordinal up to this is durable.
    pub fn synced_seq(&self) -> u64 {
        self.synced
    }

    fn check_poison(&self) -> Result<(), WalError> {
        match &self.poison {
            Some(reason) => Err(WalError::Poisoned { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    fn poison(&mut self, reason: String) -> WalError {
        WalError::Poisoned { reason: self.poison.insert(reason).clone() }
    }

    /// Sees to it that what is to stay free does.
    fn check_free(&self, bytes: u64) -> Result<(), WalError> {
        let (min_free, needed) = (self.min_free, self.min_free.saturating_add(bytes));
        match self.disk.free() {
            Some(free) if min_free > 0 && free < needed => Err(WalError::NoRoom { free, needed, min_free }),
            _ => Ok(()),
        }
    }

    /// Reserves room so that a sync need not write a new file length. Without it the log is slower and no less right,
    /// and a full disk shows when a group does not fit, so an error is none.
    fn reserve(&self, file: &mut dyn DiskFile) {
        let position = file.position();
        let more = self.segment_bytes.saturating_sub(position);
        if self.check_free(more).is_ok() && file.preallocate(self.segment_bytes).is_err() {
            // What was reserved in part is given back.
            let _ = file.set_len(position);
        }
    }

    /// Sees to a segment that has room for a group, or is empty.
    fn make_room(&mut self, bytes: u64) -> Result<(), WalError> {
        let Some(current) = &self.current else { return self.create_segment(Origin::Opened) };
        if current.end == SEGMENT_HEADER_BYTES as u64 || current.end + bytes <= self.segment_bytes {
            return Ok(());
        }
        self.turn_over()
    }

    /// Ends the current segment and begins the next one. If that fails the current one stays in use.
    fn turn_over(&mut self) -> Result<(), WalError> {
        self.sync()?;
        let full = self.current.take();
        let created = self.create_segment(Origin::Rotated);
        match full {
            // It stays in use, beyond its size.
            Some(full) if created.is_err() => self.current = Some(full),
            Some(mut full) => {
                // Gives the reserved room back. If that fails zeros stay behind the frames, which does no harm.
                let _ = full.file.set_len(full.end);
            }
            None => {}
        }
        created
    }

    /// Creates the next segment, durably, and makes it the current one. Everything appended before is synced.
    /// If the disk is full the current segment is as before, and the number is not used again.
    fn create_segment(&mut self, origin: Origin) -> Result<(), WalError> {
        let after = match origin {
            Origin::Rotated => self.synced,
            Origin::Opened => self.replayed,
        };
        let id = self.next_segment;
        self.next_segment += 1;
        let path = join(&self.dir, &segment_name(id));
        let first_seq = self.next_seq;
        let header = SegmentHeader { log_id: self.log_id, segment: id, first_seq, after, origin };
        let mut file = self.disk.create(&path).map_err(|source| WalError::Append { source })?;
        let block = header.encode();
        if let Err(source) = file.append_vectored(&mut [IoSlice::new(&block)]) {
            // It must not come back after a crash: the one before would then not be the last any more, and what
            // is appended to it from now on would be called damaged where it is only torn.
            if let Err(error) = self.disk.remove(&path).and_then(|()| self.disk.sync_dir(&self.dir)) {
                return Err(self.poison(format!("creating {path}: {source}; and removing it: {error}")));
            }
            return Err(WalError::Append { source });
        }
        self.reserve(&mut *file);
        if let Err(error) = file.sync_data().and_then(|()| self.disk.sync_dir(&self.dir)) {
            return Err(self.poison(format!("creating {path}: {error}")));
        }
        let bytes = file.position();
        self.ledger.add(Segment { id, first_seq, bytes, ..Segment::default() });
        self.ledger.close_before(id);
        let salt = salt(self.log_id, id);
        self.current = Some(Current { id, salt, file, end: bytes, is_dirty: false });
        Ok(())
    }

    /// Takes back what was written of a group, durably: a frame that came back after a crash would be one that
    /// its sender was told is not here.
    fn take_back(&mut self, source: io::Error) -> WalError {
        match self.cut_back() {
            Ok(()) => WalError::Append { source },
            Err(WalError::Poisoned { reason }) => {
                self.poison(format!("an append failed: {source}; and {reason}"))
            }
            Err(other) => other,
        }
    }

    /// Cuts the current segment where its last group ends.
    fn cut_back(&mut self) -> Result<(), WalError> {
        let Some(mut current) = self.current.take() else { return Err(no_segment()) };
        let cut = current.file.set_len(current.end).and_then(|()| current.file.sync_data());
        if cut.is_ok() {
            self.reserve(&mut *current.file);
        }
        self.current = Some(current);
        cut.map_err(|error| self.poison(format!("taking it back: {error}")))
    }
}

fn no_segment() -> WalError {
    WalError::Append { source: io::Error::other("there is no segment to append to") }
}

/// Length of the group's frames, if each of them can be written.
fn group_bytes(entries: &[Entry<'_>]) -> Result<u64, WalError> {
    let mut bytes = 0;
    for Entry { tenant, payload, .. } in entries {
        if tenant.len() > MAX_TENANT_BYTES {
            return Err(WalError::TenantTooLong { found: tenant.len() });
        }
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(WalError::PayloadTooLarge { found: payload.len() });
        }
        bytes += (FRAME_HEADER_BYTES + tenant.len() + payload.len()) as u64;
    }
    Ok(bytes)
}
