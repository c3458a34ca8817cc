//! Full state: all members and all records in one piece, for a transport that is not bound to a datagram.
//! `docs/formats/gossip.md`, "Full state".

use std::collections::BTreeMap;

use foca::{Member, State};

use super::outbox::Outbox;
use super::{Life, Swim};
use crate::announcement::Announcement;
use crate::codec::{read_member, write_member};
use crate::effects::{Effects, Now};
use crate::frame::{LoadReport, Notice};
use crate::timers::Due;
use crate::wire::{Reader, put_text, put_u48, put_varint, read_name};
use crate::{Error, Identity, NodeName};

const STATE_VERSION: u8 = 1;
/// Largest state that is read, in bytes: 4096 members with 512 tokens each take 9 MB.
pub const STATE_MAX: usize = 16 << 20;
/// Most members, records or loads in a state that is read: what they take in memory is a few times their bytes.
const ENTRIES_MAX: u64 = 1 << 16;
/// How long a member that somebody holds down, and we up, has to speak up.
const CONTEST_MS: u64 = 2_000;

/// What a state holds.
struct Whole {
    members: Vec<Member<Identity>>,
    records: Vec<Announcement>,
    loads: Vec<(NodeName, u64, LoadReport)>,
}

impl Swim {
    /// All that this node knows, itself included.
    pub fn full_state(&self) -> Vec<u8> {
        let mut out = vec![STATE_VERSION];
        out.extend_from_slice(&self.envelope.label_hash());
        let others = self.foca.iter_membership_state().filter(|member| member.id().name() != self.me.name());
        let others: Vec<_> = others.collect();
        let speaks = self.life == Life::Running;
        put_varint(&mut out, others.len() as u64 + u64::from(speaks));
        if speaks {
            // Whoever suspects this node is told otherwise by SWIM, not by this.
            write_member(&Member::alive(self.me.clone()), &mut out);
        }
        others.iter().for_each(|member| write_member(member, &mut out));
        let records = self.records.lock();
        // What it was in an earlier life is kept for whoever does not know.
        let own = if self.silent { records.mine() } else { Some(&self.own) }.filter(|_| speaks);
        put_varint(&mut out, records.all().len() as u64 + u64::from(own.is_some()));
        for said in records.all().chain(own) {
            let bytes = said.to_bytes();
            put_varint(&mut out, bytes.len() as u64);
            out.extend_from_slice(&bytes);
        }
        put_varint(&mut out, records.loads().len() as u64 + u64::from(speaks));
        let own = speaks.then_some((self.me.name(), self.me.generation(), &self.load));
        for (name, generation, report) in records.loads().chain(own) {
            put_text(&mut out, name.as_str());
            put_u48(&mut out, generation);
            report.write(&mut out);
        }
        out
    }

    /// Takes what another node knows. An error tells that nothing was taken.
    ///
    /// A member that is up here and down there is not believed down at once: it may live, and only have been cut off
    /// from the other. It is told, and has 2 s to renew itself.
    pub fn merge_full_state(&mut self, now: Now, bytes: &[u8], fx: &mut Effects) -> Result<(), Error> {
        let whole = read(bytes, self.envelope.label_hash())?;
        if self.life != Life::Running {
            return Ok(());
        }
        self.counters.merged += 1;
        let namesake = whole
            .members
            .iter()
            .find(|member| member.id().name() == self.me.name() && member.id().outranks(&self.me));
        if let Some(namesake) = namesake {
            self.meet_namesake(now, namesake.id().clone(), namesake.state(), fx);
            return Ok(());
        }
        {
            let mut records = self.records.lock();
            for said in whole.records {
                records.offer(said);
            }
            for (name, generation, report) in whole.loads {
                records.offer_load(&name, generation, report);
            }
        }
        let believed = self.weigh(now, whole.members, fx);
        let mut out = Outbox::default();
        // It fails only if a member cannot be written, and these were read.
        let _ = self.foca.apply_many(believed.into_iter(), true, &mut out);
        self.settle(now, out, fx);
        Ok(())
    }

    /// Which of the members to give to foca.
    fn weigh(&mut self, now: Now, members: Vec<Member<Identity>>, fx: &mut Effects) -> Vec<Member<Identity>> {
        let known: BTreeMap<NodeName, Member<Identity>> = self
            .foca
            .iter_membership_state()
            .map(|known| (known.id().name().clone(), known.clone()))
            .collect();
        let mut room = self.options.max_members.saturating_sub(known.len() + 1);
        let mut believed = Vec::new();
        for member in members {
            let who = member.id();
            if who.name() == self.me.name() {
                if *who == self.me {
                    believed.push(member);
                }
                continue;
            }
            match known.get(who.name()) {
                None if room == 0 => continue,
                None => {
                    room -= 1;
                    believed.push(member);
                }
                Some(known) if known.id() != who => believed.push(member),
                Some(known) => match (known.state(), member.state()) {
                    (State::Down, State::Down) => {}
                    (State::Down, _) => {
                        // It is up there: it may live, and cannot know that it is down here.
                        let (to, holder) = (who.clone(), who.clone());
                        self.send_notice(now, &Notice { to, holder, state: State::Down, incarnation: 0 }, fx);
                    }
                    (_, State::Down) if !self.says_left(who) => self.contest(now, who, fx),
                    _ => believed.push(member),
                },
            }
        }
        believed
    }

    fn contest(&mut self, now: Now, who: &Identity, fx: &mut Effects) {
        let due = Due::Contested(who.clone());
        if self.timers.time_of(&due).is_none() {
            let (to, holder) = (who.clone(), who.clone());
            self.send_notice(now, &Notice { to, holder, state: State::Down, incarnation: 0 }, fx);
            self.timers.set(now.monotonic_ms, CONTEST_MS, due);
        }
    }
}

fn read(bytes: &[u8], label_hash: [u8; 4]) -> Result<Whole, Error> {
    if bytes.len() > STATE_MAX {
        return Err(Error::Malformed("a state of more than 16 MiB"));
    }
    let mut reader = Reader(bytes);
    if reader.u8()? != STATE_VERSION {
        return Err(Error::Malformed("a state of another version"));
    }
    if reader.array::<4>()? != label_hash {
        return Err(Error::OtherCluster);
    }
    let mut whole = Whole { members: Vec::new(), records: Vec::new(), loads: Vec::new() };
    for _ in 0..count(&mut reader)? {
        whole.members.push(read_member(&mut reader)?);
    }
    for _ in 0..count(&mut reader)? {
        let length = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
        whole.records.extend(read_record(reader.take(length)?)?);
    }
    for _ in 0..count(&mut reader)? {
        let name = read_name(&mut reader)?;
        let generation = reader.u48()?;
        whole.loads.push((name, generation, LoadReport::read(&mut reader)?));
    }
    reader.end()?;
    Ok(whole)
}

fn count(reader: &mut Reader<'_>) -> Result<u64, Error> {
    let count = reader.varint()?;
    if count > ENTRIES_MAX { Err(Error::Malformed("a state of more than 65536 entries")) } else { Ok(count) }
}

/// A record that a later version wrote is left out; it does not hide the others.
fn read_record(bytes: &[u8]) -> Result<Option<Announcement>, Error> {
    let ours = bytes.first() == Some(&crate::announcement::RECORD_VERSION);
    if ours { Announcement::from_bytes(bytes).map(Some) } else { Ok(None) }
}
