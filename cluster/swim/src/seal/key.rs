//! The key that a cluster shares, and what is derived from it.

use std::fmt;

use ring::aead::{CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use ring::{digest, hkdf};

use super::Session;
use crate::Error;

/// A shared key of 32 random bytes. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    secret: [u8; 32],
    id: [u8; 4],
}

impl Key {
    /// Takes exactly 32 bytes.
    pub fn new(secret: &[u8]) -> Result<Self, Error> {
        let secret: [u8; 32] = secret.try_into().map_err(|_| Error::Key(secret.len()))?;
        let derived = derive(b"spanloom gossip key id", &secret, &[]);
        let id = [derived[0], derived[1], derived[2], derived[3]];
        Ok(Self { secret, id })
    }

    /// The key of a text that people agreed on: as hard to guess as the text is.
    pub fn of_text(text: &str) -> Self {
        let secret = derive_from(b"spanloom gossip text", text.as_bytes(), &[]);
        let derived = derive(b"spanloom gossip key id", &secret, &[]);
        Self { secret, id: [derived[0], derived[1], derived[2], derived[3]] }
    }

    /// Tells keys apart without telling anything of them.
    pub(crate) fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The key with which one process seals, in one cluster.
    pub(crate) fn for_session(&self, session: &Session, label: &str) -> LessSafeKey {
        let derived = derive(session, &self.secret, &[b"spanloom gossip 1", label.as_bytes()]);
        sealing(&derived)
    }
}

#[expect(clippy::expect_used, reason = "the length is the algorithm's")]
fn sealing(derived: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, derived).expect("32 bytes are a key"))
}

fn derive(salt: &[u8], secret: &[u8; 32], info: &[&[u8]]) -> [u8; 32] {
    derive_from(salt, secret, info)
}

/// HKDF-SHA256, RFC 5869.
#[expect(clippy::expect_used, reason = "32 bytes are less than the 8160 that HKDF-SHA256 can give")]
fn derive_from(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> [u8; 32] {
    let pseudo_random = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let mut out = [0; 32];
    let expanded = pseudo_random.expand(info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut out));
    expanded.expect("32 bytes can be derived");
    out
}

/// The first bytes of SHA-256 of a cluster's label.
pub(crate) fn label_hash(label: &str) -> [u8; 4] {
    let whole = digest::digest(&digest::SHA256, label.as_bytes());
    let mut out = [0; 4];
    out.copy_from_slice(&whole.as_ref()[..4]);
    out
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:02x}{:02x}{:02x}{:02x})", self.id[0], self.id[1], self.id[2], self.id[3])
    }
}
