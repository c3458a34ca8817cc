//! Shows how far a load is: a bar on a terminal, a line every five seconds elsewhere.

use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::report::grouped;

/// Time between two lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Progress {
    /// A bar when the standard error output is a terminal, lines otherwise.
    #[default]
    Auto,
    /// A bar.
    Bar,
    /// A line every five seconds on the standard error output.
    Lines,
    /// Not at all.
    Silent,
}

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// How much is done, from 0 to 1.
    pub share: f64,
    /// Spans acknowledged.
    pub acknowledged: u64,
    /// Spans refused or failed.
    pub lost: u64,
    /// Times that a request was refused for now.
    pub pushed_back: u64,
}

/// The display of a running load.
pub struct Display {
    bar: Option<ProgressBar>,
    lines: bool,
    shown: Instant,
    before: (Instant, u64),
}

impl Display {
    /// Begins to show.
    pub fn new(progress: Progress) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = match progress {
            Progress::Bar => true,
            Progress::Auto => terminal,
            Progress::Lines | Progress::Silent => false,
        };
        let lines = progress == Progress::Lines || (progress == Progress::Auto && !terminal);
        let now = Instant::now();
        Self { bar: bar.then(new_bar), lines, shown: now, before: (now, 0) }
    }

    /// Shows the present state.
    pub fn show(&mut self, seen: &Seen) {
        let now = Instant::now();
        if let Some(bar) = &self.bar {
            bar.set_position((seen.share * 1000.0) as u64);
            bar.set_message(self.text(now, seen));
            self.before = (now, seen.acknowledged);
        } else if self.lines && now - self.shown >= LINE_EVERY {
            let line = format!("{:3.0} % {}\n", seen.share * 100.0, self.text(now, seen));
            // Progress that nobody can read is no reason to stop.
            let _ = std::io::stderr().write_all(line.as_bytes());
            (self.shown, self.before) = (now, (now, seen.acknowledged));
        }
    }

    /// Says what comes next.
    pub fn say(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
        } else if self.lines {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn text(&self, now: Instant, seen: &Seen) -> String {
        let seconds = (now - self.before.0).as_secs_f64().max(0.001);
        let rate = (seen.acknowledged - self.before.1.min(seen.acknowledged)) as f64 / seconds;
        format!(
            "{} spans acknowledged, {} spans/s, {} lost, {} pushed back",
            grouped(seen.acknowledged),
            grouped(rate as u64),
            grouped(seen.lost),
            grouped(seen.pushed_back)
        )
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::new(1000);
    if let Ok(style) = ProgressStyle::with_template("[{elapsed_precise}] {bar:40} {percent:>3} % {wide_msg}")
    {
        bar.set_style(style);
    }
    bar
}
