//! Looks after the images that a node has cached.

use std::process::ExitCode;

fn main() -> ExitCode {
    glance::cli::manage::main(std::env::args_os()).into()
}
