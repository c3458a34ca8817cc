//! Reads one segment from its first frame to its end, past damage if there is some.
//!
//! The file is read once, in large pieces; payloads are handed out as slices of a piece, uncopied. A piece that
//! nobody kept a slice of is used again.

use std::io;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use crate::disk::DiskRead;
use crate::frame::{FRAME_HEADER_BYTES, FRAME_MAGIC, FrameHeader, MAX_TENANT_BYTES};
use crate::segment::SEGMENT_HEADER_BYTES;

/// How much is read at once. A payload that is kept holds a piece of this size, or of its own if that is more.
const PIECE_BYTES: usize = 1 << 20;

/// A stretch without a good frame that has a good frame behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hole {
    pub at: u64,
    pub bytes: u64,
    /// The ordinals before and behind it.
    pub after: u64,
    pub before: u64,
    /// A frame behind it says that the frames in it were durable, so they were damaged later.
    pub was_synced: bool,
}

/// How a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// After the last frame, or with zeros behind it.
    Clean,
    /// With bytes that are no frame.
    Torn,
    /// The disk could not read on.
    Unreadable,
}

/// What was found besides the frames.
#[derive(Debug)]
pub(crate) struct Scan {
    pub frames: u64,
    pub payload_bytes: u64,
    /// The last frame's ordinal; what was given as `after` if there was none.
    pub last_seq: u64,
    /// One past the last good frame.
    pub good_end: u64,
    pub len: u64,
    pub holes: Vec<Hole>,
    pub tail: Tail,
}

/// Hands every good frame whose ordinal is above `after`, and above those before it, to `on_frame`.
pub(crate) fn scan(
    file: &dyn DiskRead,
    salt: u32,
    after: u64,
    on_frame: &mut dyn FnMut(&FrameHeader, &str, Bytes),
) -> Scan {
    let begin = SEGMENT_HEADER_BYTES as u64;
    let mut scan = Scan {
        frames: 0,
        payload_bytes: 0,
        last_seq: after,
        good_end: begin,
        len: begin,
        holes: Vec::new(),
        tail: Tail::Clean,
    };
    let Ok(len) = file.len() else {
        scan.tail = Tail::Unreadable;
        return scan;
    };
    scan.len = len.max(begin);
    let mut window = Window { file, len, base: begin, bytes: Bytes::new() };
    scan.tail = scan.walk(&mut window, salt, on_frame).unwrap_or(Tail::Unreadable);
    scan
}

impl Scan {
    fn walk(
        &mut self,
        window: &mut Window<'_>,
        salt: u32,
        on_frame: &mut dyn FnMut(&FrameHeader, &str, Bytes),
    ) -> io::Result<Tail> {
        let mut at = self.good_end;
        while at < window.len {
            at = match window.frame(at, salt)? {
                Found::Frame(header, head) if header.seq > self.last_seq => {
                    let payload = head.slice(header.payload_at()..header.frame_len() as usize);
                    let tenant = std::str::from_utf8(&head[FRAME_HEADER_BYTES..header.payload_at()]);
                    self.good_frame(at, &header);
                    on_frame(&header, tenant.unwrap_or_default(), payload);
                    self.good_end
                }
                Found::Frame(header, _) | Found::BadPayload(header) => {
                    window.next_magic(at + header.frame_len())?
                }
                Found::Nothing => match window.next_nonzero(at)? {
                    None if at == self.good_end => return Ok(Tail::Clean),
                    None => return Ok(Tail::Torn),
                    Some(nonzero) => window.next_magic(nonzero.max(at + 1))?,
                },
            };
        }
        Ok(if self.good_end < window.len { Tail::Torn } else { Tail::Clean })
    }

    fn good_frame(&mut self, at: u64, header: &FrameHeader) {
        if at > self.good_end {
            self.holes.push(Hole {
                at: self.good_end,
                bytes: at - self.good_end,
                after: self.last_seq,
                before: header.seq,
                was_synced: false,
            });
        }
        for hole in &mut self.holes {
            hole.was_synced |= header.synced > hole.after;
        }
        self.frames += 1;
        self.payload_bytes += u64::from(header.payload_len);
        self.last_seq = header.seq;
        self.good_end = at + header.frame_len();
    }
}

