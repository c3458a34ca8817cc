//! One remote peer for each address.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::DialOptions;
use super::peer::Remote;
use crate::Peer;

/// Makes peers of addresses. Clones share what was made.
#[derive(Clone)]
pub struct Dialer {
    options: Arc<DialOptions>,
    known: Arc<Mutex<HashMap<Box<str>, Weak<Remote>>>>,
}

impl Dialer {
    /// A dialer that has dialled nobody yet.
    pub fn new(options: DialOptions) -> Self {
        Self { options: Arc::new(options), known: Arc::default() }
    }

    /// The node at an address, `host:port`; nothing is dialled before the first question. As long as somebody holds
    /// the peer of an address, the same one is given for it; its connections end when nobody does.
    ///
    /// Questions may be put on any tokio runtime. A connection lives on the one whose question made it; when that
    /// ends, the next question makes another.
    pub fn peer(&self, address: &str) -> Arc<dyn Peer> {
        let mut known = self.known.lock();
        if let Some(remote) = known.get(address).and_then(Weak::upgrade) {
            return remote;
        }
        known.retain(|_, remote| remote.strong_count() > 0);
        let remote = Arc::new(Remote::new(address, self.options.clone()));
        known.insert(address.into(), Arc::downgrade(&remote));
        remote
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("options", &self.options).finish_non_exhaustive()
    }
}
