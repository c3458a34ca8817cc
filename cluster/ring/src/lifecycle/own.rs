//! This node's own steps: looking, joining, staying or going.

use super::{Decision, Lifecycle, Seen, Stage, View, Work};
use crate::{MemberState, choose_tokens, moved};

impl Lifecycle {
    pub(super) fn own_step(&mut self, now_ms: u64, view: &View) -> Option<Decision> {
        match self.stage {
            Stage::Looking => self.look(now_ms, view),
            Stage::Joining(work) => self.join(now_ms, view, work),
            Stage::Active => self.stay_or_go(now_ms, view),
            Stage::Leaving(work) => self.go(now_ms, view, work),
            Stage::Gone => None,
        }
    }

    fn look(&mut self, now_ms: u64, view: &View) -> Option<Decision> {
        let has_place = view.held.as_ref().is_some_and(|held| held.state != MemberState::Left);
        if self.is_told_to_leave && !has_place {
            return Some(self.end(Decision::Stop));
        }
        let has_looked = now_ms >= self.started_ms + self.settings.join_wait_ms
            || view.met && !view.is_lacking
            || self.settings.founds && view.others.is_empty();
        if !has_looked {
            return None;
        }
        if !self.takes_spans() {
            return Some(self.announce(Stage::Active, MemberState::Active, Vec::new()));
        }
        let former = view.held.as_ref().filter(|held| !held.tokens.is_empty());
        match former.map(|former| (former.state, former.tokens.clone())) {
            // It owns its ranges, as the others see it; one that was about to go stays.
            Some((MemberState::Active | MemberState::Leaving, tokens)) => {
                Some(self.announce(Stage::Active, MemberState::Active, tokens))
            }
            Some((MemberState::Joining, tokens)) => {
                Some(self.announce(Stage::Joining(Work::NotBefore(now_ms)), MemberState::Joining, tokens))
            }
            _ => self.come(now_ms, view),
        }
    }

    /// A node that has no place takes one.
    fn come(&mut self, now_ms: u64, view: &View) -> Option<Decision> {
        let is_first = !view.others.iter().any(|seen| seen.member.owns_now());
        let may_come = view.most_are_up() && self.quiet.now_is(now_ms, self.settings.settle_ms);
        // Somebody is there who has said something that has not come here: it is not for this node to begin.
        let may_begin = is_first && !view.is_lacking;
        if !may_begin && (is_first || !may_come) {
            return None;
        }
        let mut tokens = std::mem::take(&mut self.tokens);
        if tokens.len() != self.settings.tokens {
            let ring = self.ring(view, None)?;
            tokens = choose_tokens(&ring, &self.settings.me, &self.settings.zone, self.settings.tokens);
        }
        Some(match is_first {
            true => self.announce(Stage::Active, MemberState::Active, tokens),
            false => self.announce(Stage::Joining(Work::NotBefore(now_ms)), MemberState::Joining, tokens),
        })
    }

    fn join(&mut self, now_ms: u64, view: &View, work: Work) -> Option<Decision> {
        if self.is_told_to_leave {
            return self.quiet.now_is(now_ms, self.settings.settle_ms).then(|| self.end(Decision::Leave));
        }
        if view.is_removed_as().is_some() {
            // It begins once more, in the eyes of the others.
            return self.quiet.now_is(now_ms, self.settings.settle_ms).then(|| {
                self.quiet.touch(now_ms);
                let stage = Stage::Joining(Work::NotBefore(now_ms));
                self.announce(stage, MemberState::Joining, self.tokens.clone())
            });
        }
        let is_first = !view.others.iter().any(|seen| seen.member.owns_now());
        if is_first {
            return Some(self.announce(Stage::Active, MemberState::Active, self.tokens.clone()));
        }
        if !view.most_are_up() || !self.quiet.next_is(now_ms, self.settings.settle_ms) {
            return None;
        }
        match work {
            Work::NotBefore(at_ms) if now_ms >= at_ms => {
                let (without, with) = (self.ring(view, None)?, self.ring(view, Some(MemberState::Active))?);
                self.stage = Stage::Joining(Work::UnderWay);
                Some(Decision::TakeOver(moved(&without, &with, &self.settings.me)))
            }
            Work::Done => Some(self.announce(Stage::Active, MemberState::Active, self.tokens.clone())),
            _ => None,
        }
    }

    fn stay_or_go(&mut self, now_ms: u64, view: &View) -> Option<Decision> {
        let settle_ms = self.settings.settle_ms;
        match view.is_removed_as() {
            // It stays after all.
            Some(MemberState::Leaving) => {
                self.quiet.touch(now_ms);
                return Some(self.announce(Stage::Active, MemberState::Active, self.tokens.clone()));
            }
            // Its ranges are others' by now: it comes as a new one does.
            Some(MemberState::Left) if self.takes_spans() => {
                let may_come = view.most_are_up() && self.quiet.now_is(now_ms, settle_ms);
                return may_come.then(|| {
                    let stage = Stage::Joining(Work::NotBefore(now_ms));
                    self.announce(stage, MemberState::Joining, self.tokens.clone())
                });
            }
            _ => {}
        }
        if !self.is_told_to_leave {
            return None;
        }
        if !self.takes_spans() {
            return Some(self.end(Decision::Leave));
        }
        let takes_over = |seen: &Seen| seen.is_up && seen.member.owns_now() && seen.member.owns_next();
        if !view.others.iter().any(takes_over) {
            // Nobody could take what it has: it keeps its place for its next start.
            return Some(self.end(Decision::Stop));
        }
        let is_quiet = self.quiet.now_is(now_ms, settle_ms);
        is_quiet.then(|| {
            let stage = Stage::Leaving(Work::NotBefore(now_ms));
            self.announce(stage, MemberState::Leaving, self.tokens.clone())
        })
    }

    fn go(&mut self, now_ms: u64, view: &View, work: Work) -> Option<Decision> {
        if !self.quiet.next_is(now_ms, self.settings.settle_ms) {
            return None;
        }
        match work {
            Work::NotBefore(at_ms) if now_ms >= at_ms => {
                let (with, without) = (self.ring(view, Some(MemberState::Active))?, self.ring(view, None)?);
                self.stage = Stage::Leaving(Work::UnderWay);
                Some(Decision::HandOver(moved(&with, &without, &self.settings.me)))
            }
            Work::Done => Some(self.end(Decision::Leave)),
            _ => None,
        }
    }
}
