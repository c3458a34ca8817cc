//! The envelope of every datagram: which cluster it belongs to and, unless that is switched off, a seal that only
//! holders of the shared key can make or open. `docs/formats/gossip.md`, "Envelope".
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the envelope's bytes, sealing and opening |
//! | `key.rs` | the shared key, and the key of one sender's process that is derived from it |
//! | `window.rs` | which of a sender's datagrams have been seen |
//! | `sessions.rs` | the senders that are known, and what is remembered when one is forgotten |
//!
//! # Why a nonce is never used twice
//! Every process seals with a key of its own, HKDF-SHA256 (RFC 5869) of the shared key with the process's **session**
//! as salt. A session is the start's time and 80 random bits, so two processes that ever hold one shared key would
//! have to start in the same millisecond and draw the same bits. Under a session's key the nonce is a counter of 64
//! bits. (A random salt of 32 bits under the shared key itself would repeat after some 65,000 starts, by the birthday
//! bound, and then give away the key that authenticates.)
//!
//! # What a replay can do
//! A datagram is taken once a session and counter, and only if its time is within `max_skew_ms` of the receiver's
//! clock. Within a process the window and the floor remember for longer than that. A process that restarts has
//! forgotten, so the bound is: for `max_skew_ms` after it was sent, a datagram can be replayed to a receiver that
//! restarted since. Even then SWIM takes only an announcement, whose answer goes to the real sender: everything else
//! names the receiver's generation.

mod key;
mod sessions;
mod window;

use rand::RngExt;
use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

pub use key::Key;
use sessions::Sessions;

use crate::{DropReason, Options, Seal};

/// First bytes of every datagram.
pub(crate) const MAGIC: [u8; 4] = *b"SpGo";
/// Version of the envelope and of what is inside.
pub(crate) const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const SEALED: u8 = 1;
/// Envelope without a seal.
pub(crate) const PLAIN_BYTES: usize = 10;
const HEADER_BYTES: usize = 44;
/// Envelope with a seal: header and tag.
pub(crate) const SEALED_BYTES: usize = HEADER_BYTES + 16;

/// Names one process of a sender: six bytes of its start's time, ten that are random.
pub(crate) type Session = [u8; 16];

/// Puts payloads into envelopes and takes them out.
pub(crate) struct Envelope {
    label: String,
    label_hash: [u8; 4],
    max_packet: usize,
    max_skew_ms: u64,
    /// What this process seals with; `None`: switched off.
    own: Option<Own>,
    keys: Vec<Key>,
    sessions: Sessions,
}

struct Own {
    key_id: [u8; 4],
    session: Session,
    key: LessSafeKey,
    counter: u64,
}

impl Envelope {
    /// For a process that started at `generation_ms`; `rng` must not have given the same to another process.
    pub(crate) fn new(options: &Options, generation_ms: u64, rng: &mut impl RngExt) -> Self {
        let keys = match &options.seal {
            Seal::Off => Vec::new(),
            Seal::Keys(keys) => keys.clone(),
        };
        let mut session = Session::default();
        rng.fill(&mut session[6..]);
        session[..6].copy_from_slice(&generation_ms.to_le_bytes()[..6]);
        let own = keys.first().map(|first| Own {
            key_id: first.id(),
            session,
            key: first.for_session(&session, &options.label),
            counter: 0,
        });
        Self {
            label: options.label.clone(),
            label_hash: key::label_hash(&options.label),
            max_packet: options.max_packet,
            max_skew_ms: options.max_skew_ms,
            own,
            keys,
            sessions: Sessions::default(),
        }
    }

    /// What tells clusters apart.
    pub(crate) fn label_hash(&self) -> [u8; 4] {
        self.label_hash
    }

    /// Takes other keys: the first seals from now on, all open. Senders that are known stay so until they are idle.
    pub(crate) fn set_keys(&mut self, keys: Vec<Key>) {
        if let (Some(own), Some(first)) = (&mut self.own, keys.first()) {
            // Never back to a counter that was used: changing keys keeps counting.
            own.key = first.for_session(&own.session, &self.label);
            own.key_id = first.id();
            self.sessions.retain_keys(&keys);
            self.keys = keys;
        }
    }

    /// The datagram that brings `payload`; `None` if the seal cannot be made, which no payload below 256 GB causes.
    pub(crate) fn seal(&mut self, unix_ms: u64, payload: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(SEALED_BYTES + payload.len());
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.push(if self.own.is_some() { SEALED } else { PLAIN });
        out.extend_from_slice(&self.label_hash);
        let Some(own) = &mut self.own else {
            out.extend_from_slice(payload);
            return Some(out);
        };
        own.counter += 1;
        out.extend_from_slice(&own.key_id);
        out.extend_from_slice(&own.session);
        out.extend_from_slice(&unix_ms.to_le_bytes()[..6]);
        out.extend_from_slice(&own.counter.to_le_bytes());
        debug_assert_eq!(out.len(), HEADER_BYTES);
        let mut body = payload.to_vec();
        let authenticated = Aad::from(&out[..]);
        own.key.seal_in_place_append_tag(nonce(own.counter), authenticated, &mut body).ok()?;
        out.extend_from_slice(&body);
        Some(out)
    }

