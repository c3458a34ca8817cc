//! A request on its way to its owners: which shares are under way, who takes what in place of whom, and when it is kept.
//! Pure: it is told what happened, and says what to send.

use spanloom_peer::{PeerError, Pushed};
use spanloom_ring::{NodeIndex, Ring};

use super::plan::{Instead, Kept, Plan, Share, StandsIn};

/// Something that is sent: a share of the plan, or a part of it in place of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    /// The share of the plan.
    pub share: usize,
    /// Which of those that take it instead; `None` is its own node.
    pub instead: Option<usize>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send this.
    Send(Sending),
    /// Tell the sender. Said once; sends that are under way go on.
    Tell(Result<Pushed, NotKept>),
    /// Of so many traces' parts a copy is kept by nobody.
    Missing(u64),
    /// So many spans are kept in place of an owner.
    StoodIn(u64),
}

/// Why a request is not kept by majorities: what each node said that did not keep its share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotKept {
    /// By node.
    pub errors: Vec<(NodeIndex, PeerError)>,
    /// Whether it was not waited for the others.
    pub is_late: bool,
}

/// How far a share is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum First {
    UnderWay,
    Kept,
    Failed(PeerError),
}

/// How far others are that take it instead.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Others {
    NotAsked,
    UnderWay {
        left: usize,
        /// Whether all of them together take all of it, as far as is known.
        is_whole: bool,
        sum: Pushed,
    },
    Over {
        kept: bool,
    },
}

/// A request on its way.
#[derive(Debug)]
pub struct Spread {
    plan: Plan,
    /// By share of the plan.
    shares: Vec<(First, Others, Vec<Share>)>,
    kept: Kept,
    /// What those said that keep something, summed up.
    sum: Pushed,
    errors: Vec<(NodeIndex, PeerError)>,
    /// Spans of the request.
    spans: u64,
    is_told: bool,
}

impl Spread {
    /// Begins: everything in the plan is to be sent.
    pub fn begin(plan: Plan, spans: u64) -> (Self, Vec<Effect>) {
        let effects = (0..plan.shares.len()).map(|share| Effect::Send(Sending { share, instead: None }));
        let effects = effects.collect();
        let shares = plan.shares.iter().map(|_| (First::UnderWay, Others::NotAsked, Vec::new())).collect();
        let (kept, sum) = (Kept::none(&plan), Pushed::default());
        (Self { plan, shares, kept, sum, errors: Vec::new(), spans, is_told: false }, effects)
    }

    /// The share that is sent.
    pub fn share(&self, sending: Sending) -> &Share {
        match sending.instead {
            None => &self.plan.shares[sending.share],
            Some(other) => &self.shares[sending.share].2[other],
        }
    }

    /// Whether nothing is under way.
    pub fn is_over(&self) -> bool {
        let is_over = |(first, others, _): &(First, Others, Vec<Share>)| {
            *first != First::UnderWay && !matches!(others, Others::UnderWay { .. })
        };
        self.shares.iter().all(is_over)
    }