enum Found {
    /// A whole frame and its bytes.
    Frame(FrameHeader, Bytes),
    /// A good header, but the payload is not the one that was written.
    BadPayload(FrameHeader),
    Nothing,
}

/// A piece of the file in memory.
struct Window<'a> {
    file: &'a dyn DiskRead,
    len: u64,
    /// Where in the file `bytes` begins.
    base: u64,
    bytes: Bytes,
}

impl Window<'_> {
    /// The bytes from `at` on: at least `need` of them, unless the file ends before.
    fn get(&mut self, at: u64, need: usize) -> io::Result<Bytes> {
        let left = self.len.saturating_sub(at);
        let need = need.min(usize::try_from(left).unwrap_or(usize::MAX));
        let have = self.bytes.len() as u64;
        if at < self.base || at + need as u64 > self.base + have {
            self.read(at, need)?;
        }
        Ok(self.bytes.slice((at - self.base) as usize..))
    }

    /// Moves to `at` and reads a piece of `need` bytes or more; `need` bytes are there.
    fn read(&mut self, at: u64, need: usize) -> io::Result<()> {
        let left = usize::try_from(self.len - at).unwrap_or(usize::MAX);
        let size = need.max(PIECE_BYTES.min(left));
        let old = std::mem::take(&mut self.bytes);
        let from = at.checked_sub(self.base).map_or(old.len(), |skip| old.len().min(skip as usize));
        let kept = old.len() - from;
        let mut piece = match old.try_into_mut() {
            // A piece that held one large frame is too much for an ordinary one.
            Ok(mut own) if own.capacity() / 2 <= size => {
                own.copy_within(from.., 0);
                own.resize(size, 0);
                own
            }
            other => {
                let old = other.map_or_else(|shared| shared, BytesMut::freeze);
                let mut new = BytesMut::zeroed(size);
                new[..kept].copy_from_slice(&old[from..]);
                new
            }
        };
        let read = self.file.read_at(at + kept as u64, &mut piece[kept..])?;
        if kept + read < size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.base = at;
        self.bytes = piece.freeze();
        Ok(())
    }

    fn frame(&mut self, at: u64, salt: u32) -> io::Result<Found> {
        let head = self.get(at, FRAME_HEADER_BYTES + MAX_TENANT_BYTES)?;
        let Some((header, _)) = FrameHeader::decode(salt, &head) else { return Ok(Found::Nothing) };
        drop(head);
        let Some(len) = usize::try_from(header.frame_len()).ok().filter(|len| *len as u64 <= self.len - at)
        else {
            return Ok(Found::Nothing);
        };
        let whole = self.get(at, len)?;
        if header.has_payload(&whole[header.payload_at()..len]) {
            Ok(Found::Frame(header, whole))
        } else {
            Ok(Found::BadPayload(header))
        }
    }

    /// Where at or behind `at` a frame may begin; the file's end if nowhere.
    fn next_magic(&mut self, mut at: u64) -> io::Result<u64> {
        while at < self.len {
            let bytes = self.get(at, FRAME_HEADER_BYTES)?;
            if let Some(found) = memmem::find(&bytes, &FRAME_MAGIC) {
                return Ok(at + found as u64);
            }
            at = next_start(at, bytes.len());
        }
        Ok(self.len)
    }

    /// Where at or behind `at` the first byte lies that is not zero.
    fn next_nonzero(&mut self, mut at: u64) -> io::Result<Option<u64>> {
        while at < self.len {
            let bytes = self.get(at, 1)?;
            if let Some(found) = first_nonzero(&bytes) {
                return Ok(Some(at + found as u64));
            }
            at += bytes.len() as u64;
        }
        Ok(None)
    }
}

/// Where to look next when `len` bytes at `at` hold no magic: its first bytes may be the last of these.
fn next_start(at: u64, len: usize) -> u64 {
    at + (len.saturating_sub(FRAME_MAGIC.len() - 1)).max(1) as u64
}

