//! Clusters of 3 to 64 nodes on a simulated network and simulated clocks. Times are virtual: a bound that is asserted
//! is the protocol's, not the machine's.
//!
//! `SWIM_SEEDS=1000 cargo nextest run -p spanloom-swim --test cluster` looks at more seeds; `SWIM_FIRST=17` begins
//! at another one, so `SWIM_SEEDS=1 SWIM_FIRST=17` replays the one that a failure names.

#![allow(clippy::unwrap_used)]

mod chaos;
mod figures;
mod life;
mod names;
mod removal;
mod world;

/// Runs `check` for some seeds, each with its own message.
fn for_seeds(usual: u64, check: impl Fn(u64)) {
    let read = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (count, first) = (read("SWIM_SEEDS").unwrap_or(usual), read("SWIM_FIRST").unwrap_or(1));
    for seed in first..first + count {
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(seed))).is_err();
        assert!(!failed, "replay with SWIM_SEEDS=1 SWIM_FIRST={seed}");
    }
}
