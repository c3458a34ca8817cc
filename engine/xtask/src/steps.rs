//! The table of steps that `cargo xtask test` runs, in order, and the runner.
//!
//! Everything is built once, in the `test` profile: the steps that need the binary take the one that the
//! `build` step left in `target/debug`.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::repo::Repo;
use crate::{checks, clients, deploy, export, generated, page, query_clients, sim, stores, tidy};

/// One step.
pub struct Step {
    /// What `--only` and `--skip` call it.
    pub name: &'static str,
    /// What it shows, in a line.
    pub about: &'static str,
    /// Whether `--quick` runs it too.
    pub quick: bool,
    /// Steps that must have passed before.
    pub needs: &'static [&'static str],
    /// Does it.
    pub run: Run,
}

/// All steps, cheap ones first.
const STEPS: &[Step] = &[
    quick("tools", "rustfmt and clippy are there", &[], checks::tools),
    quick("fmt", "the code is formatted", &["tools"], checks::format),
    quick("tidy", "the laws of the house hold", &[], laws),
    quick("clippy", "no lint complains", &["tools"], checks::clippy),
    quick("build", "everything builds, for tests", &[], checks::build),
    quick("unit", "unit and integration tests pass", &["build"], checks::unit),
    quick("sim", "simulated clusters keep their promises", &["build"], sim::step),
    full("doc", "examples in the documentation run", &["build"], checks::doc),
    full("examples", "example programs run", &["build"], checks::examples),
    full("generated", "generated files are fresh", &["build"], generated::check),
    full("stores", "stores of objects keep their promises", &["build"], stores::step),
    full("clients", "real senders are read back", &["build"], clients::step),
    full("query-clients", "readers of Jaeger and Zipkin find it", &["build"], query_clients::step),
    full("export", "DuckDB and pandas read exports", &["build"], export::step),
    full("page", "the web page is what its sources build, and works in a browser", &["build"], page::step),
    full("deploy", "deployments to copy are sound", &["build"], deploy::step),
];

type Run = fn(&Repo) -> Result<Outcome, String>;

/// A step that `--quick` runs, too.
const fn quick(name: &'static str, about: &'static str, needs: &'static [&'static str], run: Run) -> Step {
    Step { name, about, quick: true, needs, run }
}

/// A step that takes too long for `--quick`.
const fn full(name: &'static str, about: &'static str, needs: &'static [&'static str], run: Run) -> Step {
    Step { name, about, quick: false, needs, run }
}

/// What a step found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran; a step that is one check counts as one.
    Ran {
        /// Checks that passed.
        passed: usize,
        /// Checks that failed.
        failed: usize,
    },
    /// There was nothing to run it on, and why.
    Skipped(String),
}

impl Outcome {
    /// One check that passed.
    pub const PASSED: Self = Self::Ran { passed: 1, failed: 0 };

    /// What a script found, which writes into a file how many checks passed and how many failed.
    pub fn counted(ran: Result<(), String>, result: &Path) -> Result<Self, String> {
        let counts = std::fs::read_to_string(result).unwrap_or_default();
        match counts.split_whitespace().map(str::parse).collect::<Result<Vec<usize>, _>>().as_deref() {
            Ok([passed, failed]) if ran.is_ok() || *failed > 0 => {
                Ok(Self::Ran { passed: *passed, failed: *failed })
            }
            _ => Err(ran.err().unwrap_or_else(|| "the script did not say what passed".to_owned())),
        }
    }

    /// Whether nothing failed.
    pub fn is_good(&self) -> bool {
        !matches!(self, Self::Ran { failed: 1.., .. })
    }
}

impl From<bool> for Outcome {
    fn from(passed: bool) -> Self {
        Self::Ran { passed: usize::from(passed), failed: usize::from(!passed) }
    }
}

fn laws(repo: &Repo) -> Result<Outcome, String> {
    tidy::report(repo).map(Outcome::from)
}

/// Which steps are wanted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted<'a> {
    quick: bool,
    list: bool,
    only: Vec<&'a str>,
    skip: Vec<&'a str>,
}