fn first_nonzero(bytes: &[u8]) -> Option<usize> {
    let mut skipped = 0;
    for block in bytes.chunks(4096) {
        if block.iter().fold(0, |all, byte| all | byte) != 0 {
            break;
        }
        skipped += block.len();
    }
    bytes[skipped..].iter().position(|byte| *byte != 0).map(|at| skipped + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Entry, Stamp, encode_header};

    const SALT: u32 = 99;

    struct Memory(Vec<u8>);

    impl DiskRead for Memory {
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
            let rest = self.0.get(offset as usize..).unwrap_or_default();
            let read = rest.len().min(buf.len());
            buf[..read].copy_from_slice(&rest[..read]);
            Ok(read)
        }

        fn len(&self) -> io::Result<u64> {
            Ok(self.0.len() as u64)
        }
    }

    fn segment() -> Vec<u8> {
        vec![0; SEGMENT_HEADER_BYTES]
    }

    fn push(bytes: &mut Vec<u8>, seq: u64, payload: &[u8]) {
        let entry = Entry { tenant: "t", kind: 0, spans: 0, payload };
        encode_header(SALT, &entry, Stamp { seq, synced: 0, time_ms: 0 }, bytes).unwrap();
        bytes.extend_from_slice(payload);
    }

    fn run(bytes: Vec<u8>) -> (Scan, Vec<(u64, Bytes)>) {
        let mut frames = Vec::new();
        let scan = scan(&Memory(bytes), SALT, 0, &mut |header, tenant, payload| {
            assert_eq!(tenant, "t");
            frames.push((header.seq, payload));
        });
        (scan, frames)
    }

    #[test]
    fn frames_of_every_size_pass_the_pieces_whether_kept_or_not() {
        let sizes =
            [0, 1, 100, PIECE_BYTES - 300, PIECE_BYTES, 5, 3 * PIECE_BYTES + 7, 40_000, PIECE_BYTES / 2];
        let (mut bytes, mut expected) = (segment(), Vec::new());
        for seq in 1..=60 {
            let payload = vec![seq as u8; sizes[seq as usize % sizes.len()]];
            push(&mut bytes, seq, &payload);
            expected.push((seq, Bytes::from(payload)));
        }
        let end = bytes.len() as u64;
        let mut passed = 0;
        let kept_none = scan(&Memory(bytes.clone()), SALT, 0, &mut |header, _, payload| {
            assert_eq!((header.seq, payload), expected[passed]);
            passed += 1;
        });
        let (kept_all, frames) = run(bytes);
        assert!(frames == expected && passed == expected.len());
        for scan in [kept_none, kept_all] {
            assert_eq!((scan.frames, scan.last_seq, scan.good_end, scan.tail), (60, 60, end, Tail::Clean));
        }
    }

    #[test]
    fn a_frame_behind_damage_is_found_wherever_the_pieces_meet() {
        for fill in [0, 0xaa, FRAME_MAGIC[0]] {
            for len in
                (1..80).chain(PIECE_BYTES - 400..PIECE_BYTES - 250).chain(PIECE_BYTES - 8..PIECE_BYTES + 8)
            {
                let mut bytes = segment();
                bytes.resize(bytes.len() + len, fill);
                push(&mut bytes, 3, b"behind");
                let (scan, frames) = run(bytes);
                assert_eq!(frames, [(3, Bytes::from_static(b"behind"))], "{len} bytes of {fill}");
                let (at, bytes) = (SEGMENT_HEADER_BYTES as u64, len as u64);
                assert_eq!(scan.holes, [Hole { at, bytes, after: 0, before: 3, was_synced: false }]);
            }
        }
    }

    #[test]
    fn a_frame_inside_a_damaged_payload_is_not_taken_for_one() {
        let (mut bytes, mut inner) = (segment(), vec![1, 2, 3]);
        push(&mut inner, 7, b"inner");
        inner.push(4);
        push(&mut bytes, 1, &inner);
        *bytes.last_mut().unwrap() ^= 1;
        push(&mut bytes, 2, b"next");
        assert_eq!(run(bytes).1, [(2, Bytes::from_static(b"next"))]);
    }

    #[test]
    fn a_frame_whose_ordinal_does_not_ascend_is_skipped() {
        let mut bytes = segment();
        for seq in [5, 5, 4, 6] {
            push(&mut bytes, seq, b"payload");
        }
        let (scan, frames) = run(bytes);
        assert_eq!(frames.iter().map(|frame| frame.0).collect::<Vec<_>>(), [5, 6]);
        assert_eq!(scan.holes.len(), 1);
    }
}
