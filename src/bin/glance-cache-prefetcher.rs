//! Fetches the images that are queued.

use std::process::ExitCode;

fn main() -> ExitCode {
    glance::cli::prefetch::main(std::env::args_os()).into()
}
