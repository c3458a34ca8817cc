//! What goes wrong: storms of crashes, joins, leaves, partitions, pauses and bad networks, and calm in between in which
//! everything must be found.

use rand::RngExt;

use crate::clients::Must;
use crate::machine::{Machine, MachineId, address};
use crate::network::Quality;
use crate::queue::{Event, Outside};
use crate::world::{Broken, World, name_of};

/// What the world is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The first nodes start.
    Forming {
        /// Since when.
        since_ms: u64,
    },
    /// Things go wrong.
    Storm {
        /// How long.
        until_ms: u64,
        /// Which.
        kind: Kind,
    },
    /// All is well again, and all are to agree.
    Healing {
        /// Since when.
        since_ms: u64,
    },
    /// Those who still wait for an answer get one, or give up.
    Draining {
        /// Since when.
        since_ms: u64,
    },
    /// What owners lack is fetched.
    Mending {
        /// Since when.
        since_ms: u64,
    },
    /// All that was promised is read.
    Reading,
    /// Two nodes are down, and all that was promised is read from the others.
    Bereft {
        /// Which.
        down: [MachineId; 2],
    },
    /// Nothing happens.
    Resting {
        /// How long.
        until_ms: u64,
    },
    /// It is over.
    Over,
}

/// What goes wrong in a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Everything.
    Mixed,
    /// Nodes crash and stand still.
    Crashes,
    /// Nodes join and leave, once a second.
    Churn,
    /// The network parts and is bad.
    Network,
}

/// Fewest nodes that a leave leaves.
const FEWEST: usize = 3;

/// With more traces all of them are retired, so that long runs stay fast.
const TRACES_MOST: usize = 2_500;

/// When all is well, every owner has its copies two rounds and so long after.
const MENDED_WITHIN_MS: u64 = 30_000;

/// Most traces that are read while two nodes are down.
const BEREFT_READS: usize = 300;

/// Questions at once, when all is read.
const READS_AT_ONCE: usize = 16;

impl World {
    /// Looks whether a phase is over.
    pub(crate) fn on_phase(&mut self) {
        let now_ms = self.now_ms;
        let mut next_ms = 250;
        match self.phase {
            Phase::Forming { since_ms } | Phase::Healing { since_ms } => match self.disagreement() {
                None => {
                    let took_ms = now_ms.saturating_sub(since_ms);
                    self.figures.agreed_ms = self.figures.agreed_ms.max(took_ms);
                    self.course.say(now_ms, None, || format!("all agree, after {took_ms} ms"));
                    self.phase = Phase::Draining { since_ms: now_ms };
                }
                Some(why) if now_ms > since_ms + self.settings.agree_within_ms => {
                    self.broken(Broken::NotAgreed, None, why);
                }
                Some(_) => {}
            },
            Phase::Storm { until_ms, .. } if now_ms >= until_ms => self.heal(),
            Phase::Draining { since_ms } => {
                if self.promises.pushes() == 0 && now_ms >= since_ms + 6_000 {
                    self.promises.forget_reads();
                    self.phase = Phase::Mending { since_ms: now_ms };
                }
            }
            Phase::Mending { since_ms } => {
                next_ms = 1_000;
                self.look_at_copies(since_ms);
            }
            Phase::Reading => {
                next_ms = 20;
                if self.read_all(Must::BeWhole) {
                    self.all_was_read();
                }
            }
            Phase::Bereft { down } => {
                next_ms = 20;
                if self.read_all(Must::LackNothing) {
                    self.course.say(now_ms, None, || "the two come back".into());
                    down.into_iter()
                        .for_each(|on| self.queue.put(now_ms + 1, Event::Outside(Outside::Start(on))));
                    self.phase = Phase::Healing { since_ms: now_ms };
                }
            }
            Phase::Resting { until_ms } if now_ms < until_ms => next_ms = (until_ms - now_ms).min(60_000),
            Phase::Resting { .. } if now_ms >= self.settings.until_ms => self.phase = Phase::Over,
            Phase::Resting { .. } => {
                if self.promises.traces().len() > TRACES_MOST
                    && self.promises.pushes() + self.promises.reads() == 0
                {
                    self.retire();
                } else {
                    self.begin_storm();
                }
            }
            Phase::Storm { .. } | Phase::Over => {}
        }
        self.check_bounds();
        self.queue.put(now_ms + next_ms, Event::Outside(Outside::Look));
    }

    /// All that is there is retired, on all nodes; then those leave that are more than there were at first, so that
    /// others can join.
    fn retire(&mut self) {
        self.promises.retire();
        self.course.say(self.now_ms, None, || "all is retired".into());
        for on in 0..self.machines.len() {
            let Some(process) = &self.machines[on].process else { continue };
            if let Err(error) = process.store.retire() {
                return self.breaks(error);
            }
        }
        let there = (0..self.machines.len()).filter(|on| self.runs(*on));
        let mut there: Vec<MachineId> = there.collect();
        while there.len() > self.settings.nodes {
            let one = there.swap_remove(self.rng.random_range(0..there.len()));
            self.told_to_leave(one);
        }
        self.phase = Phase::Healing { since_ms: self.now_ms };
    }

