//! Spans to their owners, driven as the server's shell drives them (`actors/ingest/src/replicate/deliver.rs`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use spanloom_ingest::replicate::errand::Way;
use spanloom_ingest::replicate::plan::{Instead, Kept, Plan, Share, StandsIn, instead};
use spanloom_ingest::replicate::spread::{Effect, NotKept, Sending, Spread};
use spanloom_peer::{Cluster, PeerError, Pushed};
use spanloom_span::Batch;

use crate::calls::{Answer, Purpose, Question};
use crate::machine::MachineId;
use crate::queue::Timer;
use crate::settings::Bug;
use crate::store::{SOFT_BYTES, Waiter, sliced};
use crate::world::World;

/// How long a node may take to acknowledge before another takes its share as well.
const STAND_IN_AFTER_MS: u64 = 500;

/// After so long without a majority a request is refused.
const TIMEOUT_MS: u64 = 5_000;

/// Most bytes on their way to one node.
pub const INFLIGHT_BYTES: usize = 64 << 10;

/// A request that is being brought to owners.
pub struct Pushing {
    spread: Spread,
    shares: usize,
    cluster: Arc<Cluster>,
    batch: Arc<Batch>,
    /// Whose request it is, until it was told.
    client: Option<u64>,
}

impl World {
    /// A client's request comes to a node.
    pub(crate) fn push(&mut self, on: MachineId, client: u64, request: Bytes) {
        let push = self.number();
        let Some(process) = &self.machines[on].process else { return };
        let cluster = process.cluster.clone();
        let batch = match sliced(request) {
            Ok(batch) => Arc::new(batch),
            Err(error) => return self.breaks(error),
        };
        let is_down = |node| cluster.is_down(node);
        let ring = &cluster.ring;
        let Ok(plan) = Plan::new(ring, &self.tokens, batch.groups(), is_down) else {
            return self.refused(client, "nobody owns it");
        };
        let mut all = Kept::none(&plan);
        plan.shares.iter().for_each(|share| all.add(share));
        if !all.is_enough(&plan, ring) {
            return self.refused(client, "too few nodes are up");
        }
        let shares = plan.shares.len();
        let (spread, effects) = Spread::begin(plan, batch.spans().len() as u64);
        let pushing = Pushing { spread, shares, cluster, batch, client: Some(client) };
        self.timer(on, STAND_IN_AFTER_MS, Timer::Slow(push));
        self.timer(on, TIMEOUT_MS, Timer::Late(push));
        self.drive(on, push, pushing, effects);
    }

    /// What became of a share.
    pub(crate) fn on_share(
        &mut self,
        on: MachineId,
        push: u64,
        sending: Sending,
        answer: Result<Pushed, PeerError>,
    ) {
        let Some(mut pushing) = self.take_push(on, push) else { return };
        let effects = self.answered(&mut pushing, sending, answer);
        self.drive(on, push, pushing, effects);
    }

