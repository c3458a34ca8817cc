//! The seeds of a fuzz target as an ordinary test: those in `engine/fuzz/corpus/<target>/` are what the crate's
//! generator makes (`cargo xtask fuzz-seeds` writes them), and what the target demands holds for each file there,
//! generated or found by fuzzing and kept.
//!
//! Included by the crates' `tests/fuzz_seeds.rs` through `#[path]`: a crate of the lower rooms cannot depend on
//! one of the engine, and there is nothing here but the standard library.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

use std::path::{Path, PathBuf};

/// Set, it makes the tests write the seeds instead of comparing them.
const WRITE: &str = "SPANLOOM_WRITE_FUZZ_SEEDS";

/// Checks a target's seeds. Names of generated seeds begin with `seed-`; other files were found by fuzzing.
#[track_caller]
pub fn check(target: &str, seeds: &[(&str, Vec<u8>)], holds: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engine/fuzz/corpus").join(target);
    if std::env::var_os(WRITE).is_some() {
        write(&dir, seeds);
    }
    let mut generated: Vec<String> = seeds.iter().map(|(name, _)| format!("seed-{name}")).collect();
    generated.sort();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let names = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned());
    let kept: Vec<String> = names.filter(|name| name.starts_with("seed-")).collect();
    assert_eq!(kept, generated, "the seeds of {target}; `cargo xtask fuzz-seeds` writes them anew");
    for (name, bytes) in seeds {
        let found = std::fs::read(dir.join(format!("seed-{name}"))).unwrap();
        assert!(found == *bytes, "seed-{name} of {target} is stale; `cargo xtask fuzz-seeds` writes it anew");
    }
    for file in files {
        println!("{}", file.display()); // shown when what follows panics
        holds(&std::fs::read(&file).unwrap());
    }
}

fn write(dir: &Path, seeds: &[(&str, Vec<u8>)]) {
    std::fs::create_dir_all(dir).unwrap();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("seed-") {
            std::fs::remove_file(path).unwrap();
        }
    }
    for (name, bytes) in seeds {
        std::fs::write(dir.join(format!("seed-{name}")), bytes).unwrap();
    }
}
