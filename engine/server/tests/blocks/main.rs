//! `spanloom block` on blocks of a data directory and of a store: listed, verified, exported.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod made;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use made::{Made, Place};

/// What the program said, and its exit code.
struct Said {
    code: i32,
    out: String,
    err: String,
}

fn spanloom(dir: &Path, words: &str, place: Place) -> Said {
    let binary = std::env::var_os("SPANLOOM_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_spanloom").into());
    let mut command = Command::new(binary);
    command.current_dir(dir).arg("block").args(words.split_whitespace()).args(place.flags());
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    Said { code, out: text(output.stdout), err: text(output.stderr) }
}

/// Runs it and holds what it says to what is expected: an exit code, and parts of its output in their order.
#[track_caller]
fn check(made: &Made, words: &str, place: Place, code: i32, expected: &[&str]) -> Said {
    let said = spanloom(made.dir(), words, place);
    let all = format!("{}{}", said.out, said.err);
    assert_eq!(said.code, code, "block {words} says\n{all}");
    let mut rest = all.as_str();
    for part in expected {
        let at = rest.find(part);
        let at = at.unwrap_or_else(|| panic!("block {words} says\n{all}\nexpected {part:?} there"));
        rest = &rest[at + part.len()..];
    }
    said
}

/// The files of a folder, with their lengths. Nothing may be left aside.
fn files(dir: &Path) -> BTreeMap<String, u64> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let files: BTreeMap<String, u64> = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
        .collect();
    assert!(files.keys().all(|name| !name.starts_with('.')), "left behind: {files:?}");
    files
}

const PLACES: [Place; 2] = [Place::Folder, Place::Store];

#[test]
fn blocks_are_listed_inspected_and_verified() {
    let made = Made::new();
    for place in PLACES {
        let names = made.names(place);
        let said = check(&made, "list", place, 0, &["traces", "tenant"]);
        assert_eq!(said.out.lines().count(), 4, "{}", said.out);
        for (name, block) in names.iter().zip(&made.blocks) {
            let numbers = format!("{:>10} {:>10} {:>12} ", block.traces, block.spans, block.bytes);
            let line = said.out.lines().find(|line| line.ends_with(name.as_str())).unwrap();
            assert!(line.starts_with(&numbers), "{line}, expected {numbers}");
            assert!(line.contains(block.tenant), "{line}");
        }
        check(&made, "list --tenant team-b", place, 0, &["team-b", &names[2]]);
        check(&made, "inspect", place, 0, &[&names[0], "spans", &names[1], &names[2]]);
        let good = names.iter().map(|name| format!("{name}: good: ")).collect::<Vec<_>>();
        let good: Vec<&str> = good.iter().map(String::as_str).collect();
        check(&made, "verify", place, 0, &good);
        let id = made.blocks[1].id.to_string();
        for name in [id.clone(), format!("{id}.block"), format!("team-a/{id}")] {
            let said = check(&made, &format!("verify {name}"), place, 0, &[good[1], "5 traces, 15 spans"]);
            assert_eq!(said.out.lines().count(), 1);
        }
        let absent = "18a5b2c3d4e5f607-00000000000000ff";
        check(&made, &format!("inspect {absent}"), place, 1, &["there is no block", absent, "in"]);
        check(&made, &format!("inspect team-b/{id}"), place, 1, &["there is no block", &id]);
    }
    check(&made, "list --tenant a/b", Place::Folder, 2, &["the tenant's name has '/'"]);
    check(&made, "verify no.block", Place::Folder, 1, &["no.block: cannot be opened: ", "No such file"]);
}

#[test]
fn a_damaged_block_of_a_store_is_found() {
    let made = Made::new();
    made.damage_in_store(1);
    let names = made.names(Place::Store);
    let expected = [
        &format!("{}: good", names[0]),
        &format!("{}: ", names[1]),
        "checksum",
        &format!("{}: good", names[2]),
    ];
    check(&made, "verify", Place::Store, 1, &expected);
    // Of the others a file is made.
    check(&made, "export -o out/", Place::Store, 1, &["02.parquet: 4 traces", "checksum"]);
    assert_eq!(files(&made.dir().join("out")).len(), 2);
    made.remove_from_store(0);
    check(&made, "verify", Place::Store, 1, &[&names[0], "cannot be brought", "there is no such object"]);
}

