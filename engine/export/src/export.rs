//! What is asked of an export, and its course: trace by trace.

use std::fmt;
use std::io::Write;
use std::ops::{ControlFlow, Range};
use std::str::FromStr;

use spanloom_block::{Block, BlockError};
use spanloom_span::Tenant;
use spanloom_span::model::Trace;

use crate::error::ExportError;
use crate::json_lines::JsonLines;
use crate::parquet_file::ParquetFile;
use crate::schema::SCHEMA_VERSION;

/// Spans between two reports to who watches.
const WATCH_SPANS: u64 = 4096;

/// Spans after which the pages of a block that were read are given back.
const RELEASE_SPANS: u64 = 1 << 18;

/// Of what kind the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Parquet, a row for each span.
    Parquet,
    /// OTLP JSON, a trace on each line.
    OtlpJson,
}

impl Format {
    /// How a file's name ends.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::OtlpJson => "jsonl",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parquet => "parquet",
            Self::OtlpJson => "otlp-json",
        })
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Parquet, Self::OtlpJson].into_iter().find(|format| format.to_string() == text);
        known.ok_or_else(|| format!("the format is {text:?}, expected parquet or otlp-json"))
    }
}

/// What is exported.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// Into which kind of file.
    pub format: Format,
    /// Traces that have a part in this range of time, whole; nanoseconds since 1970. A trace goes from its first start
    /// to its last end.
    pub times: Range<u64>,
    /// Most memory for a trace, about.
    pub max_trace_bytes: u64,
    /// Most rows of a row group. Readers give each of their threads a row group, and hold about one.
    pub group_rows: usize,
    /// A row group is ended with the span by which its values take so many bytes before they are encoded.
    pub group_bytes: usize,
}

impl ExportOptions {
    /// Every trace, into a kind of file.
    pub fn all(format: Format) -> Self {
        Self {
            format,
            times: 0..u64::MAX,
            max_trace_bytes: spanloom_block::MAX_TRACE_BYTES,
            group_rows: 1 << 16,
            group_bytes: 48 << 20,
        }
    }

    /// Whether a trace of these times is exported.
    fn takes(&self, start: u64, duration: u64) -> bool {
        let end = start.saturating_add(duration);
        let is_open = self.times.end == u64::MAX;
        (start < self.times.end || is_open) && end >= self.times.start
    }
}

/// What a file says of where its spans are from.
#[derive(Debug, Clone)]
pub struct About {
    /// Whose they are.
    pub tenant: Tenant,
    /// The names of the blocks that they were in.
    pub blocks: Vec<String>,
}

impl About {
    /// As keys with values.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let pairs = [
            ("spanloom.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("spanloom.schema", SCHEMA_VERSION.to_string()),
            ("spanloom.tenant", self.tenant.to_string()),
            ("spanloom.blocks", self.blocks.join(",")),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value)).into()
    }
}

/// A block that is exported.
#[derive(Debug, Clone)]
pub struct Input {
    /// What errors call it.
    pub name: String,
    /// The block.
    pub block: Block,
}

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Spans that were looked at.
    pub spans: u64,
    /// Spans of all blocks.
    pub of: u64,
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// Traces.
    pub traces: u64,
    /// Spans.
    pub spans: u64,
}

/// Writes the traces of blocks, one block after the other, as one file. A trace that several blocks have parts of is
/// written in as many parts, and a span that is in several of them as often; blocks that a merge made have no such.
///
/// `watch` is told how far it is and ends it when it wants to, between two traces.
pub fn export<W: Write + Send>(
    inputs: &[Input],
    about: &About,
    options: &ExportOptions,
    sink: W,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<(Exported, W), ExportError> {
    let mut file = match options.format {
        Format::Parquet => File::Parquet(Box::new(ParquetFile::begin(sink, about, options)?)),
        Format::OtlpJson => File::OtlpJson(JsonLines::begin(sink)),
    };
    let mut done = Exported::default();
    let mut progress = Progress { spans: 0, of: inputs.iter().map(|input| input.block.meta().spans).sum() };
    let mut told = 0;
    for input in inputs {
        let failed = |source| ExportError::Block { name: input.name.clone(), source };
        let traces = Traces::new(&input.block, options).map_err(failed)?;
        let mut released = progress.spans;
        for place in 0..input.block.meta().traces {
            let (spans, trace) = traces.get(place).map_err(failed)?;
            if let Some(trace) = trace {
                done.traces += 1;
                done.spans += trace.span_count() as u64;
                file.push(trace)?;
            }
            progress.spans += spans;
            if progress.spans - released >= RELEASE_SPANS {
                released = progress.spans;
                traces.reader.release_pages();
            }
            if progress.spans - told >= WATCH_SPANS {
                told = progress.spans;
                if watch(progress).is_break() {
                    return Err(ExportError::Cancelled);
                }
            }
        }
    }
    Ok((done, file.end()?))
}

/// The traces of a block.
struct Traces<'a> {
    reader: spanloom_block::BlockReader,
    options: &'a ExportOptions,
}

impl<'a> Traces<'a> {
    fn new(block: &Block, options: &'a ExportOptions) -> Result<Self, BlockError> {
        Ok(Self { reader: block.reader()?, options })
    }

    /// How many spans the trace at a place has, and the trace if it is wanted.
    fn get(&self, place: u64) -> Result<(u64, Option<Trace>), BlockError> {
        let (start, duration) = self.reader.trace_times(place)?;
        let is_wanted = self.options.takes(start, duration);
        let rows = self.reader.trace_rows(place)?;
        let trace = is_wanted.then(|| self.reader.trace_within(place, self.options.max_trace_bytes));
        Ok((rows.end - rows.start, trace.transpose()?))
    }
}

/// The file that is written.
enum File<W: Write + Send> {
    Parquet(Box<ParquetFile<W>>),
    OtlpJson(JsonLines<W>),
}

impl<W: Write + Send> File<W> {
    fn push(&mut self, trace: Trace) -> Result<(), ExportError> {
        match self {
            Self::Parquet(file) => Ok(file.push(&trace)?),
            Self::OtlpJson(file) => Ok(file.push(trace)?),
        }
    }

    fn end(self) -> Result<W, ExportError> {
        match self {
            Self::Parquet(file) => Ok(file.end()?),
            Self::OtlpJson(file) => Ok(file.end()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_taken_that_has_a_part_in_the_range() {
        let check = |times: Range<u64>, start: u64, duration: u64, expected: bool| {
            let options = ExportOptions { times: times.clone(), ..ExportOptions::all(Format::Parquet) };
            assert_eq!(options.takes(start, duration), expected, "{start} for {duration} in {times:?}");
        };
        check(10..20, 0, 9, false);
        check(10..20, 0, 10, true);
        check(10..20, 0, 100, true);
        check(10..20, 19, 0, true);
        check(10..20, 20, 0, false);
        check(0..u64::MAX, u64::MAX, 0, true);
        check(1..u64::MAX, u64::MAX, u64::MAX, true);
    }

    #[test]
    fn formats_are_read_as_they_are_written() {
        for format in [Format::Parquet, Format::OtlpJson] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        let refused = "the format is \"csv\", expected parquet or otlp-json";
        assert_eq!("csv".parse::<Format>(), Err(refused.to_owned()));
    }
}
