//! Copies that are made afterwards, driven as the server's shells drive them (`actors/ingest/src/replicate/repair.rs`,
//! `handover.rs`): what a node lacks is fetched from others now and then, and before it owns it; what it has is given to
//! those who lack it before it leaves.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use spanloom_ingest::replicate::errand::{Errand, Next, Unlike, Way};
use spanloom_ingest::replicate::plan::heirs;
use spanloom_peer::{Cluster, PeerError, TraceList};
use spanloom_ring::NodeName;
use spanloom_span::TraceId;

use crate::calls::{Purpose, Question};
use crate::machine::MachineId;
use crate::process::Process;
use crate::queue::Timer;
use crate::read::decoded;
use crate::store::Waiter;
use crate::world::World;

/// Bytes of spans that are brought together, about.
const REQUEST_BYTES: usize = 16 << 10;

/// Traces that are compared together: few, so that there are many lists.
pub const TRACES: usize = 200;

/// How often a node is asked again that has no room.
const TRIES: u32 = 60;

/// What it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was time for it.
    Round,
    /// The node joins.
    Joining,
    /// A dead node is being removed.
    Removal,
    /// The node leaves.
    Leaving,
}

/// What is being compared with others.
pub struct Mending {
    number: u64,
    why: Why,
    way: Way,
    cluster: Arc<Cluster>,
    /// Those who were not compared with yet.
    others: VecDeque<MachineId>,
    with: MachineId,
    errand: Errand,
    /// After which trace lists were asked for.
    after: Option<TraceId>,
    /// Copies that were asked for and have not come.
    waiting: usize,
    /// What is being brought.
    request: Option<Bytes>,
    tries: u32,
    /// Who owns ranges now, and is down or could not be compared with.
    silent: usize,
    /// Whether all that are up could be.
    is_whole: bool,
}

/// The slot of a process for errands of a way.
fn slot(process: &mut Process, way: Way) -> &mut Option<Mending> {
    match way {
        Way::Fetch => &mut process.fetching,
        Way::Give => &mut process.giving,
    }
}

impl World {
    /// The node is to fetch what it lacks of what it owns, or will own.
    pub(crate) fn fetch(&mut self, on: MachineId, why: Why) {
        self.begin(on, why, Way::Fetch);
    }

    /// The node leaves: gives all that it has to those who own it next, takes nothing any more, and gives what came
    /// meanwhile.
    pub(crate) fn hand_over(&mut self, on: MachineId) {
        let Some(process) = &self.machines[on].process else { return };
        let cluster = process.cluster.clone();
        let own = match process.store.list(None, usize::MAX) {
            Ok(own) => own,
            Err(error) => return self.breaks(error),
        };
        let is_down = |node| cluster.is_down(node);
        let token = |id| self.tokens.token(id);
        let is_quorum = |id| heirs(&cluster.ring, token(id), cluster.me, is_down).is_quorum;
        if own.traces.iter().all(|sum| is_quorum(&sum.id)) {
            return self.begin(on, Why::Leaving, Way::Give);
        }
        self.course.say(self.now_ms, None, || format!("n{on} stays: too few are up"));
        self.timer(on, 1, Timer::Worked(false));
    }

    fn begin(&mut self, on: MachineId, why: Why, way: Way) {
        let number = self.number();
        let Some(process) = self.machines[on].process.as_mut() else { return };
        let cluster = process.cluster.clone();
        let (up, down): (Vec<_>, Vec<_>) =
            cluster.others_with_spans().partition(|node| !cluster.is_down(*node));
        let others: VecDeque<MachineId> = up.iter().map(|node| Self::machine_of(&cluster, *node)).collect();
        let silent = down.iter().filter(|node| cluster.ring.member(**node).owns_now()).count();
        self.course.say(self.now_ms, None, || format!("n{on} begins: {why:?}, with {others:?}"));
        let mending = Mending {
            number,
            why,
            way,
            cluster,
            others,
            with: on,
            errand: Errand::new(way, REQUEST_BYTES),
            after: None,
            waiting: 0,
            request: None,
            tries: 0,
            silent,
            is_whole: true,
        };
        if way == Way::Fetch {
            process.rounds.begun();
        }
        self.next_other(on, mending);
    }

