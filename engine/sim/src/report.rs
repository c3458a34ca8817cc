//! Runs a seed, and says in a line what happened.

use crate::settings::{HOUR_MS, Settings};
use crate::world::{Ended, World};

/// Runs it to the end. `on_time` hears the simulated time now and then.
pub fn run(settings: &Settings, on_time: impl FnMut(u64)) -> Ended {
    World::new(settings.clone(), None).run(on_time)
}

/// Runs it once more and keeps what led to a violation in words: what concerns its trace, or all.
pub fn watched(settings: &Settings, ended: &Ended) -> Vec<String> {
    let Some(violation) = &ended.violation else { return Vec::new() };
    let trace = violation.trace.unwrap_or(spanloom_span::TraceId([0; 16]));
    World::new(settings.clone(), Some(trace)).run(|_| {}).lines
}

/// A line of a run.
pub fn line(seed: u64, ended: &Ended) -> String {
    let Ended { ms, events, hash, figures, violation, .. } = ended;
    let outcome = match violation {
        None => "ok".to_owned(),
        Some(violation) => {
            format!("VIOLATION {:?} at {} ms: {}", violation.broken, violation.at_ms, violation.what)
        }
    };
    format!(
        "seed {seed}: {:.2} h, {events} events, pushes {} acknowledged {} refused, reads {} whole {} partial, \
         {} crashes, {} joins, {} leaves, agreed within {:.1} s, {} spans fetched, all had within {:.1} s, hash {hash:016x}, {outcome}",
        *ms as f64 / HOUR_MS as f64,
        figures.acknowledged,
        figures.refused,
        figures.whole,
        figures.partial,
        figures.crashes,
        figures.joins,
        figures.leaves,
        figures.agreed_ms as f64 / 1000.0,
        figures.mended,
        figures.mended_ms as f64 / 1000.0,
    )
}
