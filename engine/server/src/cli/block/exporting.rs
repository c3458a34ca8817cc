//! One file written: of one block as it is, or of several that are joined first.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use spanloom_block::{Block, BlockId, KeepAll, MergeOptions, merge};
use spanloom_export::{About, ExportOptions, Exported, Input, export};

use super::aside::{Aside, Scratch, at};
use super::bar::Bar;

/// What goes into a file.
pub(super) struct Source {
    /// What it is called while it is written.
    pub what: String,
    /// Blocks of one tenant, with their names, of which no two have parts of the same trace.
    pub inputs: Vec<Input>,
    /// What the file says of itself.
    pub about: About,
}

/// Where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    File(PathBuf),
    Stdout,
}

/// Writes a file, aside and renamed; yields what is in it, and how many bytes it has where that is known.
pub(super) fn write(
    source: &Source,
    options: &ExportOptions,
    target: &Target,
) -> Result<(Exported, Option<u64>), String> {
    match target {
        Target::Stdout => {
            let sink = BufWriter::new(std::io::stdout());
            let (done, mut sink) = written(source, options, sink)?;
            sink.flush().map_err(|error| format!("the standard output: {error}"))?;
            Ok((done, None))
        }
        Target::File(path) => {
            let failed = |error: std::io::Error| error.to_string();
            let aside = Aside::new(path).map_err(failed)?;
            let sink = BufWriter::new(aside.file().map_err(failed)?);
            let (done, sink) = written(source, options, sink)?;
            let file = sink.into_inner().map_err(|error| at(path, error.error()).to_string())?;
            let bytes = file.metadata().map_err(|error| at(path, &error).to_string())?.len();
            aside.end(&file).map_err(failed)?;
            Ok((done, Some(bytes)))
        }
    }
}

fn written<W: Write + Send>(
    source: &Source,
    options: &ExportOptions,
    sink: W,
) -> Result<(Exported, W), String> {
    let mut bar = Bar::new(source.what.clone(), 0);
    let mut watch = |progress: spanloom_export::Progress| {
        bar.show(progress.spans, progress.of);
        ControlFlow::Continue(())
    };
    let exported = export(&source.inputs, &source.about, options, sink, &mut watch);
    exported.map_err(|error| error.to_string())
}

/// Joins blocks into others, in which every trace is whole and every span is once. They lie in the folder `scratch`
/// without a name.
pub(super) fn joined(blocks: &[(BlockId, Block)], scratch: &Path) -> Result<Vec<Input>, String> {
    let mut bar = Bar::new(format!("joining {} blocks", blocks.len()), 0);
    let mut watch = |progress: spanloom_block::MergeProgress| {
        bar.show(progress.spans, progress.of);
        ControlFlow::Continue(())
    };
    // They are read once and go.
    let options = MergeOptions { zstd_level: Some(1), ..MergeOptions::default() };
    let mut next = |_| {
        let copy = Scratch::new(scratch, "joined")?;
        let file = File::options().write(true).open(copy.path()).map_err(|error| at(copy.path(), &error))?;
        Ok(Output { copy, file: BufWriter::new(file) })
    };
    let report = merge(blocks, &options, &mut KeepAll, &mut watch, &mut next);
    let report = report.map_err(|error| format!("the blocks cannot be joined: {error}"))?;
    let mut inputs = Vec::with_capacity(report.outputs.len());
    for output in report.outputs {
        let name = format!("{} of joined blocks", output.id);
        // It is mapped, and may be unlinked, which letting the scratch go does.
        let block = Block::open(output.sink.copy.path()).map_err(|error| format!("{name}: {error}"))?;
        inputs.push(Input { name, block });
    }
    Ok(inputs)
}

/// A file that a merge writes to.
struct Output {
    copy: Scratch,
    file: BufWriter<File>,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
