//! A trace by id, as a tree with bars.

use clap::Args;
use spanloom_span::TraceId;

use super::render::tree::TreeLines;
use super::server::{Failure, JSON, PROTOBUF, Path, Server};
use super::spans::Spans;
use super::terminal::Terminal;

const EXAMPLES: &str = "Examples:
  spanloom query trace 5b8efff798038103d269b633813fc60c
  spanloom query trace a1 --attributes              zeros in front may be left out
  spanloom query trace 5b8efff798038103d269b633813fc60c --json | jq '.trace.resourceSpans | length'";

/// Flags of `query trace`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TraceFlags {
    /// The trace's id, hexadecimal
    #[arg(value_name = "ID")]
    id: String,
    /// Print beneath each span its id, start, kind, status, attributes, events and links
    #[arg(long)]
    attributes: bool,
}

/// Asks and prints.
pub(super) async fn run(
    flags: &TraceFlags,
    to: &mut Server,
    json: bool,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let id = TraceId::parse(&flags.id)
        .map_err(|error| Failure::Usage(format!("the trace id is wrong: {error}")))?;
    let path = Path::new("/api/v2/traces").step(&id.to_string());
    if json {
        let answer = to.get(&path, JSON).await?;
        terminal.say_json(&answer.body)?;
        return terminal.show().map(|_| ());
    }
    let answer = to.get(&path, PROTOBUF).await?;
    let spans = Spans::read(&answer.body)
        .map_err(|error| Failure::Failed(format!("the server's answer cannot be read: {error}")))?;
    if spans.len() == 0 {
        return Err(Failure::Failed(format!("there is no trace {id}")));
    }
    for lines in TreeLines::new(&terminal.style.clone(), &id.to_string(), &spans, flags.attributes) {
        if !terminal.say(&lines)? {
            break;
        }
    }
    terminal.show().map(|_| ())
}
