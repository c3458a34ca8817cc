//! What the members say of themselves, as far as it is known here.
//!
//! foca owns the one who receives broadcasts and gives no way to ask it, so both hold the same store. Nobody waits
//! for the lock: one thread drives a node.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::announcement::{Announcement, Rank};
use crate::frame::LoadReport;
use crate::{Error, Identity, NodeName};

/// The store.
pub(crate) struct Records {
    me: NodeName,
    /// Most names.
    max: usize,
    known: BTreeMap<NodeName, Announcement>,
    /// The newest that others hold of this node, and whether it is news.
    mine: Option<Announcement>,
    mine_is_new: bool,
    loads: BTreeMap<NodeName, (u64, LoadReport)>,
    /// Whose record changed since this was last taken.
    changed: Vec<NodeName>,
    /// Records that could not be read since this was last taken.
    unreadable: u64,
}

impl Records {
    /// The newest that a node said.
    pub(crate) fn of(&self, name: &NodeName) -> Option<&Announcement> {
        self.known.get(name)
    }

    /// All, and the loads with their generations.
    pub(crate) fn all(&self) -> impl ExactSizeIterator<Item = &Announcement> {
        self.known.values()
    }

    pub(crate) fn loads(&self) -> impl ExactSizeIterator<Item = (&NodeName, u64, &LoadReport)> {
        self.loads.iter().map(|(name, (generation, report))| (name, *generation, report))
    }

    /// The load of one life of a node.
    pub(crate) fn load_of(&self, who: &Identity) -> Option<&LoadReport> {
        let (generation, report) = self.loads.get(who.name())?;
        (*generation == who.generation()).then_some(report)
    }

    /// Takes what is newer than what is known; whether it was.
    pub(crate) fn offer(&mut self, mut offered: Announcement) -> bool {
        if offered.name == self.me {
            self.offer_mine(offered);
            return false;
        }
        let known = self.known.get(&offered.name);
        let newer = known.is_none_or(|known| offered.rank() > known.rank());
        let room = known.is_some() || self.known.len() < self.max;
        if !newer || !room {
            return false;
        }
        // Until the new tokens come, those of before are the best guess: they change rarely.
        if let Some(known) = known.filter(|known| !offered.whole && known.generation == offered.generation) {
            Arc::make_mut(&mut offered.record).tokens = known.record.tokens.clone();
        }
        if !self.changed.contains(&offered.name) {
            self.changed.push(offered.name.clone());
        }
        self.known.insert(offered.name.clone(), offered);
        true
    }

    /// Takes what others hold of this node: what it said itself, in this life or before, or what removes it.
    fn offer_mine(&mut self, offered: Announcement) {
        if self.mine.as_ref().is_none_or(|mine| offered.rank() > mine.rank()) {
            self.mine = Some(offered);
            self.mine_is_new = true;
        }
    }

    /// What others hold of this node, as far as known.
    pub(crate) fn mine(&self) -> Option<&Announcement> {
        self.mine.as_ref()
    }

    /// The same if it changed since this was last asked.
    pub(crate) fn take_mine(&mut self) -> Option<Announcement> {
        std::mem::take(&mut self.mine_is_new).then(|| self.mine.clone()).flatten()
    }

    /// Takes a load that is newer than what is known.
    pub(crate) fn offer_load(&mut self, name: &NodeName, generation: u64, report: LoadReport) {
        let rank = (generation, report.sequence);
        let known = self.loads.get(name);
        let newer = known.is_none_or(|(generation, known)| rank > (*generation, known.sequence));
        if *name != self.me && newer && (known.is_some() || self.loads.len() < self.max) {
            self.loads.insert(name.clone(), (generation, report));
        }
    }

    pub(crate) fn take_changed(&mut self) -> Vec<NodeName> {
        std::mem::take(&mut self.changed)
    }

    pub(crate) fn take_unreadable(&mut self) -> u64 {
        std::mem::take(&mut self.unreadable)
    }

    /// Forgets the nodes that are not to be kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(&NodeName) -> bool) {
        self.known.retain(|name, _| keep(name));
        self.loads.retain(|name, _| keep(name));
        self.changed.retain(|name| keep(name));
    }
}

/// The store, for the node and for foca.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Records>>);

