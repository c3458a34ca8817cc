//! What compaction costs and leaves over a week: `cargo run -p spanloom-bucket --example compaction` prints the table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

#[path = "week/model.rs"]
mod model;

use spanloom_bucket::catalog::plan::CompactionRules;

#[test]
fn a_week_leaves_few_blocks_and_rewrites_each_byte_a_few_times() {
    let check = |spans_a_second: u64, amplification: f64, most_rewrites: u32, mean: f64, at_rest: usize| {
        let report = model::run(7 * 24, spans_a_second, &CompactionRules::default());
        println!("{spans_a_second} spans a second: {:.2} times, {report:?}", report.amplification());
        assert_eq!(report.sealed, 7 * 24 * 360);
        assert!(report.amplification() <= amplification, "{} times", report.amplification());
        assert!(report.most_rewrites <= most_rewrites, "{} times", report.most_rewrites);
        assert!(report.mean_blocks <= mean, "{} blocks", report.mean_blocks);
        assert!(report.blocks_at_rest <= at_rest, "{} blocks", report.blocks_at_rest);
        assert!(report.largest_job <= 32);
    };
    check(100, 5.0, 6, 45.0, 35);
    check(10_000, 4.5, 6, 75.0, 95);
    check(100_000, 3.0, 6, 500.0, 950);
}
