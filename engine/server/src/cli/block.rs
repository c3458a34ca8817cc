//! `spanloom block`: the blocks of a data directory or of a store.
//!
//! | file | holds |
//! |---|---|
//! | `which.rs` | which blocks are meant: files, names, a data directory, a store |
//! | `store.rs` | blocks in a store |
//! | `look.rs` | `list`, `inspect`, `verify` |
//! | `export.rs` | `export`: what is asked, and which files are written |
//! | `exporting.rs` | one file written, of one block or of several |
//! | `aside.rs` | files that are written aside first, or only for a while |
//! | `bar.rs` | how far it is |

mod aside;
mod bar;
mod export;
mod exporting;
mod look;
mod store;
mod which;

use std::process::ExitCode;

use clap::Subcommand;

use super::block_jobs::{self, JobFlags};
use super::block_redact::{self, RedactFlags};
pub(super) use store::StoreBlocks;
use which::Which;
pub(super) use which::sorted;

const EXAMPLES: &str = "Examples:
  spanloom block list --data-dir /var/lib/spanloom
  spanloom block inspect spanloom-data/blocks/single-tenant/*.block
  spanloom block verify                       every block of ./spanloom-data
  spanloom block verify --config spanloom.yaml    every block of the store that the configuration names
  spanloom block export -o spans.parquet      every span once, for DuckDB, pandas and others
  spanloom block plan                         which blocks would be joined, which removed";

/// What to do with blocks.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum BlockCommand {
    /// List the blocks: tenant, traces, spans, bytes. Of a store only its lists are read.
    #[command(after_help = look::LIST_EXAMPLES)]
    List(Which),
    /// Show where a block's bytes are: each column with encoding, rows, distinct values, bytes a span.
    #[command(after_help = look::INSPECT_EXAMPLES)]
    Inspect(Which),
    /// Check every checksum, archive, reference and trace; exit code 1 when something is wrong.
    #[command(after_help = look::VERIFY_EXAMPLES)]
    Verify(Which),
    /// Write blocks as Parquet or as OTLP JSON, for other programs; docs/EXPORT.md has the columns.
    Export(export::ExportFlags),
    /// Say which blocks would be joined and which removed, by the rules. Changes nothing; the engine may be running.
    Plan(JobFlags),
    /// Join and remove blocks by the rules until there is nothing to do. The engine must not be running.
    Compact(JobFlags),
    /// Delete traces or spans from all blocks. The engine must not be running.
    Redact(Box<RedactFlags>),
}

pub(super) fn run(command: BlockCommand) -> ExitCode {
    match command {
        BlockCommand::List(which) => look::list(which),
        BlockCommand::Inspect(which) => look::inspect(which),
        BlockCommand::Verify(which) => look::verify(which),
        BlockCommand::Export(flags) => export::run(flags),
        BlockCommand::Plan(flags) => block_jobs::plan(flags),
        BlockCommand::Compact(flags) => block_jobs::compact(flags),
        BlockCommand::Redact(flags) => block_redact::redact(*flags),
    }
}
