//! The signal to end: listeners stop accepting, connections finish what is in flight, and after a grace period
//! whatever is left is cut off.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Begins the end.
#[derive(Debug)]
pub struct Trigger(watch::Sender<Option<Instant>>);

/// Waits for the end. Cheap to clone; one for every listener and connection.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<Option<Instant>>);

/// A signal and those who wait for it.
pub fn shutdown() -> (Trigger, Shutdown) {
    let (trigger, waits) = watch::channel(None);
    (Trigger(trigger), Shutdown(waits))
}

impl Trigger {
    /// Begins the end: what is in flight has `grace` to finish. Called again, the earlier end counts.
    pub fn begin(&self, grace: Duration) {
        let end = Instant::now() + grace;
        self.0.send_modify(|over| *over = Some(over.map_or(end, |earlier| earlier.min(end))));
    }
}

impl Shutdown {
    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Returns when it has begun; never, if the trigger was dropped without beginning.
    pub async fn begun(&mut self) {
        if self.0.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns when the grace is over.
    pub async fn over(&mut self) {
        loop {
            let end = match self.0.wait_for(Option::is_some).await {
                Ok(end) => *end,
                Err(_) => None,
            };
            let Some(end) = end else { return std::future::pending().await };
            tokio::select! {
                () = tokio::time::sleep_until(end) => return,
                // The end may have been moved closer.
                Ok(()) = self.0.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_earlier_end_counts() {
        let (trigger, mut shutdown) = shutdown();
        assert!(!shutdown.has_begun());
        let started = Instant::now();
        trigger.begin(Duration::from_secs(60));
        trigger.begin(Duration::from_secs(5));
        trigger.begin(Duration::from_secs(30));
        shutdown.begun().await;
        shutdown.over().await;
        assert_eq!(started.elapsed().as_secs(), 5);
    }
}
