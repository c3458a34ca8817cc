//! `spanloom block export`: blocks as files for other programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use spanloom_api::time;
use spanloom_block::{Block, BlockId};
use spanloom_export::{About, ExportOptions, Exported, Format, Input};

use super::super::say;
use super::aside::folder_of;
use super::exporting::{Source, Target, joined, write};
use super::which::{Blocks, Found, Place, Which};

const EXAMPLES: &str = "Examples:
  spanloom block export -o spans.parquet            all of ./spanloom-data, every span once
  spanloom block export -o spans/                   a file for each block, as it is stored
  spanloom block export -o spans/ --config spanloom.yaml --tenant team-a --since 6h
  spanloom block export -o - --format otlp-json ID.block | gzip > traces.jsonl.gz
  duckdb -c \"SELECT service_name, count(*) FROM 'spans.parquet' GROUP BY ALL\"";

/// What is exported, and where to.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct ExportFlags {
    #[command(flatten)]
    which: Which,
    /// A file, for all blocks joined; a folder (it is there, or ends in /), for a file of each block; - is the standard output.
    #[arg(long, short, value_name = "PATH")]
    output: String,
    /// parquet, or otlp-json: a trace on each line.
    #[arg(long, value_name = "FORMAT", default_value = "parquet")]
    format: Format,
    /// Traces that had not ended before: 6h ago, seconds since 1970, nanoseconds, or 2026-01-02T03:04:05Z.
    #[arg(long, value_name = "TIME", value_parser = point)]
    since: Option<u64>,
    /// Traces that started before.
    #[arg(long, value_name = "TIME", value_parser = point)]
    until: Option<u64>,
    /// Replace files that are there already.
    #[arg(long)]
    force: bool,
}

/// A point in time, or a duration before now; nanoseconds since 1970.
fn point(text: &str) -> Result<u64, String> {
    let ago = || time::duration(text).map(|ago| time::now().saturating_sub(ago));
    let expected = "expected 6h, seconds or nanoseconds since 1970, or 2026-01-02T03:04:05Z";
    time::point(text).or_else(ago).ok_or_else(|| format!("{text:?} is no time, {expected}"))
}

impl ExportFlags {
    fn options(&self) -> ExportOptions {
        let times = self.since.unwrap_or(0)..self.until.unwrap_or(u64::MAX);
        ExportOptions { times, ..ExportOptions::all(self.format) }
    }

    /// Whether there is a file for each block.
    fn is_folder(&self) -> bool {
        self.output.ends_with(std::path::is_separator) || Path::new(&self.output).is_dir()
    }

    /// That nothing is replaced which is not to be.
    fn check_absent(&self, path: &Path) -> Result<(), String> {
        if self.force || !path.try_exists().map_err(|error| format!("{}: {error}", path.display()))? {
            return Ok(());
        }
        Err(format!("{} is there already; --force replaces it", path.display()))
    }
}

pub(super) fn run(mut flags: ExportFlags) -> ExitCode {
    let which = std::mem::take(&mut flags.which);
    let done = which.find().and_then(|blocks| match flags.is_folder() {
        true => each(&blocks, &flags),
        false => all(&blocks, &flags).map(|()| ExitCode::SUCCESS),
    });
    done.unwrap_or_else(say::failed)
}

/// A file for each block. One that cannot be read or written is said, and the next is tried.
fn each(blocks: &Blocks, flags: &ExportFlags) -> Result<ExitCode, String> {
    let folder = PathBuf::from(&flags.output);
    let target = |found: &Found| folder.join(file_name(found, flags.format));
    let options = flags.options();
    let wanted: Vec<&Found> = blocks.found.iter().filter(|found| may_have(found, &options)).collect();
    let mut targets = BTreeMap::new();
    for found in &wanted {
        flags.check_absent(&target(found))?;
        if let Some(other) = targets.insert(target(found), &found.name) {
            return Err(format!("{other} and {} would be one file, {}", found.name, target(found).display()));
        }
    }
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut code = ExitCode::SUCCESS;
    for (at, found) in wanted.iter().enumerate() {
        let (path, what) = (target(found), format!("{} ({} of {})", found.name, at + 1, wanted.len()));
        match one(blocks, found, &options, &folder, &path, what) {
            Ok(Some(line)) => {
                say::out(&line);
            }
            Ok(None) => {}
            Err(error) => code = say::failed(error),
        }
    }
    Ok(code)
}

