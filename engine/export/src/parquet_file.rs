//! Rows into row groups of a Parquet file.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::Result;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};
use spanloom_span::model::Trace;

use crate::export::{About, ExportOptions};
use crate::row::Rows;
use crate::schema::schema;

/// Which column has the traces' ids, by which rows are sorted.
const TRACE_ID_COLUMN: i32 = 1;

/// A file that is being written.
pub struct ParquetFile<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    rows: Rows,
    group_rows: usize,
    group_bytes: usize,
}

impl<W: Write + Send> ParquetFile<W> {
    /// Begins a file that says of itself where its spans are from.
    pub fn begin(sink: W, about: &About, options: &ExportOptions) -> Result<Self> {
        let schema = schema()?;
        let rows = Rows::new(&SchemaDescriptor::new(schema.clone()), &about.tenant);
        let writer = SerializedFileWriter::new(sink, schema, Arc::new(properties(about.pairs())?))?;
        Ok(Self { writer, rows, group_rows: options.group_rows, group_bytes: options.group_bytes })
    }

    /// Writes a trace's spans, or keeps them for the next row group.
    pub fn push(&mut self, trace: &Trace) -> Result<()> {
        let Self { writer, rows, group_rows, group_bytes } = self;
        rows.push_trace(trace, |rows| {
            let is_full = rows.len() >= *group_rows || rows.bytes() >= *group_bytes;
            if is_full { cut(writer, rows) } else { Ok(()) }
        })
    }

    /// Writes what is left, and the footer.
    pub fn end(mut self) -> Result<W> {
        if self.rows.len() > 0 {
            cut(&mut self.writer, &mut self.rows)?;
        }
        self.writer.into_inner()
    }
}

fn cut<W: Write + Send>(writer: &mut SerializedFileWriter<W>, rows: &mut Rows) -> Result<()> {
    let mut group = writer.next_row_group()?;
    for leaf in rows.leaves() {
        if let Some(mut column) = group.next_column()? {
            leaf.write(column.untyped())?;
            column.close()?;
        }
    }
    group.close()?;
    rows.clear();
    Ok(())
}

fn properties(about: Vec<(String, String)>) -> Result<WriterProperties> {
    let about = about.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
    let sorted = SortingColumn { column_idx: TRACE_ID_COLUMN, descending: false, nulls_first: false };
    let mut properties = WriterProperties::builder()
        .set_created_by(format!("spanloom version {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(about))
        .set_sorting_columns(Some(vec![sorted]))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?));
    // No two are alike, or hardly any: a dictionary would be made for nothing.
    for column in ["span_id", "parent_span_id"] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
    }
    for column in ["start_time", "end_time", "duration_ns", "start_time_unix_nano", "end_time_unix_nano"] {
        properties = properties
            .set_column_dictionary_enabled(ColumnPath::from(column), false)
            .set_column_encoding(ColumnPath::from(column), Encoding::DELTA_BINARY_PACKED);
    }
    Ok(properties.build())
}
