//! The senders' processes that are known. It is bounded, and forgetting opens no door: what is forgotten raises a
//! floor, below which an unknown session's datagrams are refused.

use std::collections::BTreeMap;

use ring::aead::LessSafeKey;

use super::window::Window;
use super::{Key, SealedHeader, Session};

/// Most processes that are remembered. Only who has the key can fill it.
const SESSIONS_MAX: usize = 4096;

/// One sender's process.
pub(crate) struct Known {
    key_id: [u8; 4],
    pub(crate) key: LessSafeKey,
    pub(crate) window: Window,
    /// Latest time that one of its datagrams bore.
    pub(crate) latest_ms: u64,
}

/// All that are known.
#[derive(Default)]
pub(crate) struct Sessions {
    known: BTreeMap<Session, Known>,
    floor_ms: u64,
}

impl Sessions {
    pub(crate) fn get(&mut self, session: &Session, key_id: &[u8; 4]) -> Option<&mut Known> {
        // A sender that changes keys goes on counting, under another key: a new entry takes the old one's place.
        self.known.get_mut(session).filter(|known| known.key_id == *key_id)
    }

    /// Whether a sender's datagram was seen, whichever key sealed it.
    pub(crate) fn seen(&self, session: &Session, counter: u64) -> bool {
        self.known.get(session).is_some_and(|known| known.window.seen(counter))
    }

    /// Every forgotten datagram bore this time or an earlier one.
    pub(crate) fn floor_ms(&self) -> u64 {
        self.floor_ms
    }

    /// Remembers the sender of a datagram that was opened, and forgets who sent nothing since `oldest_ms`.
    pub(crate) fn insert(&mut self, first: &SealedHeader, key: LessSafeKey, oldest_ms: u64) {
        let mut floor = self.floor_ms;
        self.known.retain(|_, known| {
            let stays = known.latest_ms >= oldest_ms;
            if !stays {
                floor = floor.max(known.latest_ms);
            }
            stays
        });
        while self.known.len() >= SESSIONS_MAX {
            let Some(stalest) = self.known.iter().min_by_key(|(_, known)| known.latest_ms) else { break };
            floor = floor.max(stalest.1.latest_ms);
            let session = *stalest.0;
            self.known.remove(&session);
        }
        self.floor_ms = floor;
        // A sender with two keys at once keeps one window: its counters never repeat.
        let mut window = self.known.remove(&first.session).map_or_else(Window::default, |known| known.window);
        window.mark(first.counter);
        let known = Known { key_id: first.key_id, key, window, latest_ms: first.sent_ms };
        self.known.insert(first.session, known);
    }

    /// Forgets who seals with a key that is not accepted any more.
    pub(crate) fn retain_keys(&mut self, keys: &[Key]) {
        self.known.retain(|_, known| keys.iter().any(|key| key.id() == known.key_id));
    }
}