/// One block into a file; `None` when it is another tenant's or has nothing of the range of time.
fn one(
    blocks: &Blocks,
    found: &Found,
    options: &ExportOptions,
    scratch: &Path,
    path: &Path,
    what: String,
) -> Result<Option<String>, String> {
    let opened = blocks.open(found, scratch).map_err(|error| format!("{}: {error}", found.name))?;
    let Some(block) = opened.filter(|block| overlaps(block.meta().min_start, block.meta().max_end, options))
    else {
        return Ok(None);
    };
    let about = About { tenant: block.meta().tenant.clone(), blocks: vec![stem(found)] };
    let source = Source { what, inputs: vec![Input { name: found.name.clone(), block }], about };
    let (done, bytes) = write(&source, options, &Target::File(path.to_owned()))?;
    Ok(Some(line(&path.display().to_string(), done, bytes)))
}

/// All blocks into one file, joined.
fn all(blocks: &Blocks, flags: &ExportFlags) -> Result<(), String> {
    let path = Path::new(&flags.output);
    let (target, scratch) = match flags.output.as_str() {
        "-" => (Target::Stdout, std::env::temp_dir()),
        _ => (Target::File(path.to_owned()), folder_of(path)),
    };
    if target != Target::Stdout {
        flags.check_absent(path)?;
    }
    let mut opened: Vec<(BlockId, Block)> = Vec::new();
    let mut about: Option<About> = None;
    for (at, found) in blocks.found.iter().enumerate() {
        let block = blocks.open(found, &scratch).map_err(|error| format!("{}: {error}", found.name))?;
        let Some(block) = block else { continue };
        let tenant = block.meta().tenant.clone();
        let about = about.get_or_insert_with(|| About { tenant: tenant.clone(), blocks: Vec::new() });
        if about.tenant != tenant {
            let (first, second) = (&about.tenant, tenant);
            return Err(format!(
                "the blocks are of tenants {first} and {second}, and a file has spans of one: \
                 say --tenant, or export into a folder"
            ));
        }
        about.blocks.push(stem(found));
        // Blocks whose names say nothing are as old as they say themselves.
        let unnamed = BlockId { created: block.meta().created, number: at as u64 };
        opened.push((found.id().unwrap_or(unnamed), block));
    }
    let about = about.ok_or("there are no blocks to export")?;
    let inputs = match opened.as_slice() {
        [(_, block)] => vec![Input { name: about.blocks.concat(), block: block.clone() }],
        several => joined(several, &scratch)?,
    };
    drop(opened);
    let source = Source { what: flags.output.clone(), inputs, about };
    let (done, bytes) = write(&source, &flags.options(), &target)?;
    if target != Target::Stdout {
        say::out(&line(&flags.output, done, bytes));
    }
    Ok(())
}

fn line(name: &str, done: Exported, bytes: Option<u64>) -> String {
    let bytes = bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
    format!("{name}: {} traces, {} spans{bytes}\n", done.traces, done.spans)
}

/// Whether the block has something of the range of time, as far as that is known without opening it.
fn may_have(found: &Found, options: &ExportOptions) -> bool {
    match &found.place {
        Place::Store(_, entry) => overlaps(entry.min_start, entry.max_end, options),
        Place::File(..) => true,
    }
}

fn overlaps(min_start: u64, max_end: u64, options: &ExportOptions) -> bool {
    max_end >= options.times.start && (min_start < options.times.end || options.times.end == u64::MAX)
}

/// A block's name without its folder and `.block`.
fn stem(found: &Found) -> String {
    let name = found.name.rsplit(std::path::is_separator).next().unwrap_or_default();
    name.strip_suffix(".block").unwrap_or(name).to_owned()
}

fn file_name(found: &Found, format: Format) -> String {
    format!("{}.{}", stem(found), format.extension())
}
