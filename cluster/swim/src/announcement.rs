//! A record on its way: whose it is, which version, and its bytes.
//!
//! **Invariant:** of one node's announcements the later generation counts, then the later version, then the one that
//! others made to remove it, then the one with its tokens; so all nodes end with the same one in whatever order they come.

use std::sync::Arc;

use spanloom_ring::{MAX_TOKENS, MemberState, NodeName, Roles, Zone};

use crate::Error;
use crate::record::Record;
use crate::wire::{Reader, put_text, put_u48, put_varint, read_name};

/// Version of these bytes: `docs/formats/gossip.md`, "Record".
pub(crate) const RECORD_VERSION: u8 = 1;

const TOKENS_LEFT_OUT: u8 = 1;
const REMOVED: u8 = 2;

/// Whose record, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) name: NodeName,
    /// The node's start; renewals do not change what it says of itself.
    pub(crate) generation: u64,
    /// Counts the changes of one generation.
    pub(crate) version: u64,
    /// Whether another node said it, which removes this one.
    pub(crate) removed: bool,
    /// Whether the tokens are there. They are left out of a datagram that cannot hold them.
    pub(crate) whole: bool,
    pub(crate) record: Arc<Record>,
}

/// What decides between two announcements of one node: generation, version, removed, whole.
pub(crate) type Rank = (u64, u64, bool, bool);

impl Announcement {
    /// What decides between two of the same node.
    pub(crate) fn rank(&self) -> Rank {
        (self.generation, self.version, self.removed, self.whole)
    }

    /// The same without its tokens.
    pub(crate) fn without_tokens(&self) -> Self {
        let record = Record { tokens: Vec::new(), ..(*self.record).clone() };
        Self { whole: false, record: Arc::new(record), ..self.clone() }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let record = &self.record;
        let mut out = Vec::with_capacity(64 + 5 * record.tokens.len());
        out.push(RECORD_VERSION);
        let (left_out, removed) = (u8::from(!self.whole), u8::from(self.removed));
        out.push((left_out * TOKENS_LEFT_OUT) | (removed * REMOVED));
        put_text(&mut out, self.name.as_str());
        put_u48(&mut out, self.generation);
        put_varint(&mut out, self.version);
        out.push(match record.state {
            MemberState::Joining => 0,
            MemberState::Active => 1,
            MemberState::Leaving => 2,
            MemberState::Left => 3,
        });
        out.push(record.roles.bits());
        put_text(&mut out, record.zone.as_str());
        put_text(&mut out, &record.peer);
        put_text(&mut out, &record.api);
        if self.whole {
            put_varint(&mut out, record.tokens.len() as u64);
            let mut before = 0;
            for (at, &token) in record.tokens.iter().enumerate() {
                // Tokens ascend, so what lies between two is one less than their difference.
                let gap = if at == 0 { token } else { token - before - 1 };
                put_varint(&mut out, u64::from(gap));
                before = token;
            }
        }
        out
    }

    /// Reads one that fills `bytes`. What a later version wrote is refused.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader(bytes);
        if reader.u8()? != RECORD_VERSION {
            return Err(Error::Malformed("a record of another version"));
        }
        let flags = reader.u8()?;
        if flags & !(TOKENS_LEFT_OUT | REMOVED) != 0 {
            return Err(Error::Malformed("unknown flags of a record"));
        }
        let (whole, removed) = (flags & TOKENS_LEFT_OUT == 0, flags & REMOVED != 0);
        let name = read_name(&mut reader)?;
        let generation = reader.u48()?;
        let version = reader.varint()?;
        let state = match reader.u8()? {
            0 => MemberState::Joining,
            1 => MemberState::Active,
            2 => MemberState::Leaving,
            3 => MemberState::Left,
            _ => return Err(Error::Malformed("an unknown state of a node")),
        };
        let roles = Roles::from_bits(reader.u8()?);
        let zone = Zone::new(reader.text()?).map_err(|_| Error::Malformed("a zone that is no name"))?;
        let peer = reader.text()?.to_owned();
        let api = reader.text()?.to_owned();
        let tokens = if whole { read_tokens(&mut reader)? } else { Vec::new() };
        reader.end()?;
        let record = Record { state, roles, zone, peer, api, tokens };
        record.check()?;
        Ok(Self { name, generation, version, removed, whole, record: Arc::new(record) })
    }
}

