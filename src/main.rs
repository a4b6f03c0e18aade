//! The program: hands its arguments to the command line and returns the exit code.

use std::process::ExitCode;

/// Rows are allocated by the threads that serve and freed by the one that writes: where the system's allocator takes a lock for that,
/// they wait for each other. A thread of its own gives back what is freed, since an idle process asks the allocator for nothing; when it
/// does is set in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    anteroom::cli::run()
}