    /// The shares take long.
    pub(crate) fn on_slow(&mut self, on: MachineId, push: u64) {
        let Some(mut pushing) = self.take_push(on, push) else { return };
        let Pushing { spread, shares, cluster, batch, .. } = &mut pushing;
        let others = |plan: &Plan, share: &Share, stands_in: &StandsIn<'_>| {
            self.instead((cluster, batch), plan, share, stands_in)
        };
        let effects = (0..*shares).flat_map(|share| spread.on_slow(share, others)).collect();
        self.drive(on, push, pushing, effects);
    }

    /// It is not waited any longer.
    pub(crate) fn on_late(&mut self, on: MachineId, push: u64) {
        let Some(mut pushing) = self.take_push(on, push) else { return };
        let effects = pushing.spread.on_late();
        self.drive(on, push, pushing, effects);
    }

    fn take_push(&mut self, on: MachineId, push: u64) -> Option<Pushing> {
        self.machines[on].process.as_mut()?.pushes.remove(&push)
    }

    fn answered(
        &mut self,
        pushing: &mut Pushing,
        sending: Sending,
        answer: Result<Pushed, PeerError>,
    ) -> Vec<Effect> {
        let Pushing { spread, cluster, batch, client, .. } = pushing;
        let is_planted = self.settings.bug == Bug::OneCopy && answer.is_ok();
        let first = if is_planted { client.take() } else { None };
        let others = |plan: &Plan, share: &Share, stands_in: &StandsIn<'_>| {
            self.instead((cluster, batch), plan, share, stands_in)
        };
        let effects = spread.on_answer(sending, answer, &cluster.ring, others);
        if let Some(client) = first {
            self.acknowledged(client);
        }
        effects
    }

    fn instead(
        &self,
        (cluster, batch): (&Cluster, &Batch),
        plan: &Plan,
        share: &Share,
        stands_in: &StandsIn<'_>,
    ) -> Instead {
        let is_down = |node| cluster.is_down(node);
        instead(plan, share, &cluster.ring, &self.tokens, batch.groups(), is_down, stands_in)
    }

    /// Does effects, and what follows from them at once; keeps the push until it is over.
    fn drive(&mut self, on: MachineId, push: u64, mut pushing: Pushing, effects: Vec<Effect>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Send(sending) => {
                    if let Err(error) = self.send_share(on, push, &pushing, sending) {
                        effects.extend(self.answered(&mut pushing, sending, Err(error)));
                    }
                }
                Effect::Tell(told) => {
                    if let Some(client) = pushing.client.take() {
                        self.tell(client, told);
                    }
                }
                Effect::Missing(traces) => self.figures.copies_missing += traces,
                Effect::StoodIn(spans) => self.figures.stood_in += spans,
            }
        }
        if let Some(process) = self.machines[on].process.as_mut().filter(|_| !pushing.spread.is_over()) {
            process.pushes.insert(push, pushing);
        }
    }

    fn tell(&mut self, client: u64, told: Result<Pushed, NotKept>) {
        match told {
            Ok(_) => self.acknowledged(client),
            Err(_) => self.refused(client, "not kept by a majority"),
        }
    }

    fn send_share(
        &mut self,
        on: MachineId,
        push: u64,
        pushing: &Pushing,
        sending: Sending,
    ) -> Result<(), PeerError> {
        let (cluster, batch) = (&pushing.cluster, &pushing.batch);
        let share = pushing.spread.share(sending);
        let groups = share.groups.iter().map(|group| &batch.groups()[*group as usize]);
        let watched =
            batch.groups().iter().find(|group| self.course.watches(&group.id)).map(|group| group.id);
        let is_all = share.groups.len() == batch.groups().len();
        let request = if is_all { batch.bytes().clone() } else { batch.extract_all(groups) };
        let to = Self::machine_of(cluster, share.node);
        if let Some(id) = watched {
            let how = if sending.instead.is_some() { "in place of another" } else { "as its owner" };
            self.course.say(self.now_ms, Some(&id), || format!("n{on} sends a copy to n{to}, {how}"));
        }
        if Some(share.node) == cluster.me {
            return self.keep(on, request, Waiter::Here { push, sending });
        }
        let Some(process) = self.machines[on].process.as_mut() else { return Ok(()) };
        let bytes = request.len();
        let sum = process.on_the_way.entry(to).or_default();
        if *sum > 0 && *sum + bytes > INFLIGHT_BYTES {
            let (message, retry_after) = (format!("{sum} bytes are on their way"), Duration::from_secs(1));
            return Err(PeerError::Exhausted { message, retry_after });
        }
        *sum += bytes;
        self.ask(on, to, Question::Push(request), Purpose::Share { push, sending, bytes });
        Ok(())
    }

    /// Another node's spans come here.
    pub(crate) fn keep_for(&mut self, from: MachineId, on: MachineId, back: (u64, u64), request: Bytes) {
        if let Err(error) = self.keep(on, request, Waiter::There { from, back }) {
            self.answer(on, from, back, Err(error));
        }
    }

    /// Keeps spans on this node; the waiter hears when they are durable.
    pub(crate) fn keep(&mut self, on: MachineId, request: Bytes, waiter: Waiter) -> Result<(), PeerError> {
        let batch = sliced(request).map_err(|error| PeerError::Invalid(error.to_string()))?;
        if let Some(group) = batch.groups().iter().find(|group| self.course.watches(&group.id)) {
            self.course.say(self.now_ms, Some(&group.id), || format!("n{on} appends {} spans", group.count));
        }
        let sync_ms = self.sync_time(on);
        let machine = &mut self.machines[on];
        let unix_ms = machine.clocks(self.now_ms).unix_ms;
        let Some(process) = machine.process.as_mut() else { return Err(PeerError::Gone) };
        process.store.append(batch, unix_ms, waiter)?;
        let is_much = process.store.live_bytes > SOFT_BYTES && !process.store.is_sealing;
        if is_much {
            self.timer(on, 1, Timer::Hurry);
        }
        let Some(process) = self.machines[on].process.as_mut() else { return Err(PeerError::Gone) };
        if !std::mem::replace(&mut process.store.is_syncing, true) {
            self.timer(on, sync_ms, Timer::Synced);
        }
        Ok(())
    }

    /// The disk has synced.
    pub(crate) fn on_synced(&mut self, on: MachineId) {
        let Some(process) = self.machines[on].process.as_mut() else { return };
        for (waiter, answer) in process.store.sync() {
            match waiter {
                Waiter::Here { push, sending } => self.on_share(on, push, sending, answer),
                Waiter::There { from, back } => self.answer(on, from, back, answer.map(Answer::Pushed)),
                Waiter::Fetched { number } => self.on_brought(on, Way::Fetch, number, answer.map(|_| ())),
            }
        }
    }
}
