//! The course of events: a hash of all of them, and the last ones in words when somebody watches.

use std::collections::VecDeque;

use spanloom_span::TraceId;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Lines that are kept.
const LINES: usize = 400;

/// What happened so far.
pub struct Course {
    hash: Xxh3,
    /// Events so far.
    pub events: u64,
    watched: Option<TraceId>,
    lines: VecDeque<String>,
}

impl Course {
    /// Nothing yet. With a trace, what concerns it or all is kept in words.
    pub fn new(watched: Option<TraceId>) -> Self {
        Self { hash: Xxh3::new(), events: 0, watched, lines: VecDeque::new() }
    }

    /// An event: its time, its kind, and numbers that say what it was.
    pub fn event(&mut self, at_ms: u64, kind: u8, numbers: [u64; 3]) {
        self.events += 1;
        self.hash.update(&[kind]);
        for number in [at_ms].iter().chain(&numbers) {
            self.hash.update(&number.to_le_bytes());
        }
    }

    /// The same, with bytes.
    pub fn event_with(&mut self, at_ms: u64, kind: u8, numbers: [u64; 2], bytes: &[u8]) {
        self.event(at_ms, kind, [numbers[0], numbers[1], xxh3_64(bytes)]);
    }

    /// Says what happened, if somebody watches.
    pub fn say(&mut self, at_ms: u64, about: Option<&TraceId>, text: impl FnOnce() -> String) {
        let Some(watched) = &self.watched else { return };
        if about.is_some_and(|id| id != watched) {
            return;
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{:>10.3} s  {}", at_ms as f64 / 1000.0, text()));
    }

    /// Whether this trace is watched.
    pub fn watches(&self, id: &TraceId) -> bool {
        self.watched.as_ref() == Some(id)
    }

    /// Names the course: equal for the same events in the same order, and nothing else.
    pub fn hash(&self) -> u64 {
        self.hash.digest()
    }

    /// The last lines.
    pub fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}
