//! What compaction costs and leaves over a week of blocks that are sealed every ten seconds:
//! `cargo run -p spanloom-bucket --example compaction`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "../tests/week/model.rs"]
mod model;

use spanloom_bucket::catalog::plan::CompactionRules;

fn main() {
    println!(
        "| rules | spans/s | sealed GB | rewritten, times | most, times | jobs | blocks: mean | most | at the end | at rest |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let all: [(&str, CompactionRules); 4] = [
        ("default (8 at a time)", CompactionRules::default()),
        ("4 at a time", CompactionRules { min_inputs: 4, ..CompactionRules::default() }),
        ("16 at a time", CompactionRules { min_inputs: 16, ..CompactionRules::default() }),
        ("windows of one hour", CompactionRules { widen: 1, ..CompactionRules::default() }),
    ];
    for (name, rules) in &all {
        for spans_a_second in [10, 100, 1_000, 10_000, 100_000] {
            let report = model::run(7 * 24, spans_a_second, rules);
            println!(
                "| {name} | {spans_a_second} | {:.1} | {:.2} | {} | {} | {:.0} | {} | {} | {} |",
                report.sealed_bytes as f64 / 1e9,
                report.amplification(),
                report.most_rewrites,
                report.jobs,
                report.mean_blocks,
                report.most_blocks,
                report.blocks,
                report.blocks_at_rest
            );
        }
    }
}
