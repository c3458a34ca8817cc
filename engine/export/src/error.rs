//! What can go wrong with an export.

use std::io;

use parquet::errors::ParquetError;
use spanloom_block::BlockError;

/// Why an export ended early. Its blocks are unchanged; what was written is no whole file.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A block could not be read. Reading it again gives the same, unless its file could not be read.
    #[error("{name}: {source}")]
    Block {
        /// Which block, as its caller calls it.
        name: String,
        /// What is wrong with it.
        source: BlockError,
    },
    /// The file could not be written.
    #[error("the export could not be written: {0}")]
    Write(#[from] io::Error),
    /// The file could not be written, or not as Parquet.
    #[error("the export could not be written as Parquet: {0}")]
    Parquet(ParquetError),
    /// Whoever watched ended it.
    #[error("the export was ended by its caller")]
    Cancelled,
}

impl From<ParquetError> for ExportError {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                Ok(error) => Self::Write(*error),
                Err(source) => Self::Parquet(ParquetError::External(source)),
            },
            error => Self::Parquet(error),
        }
    }
}
