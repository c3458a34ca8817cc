//! Every bench runs, small, so that none rots. Nothing is said about time here.

#[test]
fn every_bench_runs() {
    for (name, run) in spanloom_benches::ALL {
        let lines = run(2_000);
        assert!(!lines.is_empty() && lines.iter().all(|line| line.wall_ns > 0.0), "{name}");
    }
}
