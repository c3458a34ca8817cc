//! The actix system and its arbiters: one thread each, on which actors live for good.

use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::thread::JoinHandle;

use actix::prelude::*;
use actix_rt::{Arbiter, ArbiterHandle, SystemRunner};
use parking_lot::Mutex;

use crate::door::Door;

/// Why a stage could not be set.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The system's thread could not be started.
    #[error("the actor system's thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The system ended before it was up.
    #[error("the actor system ended while it started")]
    Ended,
}

/// An actix system on a thread of its own, with a fixed number of arbiters.
///
/// Actors may be started and reached from any thread and runtime.
pub struct Stage {
    system: System,
    arbiters: Vec<ArbiterHandle>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Stage {
    /// Starts a system with so many arbiters.
    pub fn set(arbiters: NonZeroUsize) -> Result<Self, StageError> {
        let (tell, told) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("stage".into()).spawn(move || {
            let runner: SystemRunner = System::new();
            let arbiters: Vec<Arbiter> = (0..arbiters.get()).map(|_| Arbiter::new()).collect();
            let handles = arbiters.iter().map(Arbiter::handle).collect();
            if tell.send((System::current(), handles)).is_err() {
                return;
            }
            if let Err(error) = runner.run() {
                tracing::error!(%error, "the actor system ended with an error");
            }
            for arbiter in arbiters {
                arbiter.stop();
                // An arbiter that panicked has nothing left to wait for.
                let _ = arbiter.join();
            }
        })?;
        let (system, arbiters) = told.recv().map_err(|_| StageError::Ended)?;
        Ok(Self { system, arbiters, thread: Mutex::new(Some(thread)) })
    }

    /// How many arbiters there are.
    pub fn arbiters(&self) -> usize {
        self.arbiters.len()
    }

    /// Starts an actor on an arbiter (counted around), with a mailbox of so many messages.
    pub fn start<A>(
        &self,
        arbiter: usize,
        mailbox: usize,
        make: impl FnOnce(&mut Context<A>) -> A + Send + 'static,
    ) -> Door<A>
    where
        A: Actor<Context = Context<A>>,
    {
        let handle = &self.arbiters[arbiter % self.arbiters.len()];
        Door::new(A::start_in_arbiter(handle, move |context| {
            context.set_mailbox_capacity(mailbox);
            make(context)
        }))
    }

    /// Ends the system and waits for its threads. Messages still in mailboxes are dropped.
    pub fn strike(&self) {
        self.system.stop();
        if let Some(thread) = self.thread.lock().take() {
            // A panic on the system's thread was logged by the panic hook.
            let _ = thread.join();
        }
    }
}

/// Starts an actor on the arbiter of the calling actor.
///
/// Panics off an arbiter: only actors may call it.
pub fn start_here<A>(mailbox: usize, make: impl FnOnce(&mut Context<A>) -> A) -> Door<A>
where
    A: Actor<Context = Context<A>>,
{
    Door::new(A::create(|context| {
        context.set_mailbox_capacity(mailbox);
        make(context)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::Shut;

    struct Adder(u64);
    impl Actor for Adder {
        type Context = Context<Self>;
    }
    #[derive(Message)]
    #[rtype(result = "()")]
    struct Add(u64, Option<mpsc::Sender<u64>>);
    impl Handler<Add> for Adder {
        type Result = ();
        fn handle(&mut self, add: Add, context: &mut Context<Self>) {
            assert!(add.0 != 13, "thirteen");
            self.0 += add.0;
            if let Some(reply) = add.1 {
                reply.send(self.0).unwrap();
                context.stop();
            }
        }
    }

    #[test]
    fn actors_are_reached_from_outside_and_fail_alone() {
        let stage = Stage::set(NonZeroUsize::new(2).unwrap()).unwrap();
        let good = stage.start(0, 64, |_| Adder(0));
        let bad = stage.start(0, 64, |_| Adder(0));
        assert!(bad.pass(Add(13, None)).is_ok());
        while bad.is_open() {
            std::thread::yield_now();
        }
        assert!(matches!(bad.pass(Add(1, None)), Err(Shut::Closed(_))));
        let (reply, answer) = mpsc::channel();
        for _ in 0..10 {
            good.pass(Add(1, None)).ok().unwrap();
        }
        good.pass(Add(0, Some(reply))).ok().unwrap();
        assert_eq!(answer.recv().unwrap(), 10);
        stage.strike();
    }
}
