//! Where lines go.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::Error;
use crate::config::LogConfig;

/// A file, standard error, or both.
#[derive(Debug)]
pub(super) struct Sink {
    file: Option<(PathBuf, Mutex<File>)>,
    stderr: bool,
}

impl Sink {
    pub(super) fn open(config: &LogConfig) -> Result<Self, Error> {
        let file = match &config.file {
            Some(path) => Some((path.clone(), Mutex::new(append(path)?))),
            None => None,
        };
        Ok(Self {
            stderr: config.use_stderr || file.is_none(),
            file,
        })
    }

    pub(super) fn reopen(&self) -> Result<(), Error> {
        if let Some((path, file)) = &self.file {
            let new = append(path)?;
            *file.lock().unwrap_or_else(PoisonError::into_inner) = new;
        }
        Ok(())
    }

    /// Writes one line, whole, so that lines of several processes do not mix.
    pub(super) fn write(&self, line: &str) {
        let mut stderr = self.stderr;
        if let Some((_, file)) = &self.file {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // A full disk must not silence what may explain it.
            stderr |= file.write_all(line.as_bytes()).is_err();
        }
        if stderr {
            // Nobody is left to tell when this fails.
            let _ = io::stderr().lock().write_all(line.as_bytes());
        }
    }
}

fn append(path: &PathBuf) -> Result<File, Error> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|source| Error::File {
            path: path.clone(),
            source,
        })
}
