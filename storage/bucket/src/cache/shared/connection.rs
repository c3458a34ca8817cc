//! A connection to a server of a shared cache, and what is read from it: lines and values, both bounded.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest line that a server may answer with, in bytes, with its end.
const LONGEST_LINE: usize = 1024;

/// Longest value, in bytes. Ours have 64 KiB and a checksum.
pub(super) const LONGEST_VALUE: usize = 1 << 20;

/// Most bytes that a value makes room for before they come.
const ROOM: usize = 64 << 10;

/// Why a call failed. Texts have no secrets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The server is not there, or does not speak as it should. The connection is of no use any more.
    Broken(String),
    /// The server answered everything, and did not do all of it. The connection may go on.
    Refused(String),
}

impl Problem {
    /// The reason, to be shown.
    pub fn into_text(self) -> String {
        match self {
            Self::Broken(text) | Self::Refused(text) => text,
        }
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// A connection. Whoever gives up in the middle of a call drops it.
pub(super) struct Connection {
    stream: TcpStream,
    /// What came and was not taken yet.
    input: BytesMut,
}

impl Connection {
    pub async fn open(address: &str) -> Result<Self, Problem> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: BytesMut::new() })
    }

    /// Whether the server has said nothing that nobody asked for, nor hung up, as far as is known here.
    pub fn is_quiet(&self) -> bool {
        let read = self.stream.try_read(&mut [0]);
        self.input.is_empty() && read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// A line, without the `\r\n` at its end.
    pub async fn line(&mut self) -> Result<Bytes, Problem> {
        let mut seen = 0;
        loop {
            if let Some(end) = self.input[seen..].iter().position(|&byte| byte == b'\n') {
                let line = self.input.split_to(seen + end + 1).freeze();
                return match line.strip_suffix(b"\r\n") {
                    Some(rest) if line.len() <= LONGEST_LINE => Ok(line.slice(..rest.len())),
                    _ => Err(unexpected("a line of at most 1,024 bytes that ends with \\r\\n", &line)),
                };
            }
            seen = self.input.len();
            if seen >= LONGEST_LINE {
                return Err(unexpected("a line of at most 1,024 bytes", &self.input));
            }
            self.fill(LONGEST_LINE).await?;
        }
    }

    /// A value of a length that the server claims, after which there is `\r\n`.
    pub async fn value(&mut self, len: usize) -> Result<Bytes, Problem> {
        if len > LONGEST_VALUE {
            return Err(Problem::Broken(format!(
                "found a value of {len} bytes, expected at most {LONGEST_VALUE}"
            )));
        }
        let whole = len + b"\r\n".len();
        while self.input.len() < whole {
            self.fill((whole - self.input.len()).min(ROOM)).await?;
        }
        let mut value = self.input.split_to(whole);
        let end = value.split_off(len);
        if end != b"\r\n"[..] {
            return Err(unexpected("\\r\\n after a value", &end));
        }
        Ok(value.freeze())
    }

    async fn fill(&mut self, room: usize) -> Result<(), Problem> {
        self.input.reserve(room);
        match self.stream.read_buf(&mut self.input).await? {
            0 => {
                Err(Problem::Broken("the server closed the connection in the middle of an answer".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// What is said of an answer that makes no sense. It shows the beginning of it.
pub(super) fn unexpected(expected: &str, found: &[u8]) -> Problem {
    let shown = found[..found.len().min(60)].escape_ascii();
    Problem::Broken(format!("found `{shown}`, expected {expected}"))
}

/// A number of decimal digits and nothing else.
pub(super) fn number(digits: &[u8]) -> Option<usize> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}
