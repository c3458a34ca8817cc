//! When something is tried again: after a pause that doubles, drawn by lot, until tries or time run out.

use std::time::{Duration, Instant};

use rand::RngExt;

use super::config::Limits;

/// One call's tries.
pub(super) struct Retry<'a> {
    limits: &'a Limits,
    since: Instant,
    tries: u32,
}

impl<'a> Retry<'a> {
    pub fn new(limits: &'a Limits) -> Self {
        Self { limits, since: Instant::now(), tries: 1 }
    }

    /// Which try it is, from 1.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// The pause before the next try, or `None` when this was the last.
    pub fn again(&mut self) -> Option<Duration> {
        self.again_after(self.since.elapsed(), rand::rng().random_range(0.5..=1.0))
    }

    fn again_after(&mut self, elapsed: Duration, lot: f64) -> Option<Duration> {
        let doubled = self.limits.first_pause.saturating_mul(2u32.saturating_pow(self.tries - 1));
        let pause = doubled.min(self.limits.longest_pause).mul_f64(lot);
        if self.tries >= self.limits.tries || elapsed.saturating_add(pause) > self.limits.retry_for {
            return None;
        }
        self.tries += 1;
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_tries_and_time_end() {
        let ms = Duration::from_millis;
        let limits = Limits {
            tries: 5,
            retry_for: ms(1000),
            first_pause: ms(10),
            longest_pause: ms(50),
            ..Limits::default()
        };
        let mut retry = Retry::new(&limits);
        let pauses: Vec<_> = std::iter::from_fn(|| retry.again_after(ms(0), 1.0)).collect();
        assert_eq!(pauses, [ms(10), ms(20), ms(40), ms(50)]);
        assert_eq!(retry.tries(), 5);
        assert_eq!(Retry::new(&limits).again_after(ms(0), 0.5), Some(ms(5)));
        assert_eq!(Retry::new(&limits).again_after(ms(990), 1.0), Some(ms(10)));
        assert_eq!(Retry::new(&limits).again_after(ms(991), 1.0), None);
        let once = Limits { tries: 0, ..limits };
        assert_eq!(Retry::new(&once).again_after(ms(0), 1.0), None);
    }
}
