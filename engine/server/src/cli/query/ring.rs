//! `spanloom ring`: the nodes of a cluster and what they own, and one that is dead forgotten.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use spanloom_api::ClusterPage;

use super::render::ring as render;
use super::server::{Failure, JSON, Path, Server, ServerFlags, parsed};
use super::terminal::Terminal;

const EXAMPLES: &str = "Examples:
  spanloom ring                                 every node: state, status, tokens, what it owns
  spanloom ring --endpoint http://traces.example:3200
  spanloom ring --json | jq '.members[] | select(.status == \"down\") | .name'
  spanloom ring forget ingest-2                 remove a node that is dead and will not come back";

/// Flags of `ring`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct RingFlags {
    #[command(flatten)]
    server: ServerFlags,
    #[command(subcommand)]
    command: Option<RingCommand>,
}

#[derive(Debug, Subcommand)]
enum RingCommand {
    /// Remove a node that is down for good: others own what it owned. It may come back later as a new one
    Forget {
        /// Its name
        #[arg(value_name = "NODE")]
        node: String,
    },
}

pub(in crate::cli) fn run(flags: RingFlags) -> ExitCode {
    super::run_to_end(async |terminal| ask(flags, terminal).await)
}

async fn ask(flags: RingFlags, terminal: &mut Terminal) -> Result<(), Failure> {
    let mut to = Server::new(&flags.server)?;
    match flags.command {
        Some(RingCommand::Forget { node }) => {
            let answer = to.post(&Path::new("/ring/forget").with("node", &node), JSON).await?;
            terminal.say(&String::from_utf8_lossy(&answer.body))?;
        }
        None => {
            let answer = to.get(&Path::new("/ring").with("format", "json"), JSON).await?;
            match flags.server.json {
                true => terminal.say_json(&answer.body)?,
                false => {
                    terminal.say(&render::table(&terminal.style, &parsed::<ClusterPage>(&answer.body)?))?
                }
            };
        }
    }
    terminal.show().map(|_| ())
}
