//! The log of acknowledged requests: a line for each, written to the file before the next request of that slot
//! is sent, so that whoever kills the server knows what must still be there.
//!
//! A line is `<number> <trace id>:<span id>,<trace id>:<span id>,...` in hexadecimal digits, ended by a newline.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

use spanloom_span::{SpanId, TraceId};

use crate::error::LoadError;
use crate::generator::Request;

/// An open log.
#[derive(Debug)]
pub struct AckLog {
    file: Mutex<File>,
    path: String,
}

/// One acknowledged request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Its number.
    pub number: u64,
    /// Its spans.
    pub spans: Vec<(TraceId, SpanId)>,
}

impl AckLog {
    /// Opens the file, keeping what is in it.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(|e| failed(path, e))?;
        Ok(Self { file: Mutex::new(file), path: path.display().to_string() })
    }

    /// Appends a request's line with one write.
    pub fn append(&self, request: &Request) -> Result<(), LoadError> {
        let mut line = String::with_capacity(24 + request.spans.len() * 50);
        let _ = write!(line, "{} ", request.number);
        for (place, (trace, span)) in request.spans.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let _ = write!(line, "{comma}{trace}:{span}");
        }
        line.push('\n');
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.write_all(line.as_bytes()).map_err(|source| LoadError::File { path: self.path.clone(), source })
    }

    /// Reads a log. A last line without its newline is left out: its writer was killed within it.
    pub fn read(path: &Path) -> Result<Vec<Acknowledged>, LoadError> {
        let text = std::fs::read_to_string(path).map_err(|e| failed(path, e))?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let invalid = |line: &str| {
            let shown: String = line.chars().take(60).collect();
            failed(
                path,
                std::io::Error::other(format!("found the line {shown:?}, expected a number and ids")),
            )
        };
        whole.lines().map(|line| parse(line).ok_or_else(|| invalid(line))).collect()
    }
}

fn failed(path: &Path, source: std::io::Error) -> LoadError {
    LoadError::File { path: path.display().to_string(), source }
}

fn parse(line: &str) -> Option<Acknowledged> {
    let (number, ids) = line.split_once(' ')?;
    let spans = ids
        .split(',')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (trace, span) = pair.split_once(':')?;
            Some((TraceId::parse(trace).ok()?, SpanId::parse(span).ok()?))
        })
        .collect::<Option<_>>()?;
    Some(Acknowledged { number: number.parse().ok()?, spans })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_read_and_a_torn_line_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acks");
        let log = AckLog::open(&path).unwrap();
        let request = |number| Request {
            number,
            spans: vec![(TraceId([number as u8; 16]), SpanId([2; 8])), (TraceId([3; 16]), SpanId([4; 8]))],
            ..Request::default()
        };
        log.append(&request(7)).unwrap();
        log.append(&request(9)).unwrap();
        let read = AckLog::read(&path).unwrap();
        assert_eq!(read.iter().map(|a| a.number).collect::<Vec<_>>(), [7, 9]);
        assert_eq!(read[1].spans, request(9).spans);
        log.file.lock().unwrap().write_all(b"11 0a0b").unwrap();
        assert_eq!(AckLog::read(&path).unwrap(), read);
        log.file.lock().unwrap().write_all(b"zz\n").unwrap();
        assert!(AckLog::read(&path).is_err());
    }
}
