//! Questions between nodes and their answers: the vocabulary of `spanloom_peer` as messages, and what becomes of them.
//!
//! A message arrives late or, when the connection breaks or the way is cut, not at all; then the one who asked hears
//! after a while that there is no answer, though the other may have done what it was asked.

use std::time::Duration;

use bytes::Bytes;
use spanloom_ingest::replicate::errand::{Unlike, Way};
use spanloom_ingest::replicate::spread::Sending;
use spanloom_peer::{PeerError, Pushed, TraceList};
use spanloom_span::TraceId;

use crate::machine::MachineId;
use crate::queue::{Event, Timer};
use crate::world::World;

/// How long an answer is waited for.
const WITHIN_MS: u64 = 5_000;

/// What goes over the peer transport.
#[derive(Debug)]
pub enum Message {
    /// A question.
    Ask {
        /// The process that asks.
        life: u64,
        /// Its number for the call.
        call: u64,
        /// What.
        question: Question,
    },
    /// The answer.
    Answer {
        /// The process that asked.
        life: u64,
        /// Its number for the call.
        call: u64,
        /// What was answered.
        answer: Result<Answer, PeerError>,
    },
}

/// What a node asks another.
#[derive(Debug, Clone)]
pub enum Question {
    /// To keep these spans.
    Push(Bytes),
    /// For its copy of a trace.
    FindTrace(TraceId),
    /// For its traces after one, in short.
    ListTraces(Option<TraceId>),
    /// For what it knows of the members, in exchange for this.
    Members(Bytes),
}

/// What it says.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It keeps them.
    Pushed(Pushed),
    /// Its copy, as a `TracesData`.
    Copy(Bytes),
    /// Its traces.
    Traces(TraceList),
    /// What it knows.
    Members(Bytes),
}

/// What an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A share of a push; so many bytes are on the way.
    Share {
        /// Which push.
        push: u64,
        /// Which share.
        sending: Sending,
        /// How many.
        bytes: usize,
    },
    /// A copy for a read.
    Copy {
        /// Which read.
        read: u64,
    },
    /// Its traces for an errand.
    Traces {
        /// Of this kind.
        way: Way,
        /// Its number.
        number: u64,
    },
    /// A copy for an errand.
    TheirCopy {
        /// Of this kind.
        way: Way,
        /// Its number.
        number: u64,
        /// What both have.
        unlike: Unlike,
    },
    /// A parcel of one that leaves.
    Parcel {
        /// The number of the errand.
        number: u64,
    },
    /// Gossip.
    Members,
}

/// A call that is under way.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Who is asked.
    pub to: MachineId,
    /// What for.
    pub purpose: Purpose,
}

impl World {
    /// Asks another node.
    pub(crate) fn ask(&mut self, on: MachineId, to: MachineId, question: Question, purpose: Purpose) {
        let call = self.number();
        let Some(process) = self.machines[on].process.as_mut() else { return };
        process.calls.insert(call, Call { to, purpose });
        let life = process.life;
        self.timer(on, WITHIN_MS, Timer::Expired(call));
        self.send(on, to, Message::Ask { life, call, question });
    }

    fn send(&mut self, from: MachineId, to: MachineId, message: Message) {
        if !self.network.breaks(&mut self.rng) {
            let at_ms = self.now_ms + self.network.delay(&mut self.rng);
            self.queue.put(at_ms, Event::Message { from, to, message });
        }
    }

    /// Answers a question.
    pub(crate) fn answer(
        &mut self,
        from: MachineId,
        to: MachineId,
        (life, call): (u64, u64),
        answer: Result<Answer, PeerError>,
    ) {
        self.send(from, to, Message::Answer { life, call, answer });
    }

    /// A message arrives.
    pub(crate) fn on_message(&mut self, from: MachineId, to: MachineId, message: Message) {
        if !self.network.reaches(from, to) {
            return;
        }
        match message {
            Message::Ask { life, call, question } => match self.machines[to].process {
                Some(_) => self.on_question(from, to, (life, call), question),
                // Nobody listens there.
                None => {
                    let refused = PeerError::Unreachable("connection refused".into());
                    self.answer(to, from, (life, call), Err(refused));
                }
            },
            Message::Answer { life, call, answer } => {
                if self.machines[to].process.as_ref().is_some_and(|process| process.life == life) {
                    self.on_answer(to, call, answer);
                }
            }
        }
    }

    fn on_question(&mut self, from: MachineId, to: MachineId, back: (u64, u64), question: Question) {
        match question {
            Question::Push(request) => self.keep_for(from, to, back, request),
            Question::FindTrace(id) => {
                let copy = self.copy_of(to, &id);
                self.answer(to, from, back, copy.map(Answer::Copy));
            }
            Question::ListTraces(after) => {
                let list = self.traces_of(to, after);
                self.answer(to, from, back, list.map(Answer::Traces));
            }
            Question::Members(known) => {
                let merged = self.exchange(to, &known);
                self.answer(to, from, back, merged.map(Answer::Members));
            }
        }
    }

    /// No answer came.
    pub(crate) fn on_expired(&mut self, on: MachineId, call: u64) {
        self.on_answer(on, call, Err(PeerError::Late(Duration::from_millis(WITHIN_MS))));
    }

    fn on_answer(&mut self, on: MachineId, call: u64, answer: Result<Answer, PeerError>) {
        let Some(process) = self.machines[on].process.as_mut() else { return };
        // One that came too late, or was expired already.
        let Some(Call { to, purpose }) = process.calls.remove(&call) else { return };
        match purpose {
            Purpose::Share { push, sending, bytes } => {
                process.arrived(to, bytes);
                let answer = answer.and_then(|answer| match answer {
                    Answer::Pushed(pushed) => Ok(pushed),
                    _ => Err(PeerError::Garbled("another answer".into())),
                });
                self.on_share(on, push, sending, answer);
            }
            Purpose::Copy { read } => {
                let answer = answer.and_then(|answer| match answer {
                    Answer::Copy(copy) => Ok(copy),
                    _ => Err(PeerError::Garbled("another answer".into())),
                });
                self.on_copy(on, read, to, answer);
            }
            Purpose::Traces { way, number } => {
                let answer = answer.and_then(|answer| match answer {
                    Answer::Traces(list) => Ok(list),
                    _ => Err(PeerError::Garbled("another answer".into())),
                });
                self.on_traces(on, way, number, answer);
            }
            Purpose::TheirCopy { way, number, unlike } => {
                let answer = answer.and_then(|answer| match answer {
                    Answer::Copy(copy) => Ok(copy),
                    _ => Err(PeerError::Garbled("another answer".into())),
                });
                self.on_their_copy(on, (way, number), unlike, answer);
            }
            Purpose::Parcel { number } => self.on_brought(on, Way::Give, number, answer.map(|_| ())),
            Purpose::Members => {
                if let Ok(Answer::Members(known)) = answer {
                    // What cannot be merged leaves the node as it was; another exchange follows.
                    let _ = self.exchange(on, &known);
                }
            }
        }
    }
}
