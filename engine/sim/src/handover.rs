//! A node that leaves brings what it has to those who will own it, as the server does
//! (`actors/ingest/src/replicate/handover.rs`).

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use spanloom_ingest::replicate::plan::heirs;
use spanloom_peer::PeerError;
use spanloom_span::encode;

use crate::calls::{Purpose, Question};
use crate::machine::MachineId;
use crate::queue::Timer;
use crate::world::{SimError, World};

/// Bytes of spans that are sent together, about.
const PARCEL_BYTES: usize = 16 << 10;

/// How often a node is asked again that has no room.
const TRIES: u32 = 60;

/// What is being handed over.
pub struct Giving {
    /// The first one is under way.
    parcels: VecDeque<(MachineId, Bytes)>,
    tries: u32,
}

impl World {
    /// The node leaves: seals all, reads its blocks, and brings them to those who own them next.
    pub(crate) fn hand_over(&mut self, on: MachineId) {
        match self.parcels(on) {
            Ok(parcels) => {
                self.course.say(self.now_ms, None, || format!("n{on} has {} parcels to give", parcels.len()));
                if let Some(process) = self.machines[on].process.as_mut() {
                    process.giving = Some(Giving { parcels, tries: 0 });
                }
                self.give(on);
            }
            Err(error) => self.breaks(error),
        }
    }

    fn parcels(&mut self, on: MachineId) -> Result<VecDeque<(MachineId, Bytes)>, SimError> {
        let machine = &mut self.machines[on];
        let unix_ms = machine.clocks(self.now_ms).unix_ms;
        let Some(process) = machine.process.as_mut() else { return Ok(VecDeque::new()) };
        if process.store.is_sealing {
            process.store.release()?;
        }
        if process.store.seal(unix_ms, true)? {
            process.store.release()?;
        }
        let cluster = process.cluster.clone();
        let mut parcels = VecDeque::new();
        let mut pending: BTreeMap<MachineId, Vec<u8>> = BTreeMap::new();
        for id in process.store.sealed_traces()? {
            let heirs = heirs(&cluster.ring, self.tokens.token(&id), cluster.me);
            if heirs.is_empty() {
                continue;
            }
            let Some(trace) = process.store.gather(&id)? else { continue };
            let spans = encode::traces_data(&trace);
            for node in heirs {
                let to = Self::machine_of(&cluster, node);
                self.course.say(self.now_ms, Some(&id), || format!("n{on} will hand its copy over to n{to}"));
                let request = pending.entry(to).or_default();
                request.extend_from_slice(&spans);
                if request.len() >= PARCEL_BYTES {
                    parcels.push_back((to, std::mem::take(request).into()));
                }
            }
        }
        parcels
            .extend(pending.into_iter().filter(|(_, bytes)| !bytes.is_empty()).map(|(to, b)| (to, b.into())));
        Ok(parcels)
    }

    /// Sends the next parcel; when there is none, it is done.
    pub(crate) fn give(&mut self, on: MachineId) {
        let Some(process) = self.machines[on].process.as_mut() else { return };
        let Some(giving) = &mut process.giving else { return };
        match giving.parcels.front() {
            Some((to, request)) => {
                let (to, request) = (*to, request.clone());
                self.ask(on, to, Question::Push(request), Purpose::Parcel);
            }
            None => {
                process.giving = None;
                self.timer(on, 1, Timer::Worked(true));
            }
        }
    }

    /// What became of a parcel.
    pub(crate) fn on_parcel(&mut self, on: MachineId, answer: Result<(), PeerError>) {
        let Some(process) = self.machines[on].process.as_mut() else { return };
        let Some(giving) = &mut process.giving else { return };
        match answer {
            Ok(()) => {
                giving.parcels.pop_front();
                giving.tries = 0;
                self.give(on);
            }
            Err(PeerError::Exhausted { retry_after, .. }) if giving.tries < TRIES => {
                giving.tries += 1;
                self.timer(on, retry_after.as_millis() as u64, Timer::GiveAgain);
            }
            Err(_) => {
                process.giving = None;
                self.timer(on, 1, Timer::Worked(false));
            }
        }
    }
}
