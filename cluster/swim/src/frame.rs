//! What is inside an envelope: a message of SWIM with its sender's load, a notice, a record or the wish for one. `docs/formats/gossip.md`,
//! "Payload".

use foca::{Incarnation, State};

use crate::codec::{read_state, state_byte};
use crate::record::Load;
use crate::wire::{Reader, put_varint};
use crate::{Error, Identity};

const GOSSIP: u8 = 1;
const NOTICE: u8 = 2;
const ASK: u8 = 3;
const RECORD: u8 = 4;
/// Most bytes before SWIM's message: the kind and four varints.
pub(crate) const GOSSIP_HEADER_MAX: usize = 1 + 4 * 10;

/// What came.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame<'a> {
    Gossip {
        load: LoadReport,
        message: &'a [u8],
    },
    Notice(Notice),
    /// `from` has not the newest record of `to`.
    Ask {
        from: Identity,
        to: Identity,
    },
    /// The sender's record.
    Record(&'a [u8]),
}

/// What a node says in every datagram: its load, and the version of its record, by which those that missed it know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LoadReport {
    /// Counts the reports that differ.
    pub(crate) sequence: u64,
    pub(crate) record_version: u64,
    pub(crate) load: Load,
}

impl LoadReport {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, self.sequence);
        put_varint(out, self.record_version);
        put_varint(out, self.load.live_bytes);
        put_varint(out, self.load.spans_per_second);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let sequence = reader.varint()?;
        let record_version = reader.varint()?;
        let load = Load { live_bytes: reader.varint()?, spans_per_second: reader.varint()? };
        Ok(Self { sequence, record_version, load })
    }
}

/// Tells a node what is held of its name. foca's own way (`TurnUndead`) tells only that it is down, from which a
/// node whose clock is behind that of its former life, or whose name is taken, cannot find out why.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notice {
    /// To whom.
    pub(crate) to: Identity,
    /// Who has the name, as the sender sees it.
    pub(crate) holder: Identity,
    /// How that one is.
    pub(crate) state: State,
    /// The incarnation of which that is said.
    pub(crate) incarnation: Incarnation,
}

pub(crate) fn gossip(report: &LoadReport, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(GOSSIP_HEADER_MAX + message.len());
    out.push(GOSSIP);
    report.write(&mut out);
    out.extend_from_slice(message);
    out
}

pub(crate) fn notice(notice: &Notice) -> Vec<u8> {
    let mut out = vec![NOTICE];
    notice.to.write(&mut out);
    notice.holder.write(&mut out);
    out.extend_from_slice(&notice.incarnation.to_le_bytes());
    out.push(state_byte(notice.state));
    out
}

pub(crate) fn ask(from: &Identity, to: &Identity) -> Vec<u8> {
    let mut out = vec![ASK];
    from.write(&mut out);
    to.write(&mut out);
    out
}

pub(crate) fn record(announcement: &[u8]) -> Vec<u8> {
    [&[RECORD], announcement].concat()
}

pub(crate) fn read(payload: &[u8]) -> Result<Frame<'_>, Error> {
    let mut reader = Reader(payload);
    match reader.u8()? {
        GOSSIP => {
            let load = LoadReport::read(&mut reader)?;
            Ok(Frame::Gossip { load, message: reader.0 })
        }
        NOTICE => {
            let (to, holder) = (Identity::read(&mut reader)?, Identity::read(&mut reader)?);
            let incarnation = reader.u16()?;
            let state = read_state(&mut reader)?;
            reader.end()?;
            Ok(Frame::Notice(Notice { to, holder, state, incarnation }))
        }
        ASK => {
            let (from, to) = (Identity::read(&mut reader)?, Identity::read(&mut reader)?);
            reader.end()?;
            Ok(Frame::Ask { from, to })
        }
        RECORD => Ok(Frame::Record(reader.0)),
        _ => Err(Error::Malformed("an unknown payload")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeName;
    use proptest::prelude::*;

    #[test]
    fn payloads_come_back() {
        let load = Load { live_bytes: u64::MAX, spans_per_second: 12 };
        let report = LoadReport { sequence: u64::MAX, record_version: 1, load };
        let bytes = gossip(&report, b"hello");
        assert!(bytes.len() <= GOSSIP_HEADER_MAX + 5);
        assert_eq!(read(&bytes), Ok(Frame::Gossip { load: report, message: b"hello" }));
        let who = Identity::new(NodeName::new("a").unwrap(), 1, "10.0.0.1:1".parse().unwrap()).unwrap();
        let said =
            Notice { to: who.clone(), holder: who.renewed().unwrap(), state: State::Down, incarnation: 3 };
        let bytes = notice(&said);
        assert_eq!(read(&bytes), Ok(Frame::Notice(said)));
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_written_back_the_same(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            match read(&bytes) {
                Ok(Frame::Gossip { load, message }) => prop_assert_eq!(gossip(&load, message), bytes),
                Ok(Frame::Notice(said)) => prop_assert_eq!(notice(&said), bytes),
                Ok(Frame::Ask { from, to }) => prop_assert_eq!(ask(&from, &to), bytes),
                Ok(Frame::Record(said)) => prop_assert_eq!(record(said), bytes),
                Err(_) => {}
            }
        }
    }
}
