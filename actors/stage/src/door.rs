//! Bounded doors to actors.
//!
//! `Addr::do_send` ignores a mailbox's bound and drops silently when the actor is gone, so it is banned; a door
//! hands the message back with the reason.

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};

/// Why a message did not pass; the message comes back.
#[derive(Debug, PartialEq, Eq)]
pub enum Shut<M> {
    /// The mailbox is full: later it may have room.
    Full(M),
    /// The actor is gone.
    Closed(M),
}

/// A cheap handle to an actor: passes messages into its mailbox while there is room.
pub struct Door<A: Actor>(Addr<A>);

impl<A: Actor> Clone for Door<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Actor> Door<A> {
    /// A door to the actor at an address.
    pub fn new(address: Addr<A>) -> Self {
        Self(address)
    }

    /// Passes a message, or hands it back. Never waits.
    pub fn pass<M>(&self, message: M) -> Result<(), Shut<M>>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.0.try_send(message).map_err(|refused| match refused {
            actix::prelude::SendError::Full(message) => Shut::Full(message),
            actix::prelude::SendError::Closed(message) => Shut::Closed(message),
        })
    }

    /// Whether the actor still runs.
    pub fn is_open(&self) -> bool {
        self.0.connected()
    }
}
