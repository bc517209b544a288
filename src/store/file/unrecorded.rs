//! Data of which no record tells yet.
//!
//! An upload writes under a hidden name, `.ID.UNIQUE.part`, and holds a lock on the file. Data that is whole
//! gets the name of its image as a second one, and loses the first when the database has its location. So
//! wherever a process dies, what it left has a hidden name and no lock: whoever finds that knows the image
//! and the file, and no upload of a process that lives, on whichever node, is ever taken for a leftover.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use tracing::warn;

use super::super::Result;
use super::failure;
use crate::domain::ImageId;

const SUFFIX: &str = ".part";

/// A file that has its hidden name, and our lock.
#[derive(Debug)]
pub struct Unrecorded {
    id: ImageId,
    file: File,
    hidden: PathBuf,
    target: PathBuf,
    /// It goes when it is dropped. Otherwise it stays, hidden name and all, for a later start to judge.
    goes: bool,
}

impl Unrecorded {
    /// A new file, which goes unless it is told to stay.
    pub(super) fn create(id: ImageId, dir: &Path, target: PathBuf) -> Result<Self> {
        loop {
            let unique = uuid::Uuid::new_v4().simple();
            let hidden = dir.join(format!(".{id}.{unique}{SUFFIX}"));
            let mut options = OpenOptions::new();
            let file = options.write(true).create_new(true).open(&hidden);
            let file = file.map_err(failure)?;
            // A file system without locks has nobody who looks for leftovers either.
            if file.lock().is_ok() && !is_same(&file, &hidden) {
                // A process that starts took it for one, in the moment before it was locked.
                continue;
            }
            return Ok(Self {
                id,
                file,
                hidden,
                target,
                goes: true,
            });
        }
    }

    /// What processes left in a directory that died: nobody holds its lock, and as long as this does, nobody
    /// else will find it.
    pub(super) fn left_in(dir: &Path) -> io::Result<Vec<Self>> {
        let mut left = Vec::new();
        let mut busy = HashSet::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let Some(id) = image_of(&entry.file_name()) else {
                continue;
            };
            let hidden = entry.path();
            // Gone meanwhile, or somebody else's: both leave nothing to do.
            let Ok(file) = open(&hidden) else {
                continue;
            };
            if file.try_lock().is_err() {
                busy.insert(id);
            } else if is_same(&file, &hidden) {
                left.push(Self {
                    id,
                    file,
                    hidden,
                    target: dir.join(id.as_str()),
                    goes: false,
                });
            }
        }
        // An image whose data is coming in anew is in the state of that upload, not of the one before.
        left.retain(|one| !busy.contains(&one.id));
        Ok(left)
    }

    pub fn image(&self) -> ImageId {
        self.id
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the data the name of its image, unless something has it already.
    pub(super) fn show(&self) -> io::Result<()> {
        match rustix::fs::link(&self.hidden, &self.target) {
            // Over a network the answer may have been lost, and the question asked again.
            Err(Errno::EXIST) if is_same(&self.file, &self.target) => Ok(()),
            // A file system without links. What is left there after a crash at this point is not found.
            Err(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP) => {
                let (from, to) = (&self.hidden, &self.target);
                Ok(rustix::fs::renameat_with(
                    CWD,
                    from,
                    CWD,
                    to,
                    RenameFlags::NOREPLACE,
                )?)
            }
            other => Ok(other?),
        }
    }

    /// Nobody who drops it takes the data away any more.
    pub(super) fn stay(&mut self) {
        self.goes = false;
    }

    /// A record tells of the data: it is like any other from now on.
    pub async fn keep(self) {
        aside(move || remove(&self.hidden)).await;
    }

    /// No record will tell of the data: none of it stays.
    pub async fn take_back(mut self) {
        self.goes = true;
        aside(move || drop(self)).await;
    }
}

impl Drop for Unrecorded {
    fn drop(&mut self) {
        if self.goes {
            // The hidden name last: until then the rest can be found.
            if is_same(&self.file, &self.target) {
                remove(&self.target);
            }
            remove(&self.hidden);
        }
        // A process that is being started has the file for a moment, too.
        let _ = self.file.unlock();
    }
}

/// Whose data the unfinished file of this name is; none where it is no unfinished file.
fn image_of(name: &OsStr) -> Option<ImageId> {
    let name = name.to_str()?;
    let inner = name.strip_prefix('.')?.strip_suffix(SUFFIX)?;
    let (id, _) = inner.split_once('.')?;
    id.parse().ok()
}

/// Opens a file to lock it. Over a network that takes the right to write, which its own permissions may deny.
fn open(path: &Path) -> io::Result<File> {
    let writable = OpenOptions::new().write(true).open(path);
    writable.or_else(|_| File::open(path))
}

/// Whether that is the name of this very file.
fn is_same(file: &File, path: &Path) -> bool {
    let (Ok(file), Ok(named)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    (file.dev(), file.ino()) == (named.dev(), named.ino())
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            warn!(path = %path.display(), %error, "cannot remove {}: {error}", path.display());
        }
        _ => {}
    }
}

/// Runs what may wait for a disk where waiting hurts nobody.
async fn aside(work: impl FnOnce() + Send + 'static) {
    if let Err(error) = tokio::task::spawn_blocking(work).await {
        warn!(%error, "what an upload left stays until the next start: {error}");
    }
}
