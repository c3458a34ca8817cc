//! What is to happen, in order of time; of the same moment, in the order in which it was put in.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::calls::Message;
use crate::machine::MachineId;

/// Something that happens at a moment.
#[derive(Debug)]
pub enum Event {
    /// A process has something to do by its own clock. Stale when it was put off or brought forward since.
    Wake {
        /// Where.
        on: MachineId,
        /// Of which process.
        life: u64,
    },
    /// A datagram arrives.
    Datagram {
        /// Who sent it.
        from: MachineId,
        /// Where it arrives.
        to: MachineId,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// A message of the peer transport arrives.
    Message {
        /// Who sent it.
        from: MachineId,
        /// Where it arrives.
        to: MachineId,
        /// What.
        message: Message,
    },
    /// A timer of a process.
    Timer {
        /// Where.
        on: MachineId,
        /// Of which process.
        life: u64,
        /// Which.
        timer: Timer,
    },
    /// Something outside of the machines.
    Outside(Outside),
}

/// What a process waits for, but for gossip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// The disk has synced the log.
    Synced,
    /// It is looked what can be sealed.
    Look,
    /// A block is durable and listed.
    Sealed,
    /// The shares of a push take long.
    Slow(u64),
    /// A push is waited for no longer.
    Late(u64),
    /// A call has no answer.
    Expired(u64),
    /// The last nodes that were asked for a trace are waited for no longer.
    Enough(u64),
    /// A hook of the node's steps has returned.
    Worked(bool),
    /// The hook for a node that is being removed has returned.
    Fetched(bool),
    /// Live spans take much: they are sealed now.
    Hurry,
    /// What was missing is brought again.
    BringAgain {
        /// To another node.
        gives: bool,
        /// The number of the errand.
        number: u64,
    },
}

/// What happens outside of the machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// A client sends spans.
    Push,
    /// A client that was refused sends them again.
    PushAgain(u64),
    /// Somebody reads a trace.
    Read,
    /// Something goes wrong.
    Trouble,
    /// A machine is started.
    Start(MachineId),
    /// A partition ends, or the network is as it was; if it is still the same.
    Mend(u64),
    /// The phase is looked at.
    Look,
}

struct Entry {
    at_ms: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_ms, other.number).cmp(&(self.at_ms, self.number))
    }
}

/// Events to come.
#[derive(Default)]
pub struct Queue {
    heap: BinaryHeap<Entry>,
    number: u64,
}

impl Queue {
    /// Puts one in.
    pub fn put(&mut self, at_ms: u64, event: Event) {
        self.number += 1;
        self.heap.push(Entry { at_ms, number: self.number, event });
    }

    /// The next one, and its time.
    pub fn next(&mut self) -> Option<(u64, Event)> {
        self.heap.pop().map(|entry| (entry.at_ms, entry.event))
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.heap.len()
    }
}
