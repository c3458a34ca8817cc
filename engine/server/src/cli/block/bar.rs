//! Shows how far an export is: a bar on a terminal, a line every five seconds elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Time between two lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// What is shown.
pub(super) struct Bar {
    bar: Option<ProgressBar>,
    what: String,
    shown: Instant,
}

impl Bar {
    /// Begins to show something that has so many spans.
    pub fn new(what: String, spans: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(spans));
        let style = ProgressStyle::with_template("[{elapsed_precise}] {bar:40} {percent:>3} % {wide_msg}");
        if let (Some(bar), Ok(style)) = (&bar, style) {
            bar.set_style(style);
            bar.set_message(what.clone());
        }
        Self { bar, what, shown: Instant::now() }
    }

    /// Shows that so many spans of so many are done.
    pub fn show(&mut self, spans: u64, of: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(of);
            bar.set_position(spans);
        } else if self.shown.elapsed() >= LINE_EVERY {
            self.shown = Instant::now();
            // Progress that nobody can read is no reason to stop.
            let _ = writeln!(std::io::stderr(), "{}: {spans} of {of} spans", self.what);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