fn read_tokens(reader: &mut Reader<'_>) -> Result<Vec<u32>, Error> {
    let count = reader.varint()?;
    if count > MAX_TOKENS as u64 {
        return Err(Error::Malformed("more than 512 tokens"));
    }
    let mut tokens = Vec::new();
    let mut next = 0_u64;
    for _ in 0..count {
        let token = next.checked_add(reader.varint()?).and_then(|token| u32::try_from(token).ok());
        let token = token.ok_or(Error::Malformed("a token exceeds 32 bits"))?;
        tokens.push(token);
        next = u64::from(token) + 1;
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(tokens: Vec<u32>) -> Announcement {
        let record = Record {
            state: MemberState::Active,
            roles: Roles::INGESTER,
            zone: Zone::new("z1").unwrap(),
            peer: "h:1".into(),
            api: "h:2".into(),
            tokens,
        };
        let name = NodeName::new("n").unwrap();
        Announcement {
            name,
            generation: 7,
            version: 300,
            removed: false,
            whole: true,
            record: Arc::new(record),
        }
    }

    #[test]
    fn bytes_never_change() {
        let expected = b"\x01\x00\x01n\x07\0\0\0\0\0\xac\x02\x01\x02\x02z1\x03h:1\x03h:2\x03\x05\x00\x80\x01";
        assert_eq!(sample(vec![5, 6, 135]).to_bytes(), expected);
        let removed = Announcement { removed: true, ..sample(Vec::new()) }.without_tokens();
        assert_eq!(removed.to_bytes(), b"\x01\x03\x01n\x07\0\0\0\0\0\xac\x02\x01\x02\x02z1\x03h:1\x03h:2");
    }

    #[test]
    fn every_cut_is_refused_and_no_flipped_bit_panics() {
        let bytes = sample((0..128).map(|at| at * 33_000_000 + 17).collect()).to_bytes();
        for end in 0..bytes.len() {
            assert!(Announcement::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(read) = Announcement::from_bytes(&flipped) {
                assert_eq!(read.to_bytes(), flipped, "bit {bit}");
            }
        }
    }

    #[test]
    fn claims_take_no_memory() {
        let mut bytes = sample(Vec::new()).to_bytes();
        bytes.pop();
        put_varint(&mut bytes, u64::MAX);
        assert_eq!(Announcement::from_bytes(&bytes), Err(Error::Malformed("more than 512 tokens")));
    }

    #[test]
    fn a_hundred_and_twenty_eight_tokens_fit_a_datagram() {
        // The worst spread: gaps that need five bytes are rare, four are the rule.
        let bytes = sample((0..128).map(|at| at * 33_554_431).collect()).to_bytes();
        assert!(bytes.len() < 700, "{}", bytes.len());
    }

    proptest! {
        #[test]
        fn records_come_back(
            tokens in prop::collection::btree_set(any::<u32>(), 0..=512),
            version: u64,
            roles: u8,
            whole: bool,
            removed: bool,
        ) {
            let mut made = sample(tokens.into_iter().collect());
            (made.version, made.removed) = (version, removed);
            Arc::make_mut(&mut made.record).roles = Roles::from_bits(roles);
            if !whole {
                made = made.without_tokens();
            }
            prop_assert_eq!(Announcement::from_bytes(&made.to_bytes())?, made);
        }

        #[test]
        fn any_bytes_are_refused_or_written_back_the_same(tail in prop::collection::vec(any::<u8>(), 0..80)) {
            let bytes = [&b"\x01\x00\x01n"[..], &tail].concat();
            for bytes in [&bytes[..], &tail] {
                if let Ok(read) = Announcement::from_bytes(bytes) {
                    prop_assert_eq!(read.to_bytes(), bytes);
                }
            }
        }
    }
}