impl Shared {
    pub(crate) fn new(me: NodeName, max: usize) -> Self {
        let records = Records {
            me,
            max,
            known: BTreeMap::new(),
            mine: None,
            mine_is_new: false,
            loads: BTreeMap::new(),
            changed: Vec::new(),
            unreadable: 0,
        };
        Self(Arc::new(Mutex::new(records)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Records> {
        // Every change is whole before anything that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which record a broadcast holds.
#[derive(Debug)]
pub(crate) struct RecordKey {
    name: NodeName,
    rank: Rank,
}

impl foca::Invalidates for RecordKey {
    fn invalidates(&self, other: &Self) -> bool {
        self.name == other.name && self.rank >= other.rank
    }
}

impl foca::BroadcastHandler<Identity> for Shared {
    type Key = RecordKey;
    type Error = Error;

    /// A record that is known already goes no further: answering otherwise, foca would send it for ever. One that
    /// cannot be read, as a later version's, is counted, and those behind it are read.
    fn receive_item(&mut self, data: &[u8], sender: Option<&Identity>) -> Result<Option<RecordKey>, Error> {
        let mut records = self.lock();
        let Ok(read) = Announcement::from_bytes(data) else {
            records.unreadable += 1;
            return Ok(None);
        };
        let key = RecordKey { name: read.name.clone(), rank: read.rank() };
        // Without a sender it is our own, to be sent again although it is known.
        let spreads = sender.is_none() || records.offer(read);
        Ok(spreads.then_some(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use foca::{BroadcastHandler, Invalidates};
    use spanloom_ring::{MemberState, Roles, Zone};

    fn announcement(name: &str, generation: u64, version: u64, tokens: &[u32]) -> Announcement {
        let record = Record {
            state: MemberState::Active,
            roles: Roles::INGESTER,
            zone: Zone::none(),
            peer: "h:1".into(),
            api: String::new(),
            tokens: tokens.to_vec(),
        };
        let name = NodeName::new(name).unwrap();
        Announcement { name, generation, version, removed: false, whole: true, record: Arc::new(record) }
    }

    fn sender() -> Identity {
        Identity::new(NodeName::new("s").unwrap(), 1, "10.0.0.1:1".parse().unwrap()).unwrap()
    }

    #[test]
    fn newer_ones_spread_and_known_ones_do_not() {
        let mut shared = Shared::new(NodeName::new("me").unwrap(), 2);
        let mut check = |offered: &Announcement, expected: bool| {
            let key = shared.receive_item(&offered.to_bytes(), Some(&sender())).unwrap();
            assert_eq!(key.is_some(), expected, "{offered:?}");
        };
        check(&announcement("a", 5, 1, &[1]), true);
        check(&announcement("a", 5, 1, &[1]), false);
        check(&announcement("a", 5, 1, &[1]).without_tokens(), false);
        check(&announcement("a", 4, 9, &[1]), false);
        check(&announcement("a", 5, 2, &[1]).without_tokens(), true);
        check(&announcement("a", 5, 2, &[1]), true);
        check(&announcement("a", 6, 1, &[1]), true);
        check(&announcement("me", 9, 9, &[]), false);
        check(&announcement("b", 1, 1, &[]), true);
        check(&announcement("c", 1, 1, &[]), false);
        let own = announcement("me", 1, 1, &[]).to_bytes();
        assert!(shared.receive_item(&own, None).unwrap().is_some());
        assert!(shared.receive_item(&own, None).unwrap().is_some(), "our own is sent again");
        assert!(shared.receive_item(b"\x02later", Some(&sender())).unwrap().is_none());
        let mut records = shared.lock();
        assert_eq!((records.take_unreadable(), records.take_unreadable()), (1, 0));
    }

    #[test]
    fn tokens_of_before_stay_until_the_new_ones_come() {
        let shared = Shared::new(NodeName::new("me").unwrap(), 9);
        let mut records = shared.lock();
        assert!(records.offer(announcement("a", 5, 1, &[1, 2])));
        assert!(records.offer(announcement("a", 5, 2, &[3]).without_tokens()));
        let name = NodeName::new("a").unwrap();
        let known = records.of(&name).unwrap();
        assert_eq!((&known.record.tokens[..], known.whole), (&[1, 2][..], false));
        assert!(records.offer(announcement("a", 6, 1, &[9]).without_tokens()));
        assert!(records.of(&name).unwrap().record.tokens.is_empty(), "another life has other tokens");
        assert_eq!(records.take_changed(), [name]);
    }

    #[test]
    fn keys_replace_what_is_not_newer() {
        let key = |version| RecordKey { name: NodeName::new("a").unwrap(), rank: (1, version, false, true) };
        assert!(key(2).invalidates(&key(1)) && key(1).invalidates(&key(1)) && !key(1).invalidates(&key(2)));
    }
}
