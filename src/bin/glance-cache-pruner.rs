//! Takes the cache back to its limit.

use std::process::ExitCode;

fn main() -> ExitCode {
    glance::cli::prune::main(std::env::args_os()).into()
}
