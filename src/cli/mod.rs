//! What the companion tools do once their arguments are read: everything but `main`.
//!
//! Results go to standard output and talk to standard error, so that a pipe sees only results.

pub mod clean;
pub mod manage;
pub mod oslo;
pub mod prefetch;
pub mod prune;
pub mod schema;

mod completion;
mod console;
mod database;
mod directory;
mod error;
mod job;
mod policy;
mod table;
mod watch;

pub use error::{Error, Result};

use std::process::ExitCode;

/// The command could not be done, wholly or in part.
const FAILURE: u8 = 1;
/// The command line makes no sense.
const USAGE: u8 = 2;

/// What was to be checked could not be.
const UNCHECKED: u8 = 2;

/// How a tool ended, for the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Success,
    Failure,
    Usage,
    /// What was to be checked could not be.
    Unchecked,
}

impl Exit {
    fn worse_of(self, other: Self) -> Self {
        if self == Self::Success { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => ExitCode::SUCCESS,
            Exit::Failure => ExitCode::from(FAILURE),
            Exit::Usage => ExitCode::from(USAGE),
            Exit::Unchecked => ExitCode::from(UNCHECKED),
        }
    }
}
