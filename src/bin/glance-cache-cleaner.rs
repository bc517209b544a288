//! Takes away bad data and what nobody fetches any more.

use std::process::ExitCode;

fn main() -> ExitCode {
    glance::cli::clean::main(std::env::args_os()).into()
}
