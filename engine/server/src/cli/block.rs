//! `spanloom block`: the blocks of a data directory.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use spanloom_block::Block;

use super::block_jobs::{self, JobFlags};
use super::block_redact::{self, RedactFlags};
use super::say;

const EXAMPLES: &str = "Examples:
  spanloom block list --data-dir /var/lib/spanloom
  spanloom block inspect spanloom-data/blocks/single-tenant/*.block
  spanloom block verify                       every block of ./spanloom-data
  spanloom block plan                         which blocks would be joined, which removed";

/// What to do with blocks.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum BlockCommand {
    /// List the blocks: tenant, traces, spans, bytes, times.
    List(Which),
    /// Show where a block's bytes are: each column with encoding, rows, distinct values, bytes a span.
    Inspect(Which),
    /// Check every checksum, archive, reference and trace; exit code 1 when something is wrong.
    Verify(Which),
    /// Say which blocks would be joined and which removed, by the rules. Changes nothing; the engine may be running.
    Plan(JobFlags),
    /// Join and remove blocks by the rules until there is nothing to do. The engine must not be running.
    Compact(JobFlags),
    /// Delete traces or spans from all blocks. The engine must not be running.
    Redact(Box<RedactFlags>),
}

/// Which blocks.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Which {
    /// Block files; none means all of the data directory.
    files: Vec<PathBuf>,
    /// The data directory.
    #[arg(long, value_name = "DIR", default_value = "./spanloom-data")]
    data_dir: PathBuf,
}

impl Which {
    fn files(&self) -> std::io::Result<Vec<PathBuf>> {
        if !self.files.is_empty() {
            return Ok(self.files.clone());
        }
        let root = self.data_dir.join(spanloom_bucket::FOLDER);
        let mut files = Vec::new();
        for tenant in sorted(&root)? {
            if tenant.is_dir() {
                files.extend(
                    sorted(&tenant)?.into_iter().filter(|f| f.extension().is_some_and(|e| e == "block")),
                );
            }
        }
        Ok(files)
    }
}

pub(super) fn sorted(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let at = |error: std::io::Error| std::io::Error::new(error.kind(), format!("{}: {error}", dir.display()));
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(dir).map_err(at)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    Ok(entries)
}

/// Writes what there is to say of one block; says whether it is good.
type Each = fn(&Path, &Block, &mut String) -> bool;

pub(super) fn run(command: BlockCommand) -> ExitCode {
    let is_list = matches!(command, BlockCommand::List(_));
    let (which, each): (Which, Each) = match command {
        BlockCommand::List(which) => (which, list),
        BlockCommand::Inspect(which) => (which, inspect),
        BlockCommand::Verify(which) => (which, verify),
        BlockCommand::Plan(flags) => return block_jobs::plan(flags),
        BlockCommand::Compact(flags) => return block_jobs::compact(flags),
        BlockCommand::Redact(flags) => return block_redact::redact(*flags),
    };
    let files = match which.files() {
        Ok(files) => files,
        Err(error) => return say::failed(error),
    };
    let mut good = true;
    if is_list {
        say::out(&format!(
            "{:>10} {:>10} {:>12} {:>7}  {:<20} file\n",
            "traces", "spans", "bytes", "B/span", "tenant"
        ));
    }
    for file in &files {
        let mut out = String::new();
        match Block::open(file) {
            Ok(block) => good &= each(file, &block, &mut out),
            Err(error) => {
                good = false;
                out = format!("{}: cannot be opened: {error}\n", file.display());
            }
        }
        say::out(&out);
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

// Writing to a string cannot fail, so what `writeln!` yields is let go in all three.

fn list(file: &Path, block: &Block, out: &mut String) -> bool {
    let meta = block.meta();
    let each = meta.file_bytes as f64 / meta.spans.max(1) as f64;
    let _ = writeln!(
        out,
        "{:>10} {:>10} {:>12} {each:>7.1}  {:<20} {}",
        meta.traces,
        meta.spans,
        meta.file_bytes,
        meta.tenant.as_str(),
        file.display()
    );
    true
}

fn inspect(file: &Path, block: &Block, out: &mut String) -> bool {
    match block.inspect() {
        Ok(inspection) => {
            let _ = writeln!(out, "{}\n{inspection}", file.display());
            true
        }
        Err(error) => {
            let _ = writeln!(out, "{}: {error}", file.display());
            false
        }
    }
}

fn verify(file: &Path, block: &Block, out: &mut String) -> bool {
    match block.verify() {
        Ok(report) => {
            let _ = writeln!(
                out,
                "{}: good: {} sections, {} traces, {} spans, {} values read",
                file.display(),
                report.sections,
                report.traces,
                report.spans,
                report.values
            );
            true
        }
        Err(error) => {
            let _ = writeln!(out, "{}: {error}", file.display());
            false
        }
    }
}
