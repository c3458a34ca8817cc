//! The values of one column, until its row group is written, with the levels that say how they nest.
//!
//! Source for levels: S. Melnik and others, "Dremel: Interactive Analysis of Web-Scale Datasets", section 4.1, as
//! Parquet keeps them: <https://parquet.apache.org/docs/file-format/nestedencoding/>.

use bytes::Bytes;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::ColumnDescriptor;

/// Where in its row a value stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct At {
    /// Which of the lists that it lies in goes on with it: 0 for none, which begins a row.
    repetition: i16,
    /// How many lists and optional values are there on the way to it.
    definition: i16,
    /// How many lists it lies in.
    depth: i16,
}

impl At {
    /// An item of a list that stands here.
    pub fn item(self, index: usize) -> Self {
        let depth = self.depth + 1;
        let repetition = if index == 0 { self.repetition } else { depth };
        Self { repetition, definition: self.definition + 1, depth }
    }
}

/// A column's values and levels.
pub struct Leaf {
    values: Values,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    has_definitions: bool,
    has_repetitions: bool,
}

enum Values {
    Text { bytes: Vec<u8>, ends: Vec<usize> },
    Int64(Vec<i64>),
    Int32(Vec<i32>),
}

impl Leaf {
    /// A column as the schema has it.
    pub fn new(column: &ColumnDescriptor) -> Self {
        use parquet::basic::Type;
        let values = match column.physical_type() {
            Type::INT64 => Values::Int64(Vec::new()),
            Type::INT32 => Values::Int32(Vec::new()),
            _ => Values::Text { bytes: Vec::new(), ends: Vec::new() },
        };
        let (definitions, repetitions) = (Vec::new(), Vec::new());
        let has_definitions = column.max_def_level() > 0;
        Self {
            values,
            definitions,
            repetitions,
            has_definitions,
            has_repetitions: column.max_rep_level() > 0,
        }
    }

    /// No value, since a list that stands here is empty.
    pub fn nothing(&mut self, at: At) {
        self.level(at.repetition, at.definition);
    }

    /// A string or bytes.
    pub fn text(&mut self, at: At, text: impl AsRef<[u8]>) {
        self.level(at.repetition, at.definition);
        self.push_text(text.as_ref());
    }

    /// A string or bytes that may be absent.
    pub fn some_text(&mut self, at: At, text: Option<impl AsRef<[u8]>>) {
        self.level(at.repetition, at.definition + i16::from(text.is_some()));
        if let Some(text) = text {
            self.push_text(text.as_ref());
        }
    }

    /// An integer without sign; the schema says that it has none.
    pub fn uint(&mut self, at: At, value: impl Into<u64>) {
        self.level(at.repetition, at.definition);
        let value = value.into();
        match &mut self.values {
            Values::Int64(values) => values.push(value as i64),
            Values::Int32(values) => values.push(value as u32 as i32),
            Values::Text { .. } => debug_assert!(false, "an integer in a column of text"),
        }
    }

    /// A point in time, absent where 64 bits with a sign do not hold it, after the year 2262.
    pub fn time(&mut self, at: At, nanoseconds: u64) {
        let value = i64::try_from(nanoseconds).ok();
        self.level(at.repetition, at.definition + i16::from(value.is_some()));
        if let (Some(value), Values::Int64(values)) = (value, &mut self.values) {
            values.push(value);
        }
    }

    /// Bytes that it holds, about.
    pub fn bytes(&self) -> usize {
        let values = match &self.values {
            Values::Text { bytes, ends } => bytes.len() + ends.len() * 8,
            Values::Int64(values) => values.len() * 8,
            Values::Int32(values) => values.len() * 4,
        };
        values + (self.definitions.len() + self.repetitions.len()) * 2
    }

    fn level(&mut self, repetition: i16, definition: i16) {
        if self.has_definitions {
            self.definitions.push(definition);
        }
        if self.has_repetitions {
            self.repetitions.push(repetition);
        }
    }

    fn push_text(&mut self, text: &[u8]) {
        match &mut self.values {
            Values::Text { bytes, ends } => {
                bytes.extend_from_slice(text);
                ends.push(bytes.len());
            }
            _ => debug_assert!(false, "text in a column of integers"),
        }
    }

    /// Writes what it holds, and is empty then.
    pub fn write(&mut self, writer: &mut ColumnWriter<'_>) -> Result<()> {
        let definitions = self.has_definitions.then_some(self.definitions.as_slice());
        let repetitions = self.has_repetitions.then_some(self.repetitions.as_slice());
        match (&mut self.values, writer) {
            (Values::Text { bytes, ends }, ColumnWriter::ByteArrayColumnWriter(writer)) => {
                let bytes = Bytes::from(std::mem::take(bytes));
                let starts = std::iter::once(0).chain(ends.iter().copied());
                let texts = starts.zip(ends.iter()).map(|(from, &to)| ByteArray::from(bytes.slice(from..to)));
                let texts: Vec<ByteArray> = texts.collect();
                writer.write_batch(&texts, definitions, repetitions)?;
                ends.clear();
            }
            (Values::Int64(values), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(values, definitions, repetitions)?;
                values.clear();
            }
            (Values::Int32(values), ColumnWriter::Int32ColumnWriter(writer)) => {
                writer.write_batch(values, definitions, repetitions)?;
                values.clear();
            }
            _ => {
                return Err(ParquetError::General("a column is of another type than its schema says".into()));
            }
        }
        self.definitions.clear();
        self.repetitions.clear();
        Ok(())
    }
}
