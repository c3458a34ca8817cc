//! `spanloom-sim`: runs seeds of the simulated cluster, one line each.
#![allow(clippy::print_stdout)] // a command line speaks to its terminal

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use spanloom_sim::{Ended, HOUR_MS, Settings, World, line, run, trace_id, watched};

/// Runs seeds of the simulated cluster.
#[derive(Parser)]
#[command(name = "spanloom-sim")]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 8)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Simulated hours of each.
    #[arg(long, default_value_t = 1.0)]
    hours: f64,
    /// Let nodes leave for good amid trouble as well: finds what `docs/TESTING.md` says is known.
    #[arg(long)]
    leaves: bool,
    /// Run each seed twice and compare.
    #[arg(long)]
    twice: bool,
    /// Print what happened to the trace of this number, in the first seed.
    #[arg(long)]
    watch: Option<usize>,
    /// Print the totals alone, and what went wrong.
    #[arg(long)]
    quiet: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(trace) = args.watch {
        World::new(settings_of(args.seed, &args), Some(trace_id(args.seed, trace)))
            .run(|_| {})
            .lines
            .iter()
            .for_each(|line| println!("{line}"));
        return ExitCode::SUCCESS;
    }
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} simulated minutes, {msg}, {eta} left");
    let minutes = (args.hours * 60.0 * args.seeds as f64) as u64;
    let bar = ProgressBar::new(minutes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    let (begun, mut ms, mut wrong) = (Instant::now(), 0, 0);
    for seed in args.seed..args.seed.saturating_add(args.seeds) {
        bar.set_message(format!("seed {seed}"));
        let settings = settings_of(seed, &args);
        let ended = run(&settings, |now_ms| bar.set_position((ms + now_ms) / 60_000));
        let differs = args.twice && run(&settings, |_| {}).hash != ended.hash;
        ms += ended.ms;
        let is_wrong = ended.violation.is_some() || differs;
        wrong += u64::from(is_wrong);
        if is_wrong || !args.quiet {
            bar.suspend(|| println!("{}", line(seed, &ended)));
        }
        if differs {
            bar.suspend(|| println!("seed {seed} gave another course of events when it was run again"));
        }
        if ended.violation.is_some() {
            bar.suspend(|| tell(&settings, &ended, &args));
        }
    }
    bar.finish_and_clear();
    let (hours, seconds) = (ms as f64 / HOUR_MS as f64, begun.elapsed().as_secs_f64());
    let a_minute = hours / seconds * 60.0;
    println!(
        "{} seeds, {hours:.1} simulated hours in {seconds:.1} s ({a_minute:.0} a minute), {wrong} wrong",
        args.seeds
    );
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn settings_of(seed: u64, args: &Args) -> Settings {
    Settings { leaves: args.leaves, ..Settings::of(seed, args.hours) }
}

/// What led to it, and how to see it again.
fn tell(settings: &Settings, ended: &Ended, args: &Args) {
    for line in watched(settings, ended) {
        println!("    {line}");
    }
    let leaves = if args.leaves { " --leaves" } else { "" };
    println!("    again: cargo xtask sim --seeds 1 --seed {} --hours {}{leaves}", settings.seed, args.hours);
}
