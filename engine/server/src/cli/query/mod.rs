//! `spanloom query`: a running server asked over its query API.
//!
//! What is asked is decided by the query itself, read with the language's own parser: a query for traces is searched
//! for, a query for series is counted. Every form prints the server's JSON unchanged with `--json`.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the flags, and which form they mean |
//! | `search.rs` | traces that a query finds |
//! | `series.rs` | series that a query makes |
//! | `trace.rs` | a trace by id |
//! | `names.rs` | names and values of attributes |
//! | `ring.rs` | `spanloom ring`, which asks a server, too |
//! | `server.rs` | the server that is asked |
//! | `answer.rs` | what it answers, in JSON |
//! | `spans.rs` | a trace that it answers, in protobuf |
//! | `terminal.rs` | where the text goes |
//! | `render/` | answers to text, without IO |

mod answer;
mod names;
mod render;
pub(super) mod ring;
mod search;
mod series;
mod server;
mod spans;
mod terminal;
mod trace;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use spanloom_traceql::ast::Body;

use super::say;
use render::caret;
use server::{Failure, Server, ServerFlags};
use terminal::Terminal;

const EXAMPLES: &str = "Examples:
  spanloom query '{ status = error }'                the newest traces with an error, of 15 minutes
  spanloom query '{ duration > 1s }' --since 6h --spans   with the spans that are so slow
  spanloom query '{ span.user = \"ada\" }' --since 7d --all   every trace, page by page
  spanloom query '{ .items > 9 }' --explain          what was read for it, and what was not
  spanloom query '{ } | rate() by (resource.service.name)'
                                                     a line or a plot for each service, of an hour
  spanloom query '{ } | histogram_over_time(duration)'    a heat map of durations
  spanloom query '{ } | quantile_over_time(duration, .99) by (name)' --instant
  spanloom query '{ } | compare({ status = error })' what failing spans have in common
  spanloom query trace 5b8efff798038103d269b633813fc60c   a trace as a tree with bars
  spanloom query tags --scope resource               names to ask by
  spanloom query values resource.service.name        values to ask for
  spanloom query '{ }' --json --endpoint http://traces.example:3200 | jq .traces";

/// Flags of `query`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, subcommand_negates_reqs = true)]
pub(super) struct QueryFlags {
    /// TraceQL: `{ status = error }` finds traces, `{ } | rate()` makes series
    #[arg(required = true, value_name = "TRACEQL")]
    query: Option<String>,
    #[command(flatten)]
    asked: AskFlags,
    #[command(flatten)]
    server: ServerFlags,
    #[command(subcommand)]
    command: Option<QueryCommand>,
}

#[derive(Debug, Subcommand)]
enum QueryCommand {
    /// A trace by its id, as a tree with bars
    Trace(trace::TraceFlags),
    /// The names of attributes that spans have
    Tags(names::TagsFlags),
    /// The values that an attribute has
    Values(names::ValuesFlags),
}

/// What is asked beside the query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
struct AskFlags {
    /// How far back from the end, or from now: 15m, 6h, 7d [default: 15m for traces, 1h for series]
    #[arg(long, value_name = "DURATION", conflicts_with = "start")]
    since: Option<String>,
    /// From when: seconds since 1970, nanoseconds, or 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// Until when [default: now]
    #[arg(long, value_name = "TIME")]
    end: Option<String>,

    /// Traces: how many, or with --all how many a page [default: 20, with --all 1000]
    #[arg(long, value_name = "N", help_heading = "Traces", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Show the spans that were found in each trace
    #[arg(long, help_heading = "Traces")]
    spans: bool,
    /// With --spans: how many of each spanset; 0 is as many as the server allows [default: 20]
    #[arg(long, value_name = "N", help_heading = "Traces")]
    spss: Option<u64>,
    /// Say how the answer was found: blocks left out and why, rows read, time by step
    #[arg(long, help_heading = "Traces")]
    explain: bool,
    /// Ask page after page until the end, or for a million traces
    #[arg(long, help_heading = "Traces")]
    all: bool,
    /// Go on where an answer ended
    #[arg(long, value_name = "CURSOR", help_heading = "Traces")]
    cursor: Option<String>,

