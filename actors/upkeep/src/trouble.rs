//! What is said of a store that does not do its part: it concerns every round, and is said once a minute for all of
//! them.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use spanloom_bucket::ShipError;
use spanloom_bucket::catalog::CatalogError;
use spanloom_bucket::catalog::steps::{MergeError, StepError};
use spanloom_bucket::objects::StoreError;

use crate::compact::CompactError;

/// How often it is said again while it lasts.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// What was said of the store.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<Option<Said>>);

#[derive(Debug)]
struct Said {
    since: Instant,
    last: Instant,
}

impl Trouble {
    /// Whether it is to be said that the store failed.
    fn is_news(&self, now: Instant) -> bool {
        let mut said = self.0.lock();
        let is_news = said.as_ref().is_none_or(|said| now.duration_since(said.last) >= SAY_AGAIN);
        if is_news {
            let since = said.as_ref().map_or(now, |said| said.since);
            *said = Some(Said { since, last: now });
        }
        is_news
    }

    /// A round failed since the store did not do its part.
    pub fn failed(&self, error: &StoreError, waiting: u64) {
        if !self.is_news(Instant::now()) {
            return;
        }
        match error {
            StoreError::Refused { .. } => tracing::error!(
                %error,
                waiting,
                "the store refuses what is asked; blocks wait here, and it is tried again"
            ),
            _ => tracing::error!(%error, waiting, "the store fails; blocks wait here, and it is tried again"),
        }
    }

    /// The store did its part.
    pub fn ended(&self) {
        if let Some(said) = self.0.lock().take() {
            tracing::info!(after = ?said.since.elapsed(), "the store does what is asked again");
        }
    }
}

/// What the store said, if a round failed by its fault.
pub(crate) trait OfStore {
    fn of_store(&self) -> Option<&StoreError>;
}

impl OfStore for StepError {
    fn of_store(&self) -> Option<&StoreError> {
        match self {
            Self::Catalog(CatalogError::Store(error)) | Self::Merge(MergeError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

impl OfStore for ShipError {
    fn of_store(&self) -> Option<&StoreError> {
        match self {
            Self::Step(error) => error.of_store(),
            Self::Store(error) => Some(error),
            Self::Bucket(_) => None,
        }
    }
}

impl OfStore for CompactError {
    fn of_store(&self) -> Option<&StoreError> {
        match self {
            Self::Ship(error) => error.of_store(),
            Self::Step(error) => error.of_store(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_a_minute_and_anew_after_it_ended() {
        let (trouble, begun) = (Trouble::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        let said: Vec<bool> = [0, 1, 59, 60, 61, 119, 120].map(|s| trouble.is_news(after(s))).into();
        assert_eq!(said, [true, false, false, true, false, false, true]);
        trouble.ended();
        assert!(trouble.is_news(after(121)));
    }
}
