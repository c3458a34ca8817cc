//! What foca wants, kept until its call has returned.

use std::time::Duration;

use foca::{Notification, OwnedNotification};

use crate::Identity;

/// A runtime for foca that does nothing yet.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) sends: Vec<(Identity, Vec<u8>)>,
    pub(super) timers: Vec<(u64, foca::Timer<Identity>)>,
    pub(super) notes: Vec<OwnedNotification<Identity>>,
}

impl foca::Runtime<Identity> for Outbox {
    fn notify(&mut self, notification: Notification<'_, Identity>) {
        self.notes.push(notification.to_owned());
    }

    fn send_to(&mut self, to: Identity, data: &[u8]) {
        self.sends.push((to, data.to_vec()));
    }

    fn submit_after(&mut self, event: foca::Timer<Identity>, after: Duration) {
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        self.timers.push((after_ms, event));
    }
}
