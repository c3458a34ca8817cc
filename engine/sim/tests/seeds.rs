//! A seed is one course of events, short seeds keep all promises, and a planted bug is found.

use spanloom_sim::{Broken, Bug, Settings, line, run, watched};

#[test]
fn a_seed_gives_one_course_of_events() {
    let hash = |seed| run(&Settings::of(seed, 0.02), |_| {}).hash;
    let (one, again, other) = (hash(3), hash(3), hash(5));
    assert_eq!(one, again);
    assert_ne!(one, other);
}

#[test]
fn promises_are_kept_in_storms() {
    for seed in 1..3 {
        let ended = run(&Settings::of(seed, 0.02), |_| {});
        assert!(ended.violation.is_none(), "{}", line(seed, &ended));
        assert!(ended.figures.acknowledged > 100 && ended.figures.whole > 100, "{}", line(seed, &ended));
    }
}

/// How many seeds it may take to find a planted bug.
const SEEDS: u64 = 12;

#[test]
fn an_acknowledgement_after_one_copy_is_found() {
    let found = (1..=SEEDS).find_map(|seed| {
        let settings = Settings { bug: Bug::OneCopy, ..Settings::of(seed, 0.05) };
        let ended = run(&settings, |_| {});
        ended.violation.is_some().then_some((settings, ended))
    });
    let (settings, ended) = found.expect("a seed that finds it");
    let violation = ended.violation.as_ref().unwrap();
    assert_eq!(violation.broken, Broken::Lost, "{}", line(settings.seed, &ended));
    let lines = watched(&settings, &ended);
    let is_said = |what: &str| lines.iter().any(|line| line.contains(what));
    assert!(is_said("VIOLATION Lost") && is_said("is acknowledged"), "{lines:#?}");
}

#[test]
fn leaves_lose_nothing() {
    for seed in [20, 36, 40] {
        let settings = Settings { leaves: true, ..Settings::of(seed, 0.2) };
        let ended = run(&settings, |_| {});
        assert!(ended.violation.is_none(), "{}", line(seed, &ended));
    }
}
