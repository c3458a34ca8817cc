//! `spanloom block redact`: traces or spans deleted from all blocks, while no engine runs.

use std::fmt::Write;
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use spanloom_api::{RedactRequest, RedactWhat, Redacted};
use spanloom_span::{Tenant, TraceId};

use super::{ServeFlags, say};
use crate::config::Config;
use crate::engine::Engine;

const EXAMPLES: &str = "Examples:
  spanloom block redact --trace 4bf92f3577b34da6a3ce929d0e0e4736 --dry-run
  spanloom block redact --config spanloom.yaml --tenant team-a --traces-from ids.txt --yes
  spanloom block redact --query '{ span.user.email = `someone@example.org` }'
  spanloom block redact --query '{ span.card.number != nil }' --spans    these spans alone

A running engine does the same on POST /api/redact, if redaction.http is set. docs/REDACTION.md says what is deleted, when
its bytes are gone, and what is written to audit.log.";

/// What is to be deleted.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group(ArgGroup::new("what").required(true).multiple(true)))]
pub(super) struct RedactFlags {
    /// Configuration file (YAML); keys are in docs/CONFIG.md.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory [key: data_dir] [default: ./spanloom-data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Whose spans they are.
    #[arg(long, value_name = "NAME", default_value_t = Tenant::default().to_string())]
    tenant: String,
    /// A trace that is to go, by its id; may be given several times.
    #[arg(long, value_name = "ID", group = "what", conflicts_with_all = ["query", "spans"])]
    trace: Vec<String>,
    /// A file with ids of traces that are to go, one a line; `-` is standard input.
    #[arg(long, value_name = "FILE", group = "what", conflicts_with_all = ["query", "spans"])]
    traces_from: Option<PathBuf>,
    /// TraceQL: the traces in which it matches are to go, whole.
    #[arg(long, value_name = "TRACEQL", group = "what")]
    query: Option<String>,
    /// Only the spans that the query matches are to go.
    #[arg(long, requires = "query")]
    spans: bool,
    /// Only say what would go.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before it is done.
    #[arg(long)]
    yes: bool,
}

impl RedactFlags {
    fn config(&self) -> Result<Config, String> {
        let (config, data_dir) = (self.config.clone(), self.data_dir.clone());
        let flags = ServeFlags { config, data_dir, ..ServeFlags::default() };
        let config = flags.config().map_err(|error| error.to_string())?;
        // A wrong path must not become a new, empty data directory.
        match Path::new(&config.data_dir).is_dir() {
            true => Ok(config),
            false => Err(format!("there is no data directory {}", config.data_dir)),
        }
    }

    fn what(&self) -> Result<RedactWhat, String> {
        if let Some(query) = &self.query {
            return Ok(RedactWhat::Query { query: query.clone(), spans: self.spans });
        }
        let mut traces = Vec::new();
        for id in &self.trace {
            traces.push(parse(id)?);
        }
        if let Some(path) = &self.traces_from {
            let text = read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let at = |error| format!("{}, line {}: {error}", path.display(), number + 1);
                traces.push(parse(line.trim()).map_err(at)?);
            }
        }
        Ok(RedactWhat::Traces(traces))
    }
}

fn parse(id: &str) -> Result<TraceId, String> {
    TraceId::parse(id).map_err(|error| format!("the trace id {id:?} is wrong: {error}"))
}

fn read(path: &Path) -> io::Result<String> {
    match path == Path::new("-") {
        true => io::read_to_string(io::stdin()),
        false => std::fs::read_to_string(path),
    }
}

/// Deletes.
pub(super) fn redact(flags: RedactFlags) -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(tracing::Level::WARN).init();
    match run(&flags) {
        Ok(text) => say::out(&text),
        Err(error) => say::failed(error),
    }
}

fn run(flags: &RedactFlags) -> Result<String, String> {
    let config = flags.config()?;
    let what = flags.what()?;
    let tenant = Tenant::new(&flags.tenant).map_err(|error| format!("--tenant is wrong: {error}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime could not be started: {error}"))?;
    let from = format!("spanloom block redact, uid {}", rustix::process::getuid().as_raw());
    let request = RedactRequest { tenant, what, dry_run: true, from };
    runtime.block_on(async {
        // It takes the data directory, and brings back what the log has.
        let engine = Engine::builder().config(config).start().await.map_err(|error| error.to_string())?;
        let done = told(&engine, request, flags).await;
        let stopped = engine.stop().await;
        let text = done?;
        stopped.map(|()| text)
    })
}

/// Says what would go, asks, and does it.
async fn told(engine: &Engine, mut request: RedactRequest, flags: &RedactFlags) -> Result<String, String> {
    if flags.dry_run || !flags.yes {
        let would = engine.redact(request.clone()).await.map_err(|error| error.to_string())?;
        if flags.dry_run || would.blocks == 0 {
            return Ok(show(&would));
        }
        say::out(&show(&would));
        if !confirmed()? {
            return Ok("nothing was deleted\n".into());
        }
    }
    request.dry_run = false;
    engine.redact(request).await.map(|done| show(&done)).map_err(|error| error.to_string())
}

fn confirmed() -> Result<bool, String> {
    if !io::stdin().is_terminal() {
        return Err("nothing was deleted: nobody can be asked here, expected --yes or --dry-run".into());
    }
    say::out("delete them for good? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| error.to_string())?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

// Writing to a string cannot fail, so what `writeln!` yields is let go.
fn show(done: &Redacted) -> String {
    let mut out = String::new();
    let verb = if done.dry_run { "would be" } else { "were" };
    for block in &done.rewritten {
        let _ = writeln!(
            out,
            "block {}: {} spans of {} traces, {} are left",
            block.block, block.spans, block.traces, block.left
        );
    }
    let unlisted = done.blocks.saturating_sub(done.rewritten.len() as u64);
    if unlisted > 0 {
        let _ = writeln!(out, "and {unlisted} blocks more");
    }
    let _ = writeln!(
        out,
        "{} spans of {} traces {verb} deleted from {} blocks of {} bytes; of {} of them nothing is left",
        done.spans, done.traces, done.blocks, done.bytes, done.emptied
    );
    if done.deleted_after_seconds > 0 {
        let _ = writeln!(
            out,
            "the store keeps the objects of those blocks for {} s more, where nobody reads them",
            done.deleted_after_seconds
        );
    }
    out
}