    fn begin_storm(&mut self) {
        let until_ms = self.now_ms + self.rng.random_range(15_000..90_000);
        let kind = match self.rng.random_range(0..6) {
            0 => Kind::Crashes,
            1 => Kind::Churn,
            2 => Kind::Network,
            _ => Kind::Mixed,
        };
        self.was_bereft = false;
        self.course.say(self.now_ms, None, || format!("a storm begins: {kind:?}"));
        self.phase = Phase::Storm { until_ms, kind };
        for outside in [Outside::Push, Outside::Read, Outside::Trouble] {
            self.queue.put(self.now_ms + 1, Event::Outside(outside));
        }
    }

    /// Every owner must have every span that was acknowledged, a while after all are well.
    fn look_at_copies(&mut self, since_ms: u64) {
        let took_ms = self.now_ms - since_ms;
        match self.lacking_copy() {
            Ok(None) => {
                self.figures.mended_ms = self.figures.mended_ms.max(took_ms);
                self.course.say(self.now_ms, None, || format!("all owners have all, after {took_ms} ms"));
                self.phase = Phase::Reading;
            }
            Ok(Some((trace, what))) if took_ms > MENDED_WITHIN_MS + 2 * self.settings.mend_every_ms => {
                self.broken(Broken::NoCopy, Some(trace), what);
            }
            Ok(Some(_)) => {}
            Err(error) => self.breaks(error),
        }
    }

    /// All that was promised since the last time, and some of what was before, each through any node. Whether that is done.
    fn read_all(&mut self, must: Must) -> bool {
        while self.promises.reads() < READS_AT_ONCE {
            let Some(trace) = self.promises.unread.pop_first() else { break };
            self.client_reads_this(trace, must);
        }
        self.promises.unread.is_empty() && self.promises.reads() == 0
    }

    /// It is quiet for a while; or two nodes die first, now that every owner has its copy.
    fn all_was_read(&mut self) {
        let running: Vec<MachineId> = (0..self.machines.len()).filter(|on| self.runs(*on)).collect();
        if !std::mem::replace(&mut self.was_bereft, true) && self.rng.random_range(0..2) == 0 {
            let one = running[self.rng.random_range(0..running.len())];
            let others: Vec<MachineId> = running.iter().filter(|on| **on != one).copied().collect();
            let down = [one, others[self.rng.random_range(0..others.len())]];
            down.into_iter().for_each(|on| self.dies(on));
            self.old_traces_next(BEREFT_READS);
            self.phase = Phase::Bereft { down };
        } else {
            let (least, below) = self.settings.rest_ms;
            let until_ms = self.now_ms + self.rng.random_range(least..below);
            self.phase = Phase::Resting { until_ms };
            self.old_traces_next(20);
            self.queue.put(self.now_ms + 1_000, Event::Outside(Outside::Push));
            self.queue.put(self.now_ms + 2_000, Event::Outside(Outside::Read));
        }
    }

    /// Some traces of long ago are read after the next storm as well.
    fn old_traces_next(&mut self, count: usize) {
        let known = self.promises.traces();
        for _ in 0..count.min(known.len()) {
            let trace = self.rng.random_range(known.clone());
            self.promises.unread.insert(trace);
        }
    }

    /// When the next of these happens, by phase; `None` when it does not go on.
    pub(crate) fn pause_until_next(&mut self, outside: Outside) -> Option<u64> {
        let Phase::Storm { kind, .. } = self.phase else {
            let rests = matches!(self.phase, Phase::Resting { .. });
            return (rests && outside != Outside::Trouble).then(|| self.rng.random_range(20_000..60_000));
        };
        Some(match (outside, kind) {
            (Outside::Trouble, Kind::Churn) => self.rng.random_range(500..1_500),
            (Outside::Trouble, _) => self.rng.random_range(200..4_000),
            (Outside::Push, _) => self.rng.random_range(20..200),
            _ => self.rng.random_range(30..250),
        })
    }

