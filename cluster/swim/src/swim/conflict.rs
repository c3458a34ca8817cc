//! Two lives with one name: this node's former one, whose clock was ahead, or another process.

use std::net::SocketAddr;

use foca::{Member, State};

use super::outbox::Outbox;
use super::{Life, Swim, new_foca};
use crate::effects::{Change, Effects, Now};
use crate::frame::Notice;
use crate::timers::Due;
use crate::{DropReason, Identity};

/// Most addresses that are remembered by a node that lost its name.
const REMEMBERED_MAX: usize = 8;

impl Swim {
    pub(super) fn take_notice(
        &mut self,
        now: Now,
        from: SocketAddr,
        notice: &Notice,
        fx: &mut Effects,
    ) -> Result<(), DropReason> {
        let holder = &notice.holder;
        if holder.name() != self.me.name() {
            return Err(DropReason::Refused);
        }
        if holder.outranks(&self.me) {
            self.meet_namesake(now, holder.clone(), notice.state, fx);
        } else if *holder == self.me && self.life == Life::Running {
            match notice.state {
                State::Alive => {}
                State::Suspect => self.refute(now, from, notice, fx),
                // Somebody holds us down, which cannot be refuted, only outlived.
                State::Down => {
                    if let Some(renewed) = self.me.renewed() {
                        self.go_on_as(now, renewed, fx);
                    }
                }
            }
        }
        Ok(())
    }

    /// Speaks up, first to the one that suspects us: whatever we send bears the higher incarnation.
    fn refute(&mut self, now: Now, from: SocketAddr, notice: &Notice, fx: &mut Effects) {
        let suspected = Member::new(self.me.clone(), notice.incarnation, State::Suspect);
        let mut out = Outbox::default();
        // They fail only if our identity cannot be written, which it always can.
        let _ = self.foca.apply_many([suspected].into_iter(), true, &mut out);
        let _ = self.foca.announce(Identity::whoever(from), &mut out);
        self.settle(now, out, fx);
    }

    /// Another one with this node's name, who counts more.
    pub(super) fn meet_namesake(&mut self, now: Now, holder: Identity, state: State, fx: &mut Effects) {
        // Nobody else listens at our address, so there it was ourselves, before our clock was set back. One that is
        // down leaves its name to us.
        if holder.address() == self.me.address() || state == State::Down {
            if let Some(later) = self.me.after(holder.generation()) {
                self.go_on_as(now, later, fx);
            }
        } else if self.life == Life::Running {
            self.lose_name(now, holder, fx);
        }
    }

    /// Goes on as another identity of the same name.
    fn go_on_as(&mut self, now: Now, identity: Identity, fx: &mut Effects) {
        self.life = Life::Running;
        let mut out = Outbox::default();
        // It fails only if the identity is the same, or cannot be written.
        if self.foca.change_identity(identity.clone(), &mut out).is_ok() {
            fx.tell(Change::Renewed(identity));
        }
        self.settle(now, out, fx);
        self.announce(now, fx);
        if self.foca.num_members() == 0 {
            self.tries = 0;
            self.try_join(now, fx);
        }
    }

    /// Falls silent. What foca knows is dropped: unable to speak, it would take everybody for dead.
    fn lose_name(&mut self, now: Now, winner: Identity, fx: &mut Effects) {
        let up = self.foca.iter_members().filter(|member| member.id().name() != self.me.name());
        self.remembered = up.map(|member| member.id().address()).take(REMEMBERED_MAX).collect();
        self.foca = new_foca(&self.me, &self.options, &self.records, &mut self.rng);
        self.records.lock().retain(|_| false);
        self.since.retain(|name, _| name == self.me.name());
        self.joined = false;
        self.life = Life::Superseded(winner.clone());
        self.timers.retain(|due| !matches!(due, Due::Foca(_) | Due::Contested(_)));
        self.timers.set(now.monotonic_ms, self.options.rejoin_every_ms, Due::Join);
        fx.tell(Change::NameTaken { loser: self.me.clone(), winner });
    }
}