    /// One value a series, over the whole time
    #[arg(long, help_heading = "Series", conflicts_with_all = ["step", "exemplars"])]
    instant: bool,
    /// Time between samples: 30s, 5m [default: about a 240th of the time]
    #[arg(long, value_name = "DURATION", help_heading = "Series")]
    step: Option<String>,
    /// List up to N spans behind the samples, with the ids of their traces
    #[arg(long, value_name = "N", help_heading = "Series")]
    exemplars: Option<u64>,
    /// Most series, groups or values that are shown [default: 20]
    #[arg(long, value_name = "N", help_heading = "Series", value_parser = clap::value_parser!(u32).range(1..))]
    top: Option<u32>,
}

impl AskFlags {
    /// Flags that mean something for traces alone and were given.
    fn for_traces(&self) -> Vec<&'static str> {
        given(&[
            ("--limit", self.limit.is_some()),
            ("--spans", self.spans),
            ("--spss", self.spss.is_some()),
            ("--explain", self.explain),
            ("--all", self.all),
            ("--cursor", self.cursor.is_some()),
        ])
    }

    /// Flags that mean something for series alone and were given.
    fn for_series(&self) -> Vec<&'static str> {
        given(&[
            ("--instant", self.instant),
            ("--step", self.step.is_some()),
            ("--exemplars", self.exemplars.is_some()),
            ("--top", self.top.is_some()),
        ])
    }
}

fn given(flags: &[(&'static str, bool)]) -> Vec<&'static str> {
    flags.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect()
}

pub(super) fn run(flags: QueryFlags) -> ExitCode {
    run_to_end(async |terminal| ask(flags, terminal).await)
}

/// Runs a command that asks a server, and yields the exit code.
fn run_to_end(command: impl AsyncFnOnce(&mut Terminal) -> Result<(), Failure>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return say::failed(format!("the runtime could not be started: {error}")),
    };
    let mut terminal = Terminal::of_stdout();
    match runtime.block_on(command(&mut terminal)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(why)) => say::failed(why),
        Err(Failure::Usage(why)) => {
            say::failed(why);
            ExitCode::from(2)
        }
    }
}

async fn ask(flags: QueryFlags, terminal: &mut Terminal) -> Result<(), Failure> {
    let QueryFlags { query, asked, server, command } = flags;
    let mut to = Server::new(&server)?;
    match (query, command) {
        (None, Some(command)) => {
            if asked != AskFlags::default() {
                let why =
                    "flags of a query stand before the subcommand, expected those of the subcommand after it";
                return Err(Failure::Usage(why.to_owned()));
            }
            match command {
                QueryCommand::Trace(flags) => trace::run(&flags, &mut to, server.json, terminal).await,
                QueryCommand::Tags(flags) => names::tags(&flags, &mut to, server.json, terminal).await,
                QueryCommand::Values(flags) => names::values(&flags, &mut to, server.json, terminal).await,
            }
        }
        (Some(_), Some(_)) => {
            Err(Failure::Usage("both a query and a subcommand are given, expected one of them".to_owned()))
        }
        (Some(query), None) => one_query(&query, &asked, &mut to, server.json, terminal).await,
        (None, None) => Err(Failure::Usage("there is no query, expected TraceQL such as '{ }'".to_owned())),
    }
}

/// A query goes where it belongs: for traces or for series.
async fn one_query(
    query: &str,
    asked: &AskFlags,
    to: &mut Server,
    json: bool,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let wrong = |error| Failure::Usage(caret::wrong_query(&terminal.style, query, &error));
    let refused = |flags: Vec<&str>, of: &str, expected: &str| {
        let flags = flags.join(", ");
        Failure::Usage(format!("found {flags} with a query for {of}, expected {expected}"))
    };
    match spanloom_traceql::read(query).map_err(wrong)?.body {
        Body::Search(_) => match asked.for_series() {
            flags if flags.is_empty() => search::run(query, asked, to, json, terminal).await,
            flags => Err(refused(flags, "traces", "a query for series such as '{ } | rate()'")),
        },
        Body::Metrics(metrics) => match asked.for_traces() {
            flags if flags.is_empty() => series::run(query, &metrics, asked, to, json, terminal).await,
            flags => Err(refused(flags, "series", "a query for traces such as '{ }'")),
        },
    }
}
