//! foca's headers and members in our bytes: `docs/formats/gossip.md`, "Message".

use bytes::{Buf, BufMut};
use foca::{Header, Member, Message, State};

use crate::wire::Reader;
use crate::{Error, Identity};

/// Version of a message's bytes.
const MESSAGE_VERSION: u8 = 1;

/// Longest header: version, tag, probe number, incarnation, and three identities with the longest name and IPv6.
pub(crate) const HEADER_MAX: usize = 5 + 3 * IDENTITY_MAX;
const IDENTITY_MAX: usize = 28 + spanloom_ring::MAX_NAME_BYTES;

/// foca's codec.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GossipCodec;

impl foca::Codec<Identity> for GossipCodec {
    type Error = Error;

    fn encode_header(&mut self, header: &Header<Identity>, buf: impl BufMut) -> Result<(), Error> {
        let mut out = Vec::with_capacity(HEADER_MAX);
        write_header(header, &mut out);
        put(&out, buf)
    }

    fn decode_header(&mut self, buf: impl Buf) -> Result<Header<Identity>, Error> {
        read(buf, read_header)
    }

    fn encode_member(&mut self, member: &Member<Identity>, buf: impl BufMut) -> Result<(), Error> {
        let mut out = Vec::with_capacity(3 + IDENTITY_MAX);
        write_member(member, &mut out);
        put(&out, buf)
    }

    fn decode_member(&mut self, buf: impl Buf) -> Result<Member<Identity>, Error> {
        read(buf, read_member)
    }
}

fn put(bytes: &[u8], mut buf: impl BufMut) -> Result<(), Error> {
    if buf.remaining_mut() < bytes.len() {
        return Err(Error::Malformed("no room in the datagram"));
    }
    buf.put_slice(bytes);
    Ok(())
}