    /// Something goes wrong.
    pub(crate) fn trouble(&mut self) {
        let Phase::Storm { kind, .. } = self.phase else { return };
        let dice = match kind {
            Kind::Mixed => self.rng.random_range(0..100),
            Kind::Crashes => self.rng.random_range(0..40),
            Kind::Churn => self.rng.random_range(40..60),
            Kind::Network => self.rng.random_range(60..100),
        };
        let running: Vec<MachineId> = (0..self.machines.len()).filter(|on| self.runs(*on)).collect();
        if running.is_empty() {
            return;
        }
        let one = running[self.rng.random_range(0..running.len())];
        match dice {
            0..22 => self.crash(one),
            22..34 => self.stand_still(one),
            34..40 => self.machines[one].sync_ms = (100, 900),
            40..50 => self.join(),
            50..60 => self.leave(one),
            60..75 => self.part(&running),
            75..85 => self.part_one_way(one, &running),
            _ => {
                let below_ms = [5, 20, 60, 200][self.rng.random_range(0..4)];
                let quality = Quality {
                    lost: self.rng.random_range(0..100),
                    doubled: self.rng.random_range(0..30),
                    broken: self.rng.random_range(0..30),
                    delay_ms: (1, below_ms),
                };
                self.course.say(self.now_ms, None, || format!("the network is {quality:?}"));
                self.network.quality = quality;
            }
        }
    }

    fn crash(&mut self, on: MachineId) {
        self.dies(on);
        let back_ms = self.now_ms + self.rng.random_range(200..20_000);
        self.queue.put(back_ms, Event::Outside(Outside::Start(on)));
    }

    /// A process ends without a word.
    fn dies(&mut self, on: MachineId) {
        let loses_power = self.rng.random_range(0..2) == 0;
        let seed = self.rng.random();
        let machine = &mut self.machines[on];
        match loses_power {
            true => machine.disk.crash(seed),
            false => machine.disk.kill(),
        }
        machine.process = None;
        // One that starts again stays.
        machine.is_leaving = false;
        machine.paused_until_ms = 0;
        self.figures.crashes += 1;
        self.course.event(self.now_ms, b'c', [on as u64, u64::from(loses_power), 0]);
        self.course.say(self.now_ms, None, || {
            format!("n{on} {}", if loses_power { "loses power" } else { "is killed" })
        });
    }

    fn stand_still(&mut self, on: MachineId) {
        let ms = self.rng.random_range(100..6_000);
        self.machines[on].paused_until_ms = self.now_ms + ms;
        self.course.say(self.now_ms, None, || format!("n{on} stands still for {ms} ms"));
    }

    fn join(&mut self) {
        let nodes = self.machines.iter().filter(|machine| !machine.is_gone).count();
        if nodes < self.settings.most_nodes {
            self.figures.joins += 1;
            let on = self.add_machine();
            self.queue.put(self.now_ms + 1, Event::Outside(Outside::Start(on)));
        }
    }

    /// Another machine.
    pub(crate) fn add_machine(&mut self) -> MachineId {
        let on = self.machines.len();
        let drift_ppm = self.rng.random_range(-100..=100);
        self.machines.push(Machine::new(name_of(on), address(on), drift_ppm));
        on
    }

    fn leave(&mut self, on: MachineId) {
        let stays = |machine: &&Machine| !machine.is_gone && !machine.is_leaving;
        if self.settings.leaves && self.machines.iter().filter(stays).count() > FEWEST {
            self.told_to_leave(on);
        }
    }

    fn part(&mut self, running: &[MachineId]) {
        let sides: Vec<bool> = running.iter().map(|_| self.rng.random_range(0..2) == 0).collect();
        let of =
            |side: bool| running.iter().zip(&sides).filter(move |(_, is)| **is == side).map(|(on, _)| *on);
        let ways: Vec<_> =
            of(true).flat_map(|one| of(false).flat_map(move |two| [(one, two), (two, one)])).collect();
        self.cut(ways);
    }

    /// What one sends does not arrive, or it does not hear the others.
    fn part_one_way(&mut self, one: MachineId, running: &[MachineId]) {
        let hears = self.rng.random_range(0..2) == 0;
        let others = running.iter().filter(|other| **other != one);
        let ways = others.map(|other| if hears { (one, *other) } else { (*other, one) }).collect();
        self.cut(ways);
    }

    fn cut(&mut self, ways: Vec<(MachineId, MachineId)>) {
        self.course.say(self.now_ms, None, || format!("these ways are cut: {ways:?}"));
        self.network.cut(ways);
        let at_ms = self.now_ms + self.rng.random_range(500..15_000);
        self.queue.put(at_ms, Event::Outside(Outside::Mend(self.network.change)));
    }

    fn heal(&mut self) {
        self.course.say(self.now_ms, None, || "all is well again".into());
        self.network.mend();
        for on in 0..self.machines.len() {
            let machine = &mut self.machines[on];
            machine.paused_until_ms = 0;
            machine.sync_ms = (1, 5);
            if machine.process.is_none() && !machine.is_gone {
                let at_ms = self.now_ms + self.rng.random_range(1..500);
                self.queue.put(at_ms, Event::Outside(Outside::Start(on)));
            }
        }
        self.phase = Phase::Healing { since_ms: self.now_ms + 500 };
    }
}