impl<'a> Wanted<'a> {
    fn parse(words: &[&'a str]) -> Result<Self, String> {
        let mut wanted = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut step =
                || words.next().ok_or_else(|| format!("{word} names no step, expected one of {}", names()));
            match *word {
                "--quick" => wanted.quick = true,
                "--list" => wanted.list = true,
                "--only" => wanted.only.push(step()?),
                "--skip" => wanted.skip.push(step()?),
                other => {
                    return Err(format!(
                        "unknown option `{other}`, expected --quick, --only, --skip or --list"
                    ));
                }
            }
        }
        for name in wanted.only.iter().chain(&wanted.skip) {
            if find(name).is_none() {
                return Err(format!("no step `{name}`, expected one of {}", names()));
            }
        }
        Ok(wanted)
    }

    /// Whether a step is to run: asked for by name, needed by one that is, or by default.
    fn includes(&self, step: &Step) -> bool {
        if self.skip.contains(&step.name) {
            return false;
        }
        if self.only.is_empty() {
            return step.quick || !self.quick;
        }
        self.only.iter().any(|name| *name == step.name || needs(name, step.name))
    }
}

fn find(name: &str) -> Option<&'static Step> {
    STEPS.iter().find(|step| step.name == name)
}

fn names() -> String {
    STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(", ")
}

/// Whether a step needs another, directly or through a third.
fn needs(name: &str, other: &str) -> bool {
    find(name).is_some_and(|step| step.needs.iter().any(|need| *need == other || needs(need, other)))
}

/// Runs the steps that the words ask for, and prints what came of them.
pub fn run(repo: &Repo, words: &[&str]) -> Result<bool, String> {
    let wanted = Wanted::parse(words)?;
    if wanted.list {
        for step in STEPS {
            println!("{:<10} {}", step.name, step.about);
        }
        return Ok(true);
    }
    let mut done: Vec<(&Step, Outcome, Duration)> = Vec::new();
    for step in STEPS.iter().filter(|step| wanted.includes(step)) {
        println!("\n== {}: {}", step.name, step.about);
        let start = Instant::now();
        let blocked =
            step.needs.iter().find(|need| done.iter().any(|(d, o, _)| d.name == **need && !o.is_good()));
        let outcome = match blocked {
            Some(need) => Err(format!("step {need} failed")),
            None => (step.run)(repo),
        };
        let outcome = outcome.unwrap_or_else(|problem| {
            println!("{problem}");
            Outcome::from(false)
        });
        done.push((step, outcome, start.elapsed()));
    }
    Ok(print_summary(&done))
}

/// The last line stands alone, for whoever reads the output by machine.
fn print_summary(done: &[(&Step, Outcome, Duration)]) -> bool {
    println!();
    let (mut all_passed, mut all_failed) = (0, 0);
    for (step, outcome, took) in done {
        let text = match outcome {
            Outcome::Ran { passed, failed } => {
                all_passed += passed;
                all_failed += failed;
                format!("{:>8}", if *failed == 0 { "ok" } else { "FAILED" })
            }
            Outcome::Skipped(why) => format!("{:>8} ({why})", "skipped"),
        };
        println!("{:<10} {:>7.1} s {text}", step.name, took.as_secs_f64());
    }
    println!("\n{all_passed} passed, {all_failed} failed");
    all_failed == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], expected: &[&str]) {
        let wanted = Wanted::parse(words).unwrap();
        let got: Vec<&str> =
            STEPS.iter().filter(|step| wanted.includes(step)).map(|step| step.name).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn steps_are_chosen() {
        check(&["--only", "tidy"], &["tidy"]);
        check(&["--only", "clients"], &["build", "clients"]);
        check(&["--only", "clients", "--skip", "build"], &["clients"]);
        check(&["--quick", "--skip", "unit"], &["tools", "fmt", "tidy", "clippy", "build", "sim"]);
        assert_eq!(STEPS.iter().filter(|step| Wanted::default().includes(step)).count(), STEPS.len());
    }

    #[test]
    fn unknown_words_are_refused() {
        for words in [&["--only", "nothing"][..], &["--skip"], &["--fast"]] {
            assert!(Wanted::parse(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn every_need_comes_before() {
        for (at, step) in STEPS.iter().enumerate() {
            for need in step.needs {
                assert!(STEPS[..at].iter().any(|before| before.name == *need), "{} needs {need}", step.name);
            }
        }
    }
}