    /// Goes on with the next node; when there is none, it is over.
    fn next_other(&mut self, on: MachineId, mut mending: Mending) {
        let Some(with) = mending.others.pop_front() else { return self.mended(on, mending) };
        // Answers of the node before are not taken for this one's.
        mending.number = self.number();
        (mending.with, mending.errand) = (with, Errand::new(mending.way, REQUEST_BYTES));
        mending.waiting = 0;
        self.go_on_mending(on, mending);
    }

    /// Who was asked did not answer, or what it gave is not taken.
    fn failed(&mut self, on: MachineId, mut mending: Mending) {
        let name = name(mending.with);
        let owns_now = |node| mending.cluster.ring.member(node).owns_now();
        mending.silent += usize::from(mending.cluster.ring.find(&name).is_some_and(owns_now));
        mending.is_whole = false;
        match mending.way {
            Way::Fetch => self.next_other(on, mending),
            Way::Give => self.timer(on, 1, Timer::Worked(false)),
        }
    }

    fn mended(&mut self, on: MachineId, mending: Mending) {
        let now_ms = self.now_ms;
        let Some(process) = self.machines[on].process.as_mut() else { return };
        let is_enough = mending.silent <= mending.cluster.ring.tolerated();
        if mending.way == Way::Fetch {
            process.rounds.ended(now_ms, mending.is_whole);
        }
        match mending.why {
            Why::Round => {}
            Why::Joining => self.timer(on, 1, Timer::Worked(is_enough)),
            Why::Removal => self.timer(on, 1, Timer::Fetched(is_enough)),
            Why::Leaving if process.store.is_closed => self.timer(on, 1, Timer::Worked(true)),
            Why::Leaving => {
                process.store.is_closed = true;
                self.course.say(now_ms, None, || format!("n{on} takes nothing any more"));
                self.hand_over(on);
            }
        }
    }

    fn go_on_mending(&mut self, on: MachineId, mut mending: Mending) {
        let (way, number, with) = (mending.way, mending.number, mending.with);
        loop {
            match mending.errand.step() {
                Next::List(after) => {
                    mending.after = after;
                    let purpose = Purpose::Traces { way, number };
                    self.ask(on, with, Question::ListTraces(after), purpose);
                    break;
                }
                Next::Find(some) => {
                    for unlike in some {
                        match unlike.theirs {
                            None => drop(self.compare(on, &mut mending, unlike, Bytes::new())),
                            Some(_) => {
                                mending.waiting += 1;
                                let purpose = Purpose::TheirCopy { way, number, unlike };
                                self.ask(on, with, Question::FindTrace(unlike.id), purpose);
                            }
                        }
                    }
                    if mending.waiting > 0 {
                        break;
                    }
                }
                Next::Deliver(request) => {
                    (mending.request, mending.tries) = (Some(request), 0);
                    return self.bring(on, mending);
                }
                Next::Over => return self.next_other(on, mending),
            }
        }
        self.put_back(on, mending);
    }

    fn put_back(&mut self, on: MachineId, mending: Mending) {
        if let Some(process) = self.machines[on].process.as_mut() {
            let way = mending.way;
            *slot(process, way) = Some(mending);
        }
    }

    fn take_mending(&mut self, on: MachineId, way: Way, number: u64) -> Option<Mending> {
        let slot = slot(self.machines[on].process.as_mut()?, way);
        slot.take_if(|mending| mending.number == number)
    }

    /// What another node said of its traces.
    pub(crate) fn on_traces(
        &mut self,
        on: MachineId,
        way: Way,
        number: u64,
        answer: Result<TraceList, PeerError>,
    ) {
        let Some(mut mending) = self.take_mending(on, way, number) else { return };
        let Ok(theirs) = answer else { return self.failed(on, mending) };
        let Some(process) = self.machines[on].process.as_mut() else { return };
        let own = match process.store.list(mending.after, TRACES) {
            Ok(own) => own,
            Err(error) => return self.breaks(error),
        };
        let Mending { cluster, errand, with, .. } = &mut mending;
        let (tokens, fruitless) = (&self.tokens, &process.fruitless);
        let wanted = |unlike: &Unlike| {
            let token = tokens.token(&unlike.id);
            let is_for = match way {
                Way::Fetch => cluster.me.is_some_and(|me| cluster.ring.owners_for_read(token).contains(me)),
                Way::Give => {
                    let heirs = heirs(&cluster.ring, token, cluster.me, |node| cluster.is_down(node));
                    heirs.nodes.iter().any(|heir| Self::machine_of(cluster, *heir) == *with)
                }
            };
            is_for && !fruitless.has(&name(*with), &self.tenant, unlike)
        };
        errand.listed(&own, &theirs, wanted);
        self.go_on_mending(on, mending);
    }

