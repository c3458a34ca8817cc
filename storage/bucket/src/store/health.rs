//! Whether a store answers, for readiness and for people.

use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

/// What is known of a store's health. Whether it is enough is for the reader to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthState {
    /// When the store last did what was asked, or said that there is no such object.
    pub last_success: Option<SystemTime>,
    /// When a call failed, however often it was tried.
    pub last_failure: Option<SystemTime>,
    /// When the first of the calls failed that have failed since one went well; `None` when the last went well.
    pub failing_since: Option<SystemTime>,
    /// What failed then, without credentials.
    pub last_error: Option<Arc<str>>,
    /// How many calls have failed since one went well.
    pub failures_in_a_row: u64,
}

impl HealthState {
    /// Whether the last call went well, or there was none.
    pub fn is_good(&self) -> bool {
        self.failures_in_a_row == 0
    }
}

#[derive(Debug, Default)]
pub(super) struct Health(Mutex<HealthState>);

impl Health {
    pub(super) fn good(&self) {
        let mut state = self.0.lock();
        state.last_success = Some(SystemTime::now());
        state.failures_in_a_row = 0;
        state.failing_since = None;
    }

    pub(super) fn bad(&self, error: &impl ToString) {
        let mut state = self.0.lock();
        let now = SystemTime::now();
        state.last_failure = Some(now);
        state.failing_since.get_or_insert(now);
        state.last_error = Some(error.to_string().into());
        state.failures_in_a_row += 1;
    }

    pub(super) fn state(&self) -> HealthState {
        self.0.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_remembered_until_one_goes_well() {
        let health = Health::default();
        assert!(health.state().is_good());
        health.bad(&"first");
        health.bad(&"second");
        let state = health.state();
        assert_eq!((state.failures_in_a_row, state.last_error.as_deref()), (2, Some("second")));
        assert!(state.failing_since.is_some() && state.failing_since <= state.last_failure, "{state:?}");
        health.good();
        let state = health.state();
        assert!(
            state.is_good() && state.failing_since.is_none() && state.last_success >= state.last_failure,
            "{state:?}"
        );
        assert_eq!(state.last_error.as_deref(), Some("second"));
    }
}
