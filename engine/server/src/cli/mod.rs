//! The command line.
//!
//! | file | holds |
//! |---|---|
//! | `serve.rs` | `spanloom [serve]`: the engine until it is told to stop |
//! | `walk.rs` | `spanloom walk`: one trace through the stops, timed |
//! | `allocator.rs` | memory given back at once |
//! | `load.rs` | `spanloom load`: the load generator |
//! | `query/` | `spanloom query`, `spanloom ring`: a running server asked |
//! | `block.rs` | `spanloom block`: blocks listed, inspected, verified |
//! | `block_jobs.rs` | `spanloom block plan`, `compact`: what is to be done with them |
//! | `block_redact.rs` | `spanloom block redact`: spans deleted from blocks |
//! | `say.rs` | what is printed |

mod allocator;
mod block;
mod block_jobs;
mod block_redact;
mod load;
mod query;
mod say;
mod serve;
mod walk;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, ConfigError};

const EXAMPLES: &str = "Examples:
  spanloom                                   start with everything on 127.0.0.1, data in ./spanloom-data
  spanloom --data-dir /var/lib/spanloom      keep data elsewhere
  spanloom --config spanloom.yaml            keys are in docs/CONFIG.md
  spanloom --config spanloom.yaml --check-config
  spanloom --port-offset 1000 --data-dir b   a second one on the same host
  spanloom walk                              one trace through the nine stops, timed
  spanloom load --spans 1000000              send a million spans to it and read traces back
  spanloom query '{ status = error }'        the newest traces with an error
  spanloom query '{ } | rate()'              spans a second, as a plot
  spanloom query trace <ID>                  a trace as a tree with bars
  spanloom block list                        what is on disk
  spanloom --node-name b --data-dir b --port-offset 1000 --join 127.0.0.1:7946
                                             a second node of a cluster, on the same host
  spanloom --join peers.local:7946 --target ingester,querier   a node with some of the roles
  spanloom ring                              the nodes of the cluster and what they own";

/// A distributed tracing backend: spans in by OTLP, traces out by the Tempo API.
#[derive(Debug, Parser)]
#[command(name = "spanloom", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeFlags,
    /// Print docs/CONFIG.md and end.
    #[arg(long, hide = true)]
    print_config_docs: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the engine (the default).
    #[command(after_help = EXAMPLES)]
    Serve(ServeFlags),
    /// Send one trace through an engine in this process and print the time at each stop.
    Walk(walk::WalkFlags),
    /// Send generated traces to a running engine, read some back, and compare.
    Load(Box<load::LoadFlags>),
    /// Ask a running engine: traces and series by TraceQL, a trace by id, names and values of attributes.
    Query(Box<query::QueryFlags>),
    /// Ask a running engine for the nodes of its cluster and what they own; forget one that is dead.
    Ring(Box<query::ring::RingFlags>),
    /// Look at the blocks of a data directory; the engine may be running.
    #[command(subcommand)]
    Block(block::BlockCommand),
}

/// Flags of `serve`; each has a key in the configuration, which it overrides.
#[derive(Debug, Clone, Default, Args)]
struct ServeFlags {
    /// Configuration file (YAML); keys are in docs/CONFIG.md.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything is kept [key: data_dir] [default: ./spanloom-data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Address that all ports listen on [key: listen_host] [default: 127.0.0.1].
    #[arg(long, value_name = "ADDRESS")]
    listen_host: Option<String>,
    /// Added to every port, so that several run on one host [key: port_offset].
    #[arg(long, value_name = "N")]
    port_offset: Option<u16>,
    /// Join the cluster of the node that gossips there; several may be given. This node is then one of several
    /// [key: cluster.join].
    #[arg(long, value_name = "HOST:PORT")]
    join: Vec<String>,
    /// What this node does in its cluster: distributor, ingester, querier, compactor, with commas, or all
    /// [key: cluster.roles] [default: all].
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    target: Vec<String>,
    /// This node's name in its cluster [key: cluster.node_name] [default: the one kept in the data directory, or the
    /// host's].
    #[arg(long, value_name = "NAME")]
    node_name: Option<String>,
    /// Read the configuration, say what is wrong with it, and end: with 0 if it is good, with 2 if not.
    #[arg(long)]
    check_config: bool,
}

impl ServeFlags {
    /// The configuration file with the flags over it, checked.
    fn config(&self) -> Result<Config, ConfigError> {
        let mut config = match &self.config {
            Some(path) => config::from_file(path)?,
            None => Config::default(),
        };
        if let Some(dir) = &self.data_dir {
            config.data_dir.clone_from(dir);
        }
        if let Some(host) = &self.listen_host {
            config.listen_host.clone_from(host);
        }
        if let Some(offset) = self.port_offset {
            config.port_offset = offset;
        }
        if !self.join.is_empty() {
            config.cluster.join.clone_from(&self.join);
        }
        if !self.target.is_empty() {
            config.cluster.roles.clone_from(&self.target);
        }
        if let Some(name) = &self.node_name {
            config.cluster.node_name.clone_from(name);
        }
        config.check()?;
        Ok(config)
    }

    /// Flags given before the subcommand count too, those after it first.
    fn or(mut self, outer: Self) -> Self {
        self.config = self.config.or(outer.config);
        self.data_dir = self.data_dir.or(outer.data_dir);
        self.listen_host = self.listen_host.or(outer.listen_host);
        self.port_offset = self.port_offset.or(outer.port_offset);
        for (own, outer) in [(&mut self.join, outer.join), (&mut self.target, outer.target)] {
            if own.is_empty() {
                *own = outer;
            }
        }
        self.node_name = self.node_name.or(outer.node_name);
        self.check_config |= outer.check_config;
        self
    }
}

/// Reads the arguments, does what they say, and yields the exit code: 0 done, 1 failed, 2 wrong usage or a
/// wrong configuration.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.print_config_docs {
        return say::out(&config::page());
    }
    match cli.command {
        None => serve::run(cli.serve),
        Some(Command::Serve(flags)) => serve::run(flags.or(cli.serve)),
        Some(Command::Walk(flags)) => walk::run(flags),
        Some(Command::Load(flags)) => load::run(*flags),
        Some(Command::Query(flags)) => query::run(*flags),
        Some(Command::Ring(flags)) => query::ring::run(*flags),
        Some(Command::Block(command)) => block::run(command),
    }
}
