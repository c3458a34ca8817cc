//! The binary `spanloom`.

use std::process::ExitCode;

// Allocations of requests are freed on other threads; measured fastest there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    spanloom_server::cli::main()
}
