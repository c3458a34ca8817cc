//! Datagrams that come in: opened, looked at, then given to foca.

use std::net::SocketAddr;

use foca::{Header, Member, Message, State};

use super::outbox::Outbox;
use super::{Life, Swim};
use crate::announcement::Announcement;
use crate::effects::{Effects, Now};
use crate::frame::{self, Frame, LoadReport, Notice};
use crate::{DropReason, Identity, MemberState, codec};

impl Swim {
    /// Takes a datagram. Whatever it holds, it is taken whole or dropped and counted.
    pub fn on_datagram(&mut self, now: Now, from: SocketAddr, bytes: &[u8], fx: &mut Effects) {
        self.counters.received += 1;
        self.counters.received_bytes += bytes.len() as u64;
        if let Err(reason) = self.take(now, from, bytes, fx) {
            self.counters.drop_for(reason);
            self.last_dropped = Some((from, reason));
        }
    }

    fn take(&mut self, now: Now, from: SocketAddr, bytes: &[u8], fx: &mut Effects) -> Result<(), DropReason> {
        if matches!(self.life, Life::Leaving | Life::Left) {
            // An answer would bring it back: foca renews an identity that is declared down.
            return Err(DropReason::Silent);
        }
        let payload = self.envelope.open(now.unix_ms, bytes)?;
        match frame::read(&payload).map_err(|_| DropReason::Malformed)? {
            Frame::Notice(notice) => self.take_notice(now, from, &notice, fx),
            Frame::Ask { from, to } => self.answer(now, &from, &to, fx),
            Frame::Record(_) if self.life != Life::Running => Err(DropReason::Silent),
            Frame::Record(bytes) => self.take_record(now, bytes, fx),
            Frame::Gossip { load, message } => self.take_gossip(now, load, message, fx),
        }
    }

    /// Sends the own record to a member that asks for it. Nobody else is answered, least of all at length.
    fn answer(
        &mut self,
        now: Now,
        from: &Identity,
        to: &Identity,
        fx: &mut Effects,
    ) -> Result<(), DropReason> {
        if *to != self.me || !self.is_up(from) || self.life != Life::Running || self.silent {
            return Err(DropReason::Refused);
        }
        let payload = frame::record(&self.own_bytes());
        self.send(now, from, &payload, fx);
        Ok(())
    }

    fn take_record(&mut self, now: Now, bytes: &[u8], fx: &mut Effects) -> Result<(), DropReason> {
        let said = Announcement::from_bytes(bytes).map_err(|_| DropReason::BadRecord)?;
        let farewell = said.record.state == MemberState::Left;
        let newer = self.records.lock().offer(said);
        if newer && farewell {
            // Those whom it did not reach hear of it from us; an answer to an ask is for us alone.
            let _ = self.foca.add_broadcast(bytes);
        }
        self.settle(now, Outbox::default(), fx);
        Ok(())
    }

    fn take_gossip(
        &mut self,
        now: Now,
        load: LoadReport,
        message: &[u8],
        fx: &mut Effects,
    ) -> Result<(), DropReason> {
        let (header, members) = codec::peek(message).map_err(|_| DropReason::Malformed)?;
        self.judge_name(now, &header, &members, fx)?;
        self.judge_sender(now, &header, fx)?;
        self.judge_size(&header, &members)?;
        self.judge_life(&header)?;
        let mut out = Outbox::default();
        let result = self.foca.handle_data(message, &mut out);
        let src = &header.src;
        if result.is_ok() && self.foca.iter_members().any(|member| member.id() == src) {
            self.records.lock().offer_load(src.name(), src.generation(), load);
            if self.lacks(src) {
                self.look_for_lacks(now);
            }
        }
        self.settle(now, out, fx);
        result.map_err(|error| match error {
            foca::Error::Decode(_) | foca::Error::MalformedPacket => DropReason::Malformed,
            _ => DropReason::Refused,
        })
    }

    /// Nobody else may have this node's name. foca would declare the other down, whichever is later, and two that
    /// live would renew themselves against each other for ever.
    fn judge_name(
        &mut self,
        now: Now,
        header: &Header<Identity>,
        members: &[Member<Identity>],
        fx: &mut Effects,
    ) -> Result<(), DropReason> {
        let src = &header.src;
        if *src == self.me {
            return Err(DropReason::Own);
        }
        if src.name() == self.me.name() && !src.outranks(&self.me) {
            let holder = self.me.clone();
            self.send_notice(
                now,
                &Notice { to: src.clone(), holder, state: State::Alive, incarnation: 0 },
                fx,
            );
            return Err(DropReason::Superseded);
        }
        let sender = Member::alive(src.clone());
        let mut spoken_of = members.iter().chain([&sender]);
        let is_me = |member: &&Member<Identity>| member.id().name() == self.me.name();
        if let Some(later) = spoken_of.find(|member| is_me(member) && member.id().outranks(&self.me)) {
            let (holder, state) = (later.id().clone(), later.state());
            self.meet_namesake(now, holder, state, fx);
            return Err(DropReason::Superseded);
        }
        Ok(())
    }

    /// Whoever speaks as a former life of a member is told who has the name now.
    fn judge_sender(
        &mut self,
        now: Now,
        header: &Header<Identity>,
        fx: &mut Effects,
    ) -> Result<(), DropReason> {
        let src = &header.src;
        let mut known = self.foca.iter_membership_state();
        let later = known.find(|member| member.id().name() == src.name() && member.id().outranks(src));
        let Some(later) = later else { return Ok(()) };
        let (holder, state) = (later.id().clone(), later.state());
        let notice = Notice { to: src.clone(), holder, state, incarnation: later.incarnation() };
        drop(known);
        self.send_notice(now, &notice, fx);
        Err(DropReason::Superseded)
    }

    fn judge_size(&self, header: &Header<Identity>, members: &[Member<Identity>]) -> Result<(), DropReason> {
        let known = self.foca.iter_membership_state();
        // Cheap while there is room: nothing that fits a datagram can exceed it.
        if known.len() + members.len() + 1 < self.options.max_members {
            return Ok(());
        }
        let is_new = |name: &crate::NodeName| {
            !self.foca.iter_membership_state().any(|member| member.id().name() == name)
        };
        let senders = members.iter().map(Member::id).chain([&header.src]);
        let new = senders.filter(|identity| is_new(identity.name())).count();
        if new > 0 && known.len() + new + 1 > self.options.max_members {
            return Err(DropReason::TooManyMembers);
        }
        Ok(())
    }

    /// A node without its name listens to one thing only: being let in again.
    fn judge_life(&mut self, header: &Header<Identity>) -> Result<(), DropReason> {
        if matches!(self.life, Life::Superseded(_)) {
            if header.message != Message::Feed || header.dst != self.me {
                return Err(DropReason::Silent);
            }
            self.life = Life::Running;
        }
        Ok(())
    }
}
