//! Runs the benches and prints a line for each figure.
#![allow(clippy::print_stdout)]

use spanloom_benches::ALL;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut spans = 200_000;
    let mut words = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--spans" => spans = args.next().and_then(|n| n.parse().ok()).unwrap_or(spans),
            // Cargo's own flags.
            flag if flag.starts_with("--") => {}
            word => words.push(word.to_owned()),
        }
    }
    for (name, run) in ALL {
        if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
            println!("# {name}");
            run(spans).iter().for_each(|line| println!("{line}"));
        }
    }
}