    /// What became of something that was sent.
    pub fn on_answer(
        &mut self,
        sending: Sending,
        answer: Result<Pushed, PeerError>,
        ring: &Ring,
        instead: impl FnOnce(&Plan, &Share, &StandsIn<'_>) -> Instead,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        let at = sending.share;
        match (sending.instead, answer) {
            (None, Ok(pushed)) => {
                self.shares[at].0 = First::Kept;
                self.keep(at, pushed);
            }
            (None, Err(error)) => {
                self.errors.push((self.plan.shares[at].node, error.clone()));
                // Others would refuse it for the same reason.
                let is_wrong = matches!(error, PeerError::Invalid(_));
                self.shares[at].0 = First::Failed(error);
                if !is_wrong {
                    self.ask_others(at, instead, &mut effects);
                }
            }
            (Some(_), answer) => self.on_other(at, answer, &mut effects),
        }
        self.settle(at, &mut effects);
        self.tell(ring, &mut effects);
        effects
    }

    /// A share takes long: others are to take it as well.
    pub fn on_slow(
        &mut self,
        share: usize,
        instead: impl FnOnce(&Plan, &Share, &StandsIn<'_>) -> Instead,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.shares[share].0 == First::UnderWay {
            self.ask_others(share, instead, &mut effects);
        }
        effects
    }

    /// It is not waited any longer.
    pub fn on_late(&mut self) -> Vec<Effect> {
        let is_late = !std::mem::replace(&mut self.is_told, true);
        let not_kept = NotKept { errors: self.errors.clone(), is_late: true };
        is_late.then_some(Effect::Tell(Err(not_kept))).into_iter().collect()
    }

    fn ask_others(
        &mut self,
        at: usize,
        instead: impl FnOnce(&Plan, &Share, &StandsIn<'_>) -> Instead,
        effects: &mut Vec<Effect>,
    ) {
        if self.shares[at].1 != Others::NotAsked {
            return;
        }
        let stands_in = |node, group| {
            let mut sent = self.shares.iter().flat_map(|(_, _, sent)| sent);
            sent.any(|share| share.node == node && share.groups.binary_search(&group).is_ok())
        };
        // What only some take is sent all the same: a copy more is a copy more.
        let Instead { shares, is_whole } = instead(&self.plan, &self.plan.shares[at], &stands_in);
        let (_, others, sent) = &mut self.shares[at];
        *others = match shares.len() {
            0 => Others::Over { kept: false },
            left => Others::UnderWay { left, is_whole, sum: Pushed::default() },
        };
        *sent = shares;
        let sending = |other| Effect::Send(Sending { share: at, instead: Some(other) });
        effects.extend((0..sent.len()).map(sending));
    }

    fn on_other(&mut self, at: usize, answer: Result<Pushed, PeerError>, effects: &mut Vec<Effect>) {
        let Others::UnderWay { left, is_whole, sum } = &mut self.shares[at].1 else { return };
        *left -= 1;
        match answer {
            Ok(pushed) => {
                effects.push(Effect::StoodIn(pushed.spans));
                add(sum, pushed);
            }
            Err(_) => *is_whole = false,
        }
        if *left > 0 {
            return;
        }
        let (kept, sum) = (*is_whole, std::mem::take(sum));
        self.shares[at].1 = Others::Over { kept };
        if kept && self.shares[at].0 != First::Kept {
            self.keep(at, sum);
        }
    }

    /// A share is kept, by its node or by others.
    fn keep(&mut self, at: usize, pushed: Pushed) {
        let already =
            matches!(self.shares[at].1, Others::Over { kept: true }) && self.shares[at].0 == First::Kept;
        self.kept.add(&self.plan.shares[at]);
        if !already {
            add(&mut self.sum, pushed);
        }
    }

    /// Counts a share that nobody keeps.
    fn settle(&mut self, at: usize, effects: &mut Vec<Effect>) {
        if let (First::Failed(_), Others::NotAsked | Others::Over { kept: false }, _) = &self.shares[at] {
            effects.push(Effect::Missing(self.plan.shares[at].groups.len() as u64));
        }
    }

    fn tell(&mut self, ring: &Ring, effects: &mut Vec<Effect>) {
        if self.is_told {
            return;
        }
        if self.kept.is_enough(&self.plan, ring) {
            self.is_told = true;
            effects.push(Effect::Tell(Ok(self.share_of_sum())));
        } else if self.is_over() {
            self.is_told = true;
            let errors = std::mem::take(&mut self.errors);
            effects.push(Effect::Tell(Err(NotKept { errors, is_late: false })));
        }
    }

    /// What nodes left out by their limits is counted for all copies together: a share of it is what is told.
    fn share_of_sum(&self) -> Pushed {
        let copies = self.sum.spans + self.sum.refused_spans;
        let refused = (self.sum.refused_spans * self.spans).div_ceil(copies.max(1)).min(self.spans);
        Pushed { spans: self.spans - refused, refused_spans: refused, message: self.sum.message.clone() }
    }
}

fn add(sum: &mut Pushed, more: Pushed) {
    sum.spans += more.spans;
    sum.refused_spans += more.refused_spans;
    if sum.message.is_empty() {
        sum.message = more.message;
    }
}
