//! Fuzz targets and their seed corpora.
//!
//! A target is built as cargo-fuzz builds it (coverage counters for libFuzzer, address sanitizer, assertions on),
//! but needs neither cargo-fuzz nor a nightly toolchain: `RUSTC_BOOTSTRAP` unlocks the sanitizer flag. What must
//! hold is written in the crates' own tests, which run every seed in `engine/fuzz/corpus`.

use crate::repo::Repo;

/// Flags of cargo-fuzz 0.13, and overflow checks through the profile of `engine/fuzz/Cargo.toml`.
const RUSTFLAGS: [&str; 9] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
    "-Zsanitizer=address",
    "--cfg=fuzzing",
];

/// `cargo xtask fuzz TARGET [--seconds N]`; `all` runs every target.
pub fn command(repo: &Repo, words: &[&str]) -> Result<bool, String> {
    let (target, seconds) = match *words {
        [target] => (target, 60),
        [target, "--seconds", seconds] => {
            let parsed = seconds.parse::<u32>();
            (target, parsed.map_err(|_| format!("`{seconds}`, expected a number of seconds"))?)
        }
        _ => return Err("expected a target and perhaps --seconds N".to_owned()),
    };
    let known = targets(repo)?;
    let wanted: Vec<&String> = known.iter().filter(|name| target == "all" || target == **name).collect();
    if wanted.is_empty() {
        return Err(format!("no fuzz target `{target}`, expected all or one of {}", known.join(", ")));
    }
    let triple = host(repo)?;
    for name in wanted {
        run(repo, &triple, name, seconds)?;
    }
    Ok(true)
}

/// The files of `engine/fuzz/fuzz_targets`.
fn targets(repo: &Repo) -> Result<Vec<String>, String> {
    let dir = repo.root.join("engine/fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&dir).map_err(|e| format!("cannot list {}: {e}", dir.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".rs").map(str::to_owned)).collect();
    names.sort();
    Ok(names)
}

fn host(repo: &Repo) -> Result<String, String> {
    let version = repo.command("rustc").args(["-vV"]).output()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("`rustc -vV` names no host")?.to_owned())
}

/// Builds and runs one target. New inputs go to `target/fuzz`; the seeds stay as they are.
fn run(repo: &Repo, triple: &str, name: &str, seconds: u32) -> Result<(), String> {
    let home = repo.target().join("fuzz");
    repo.cargo()
        .args(["build", "--release", "--locked", "--manifest-path", "engine/fuzz/Cargo.toml"])
        // With a target named, build scripts and macros are built without the flags.
        .args(["--target", triple, "--bin", name])
        .env("CARGO_TARGET_DIR", &home)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", RUSTFLAGS.join(" "))
        .run()?;
    let (found, crashes) = (home.join("corpus").join(name), home.join("crashes").join(name));
    for dir in [&found, &crashes] {
        std::fs::create_dir_all(dir).map_err(|e| format!("cannot create {}: {e}", dir.display()))?;
    }
    repo.command(home.join(triple).join("release").join(name))
        .args([found, repo.root.join("engine/fuzz/corpus").join(name)])
        .args([
            format!("-max_total_time={seconds}"),
            "-print_final_stats=1".to_owned(),
            "-timeout=10".to_owned(),
        ])
        .args([format!("-artifact_prefix={}/", crashes.display())])
        .run()
}

/// Writes the generated seeds anew: the crates' seed tests do it when asked to.
pub fn write_seeds(repo: &Repo) -> Result<bool, String> {
    let tests = ["test", "--workspace", "--locked", "--test", "fuzz_seeds"];
    repo.cargo().args(tests).env("SPANLOOM_WRITE_FUZZ_SEEDS", "1").run()?;
    Ok(true)
}
