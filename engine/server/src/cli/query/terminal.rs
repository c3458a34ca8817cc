//! Where the text goes: how wide it is, whether it shows colour, and whether anybody still reads.

use std::io::{ErrorKind, IsTerminal, Write};

use bytes::Bytes;

use super::render::Style;
use super::server::Failure;

/// Standard output.
pub(super) struct Terminal {
    out: Box<dyn Write>,
    /// How to write for it.
    pub style: Style,
    /// Whether the reader has gone, as `| head` does.
    closed: bool,
}

impl Terminal {
    /// Standard output as it is: a terminal has its own width, and colour unless `NO_COLOR` is set
    /// (<https://no-color.org>) or it is dumb.
    pub fn of_stdout() -> Self {
        let stdout = std::io::stdout();
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let style = match stdout.is_terminal() {
            false => Style::PIPED,
            true => {
                let size = rustix::termios::tcgetwinsize(&stdout).ok();
                let columns = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
                Style::new(columns.unwrap_or(Style::PIPED.width), !set("NO_COLOR") && !dumb)
            }
        };
        let out: Box<dyn Write> = Box::new(std::io::BufWriter::new(stdout.lock()));
        Self { out, style, closed: false }
    }

    /// Writes; says whether anybody still reads.
    pub fn say(&mut self, text: &str) -> Result<bool, Failure> {
        self.write(text.as_bytes())
    }

    /// An answer as it came, with the end of its line.
    pub fn say_json(&mut self, body: &Bytes) -> Result<bool, Failure> {
        self.write(body)?;
        self.write(b"\n")
    }

    /// Makes what was written so far visible.
    pub fn show(&mut self) -> Result<bool, Failure> {
        let flushed = self.out.flush();
        self.went(flushed)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        if self.closed {
            return Ok(false);
        }
        let written = self.out.write_all(bytes);
        self.went(written)
    }

    fn went(&mut self, outcome: std::io::Result<()>) -> Result<bool, Failure> {
        match outcome {
            Ok(()) => Ok(!self.closed),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(false)
            }
            Err(error) => Err(Failure::Failed(format!("the answer cannot be written: {error}"))),
        }
    }
}
