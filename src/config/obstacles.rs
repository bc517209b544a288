//! What a start with a configuration would stumble over on this machine, found without changing anything.

use std::fmt;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// What is the matter with a path where the service wants to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// It is not there, and can be made.
    Missing,
    /// It is not there, and the place where it would be made is not to be written to.
    Unmakable,
    Unwritable,
}

/// What comes behind the name of a path.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "",
            Self::Missing => " (does not exist)",
            Self::Unmakable => " (does not exist and cannot be made)",
            Self::Unwritable => " (cannot be written)",
        })
    }
}

impl Trouble {
    /// Of a file or directory that is made, with what is above it, where it is missing.
    pub fn at(path: &Path) -> Self {
        if path.exists() {
            return if may_write(path) {
                Self::None
            } else {
                Self::Unwritable
            };
        }
        let above = path.ancestors().skip(1).find(|above| above.exists());
        match above {
            Some(above) if !(above.is_dir() && may_write(above)) => Self::Unmakable,
            // A relative path is below where the service is started.
            Some(_) | None => Self::Missing,
        }
    }

    /// Of a file that is made where it is missing, in a directory that must be there.
    pub fn at_file(path: &Path) -> Self {
        let dir = path.parent().filter(|dir| *dir != Path::new(""));
        match (Self::at(path), dir) {
            (Self::Missing, Some(dir)) if !dir.is_dir() => Self::Unmakable,
            // Files come and go; one that is not there yet is nothing to tell.
            (Self::Missing, _) => Self::None,
            (trouble, _) => trouble,
        }
    }

    /// Of a database: it is made where it is missing, its directory is not.
    pub fn at_database(path: &Path) -> Self {
        match Self::at_file(path) {
            Self::None if !path.exists() => Self::Missing,
            trouble => trouble,
        }
    }

    /// Whether a file of this sort is not to be had, or not to be written.
    pub fn is_obstacle(self) -> bool {
        matches!(self, Self::Unmakable | Self::Unwritable)
    }

    /// Whether a directory of this sort is not to be had.
    pub fn is_unmakable(self) -> bool {
        self == Self::Unmakable
    }
}

fn may_write(path: &Path) -> bool {
    access(path, Access::WRITE_OK).is_ok()
}

/// Whether the service could listen there, were the port free.
pub fn is_of_this_machine(host: IpAddr) -> bool {
    !matches!(
        TcpListener::bind((host, 0)),
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable
    )
}

/// The file of an `SQLite` URL.
pub fn database_file(url: &str) -> Option<PathBuf> {
    let (_, rest) = url.split_once(":///")?;
    let path = rest.split('?').next()?;
    (!path.is_empty()).then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_apart_from_what_cannot_be() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(Trouble::at(dir.path()), Trouble::None);
        assert_eq!(Trouble::at(&dir.path().join("a/b")), Trouble::Missing);
        assert_eq!(Trouble::at(&file.join("below")), Trouble::Unmakable);
        assert_eq!(Trouble::at_file(&dir.path().join("log")), Trouble::None);
        let database = |name| Trouble::at_database(&dir.path().join(name));
        assert_eq!(database("db"), Trouble::Missing);
        assert_eq!(database("no/db"), Trouble::Unmakable);
        assert_eq!(
            Trouble::at_file(&dir.path().join("no/log")),
            Trouble::Unmakable
        );
    }

    #[test]
    fn an_address_of_another_machine_is_noticed() {
        assert!(is_of_this_machine([127, 0, 0, 1].into()));
        assert!(!is_of_this_machine([192, 0, 2, 1].into()));
    }

    #[test]
    fn the_file_of_a_database_is_in_its_url() {
        let file = |url| database_file(url).map(|path| path.display().to_string());
        assert_eq!(file("sqlite:////a/b.db?timeout=3").unwrap(), "/a/b.db");
        assert_eq!(file("sqlite:///b.db").unwrap(), "b.db");
        assert_eq!(file("sqlite:///"), None);
    }
}
