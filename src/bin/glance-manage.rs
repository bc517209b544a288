//! Looks after the database.

use std::process::ExitCode;

fn main() -> ExitCode {
    glance::cli::schema::main(std::env::args_os())
}
