//! A trace by its id, asked of all nodes as the server's querier asks them (`actors/query/src/peers/heard.rs`,
//! `find.rs`), and the look at what can be sealed.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use rand::RngExt;
use spanloom_peer::{Cluster, PeerError, TraceList};
use spanloom_span::model::Trace;
use spanloom_span::{TraceId, TracePart, decode, encode, join};

use crate::calls::{Purpose, Question};
use crate::machine::MachineId;
use crate::mend::TRACES;
use crate::queue::Timer;
use crate::store::sliced;
use crate::world::{SimError, World};

/// So long the last nodes are waited for that are not needed any more.
const STRAGGLER_MS: u64 = 100;

/// How often it is looked whether something can be sealed, while something is live.
const LOOK_EVERY_MS: u64 = 2_000;

/// A question that is under way.
pub struct Reading {
    client: u64,
    id: TraceId,
    cluster: Arc<Cluster>,
    parts: Vec<Trace>,
    waiting: BTreeSet<MachineId>,
    silent: BTreeSet<MachineId>,
    is_enough: bool,
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// All spans that were found, each once.
    pub trace: Trace,
    /// Who did not answer.
    pub silent: BTreeSet<MachineId>,
    /// Whether the answer says that nothing is missing.
    pub is_whole: bool,
}

impl World {
    /// Somebody asks a node for a trace.
    pub(crate) fn read(&mut self, on: MachineId, client: u64, id: TraceId) {
        let read = self.number();
        let Some(process) = &self.machines[on].process else { return };
        let own = match process.store.gather(&id) {
            Ok(own) => own,
            Err(error) => return self.breaks(error),
        };
        let cluster = process.cluster.clone();
        let (mut waiting, mut silent) = (BTreeSet::new(), BTreeSet::new());
        for node in cluster.others_with_spans() {
            let to = Self::machine_of(&cluster, node);
            if cluster.is_down(node) {
                silent.insert(to)
            } else {
                waiting.insert(to)
            };
        }
        for to in &waiting {
            self.ask(on, *to, Question::FindTrace(id), Purpose::Copy { read });
        }
        let parts = own.into_iter().collect();
        let reading = Reading { client, id, cluster, parts, waiting, silent, is_enough: false };
        self.heard(on, read, reading);
    }

    /// A node's copy.
    pub(crate) fn on_copy(
        &mut self,
        on: MachineId,
        read: u64,
        from: MachineId,
        copy: Result<Bytes, PeerError>,
    ) {
        let Some(mut reading) = self.take_read(on, read) else { return };
        reading.waiting.remove(&from);
        match copy.map(|spans| decoded(&reading.id, spans)) {
            Ok(Ok(part)) => {
                let spans = part.as_ref().map_or(0, Trace::span_count);
                self.course
                    .say(self.now_ms, Some(&reading.id), || format!("n{from} gives n{on} {spans} spans"));
                reading.parts.extend(part);
            }
            Ok(Err(error)) => return self.breaks(error),
            Err(_) => drop(reading.silent.insert(from)),
        }
        self.heard(on, read, reading);
    }

    /// The last nodes have had their moment.
    pub(crate) fn on_enough(&mut self, on: MachineId, read: u64) {
        if let Some(mut reading) = self.take_read(on, read) {
            reading.silent.append(&mut reading.waiting);
            self.heard(on, read, reading);
        }
    }

    fn take_read(&mut self, on: MachineId, read: u64) -> Option<Reading> {
        self.machines[on].process.as_mut()?.reads.remove(&read)
    }

    fn heard(&mut self, on: MachineId, read: u64, mut reading: Reading) {
        let tolerated = reading.cluster.ring.tolerated();
        if reading.waiting.is_empty() {
            let Reading { client, id, parts, silent, cluster, .. } = reading;
            let is_whole = cluster.is_whole_without(silent.len());
            self.course.say(self.now_ms, Some(&id), || {
                let said = if is_whole { "whole" } else { "partial" };
                format!("n{on} answers: {said}; silent: {silent:?}, {tolerated} may be")
            });
            return self.on_found(client, on, Found { trace: join::join(parts).trace, silent, is_whole });
        }
        if !reading.is_enough && reading.waiting.len() + reading.silent.len() <= tolerated {
            reading.is_enough = true;
            self.timer(on, STRAGGLER_MS, Timer::Enough(read));
        }
        if let Some(process) = self.machines[on].process.as_mut() {
            process.reads.insert(read, reading);
        }
    }

    /// This node's copy of a trace, for another.
    pub(crate) fn copy_of(&mut self, on: MachineId, id: &TraceId) -> Result<Bytes, PeerError> {
        let gone = || PeerError::Unreachable("connection refused".into());
        let process = self.machines[on].process.as_ref().ok_or_else(gone)?;
        match process.store.gather(id) {
            Ok(trace) => Ok(trace.map(|trace| encode::traces_data(&trace)).unwrap_or_default().into()),
            Err(error) => {
                let answer = PeerError::Unavailable(error.to_string());
                self.breaks(error);
                Err(answer)
            }
        }
    }

    /// Some of this node's traces in short, for another.
    pub(crate) fn traces_of(
        &mut self,
        on: MachineId,
        after: Option<TraceId>,
    ) -> Result<TraceList, PeerError> {
        let gone = || PeerError::Unreachable("connection refused".into());
        let process = self.machines[on].process.as_ref().ok_or_else(gone)?;
        process.store.list(after, TRACES).map_err(|error| {
            let answer = PeerError::Unavailable(error.to_string());
            self.breaks(error);
            answer
        })
    }

    /// Looks what can be sealed, and looks again.
    pub(crate) fn on_look(&mut self, on: MachineId) {
        self.seal_now(on);
        self.on_rounds(on);
        self.timer(on, LOOK_EVERY_MS, Timer::Look);
    }

    /// Seals what can be, unless that is under way.
    pub(crate) fn seal_now(&mut self, on: MachineId) {
        let machine = &mut self.machines[on];
        let unix_ms = machine.clocks(self.now_ms).unix_ms;
        let Some(process) = machine.process.as_mut() else { return };
        if !process.store.is_sealing && process.store.has_live() {
            match process.store.seal(unix_ms, false) {
                Ok(true) => {
                    let after_ms = self.rng.random_range(1..30);
                    self.timer(on, after_ms, Timer::Sealed);
                }
                Ok(false) => {}
                Err(error) => self.breaks(error),
            }
        }
    }

    /// A block is there.
    pub(crate) fn on_sealed(&mut self, on: MachineId) {
        let Some(process) = self.machines[on].process.as_mut() else { return };
        // A node that leaves has sealed everything meanwhile.
        if process.store.is_sealing
            && let Err(error) = process.store.release()
        {
            self.breaks(error);
        }
    }
}

pub(crate) fn decoded(id: &TraceId, spans: Bytes) -> Result<Option<Trace>, SimError> {
    let batch = Arc::new(sliced(spans)?);
    match batch.groups() {
        [] => Ok(None),
        [one] if one.id == *id => Ok(Some(decode::trace_part(&TracePart { batch, group: 0, seq: 0 })?)),
        _ => Err(SimError::Damaged(format!("a copy of trace {id} has spans of others"))),
    }
}