    /// Another node's copy.
    pub(crate) fn on_their_copy(
        &mut self,
        on: MachineId,
        (way, number): (Way, u64),
        unlike: Unlike,
        answer: Result<Bytes, PeerError>,
    ) {
        let Some(mut mending) = self.take_mending(on, way, number) else { return };
        let Ok(copy) = answer else { return self.failed(on, mending) };
        mending.waiting -= 1;
        if !self.compare(on, &mut mending, unlike, copy) {
            return;
        }
        match mending.waiting {
            0 => self.go_on_mending(on, mending),
            _ => self.put_back(on, mending),
        }
    }

    /// Holds both copies against each other; `false` when something is broken.
    fn compare(&mut self, on: MachineId, mending: &mut Mending, unlike: Unlike, copy: Bytes) -> bool {
        let Some(process) = self.machines[on].process.as_mut() else { return false };
        let found = process.store.gather(&unlike.id).and_then(|own| Ok((own, decoded(&unlike.id, copy)?)));
        let (own, theirs) = match found {
            Ok(found) => found,
            Err(error) => {
                self.breaks(error);
                return false;
            }
        };
        let spans = mending.errand.found(own, theirs, |_, _| true);
        if spans == 0 {
            process.fruitless.add(&name(mending.with), &self.tenant, &unlike);
        }
        self.figures.mended += spans;
        let (with, way) = (mending.with, mending.way);
        self.course.say(self.now_ms, Some(&unlike.id), || {
            let what = if way == Way::Give { "lacks" } else { "has what is missing," };
            format!("n{on} compares with n{with}, which {what} {spans} spans")
        });
        true
    }

    /// Brings what was missing to the one who lacks it.
    fn bring(&mut self, on: MachineId, mending: Mending) {
        let Some(request) = mending.request.clone() else { return };
        let (way, number, with) = (mending.way, mending.number, mending.with);
        self.put_back(on, mending);
        match way {
            Way::Give => self.ask(on, with, Question::Push(request), Purpose::Parcel { number }),
            Way::Fetch => {
                if let Err(error) = self.keep(on, request, Waiter::Fetched { number }) {
                    self.on_brought(on, way, number, Err(error));
                }
            }
        }
    }

    /// What became of it.
    pub(crate) fn on_brought(&mut self, on: MachineId, way: Way, number: u64, answer: Result<(), PeerError>) {
        let Some(mut mending) = self.take_mending(on, way, number) else { return };
        match answer {
            Ok(()) => {
                mending.request = None;
                self.go_on_mending(on, mending);
            }
            Err(PeerError::Exhausted { retry_after, .. }) if mending.tries < TRIES => {
                mending.tries += 1;
                self.put_back(on, mending);
                let after_ms = retry_after.as_millis() as u64;
                self.timer(on, after_ms, Timer::BringAgain { gives: way == Way::Give, number });
            }
            Err(_) => self.failed(on, mending),
        }
    }

    /// It is tried again.
    pub(crate) fn on_bring_again(&mut self, on: MachineId, gives: bool, number: u64) {
        let way = if gives { Way::Give } else { Way::Fetch };
        if let Some(mending) = self.take_mending(on, way, number) {
            self.bring(on, mending);
        }
    }

    /// Looks whether a round is due.
    pub(crate) fn on_rounds(&mut self, on: MachineId) {
        let now_ms = self.now_ms;
        let Some(process) = self.machines[on].process.as_mut() else { return };
        if process.rounds.is_due(now_ms) && process.fetching.is_none() {
            self.fetch(on, Why::Round);
        }
    }
}

fn name(machine: MachineId) -> NodeName {
    crate::world::name_of(machine)
}
