//! Any bytes as a frame between nodes, and as what is in one whose checksums fit.
//!
//! What must hold: they are refused with an error, or they are exactly what the message is framed as.

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest, crc32_iscsi};
use spanloom_peer::frame::{
    FrameError, HEADER_BYTES, Header, KnownHere, KnownThere, ListTenants, Message, Pieces, TenantList,
    decode, encode,
};
use spanloom_peer::{
    BlockList, FindTrace, ListBlocks, ListTraces, Push, PushSliced, Pushed, ReadBlock, ScanBlocks, Scanned,
    TraceCopy, TraceList,
};

/// What must hold for any bytes.
pub fn holds(data: &[u8]) {
    frame_holds(&Bytes::copy_from_slice(data));
    if let Some(frame) = framed(data) {
        assert!(Header::parse(&frame).is_ok(), "a header made by hand is refused");
        frame_holds(&frame);
    }
}

fn frame_holds(frame: &Bytes) {
    let decoded = [
        is_canonical::<Push>(frame),
        is_canonical::<PushSliced>(frame),
        is_canonical::<Pushed>(frame),
        is_canonical::<FindTrace>(frame),
        is_canonical::<TraceCopy>(frame),
        is_canonical::<ListBlocks>(frame),
        is_canonical::<BlockList>(frame),
        is_canonical::<ReadBlock>(frame),
        is_canonical::<Pieces>(frame),
        is_canonical::<KnownHere>(frame),
        is_canonical::<KnownThere>(frame),
        is_canonical::<ScanBlocks>(frame),
        is_canonical::<Scanned>(frame),
        is_canonical::<ListTenants>(frame),
        is_canonical::<TenantList>(frame),
        is_canonical::<ListTraces>(frame),
        is_canonical::<TraceList>(frame),
    ];
    let taken = decoded.into_iter().filter(|is_taken| *is_taken).count();
    assert!(taken <= 1, "a frame is {taken} messages");
}

fn is_canonical<M: Message>(frame: &Bytes) -> bool {
    match decode::<M>(frame) {
        Ok(message) => {
            let again = encode(message).expect("what was decoded can be encoded").to_bytes();
            assert!(again == *frame, "a message is framed in two ways");
            true
        }
        Err(FrameError::Compressed(_)) => panic!("a frame has no such flag"),
        Err(_) => false,
    }
}

/// A frame with checksums that fit: a kind, the length of the head in two bytes, the head, the payload.
fn framed(data: &[u8]) -> Option<Bytes> {
    let ([kind, low, high], rest) = data.split_first_chunk::<3>()?;
    let head_len = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (head, payload) = rest.split_at(head_len);
    let mut frame = b"SpPr".to_vec();
    frame.extend_from_slice(&[1, *kind, 0, 0]);
    frame.extend_from_slice(&(head.len() as u32).to_le_bytes());
    frame.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    frame.extend_from_slice(&crc32_iscsi(payload).to_le_bytes());
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(&frame);
    digest.update(head);
    frame.extend_from_slice(&(digest.finalize() as u32).to_le_bytes());
    assert_eq!(frame.len(), HEADER_BYTES);
    frame.extend_from_slice(head);
    frame.extend_from_slice(payload);
    Some(frame.into())
}
