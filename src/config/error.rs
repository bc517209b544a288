//! Why a configuration is refused, told with the place where it can be mended.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::options;

/// Why glance does not start with what it was given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The line itself is not shown: what is no assignment may still be a secret.
    #[error("{}:{line}: {problem}", path.display())]
    Syntax {
        path: PathBuf,
        line: u32,
        problem: &'static str,
    },
    #[error("{place} = {shown}: must be {must}")]
    Value {
        place: Box<Place>,
        /// The value, or stars where it may hold a secret.
        shown: String,
        must: String,
    },
    #[error(
        "{place}: there is no option {name} to put in for ${name}; \
         write $$ where a dollar sign is meant"
    )]
    Reference { place: Box<Place>, name: String },
    #[error("{place}: the value refers to itself")]
    Circle { place: Box<Place> },
    /// Elsewhere what nobody knows has no effect. Here it would make the rule mean more images than it says.
    #[error("{0} is no option of a rule; those are {names}", names = options::of_a_rule())]
    NoOptionOfRule(Box<Place>),
    #[error("[{section}] {option} is not set: it must be {must}")]
    Missing {
        section: String,
        option: &'static str,
        must: &'static str,
    },
    #[error("{}: {problem}", file.display())]
    Schema { file: PathBuf, problem: String },
    #[error("{}: {problem}", file.display())]
    Pipeline { file: PathBuf, problem: String },
    /// All that is wrong, a line each.
    #[error("{}", lines(.0))]
    Several(Vec<Error>),
    #[error("{0}")]
    Unserved(String),
    #[error("there is no home directory to keep state in: set GLANCE_STATE_DIR to a directory")]
    NoStateDirectory,
}

fn lines(errors: &[Error]) -> String {
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// What is wrong, gathered so that it can be told in one go.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Error>);

impl Error {
    /// Whether both are about the same value: who reads it after it was judged has nothing to add.
    fn is_about(&self, other: &Self) -> bool {
        match (self, other) {
            (Error::Value { place, .. }, Error::Value { place: other, .. }) => {
                place.to_string() == other.to_string()
            }
            _ => false,
        }
    }
}

impl Problems {
    /// The value, or none and its error kept. One that was found before is not kept again.
    pub fn note<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        let errors = match result {
            Ok(value) => return Some(value),
            Err(Error::Several(errors)) => errors,
            Err(error) => vec![error],
        };
        for error in errors {
            let known = self
                .0
                .iter()
                .any(|other| other.is_about(&error) || other.to_string() == error.to_string());
            if !known {
                self.0.push(error);
            }
        }
        None
    }

    /// Nothing, where nothing is wrong.
    pub fn none(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.told())
        }
    }

    /// What is wrong: something is.
    pub fn told(mut self) -> Error {
        if self.0.len() == 1 {
            self.0.remove(0)
        } else {
            Error::Several(self.0)
        }
    }
}

impl Error {
    /// For `map_err` where `path` could not be read.
    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Read { path, source }
    }
}

/// An option, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub origin: Origin,
    pub section: String,
    pub option: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            origin,
            section,
            option,
        } = self;
        write!(f, "{origin}: [{section}] {option}")
    }
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    File {
        path: Arc<Path>,
        line: u32,
    },
    /// oslo.config reads `OS_SECTION__OPTION` as well.
    Environment(String),
    /// A flag of the command line, by its option.
    Flag(&'static str),
    /// The configuration of a start without any, or an option's default.
    BuiltIn,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Flag(option) => write!(f, "--{}", option.replace('_', "-")),
            Self::BuiltIn => f.write_str("built in"),
        }
    }
}