/// foca's buffers are slices, so their first chunk is all of them.
fn read<T>(mut buf: impl Buf, read: fn(&mut Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
    let mut reader = Reader(buf.chunk());
    let whole = reader.0.len();
    let value = read(&mut reader)?;
    let used = whole - reader.0.len();
    buf.advance(used);
    Ok(value)
}

fn write_header(header: &Header<Identity>, out: &mut Vec<u8>) {
    let (tag, probe, about) = match &header.message {
        Message::Ping(probe) => (0, Some(*probe), None),
        Message::Ack(probe) => (1, Some(*probe), None),
        Message::PingReq { target, probe_number } => (2, Some(*probe_number), Some(target)),
        Message::IndirectPing { origin, probe_number } => (3, Some(*probe_number), Some(origin)),
        Message::IndirectAck { target, probe_number } => (4, Some(*probe_number), Some(target)),
        Message::ForwardedAck { origin, probe_number } => (5, Some(*probe_number), Some(origin)),
        Message::Announce => (6, None, None),
        Message::Feed => (7, None, None),
        Message::Gossip => (8, None, None),
        Message::Broadcast => (9, None, None),
        Message::TurnUndead => (10, None, None),
    };
    out.extend_from_slice(&[MESSAGE_VERSION, tag]);
    out.extend(probe);
    header.src.write(out);
    out.extend_from_slice(&header.src_incarnation.to_le_bytes());
    header.dst.write(out);
    if let Some(about) = about {
        about.write(out);
    }
}

fn read_header(reader: &mut Reader<'_>) -> Result<Header<Identity>, Error> {
    if reader.u8()? != MESSAGE_VERSION {
        return Err(Error::Malformed("a message of another version"));
    }
    let tag = reader.u8()?;
    let probe_number = if tag <= 5 { reader.u8()? } else { 0 };
    let src = Identity::read(reader)?;
    let src_incarnation = reader.u16()?;
    // Only who announces itself may not know whom it speaks to.
    let dst = if tag == 6 { Identity::read_any(reader)? } else { Identity::read(reader)? };
    let message = match tag {
        0 => Message::Ping(probe_number),
        1 => Message::Ack(probe_number),
        2 => Message::PingReq { target: Identity::read(reader)?, probe_number },
        3 => Message::IndirectPing { origin: Identity::read(reader)?, probe_number },
        4 => Message::IndirectAck { target: Identity::read(reader)?, probe_number },
        5 => Message::ForwardedAck { origin: Identity::read(reader)?, probe_number },
        6 => Message::Announce,
        7 => Message::Feed,
        8 => Message::Gossip,
        9 => Message::Broadcast,
        10 => Message::TurnUndead,
        _ => return Err(Error::Malformed("an unknown message")),
    };
    Ok(Header { src, src_incarnation, dst, message })
}

pub(crate) fn write_member(member: &Member<Identity>, out: &mut Vec<u8>) {
    member.id().write(out);
    out.extend_from_slice(&member.incarnation().to_le_bytes());
    out.push(state_byte(member.state()));
}

pub(crate) fn read_member(reader: &mut Reader<'_>) -> Result<Member<Identity>, Error> {
    let identity = Identity::read(reader)?;
    let incarnation = reader.u16()?;
    Ok(Member::new(identity, incarnation, read_state(reader)?))
}

pub(crate) fn state_byte(state: State) -> u8 {
    match state {
        State::Alive => 0,
        State::Suspect => 1,
        State::Down => 2,
    }
}

pub(crate) fn read_state(reader: &mut Reader<'_>) -> Result<State, Error> {
    match reader.u8()? {
        0 => Ok(State::Alive),
        1 => Ok(State::Suspect),
        2 => Ok(State::Down),
        _ => Err(Error::Malformed("an unknown state of a member")),
    }
}

/// The header of a message and the members it speaks of, as foca will read them.
pub(crate) fn peek(message: &[u8]) -> Result<(Header<Identity>, Vec<Member<Identity>>), Error> {
    let mut reader = Reader(message);
    let header = read_header(&mut reader)?;
    let mut members = Vec::new();
    if reader.0.len() >= 2 && header.message != Message::Broadcast {
        // foca writes its counts in network order.
        let count = u16::from_be_bytes(reader.array()?);
        for _ in 0..count {
            members.push(read_member(&mut reader)?);
        }
    }
    Ok((header, members))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeName;
    use foca::Codec;
    use proptest::prelude::*;

    fn identity(name: &str) -> Identity {
        Identity::new(NodeName::new(name).unwrap(), 9, "[2001:db8::1]:7946".parse().unwrap()).unwrap()
    }

    fn messages() -> Vec<Message<Identity>> {
        let (target, origin, probe_number) = (identity("t"), identity("o"), 200);
        vec![
            Message::Ping(1),
            Message::Ack(255),
            Message::PingReq { target: target.clone(), probe_number },
            Message::IndirectPing { origin: origin.clone(), probe_number },
            Message::IndirectAck { target, probe_number },
            Message::ForwardedAck { origin, probe_number },
            Message::Announce,
            Message::Feed,
            Message::Gossip,
            Message::Broadcast,
            Message::TurnUndead,
        ]
    }

    #[test]
    fn headers_come_back_and_cuts_are_refused() {
        for message in messages() {
            let header = Header { src: identity("s"), src_incarnation: 7, dst: identity("d"), message };
            let mut bytes = Vec::new();
            GossipCodec.encode_header(&header, &mut bytes).unwrap();
            assert!(bytes.len() <= HEADER_MAX);
            assert_eq!(GossipCodec.decode_header(&bytes[..]), Ok(header.clone()));
            for end in 0..bytes.len() {
                assert!(GossipCodec.decode_header(&bytes[..end]).is_err(), "{header:?} cut at {end}");
            }
        }
    }

    #[test]
    fn only_announcements_are_to_whoever() {
        for message in messages() {
            let dst = Identity::whoever("10.0.0.1:1".parse().unwrap());
            let header = Header { src: identity("s"), src_incarnation: 0, dst, message };
            let mut bytes = Vec::new();
            write_header(&header, &mut bytes);
            let read = GossipCodec.decode_header(&bytes[..]);
            assert_eq!(read.is_ok(), header.message == Message::Announce, "{header:?}");
        }
    }

    #[test]
    fn a_full_buffer_stays_clean() {
        let member = Member::alive(identity("s"));
        let mut buffer = Vec::new().limit(10);
        assert!(GossipCodec.encode_member(&member, &mut buffer).is_err());
        assert!(buffer.get_ref().is_empty());
    }

    #[test]
    fn claimed_counts_take_no_memory() {
        let header = Header {
            src: identity("s"),
            src_incarnation: 0,
            dst: identity("d"),
            message: Message::<Identity>::Gossip,
        };
        let mut bytes = Vec::new();
        write_header(&header, &mut bytes);
        bytes.extend_from_slice(&[0xff, 0xff]);
        assert!(peek(&bytes).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_written_back_the_same(bytes in prop::collection::vec(any::<u8>(), 0..90)) {
            let mut reader = Reader(&bytes);
            if let Ok(header) = read_header(&mut reader) {
                let mut out = Vec::new();
                write_header(&header, &mut out);
                prop_assert_eq!(&out[..], &bytes[..bytes.len() - reader.0.len()]);
            }
        }

        #[test]
        fn flips_do_not_panic(which in 0..11_usize, bit in 0..2000_usize) {
            let message = messages().remove(which);
            let header = Header { src: identity("s"), src_incarnation: 0, dst: identity("d"), message };
            let mut bytes = Vec::new();
            write_header(&header, &mut bytes);
            bytes.extend_from_slice(&[0, 1]);
            write_member(&Member::new(identity("m"), 3, State::Suspect), &mut bytes);
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let _ = peek(&bytes);
        }
    }
}
