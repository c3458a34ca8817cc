//! Leaves a server alone that has failed: for 1 s, then twice as long after each failure, up to 30 s.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Whether a server is asked. After a pause one call is let through; the others follow when it has succeeded.
#[derive(Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Default)]
struct State {
    /// Counts failures. Calls that began before the last one say nothing new.
    failures: u64,
    /// Zero while the server is well.
    pause: Duration,
    until: Option<Instant>,
}

/// A call that was let through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket(u64);

impl Breaker {
    /// Lets a call through, or says how long none is.
    pub fn enter(&self, now: Instant) -> Result<Ticket, Duration> {
        let mut state = self.0.lock();
        if let Some(until) = state.until {
            if now < until {
                return Err(until - now);
            }
            // The others wait for this call. It may be cancelled, and then the next pause lets another through.
            state.until = Some(now + state.pause);
        }
        Ok(Ticket(state.failures))
    }

    /// The call failed. Yields the pause if it is a new one.
    pub fn failed(&self, ticket: Ticket, now: Instant) -> Option<Duration> {
        let mut state = self.0.lock();
        if ticket.0 != state.failures {
            return None;
        }
        state.failures += 1;
        state.pause = (state.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        state.until = Some(now + state.pause);
        Some(state.pause)
    }

    /// The call succeeded. Yields whether that ended the pauses.
    pub fn succeeded(&self, ticket: Ticket) -> bool {
        let mut state = self.0.lock();
        let ends = ticket.0 == state.failures && state.until.is_some();
        if ends {
            state.pause = Duration::ZERO;
            state.until = None;
        }
        ends
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_end_with_a_success() {
        let (breaker, mut now) = (Breaker::default(), Instant::now());
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            let ticket = breaker.enter(now).unwrap();
            assert_eq!(breaker.failed(ticket, now), Some(s(pause)));
            assert_eq!(breaker.enter(now).unwrap_err(), s(pause));
            assert_eq!(breaker.enter(now + s(pause) - s(1)).unwrap_err(), s(1));
            now += s(pause);
        }
        let ticket = breaker.enter(now).unwrap();
        assert!(breaker.succeeded(ticket));
        let ticket = breaker.enter(now).unwrap();
        assert!(!breaker.succeeded(ticket));
        assert_eq!(breaker.failed(ticket, now), Some(s(1)));
    }

    #[test]
    fn calls_that_fail_together_are_one_failure() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        let tickets = [0; 3].map(|_| breaker.enter(now).unwrap());
        assert_eq!(tickets.map(|ticket| breaker.failed(ticket, now)), [Some(s(1)), None, None]);
        assert!(!breaker.succeeded(tickets[0]), "it began before the failure");
        assert_eq!(breaker.enter(now).unwrap_err(), s(1));
    }

    #[test]
    fn after_a_pause_one_call_is_let_through_and_another_if_nothing_came_of_it() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        breaker.failed(breaker.enter(now).unwrap(), now);
        let after = now + s(1);
        breaker.enter(after).unwrap();
        assert_eq!(breaker.enter(after).unwrap_err(), s(1));
        breaker.enter(after + s(1)).unwrap();
    }
}