    /// What a datagram brings, or why it is dropped.
    pub(crate) fn open(&mut self, unix_ms: u64, datagram: &[u8]) -> Result<Vec<u8>, DropReason> {
        if datagram.len() > self.max_packet {
            return Err(DropReason::TooLarge);
        }
        let Some((head, rest)) = datagram.split_first_chunk::<PLAIN_BYTES>() else {
            return Err(DropReason::NotGossip);
        };
        if head[..4] != MAGIC {
            return Err(DropReason::NotGossip);
        }
        if head[4] != VERSION {
            return Err(DropReason::OtherVersion);
        }
        if head[6..] != self.label_hash {
            return Err(DropReason::OtherCluster);
        }
        match (head[5], &self.own) {
            (PLAIN, None) => Ok(rest.to_vec()),
            (PLAIN, Some(_)) => Err(DropReason::Unsealed),
            (SEALED, None) => Err(DropReason::Sealed),
            (SEALED, Some(_)) => self.open_sealed(unix_ms, datagram),
            _ => Err(DropReason::OtherVersion),
        }
    }

    fn open_sealed(&mut self, unix_ms: u64, datagram: &[u8]) -> Result<Vec<u8>, DropReason> {
        let Some((header, body)) = datagram.split_first_chunk::<HEADER_BYTES>() else {
            return Err(DropReason::NotGossip);
        };
        let parts = SealedHeader::read(header);
        if parts.sent_ms < unix_ms.saturating_sub(self.max_skew_ms) {
            return Err(DropReason::TooOld);
        }
        if parts.sent_ms > unix_ms.saturating_add(self.max_skew_ms) {
            return Err(DropReason::FromTheFuture);
        }
        if self.sessions.seen(&parts.session, parts.counter) {
            return Err(DropReason::Replayed);
        }
        let mut body = body.to_vec();
        let length = match self.sessions.get(&parts.session, &parts.key_id) {
            Some(known) => {
                let length = open_in_place(&known.key, parts.counter, header, &mut body)?;
                known.window.mark(parts.counter);
                known.latest_ms = known.latest_ms.max(parts.sent_ms);
                length
            }
            None => self.open_first(unix_ms, &parts, header, &mut body)?,
        };
        body.truncate(length);
        Ok(body)
    }

    /// The first datagram of a sender's process that is seen here.
    fn open_first(
        &mut self,
        unix_ms: u64,
        parts: &SealedHeader,
        header: &[u8],
        body: &mut [u8],
    ) -> Result<usize, DropReason> {
        if parts.sent_ms <= self.sessions.floor_ms() {
            return Err(DropReason::TooOld);
        }
        let key = self.keys.iter().find(|key| key.id() == parts.key_id).ok_or(DropReason::UnknownKey)?;
        let key = key.for_session(&parts.session, &self.label);
        let length = open_in_place(&key, parts.counter, header, body)?;
        let oldest = unix_ms.saturating_sub(self.max_skew_ms);
        self.sessions.insert(parts, key, oldest);
        Ok(length)
    }
}

/// What stands in the header of a sealed datagram after the cluster's label.
struct SealedHeader {
    key_id: [u8; 4],
    session: Session,
    sent_ms: u64,
    counter: u64,
}

impl SealedHeader {
    fn read(header: &[u8; HEADER_BYTES]) -> Self {
        let mut key_id = [0; 4];
        key_id.copy_from_slice(&header[10..14]);
        let mut session = Session::default();
        session.copy_from_slice(&header[14..30]);
        let mut sent = [0; 8];
        sent[..6].copy_from_slice(&header[30..36]);
        let mut counter = [0; 8];
        counter.copy_from_slice(&header[36..44]);
        let (sent_ms, counter) = (u64::from_le_bytes(sent), u64::from_le_bytes(counter));
        Self { key_id, session, sent_ms, counter }
    }
}

fn open_in_place(
    key: &LessSafeKey,
    counter: u64,
    header: &[u8],
    body: &mut [u8],
) -> Result<usize, DropReason> {
    let opened = key.open_in_place(nonce(counter), Aad::from(header), body);
    opened.map(|payload| payload.len()).map_err(|_| DropReason::BrokenSeal)
}

fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests;
