//! Every encoding there and back, and what is refused: bombs, cut streams, nonsense.

use super::*;
use proptest::prelude::*;
use std::io::Write;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut out).unwrap();
    out
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::ZlibEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut out).unwrap();
    out
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::DeflateEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut out).unwrap();
    out
}

fn zstd_bulk(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 1).unwrap()
}

/// Without the content size in its header.
fn zstd_stream(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

fn snappy(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap()
}

fn snappy_framed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    let mut out = encoder.into_inner().unwrap();
    if out.is_empty() {
        out.extend_from_slice(SNAPPY_STREAM_IDENTIFIER);
    }
    out
}

type Compress = fn(&[u8]) -> Vec<u8>;

const ALL: [(Encoding, Compress); 8] = [
    (Encoding::Gzip, gzip),
    (Encoding::Deflate, zlib),
    (Encoding::Deflate, raw_deflate),
    (Encoding::Zstd, zstd_bulk),
    (Encoding::Zstd, zstd_stream),
    (Encoding::Snappy, snappy),
    (Encoding::Snappy, snappy_framed),
    (Encoding::SnappyFramed, snappy_framed),
];

#[test]
fn names_are_known_in_any_case() {
    let check =
        |name: &str, expected: Option<Encoding>| assert_eq!(Encoding::parse(name), expected, "{name}");
    check("", Some(Encoding::Identity));
    check("identity", Some(Encoding::Identity));
    check(" GZip ", Some(Encoding::Gzip));
    check("zlib", Some(Encoding::Deflate));
    check("x-snappy-framed", Some(Encoding::SnappyFramed));
    check("br", None);
    check("gzip, gzip", None);
    for name in ACCEPTED_ENCODINGS.split(',') {
        assert_eq!(Encoding::parse(name).unwrap().name(), name);
    }
}

#[test]
fn the_limit_is_exact() {
    let plain = vec![7u8; 300_000];
    for (encoding, compress) in ALL {
        let packed = Bytes::from(compress(&plain));
        let got = inflate(encoding, packed.clone(), plain.len()).unwrap();
        assert_eq!(got, plain);
        for limit in [plain.len() - 1, 65_536, 1, 0] {
            let got = inflate(encoding, packed.clone(), limit);
            assert_eq!(got, Err(too_large(encoding, limit)), "{encoding:?} {limit}");
        }
    }
    assert!(inflate(Encoding::Identity, Bytes::from_static(b"ab"), 1).is_err());
    assert_eq!(inflate(Encoding::Identity, Bytes::from_static(b"ab"), 2).unwrap(), "ab");
}

#[test]
fn a_bomb_stops_early() {
    let plain = vec![0u8; 64 << 20];
    for (encoding, compress) in &ALL[..5] {
        let packed = Bytes::from(compress(&plain));
        assert!(packed.len() < 1 << 20);
        assert_eq!(inflate(*encoding, packed, 1 << 20), Err(too_large(*encoding, 1 << 20)));
    }
}

#[test]
fn lengths_that_lie_cost_nothing() {
    // A snappy block of 4 GiB - 1, and a gzip member whose trailer says the same.
    let block = Bytes::from_static(b"\xff\xff\xff\xff\x0f\x00");
    assert_eq!(inflate(Encoding::Snappy, block, 1 << 20), Err(too_large(Encoding::Snappy, 1 << 20)));
    let mut member = gzip(b"hello");
    let end = member.len();
    member[end - 4..].fill(0xff);
    assert_eq!(size_hint(Encoding::Gzip, &member), u32::MAX as usize);
    let got = inflate(Encoding::Gzip, member.into(), 1 << 20);
    assert!(matches!(got, Err(InflateError::Damaged { .. })), "{got:?}");
    // A zstd frame that says it holds 2^60 bytes, and one whose window is 2 GiB.
    let frame = Bytes::from_static(b"\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\0\0\x10\x01\0\0");
    assert_eq!(inflate(Encoding::Zstd, frame, 1 << 20), Err(too_large(Encoding::Zstd, 1 << 20)));
    let window = Bytes::from_static(b"\x28\xb5\x2f\xfd\x00\xa8\x01\0\0");
    let got = inflate(Encoding::Zstd, window, 1 << 20);
    assert!(matches!(got, Err(InflateError::Damaged { .. })), "{got:?}");
}

#[test]
fn several_members_and_frames_are_one_body() {
    for (encoding, compress) in [(Encoding::Gzip, gzip as Compress), (Encoding::Zstd, zstd_bulk)] {
        let packed = [compress(b"one "), compress(b"two "), compress(&[b'x'; 100_000])].concat();
        let got = inflate(encoding, packed.into(), 1 << 20).unwrap();
        assert_eq!(&got[..8], b"one two ");
        assert_eq!(got.len(), 100_008);
    }
}

#[test]
fn what_follows_the_end_is_an_error() {
    for (encoding, compress) in ALL {
        let mut packed = compress(b"hello");
        packed.extend_from_slice(b"junk");
        let got = inflate(encoding, packed.into(), 1 << 20);
        assert!(matches!(got, Err(InflateError::Damaged { .. })), "{encoding:?} {got:?}");
    }
}

#[test]
fn cut_bodies_are_errors() {
    let plain: Vec<u8> = (0..20_000u32).flat_map(u32::to_le_bytes).collect();
    for (encoding, compress) in ALL {
        let packed = compress(&plain);
        for cut in [0, 1, 5, packed.len() / 2, packed.len() - 1] {
            let got = inflate(encoding, Bytes::copy_from_slice(&packed[..cut]), 1 << 20);
            assert!(matches!(got, Err(InflateError::Damaged { .. })), "{encoding:?} cut at {cut}: {got:?}");
        }
    }
}

proptest! {
    #[test]
    fn what_was_packed_comes_back(plain in proptest::collection::vec(0u8..4, 0..70_000)) {
        for (encoding, compress) in ALL {
            let got = inflate(encoding, compress(&plain).into(), plain.len().max(1));
            prop_assert_eq!(got.as_deref(), Ok(&plain[..]), "{:?}", encoding);
        }
    }

    #[test]
    fn any_bytes_end_within_the_limit(bytes in any::<Vec<u8>>(), flip in any::<u16>()) {
        for (encoding, compress) in ALL {
            let mut packed = compress(&bytes);
            let at = usize::from(flip) % packed.len().max(1);
            if let Some(byte) = packed.get_mut(at) {
                *byte ^= 1 << (flip % 8);
            }
            for input in [packed, bytes.clone()] {
                if let Ok(out) = inflate(encoding, input.into(), 10_000) {
                    prop_assert!(out.len() <= 10_000);
                }
            }
        }
    }
}