#[test]
fn each_block_becomes_a_file() {
    let made = Made::new();
    for place in PLACES {
        let folder = format!("out-{place:?}");
        let export = format!("export -o {folder}/");
        let said = check(&made, &export, place, 0, &[]);
        for block in &made.blocks {
            let name = format!("{}.parquet", block.id);
            let bytes = std::fs::read(made.dir().join(&folder).join(&name)).unwrap();
            assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{name} is no Parquet");
            let line = format!(
                "{folder}/{name}: {} traces, {} spans, {} bytes\n",
                block.traces,
                block.spans,
                bytes.len()
            );
            assert!(said.out.contains(&line), "{}, expected {line}", said.out);
        }
        assert_eq!(files(&made.dir().join(&folder)).len(), 3);
        let first = format!("{folder}/{}.parquet is there already; --force replaces it", made.blocks[0].id);
        check(&made, &export, place, 1, &[&first]);
        check(&made, &format!("{export} --force"), place, 0, &[&format!("{}.parquet", made.blocks[2].id)]);
        check(
            &made,
            &format!("export -o lines-{place:?}/ --format otlp-json --tenant team-b"),
            place,
            0,
            &[],
        );
        let lines = made.dir().join(format!("lines-{place:?}")).join(format!("{}.jsonl", made.blocks[2].id));
        assert_eq!(std::fs::read_to_string(lines).unwrap().lines().count() as u64, made.blocks[2].traces);
    }
    let twice = format!("export -o twice/ {0} ./{0}", made.names(Place::Folder)[0]);
    check(&made, &twice, Place::Folder, 1, &["would be one file"]);
}

#[test]
fn blocks_become_one_file_with_each_span_once() {
    let made = Made::new();
    for place in PLACES {
        let one = format!("one-{place:?}.parquet");
        let refused = "the blocks are of tenants team-a and team-b, and a file has spans of one";
        check(&made, &format!("export -o {one}"), place, 1, &[refused]);
        // 10 traces of 3 spans in each of two blocks, of which 5 and their spans are in both.
        let traces = format!("{one}: 10 traces, 30 spans, ");
        check(&made, &format!("export -o {one} --tenant team-a"), place, 0, &[&traces]);
        check(&made, &format!("export -o {one} --tenant team-a"), place, 1, &["is there already"]);
        let said = spanloom(made.dir(), "export -o - --format otlp-json --tenant team-a", place);
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        assert_eq!(made::spans(&said.out), made.spans("team-a"));
    }
    files(made.dir());
}

#[test]
fn a_range_of_time_chooses_traces() {
    let made = Made::new();
    // The second block has traces 5 to 9, trace n begins n seconds after the first.
    let second = |n: u64| made::START / 1_000_000_000 + n;
    for place in PLACES {
        let export = |from: u64, to: u64| {
            let words = format!("export -o - --format otlp-json --tenant team-a --since {from} --until {to}");
            let said = spanloom(made.dir(), &words, place);
            assert_eq!(said.code, 0, "{}", said.err);
            made::spans(&said.out).len() / 3
        };
        assert_eq!(export(second(0), second(20)), 10);
        assert_eq!(export(second(7), second(9)), 2);
        assert_eq!(export(second(11), second(20)), 0);
        let within = format!("export -o within-{place:?}/ --since {} --until {}", second(8), second(9));
        check(&made, &within, place, 0, &[": 1 traces, 3 spans"]);
    }
    check(&made, "export -o x --since yesterday", Place::Folder, 2, &["is no time, expected 6h"]);
    check(&made, "export -o x --format csv", Place::Folder, 2, &["expected parquet or otlp-json"]);
    check(&made, "export -o no/such/x.parquet --tenant team-b", Place::Folder, 1, &["No such file"]);
    check(&made, "export -o x --tenant team-c", Place::Folder, 1, &["there are no blocks to export"]);
}
