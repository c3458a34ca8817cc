//! What is due when. foca wants its timers in order; a heap gives them so, whatever the shell's clock is like.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::Identity;

/// What a timer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Due {
    /// foca's own.
    Foca(foca::Timer<Identity>),
    /// Try the seeds.
    Join,
    /// Send the own record again.
    Record,
    /// Exchange full state with a random member.
    PushPull,
    /// Ask for the records that ought to have come.
    Lacks,
    /// Gossip once more before falling silent; so many rounds are left.
    Leave(u8),
    /// Somebody holds a member down that is up here: believe it unless the member has spoken up.
    Contested(Identity),
}

/// The timers of one node.
#[derive(Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    /// What the process stood still: timers go by the monotonic clock less this.
    stalled_ms: u64,
}

impl Timers {
    /// Puts one in. Of the timers that forget a member, and of those that are not foca's, there is one at most.
    pub(crate) fn set(&mut self, now_ms: u64, after_ms: u64, due: Due) {
        match &due {
            Due::Foca(foca::Timer::RemoveDown(who)) => self.retain(|other| {
                !matches!(other, Due::Foca(foca::Timer::RemoveDown(earlier)) if earlier.name() == who.name())
            }),
            Due::Foca(_) => {}
            Due::Leave(_) => self.retain(|other| !matches!(other, Due::Leave(_))),
            one => self.retain(|other| other != one),
        }
        self.sequence += 1;
        let at_ms = now_ms.saturating_sub(self.stalled_ms).saturating_add(after_ms);
        self.heap.push(Reverse(Entry { at_ms, sequence: self.sequence, due }));
    }

    /// When the next one is due.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.heap.peek().map(|next| next.0.at_ms.saturating_add(self.stalled_ms))
    }

    /// When one is due that is set.
    pub(crate) fn time_of(&self, due: &Due) -> Option<u64> {
        let found = self.heap.iter().find(|entry| entry.0.due == *due)?;
        Some(found.0.at_ms.saturating_add(self.stalled_ms))
    }

    /// Takes the next one that is due.
    pub(crate) fn pop(&mut self, now_ms: u64) -> Option<Due> {
        if self.next_ms()? > now_ms {
            return None;
        }
        self.heap.pop().map(|entry| entry.0.due)
    }

    /// Leaves time out of account if the next timer is late by more than `stall_ms`. Whether it was.
    pub(crate) fn skip_stall(&mut self, now_ms: u64, stall_ms: u64) -> bool {
        let late = self.next_ms().map_or(0, |next| now_ms.saturating_sub(next));
        if late > stall_ms {
            self.stalled_ms += late;
        }
        late > stall_ms
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&Due) -> bool) {
        self.heap.retain(|entry| keep(&entry.0.due));
    }
}

struct Entry {
    at_ms: u64,
    sequence: u64,
    due: Due,
}

impl Entry {
    /// By time; at the same time foca's in the order that foca wants; then as they were put in.
    fn compare(&self, other: &Self) -> Ordering {
        let by_kind = match (&self.due, &other.due) {
            (Due::Foca(one), Due::Foca(two)) => one.cmp(two),
            (Due::Foca(_), _) => Ordering::Less,
            (_, Due::Foca(_)) => Ordering::Greater,
            _ => Ordering::Equal,
        };
        self.at_ms.cmp(&other.at_ms).then(by_kind).then(self.sequence.cmp(&other.sequence))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other).is_eq()
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
        self.compare(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeName;
    use foca::Timer;

    fn all(timers: &mut Timers, now_ms: u64) -> Vec<Due> {
        std::iter::from_fn(|| timers.pop(now_ms)).collect()
    }

    #[test]
    fn they_come_in_order() {
        let mut timers = Timers::default();
        timers.set(100, 50, Due::Foca(Timer::ProbeRandomMember(1)));
        timers.set(100, 20, Due::PushPull);
        timers.set(100, 50, Due::Record);
        let who = Identity::new(NodeName::new("a").unwrap(), 1, "10.0.0.1:1".parse().unwrap()).unwrap();
        let indirect = Due::Foca(Timer::SendIndirectProbe { probed_id: who.clone(), token: 1 });
        timers.set(110, 40, indirect.clone());
        assert_eq!(timers.next_ms(), Some(120));
        assert_eq!(all(&mut timers, 119), []);
        assert_eq!(all(&mut timers, 149), [Due::PushPull]);
        let expected = [indirect, Due::Foca(Timer::ProbeRandomMember(1)), Due::Record];
        assert_eq!(all(&mut timers, 150), expected);
    }

    #[test]
    fn one_of_a_kind() {
        let mut timers = Timers::default();
        let who = Identity::new(NodeName::new("a").unwrap(), 1, "10.0.0.1:1".parse().unwrap()).unwrap();
        timers.set(0, 5, Due::Foca(Timer::RemoveDown(who.clone())));
        timers.set(0, 9, Due::Foca(Timer::RemoveDown(who.renewed().unwrap())));
        timers.set(0, 7, Due::Join);
        timers.set(0, 3, Due::Join);
        let expected = [Due::Join, Due::Foca(Timer::RemoveDown(who.renewed().unwrap()))];
        assert_eq!(all(&mut timers, 100), expected);
    }

    #[test]
    fn time_that_stood_still_does_not_count() {
        let mut timers = Timers::default();
        timers.set(0, 10, Due::Join);
        timers.set(0, 500, Due::Record);
        assert!(!timers.skip_stall(1000, 1000));
        assert!(timers.skip_stall(5000, 1000));
        assert_eq!(all(&mut timers, 5000), [Due::Join]);
        assert_eq!(timers.next_ms(), Some(5490));
        timers.set(5000, 10, Due::PushPull);
        assert_eq!(timers.next_ms(), Some(5010));
    }
}
