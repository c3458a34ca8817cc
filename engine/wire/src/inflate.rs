//! Content encodings: compressed bytes in, plain bytes out, never more than a limit.
//!
//! The limit holds at every step: what is allocated for output never exceeds it, a length that the bytes
//! claim of themselves is checked before anything is allocated for it, and a zstd window is no larger than
//! the output may be. So a bomb costs at most the limit, in memory and in time.

use std::cell::RefCell;
use std::io::Read;

use bytes::Bytes;

/// How a body or message is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952, one member or several.
    Gzip,
    /// RFC 1950 (zlib) or bare RFC 1951, told apart by the first two bytes.
    Deflate,
    /// RFC 8878, one frame or several.
    Zstd,
    /// Snappy's raw block or its framing format, told apart by the stream identifier.
    Snappy,
    /// Snappy's framing format only.
    SnappyFramed,
}

/// What the receivers say that they accept.
pub const ACCEPTED_ENCODINGS: &str = "identity,gzip,deflate,zstd,snappy";

/// Bytes that output grows by when nothing says how long it will be.
const CHUNK: usize = 64 * 1024;

/// Windows up to 8 MiB are what RFC 8878 asks every decoder to take.
const ZSTD_WINDOW_LOG: std::ops::RangeInclusive<u32> = 23..=27;

const SNAPPY_STREAM_IDENTIFIER: &[u8] = b"\xff\x06\x00\x00sNaPpY";

/// Why bytes could not be inflated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// More comes out than is allowed.
    #[error("the {encoding} data inflates to more than {limit} bytes")]
    TooLarge {
        /// The name of the encoding.
        encoding: &'static str,
        /// Most bytes allowed.
        limit: usize,
    },
    /// The bytes are not what the encoding says: damaged, cut short or followed by something else.
    #[error("the body is not {encoding} data: {reason}")]
    Damaged {
        /// The name of the encoding.
        encoding: &'static str,
        /// What the decoder found.
        reason: String,
    },
}

impl Encoding {
    /// Reads a name as it stands in `Content-Encoding` or `grpc-encoding`; `None` for one that is not known.
    pub fn parse(name: &str) -> Option<Self> {
        const NAMES: [(&str, Encoding); 10] = [
            ("", Encoding::Identity),
            ("none", Encoding::Identity),
            ("identity", Encoding::Identity),
            ("gzip", Encoding::Gzip),
            ("x-gzip", Encoding::Gzip),
            ("zlib", Encoding::Deflate),
            ("deflate", Encoding::Deflate),
            ("zstd", Encoding::Zstd),
            ("snappy", Encoding::Snappy),
            ("x-snappy-framed", Encoding::SnappyFramed),
        ];
        let name = name.trim();
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, encoding)| *encoding)
    }

    /// The name that senders know it by.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Identity => "identity",
            Encoding::Gzip => "gzip",
            Encoding::Deflate => "deflate",
            Encoding::Zstd => "zstd",
            Encoding::Snappy => "snappy",
            Encoding::SnappyFramed => "x-snappy-framed",
        }
    }
}

/// How many bytes should come out, as far as the compressed bytes tell; else a guess. A claim, not a fact:
/// use it to ask for memory, not to take it.
pub fn size_hint(encoding: Encoding, bytes: &[u8]) -> usize {
    let claimed = match encoding {
        Encoding::Identity => Some(bytes.len()),
        // The last four bytes of a member are its length modulo 2^32.
        Encoding::Gzip => bytes.last_chunk().map(|tail| u32::from_le_bytes(*tail) as usize),
        Encoding::Zstd => zstd_content_size(bytes),
        Encoding::Snappy if !is_snappy_framed(bytes) => snap::raw::decompress_len(bytes).ok(),
        Encoding::Deflate | Encoding::Snappy | Encoding::SnappyFramed => None,
    };
    claimed.unwrap_or(bytes.len().saturating_mul(4)).max(1)
}

/// Inflates `bytes` to at most `limit` bytes. Bytes that are not compressed are handed back as they are.
pub fn inflate(encoding: Encoding, bytes: Bytes, limit: usize) -> Result<Bytes, InflateError> {
    let out = match encoding {
        Encoding::Identity if bytes.len() > limit => Err(too_large(encoding, limit)),
        Encoding::Identity => return Ok(bytes),
        Encoding::Gzip => gzip(&bytes, limit),
        Encoding::Deflate => deflate(&bytes, limit),
        Encoding::Zstd => zstd(&bytes, limit),
        Encoding::Snappy if !is_snappy_framed(&bytes) => snappy_block(&bytes, limit),
        Encoding::Snappy | Encoding::SnappyFramed => snappy_frames(encoding, &bytes, limit),
    }?;
    debug_assert!(out.len() <= limit);
    Ok(trim(out))
}

