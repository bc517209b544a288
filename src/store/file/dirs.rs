//! The directories of a file store, and which of them new data goes to.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::warn;

use super::super::{Error, Result};
use super::failure_at;

/// Directories by descending priority; of one priority, the one with the most free space is filled first.
#[derive(Debug, Clone)]
pub(super) struct Directories(Arc<[(PathBuf, u32)]>);

impl Directories {
    pub(super) fn new(mut dirs: Vec<(PathBuf, u32)>) -> Self {
        dirs.sort_by_key(|(_, priority)| std::cmp::Reverse(*priority));
        Self(dirs.into())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.iter().map(|(dir, _)| dir)
    }

    pub(super) fn contain(&self, path: &Path) -> bool {
        self.0.iter().any(|(dir, _)| path.starts_with(dir))
    }

    /// Creates what is missing, and lets those in whom the files' permissions let in.
    pub(super) fn prepare(&self, permissions: Option<u32>) -> Result<()> {
        for (dir, _) in self.0.iter() {
            fs::create_dir_all(dir).map_err(|error| failure_at(dir, error))?;
            if let Some(permissions) = permissions {
                let_in(dir, permissions);
            }
        }
        Ok(())
    }

    /// The directory for `size` bytes more; 0 where that is not known.
    pub(super) fn choose(&self, size: u64) -> Result<PathBuf> {
        // A single one is not asked: the write will tell.
        if let [(only, _)] = &self.0[..] {
            return Ok(only.clone());
        }
        for equals in self.0.chunk_by(|(_, one), (_, other)| one == other) {
            let mut best: Option<(u64, &Path)> = None;
            for (dir, _) in equals {
                let free = match fs2::available_space(dir) {
                    Ok(free) => free,
                    Err(error) => {
                        warn!(dir = %dir.display(), %error, "passing over {}: {error}", dir.display());
                        continue;
                    }
                };
                if free > 0 && free >= size && best.is_none_or(|(most, _)| free > most) {
                    best = Some((free, dir));
                }
            }
            if let Some((_, dir)) = best {
                return Ok(dir.to_owned());
            }
        }
        Err(Error::Full)
    }
}

/// A file that its group or others may read is of no use to them in a directory they may not enter.
fn let_in(dir: &Path, permissions: u32) {
    let enter = || {
        let mode = fs::metadata(dir)?.permissions().mode();
        let mut wanted = mode;
        for (access, enter) in [(0o070, 0o010), (0o007, 0o001)] {
            if permissions & access != 0 {
                wanted |= enter;
            }
        }
        if wanted == mode {
            return Ok(());
        }
        fs::set_permissions(dir, fs::Permissions::from_mode(wanted))
    };
    let entered: std::io::Result<()> = enter();
    if let Err(error) = entered {
        warn!(dir = %dir.display(), %error, "cannot open {} to readers of its files", dir.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(priority, ...)` as directories that exist.
    fn dirs(root: &Path, priorities: &[u32]) -> Directories {
        let dirs = priorities.iter().enumerate().map(|(i, priority)| {
            let dir = root.join(format!("{i}"));
            fs::create_dir(&dir).unwrap();
            (dir, *priority)
        });
        Directories::new(dirs.collect())
    }

    #[test]
    fn the_highest_priority_is_chosen() {
        let root = tempfile::tempdir().unwrap();
        let dirs = dirs(root.path(), &[1, 30, 7]);
        assert_eq!(dirs.choose(5).unwrap(), root.path().join("1"));
    }

    #[test]
    fn a_directory_that_is_away_is_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let dirs = dirs(root.path(), &[1, 30, 7]);
        fs::remove_dir(root.path().join("1")).unwrap();
        assert_eq!(dirs.choose(5).unwrap(), root.path().join("2"));
    }

    #[test]
    fn what_fits_nowhere_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let dirs = dirs(root.path(), &[1, 2]);
        assert!(matches!(dirs.choose(u64::MAX), Err(Error::Full)));
    }

    #[test]
    fn a_directory_opens_to_those_who_may_read_its_files() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("images");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        Directories::new(vec![(dir.clone(), 0)])
            .prepare(Some(0o640))
            .unwrap();
        let mode = fs::metadata(&dir).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o710);
    }
}
