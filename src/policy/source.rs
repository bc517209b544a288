//! Where the rules of a site come from, and noticing that they changed.
//!
//! Before each question the files are looked at, not read: a few `stat` calls. What a `stat` cannot show is
//! a second edit within one tick of the file system's clock, so that a file younger than a second is read
//! again and its text compared.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Error;
use super::file::{self, Definition};
use super::rules::{Manner, Rules};
use crate::clock::Clock;
use crate::config::PolicyConfig;
use crate::config::policy::RemoteConfig;

/// How old an edit must be before its `stat` is trusted, in seconds.
const SETTLED: i64 = 1;

/// The policy file and the directories of further ones.
#[derive(Debug)]
pub(super) struct Source {
    file: Option<PathBuf>,
    dirs: Vec<PathBuf>,
    remote: RemoteConfig,
    clock: Clock,
}

/// What the files were like, and what stood in them.
#[derive(Debug)]
pub(super) struct Reading {
    marks: Vec<(PathBuf, Option<Mark>)>,
    settled: bool,
    /// In the order in which they count; later ones replace earlier ones.
    texts: Vec<(PathBuf, Result<String, String>)>,
}

/// What changes when a file does.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Mark {
    /// None where nothing is there, or nothing that can be looked at.
    fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        Some(Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }
}

impl Source {
    pub(super) fn new(config: &PolicyConfig) -> Self {
        Self {
            file: config.file.clone(),
            dirs: config.dirs.clone(),
            remote: config.remote.clone(),
            clock: Clock::system(),
        }
    }

    /// Reads the files as they are now. A failure is part of the reading.
    pub(super) fn read(&self) -> Reading {
        // Marked before it is read: an edit in between is found again, not missed.
        let mut marks: Vec<_> = self.dirs.iter().map(|dir| mark(dir)).collect();
        let mut paths: Vec<_> = self.file.clone().into_iter().collect();
        paths.extend(self.dirs.iter().flat_map(|dir| files_in(dir)));
        marks.extend(paths.iter().map(|path| mark(path)));
        let latest = marks
            .iter()
            .filter_map(|(_, mark)| Some(mark.as_ref()?.changed.0));
        let settled = latest
            .max()
            .is_none_or(|latest| latest + SETTLED < self.clock.now().timestamp());
        let texts = paths.into_iter().filter_map(|path| {
            let text = match fs::read_to_string(&path) {
                Ok(text) => Ok(text),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
                Err(error) => Err(error.to_string()),
            };
            Some((path, text))
        });
        Reading {
            texts: texts.collect(),
            marks,
            settled,
        }
    }

    /// The policy file, there or not.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The rules that come of what was read.
    pub(super) fn rules(&self, reading: &Reading, manner: &Manner) -> Result<Rules, Error> {
        Rules::new(reading.definitions()?, manner)?.asking(&self.remote)
    }

    /// Whether the policy file was there.
    pub(super) fn has_file(&self, reading: &Reading) -> bool {
        let mut paths = reading.texts.iter().map(|(path, _)| path.as_path());
        paths.any(|path| Some(path) == self.file())
    }
}

impl Reading {
    /// Whether the files are still as they were.
    pub(super) fn is_current(&self) -> bool {
        self.settled
            && self
                .marks
                .iter()
                .all(|(path, mark)| Mark::of(path) == *mark)
    }

    /// Whether the same stands in both.
    pub(super) fn says_the_same_as(&self, other: &Reading) -> bool {
        self.texts == other.texts
    }

    fn definitions(&self) -> Result<Vec<Definition>, Error> {
        let mut definitions = Vec::new();
        for (path, text) in &self.texts {
            let text = text.as_ref().map_err(|problem| Error::Unreadable {
                file: path.clone(),
                problem: problem.clone(),
            })?;
            definitions.extend(file::definitions(path, text)?);
        }
        Ok(definitions)
    }
}

fn mark(path: &Path) -> (PathBuf, Option<Mark>) {
    (path.to_owned(), Mark::of(path))
}

/// The files of a directory by name: no hidden ones, no directories. One that is not there has none.
fn files_in(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
        .map(|entry| entry.path())
        .filter(|path| !path.is_dir())
        .collect();
    files.sort();
    files
}