fn gzip(bytes: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
    // A flate2 reader takes no bytes for an empty output, but an empty body is no gzip member.
    if bytes.is_empty() {
        return Err(damaged(Encoding::Gzip, "it is empty"));
    }
    read_all(Encoding::Gzip, flate2::bufread::MultiGzDecoder::new(bytes), bytes, limit).map(|(out, _)| out)
}

fn deflate(bytes: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
    let encoding = Encoding::Deflate;
    let is_zlib = matches!(bytes, [cmf, flg, ..]
        if cmf & 0x0f == 8 && (u16::from(*cmf) << 8 | u16::from(*flg)).is_multiple_of(31));
    let (out, rest) = if is_zlib {
        let (out, decoder) = read_all(encoding, flate2::bufread::ZlibDecoder::new(bytes), bytes, limit)?;
        (out, decoder.into_inner())
    } else {
        let (out, decoder) = read_all(encoding, flate2::bufread::DeflateDecoder::new(bytes), bytes, limit)?;
        (out, decoder.into_inner())
    };
    if !rest.is_empty() {
        return Err(damaged(encoding, format!("{} bytes follow its end", rest.len())));
    }
    Ok(out)
}

fn zstd_content_size(bytes: &[u8]) -> Option<usize> {
    let size = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten()?;
    Some(usize::try_from(size).unwrap_or(usize::MAX))
}

fn zstd(bytes: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
    thread_local! {
        /// Setting up a decoder costs more than inflating a small request.
        static DECODER: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
    }
    let encoding = Encoding::Zstd;
    let reason = |e: std::io::Error| damaged(encoding, e);
    if bytes.is_empty() {
        return Err(damaged(encoding, "it is empty"));
    }
    if let Some(size) = zstd_content_size(bytes) {
        if size > limit {
            return Err(too_large(encoding, limit));
        }
        // One frame that knows its size goes straight to its place, without a window. Anything else (several
        // frames, damage) goes on to the stream below, which knows what to say.
        let whole = DECODER.with_borrow_mut(|slot| {
            let decoder = match slot {
                Some(decoder) => decoder,
                None => slot.insert(zstd::bulk::Decompressor::new()?),
            };
            decoder.decompress(bytes, size)
        });
        if let Ok(out) = whole {
            return Ok(out);
        }
    }
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(reason)?;
    let window = limit.max(1).next_power_of_two().ilog2();
    decoder.window_log_max(window.clamp(*ZSTD_WINDOW_LOG.start(), *ZSTD_WINDOW_LOG.end())).map_err(reason)?;
    read_all(encoding, decoder, bytes, limit).map(|(out, _)| out)
}

fn is_snappy_framed(bytes: &[u8]) -> bool {
    bytes.starts_with(SNAPPY_STREAM_IDENTIFIER)
}

fn snappy_block(bytes: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
    let encoding = Encoding::Snappy;
    let size = snap::raw::decompress_len(bytes).map_err(|e| damaged(encoding, e))?;
    if size > limit {
        return Err(too_large(encoding, limit));
    }
    snap::raw::Decoder::new().decompress_vec(bytes).map_err(|e| damaged(encoding, e))
}

fn snappy_frames(encoding: Encoding, bytes: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
    if !is_snappy_framed(bytes) {
        return Err(damaged(encoding, "it does not begin with the stream identifier"));
    }
    read_all(encoding, snap::read::FrameDecoder::new(bytes), bytes, limit).map(|(out, _)| out)
}

/// Reads a decoder to its end, in steps that never reserve past the limit.
fn read_all<R: Read>(
    encoding: Encoding,
    mut decoder: R,
    compressed: &[u8],
    limit: usize,
) -> Result<(Vec<u8>, R), InflateError> {
    let mut out = Vec::new();
    // The claim is honoured up to 32 times what was sent; what truly inflates further grows by doubling.
    let mut step = size_hint(encoding, compressed).min(compressed.len().saturating_mul(32)).max(CHUNK);
    loop {
        let room = step.min(limit - out.len());
        out.reserve_exact(room);
        let got = decoder.by_ref().take(room as u64).read_to_end(&mut out);
        let got = got.map_err(|e| damaged(encoding, e))?;
        if got < room {
            return Ok((out, decoder));
        }
        if out.len() == limit {
            let mut probe = [0u8; 1];
            return match decoder.read(&mut probe) {
                Ok(0) => Ok((out, decoder)),
                Ok(_) => Err(too_large(encoding, limit)),
                Err(e) => Err(damaged(encoding, e)),
            };
        }
        step = out.len().max(CHUNK);
    }
}

/// Gives back what was reserved and not used: the bytes live as long as their trace.
fn trim(mut out: Vec<u8>) -> Bytes {
    if out.capacity() - out.len() > out.len() / 8 {
        out.shrink_to_fit();
    }
    Bytes::from(out)
}

fn too_large(encoding: Encoding, limit: usize) -> InflateError {
    InflateError::TooLarge { encoding: encoding.name(), limit }
}

fn damaged(encoding: Encoding, reason: impl ToString) -> InflateError {
    InflateError::Damaged { encoding: encoding.name(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
