//! What each path in the cache directory means.
//!
//! ```text
//! DIR/<id>               a whole, verified copy: it is cached because it is here
//! DIR/incomplete/<id>    a copy that is being made; the lock on it says by whom
//! DIR/invalid/<id>       data that was not the image's; `clean` takes it away
//! DIR/queue/<id>         the image is wanted, since the file's mtime: by somebody, or by the rule whose name is in it
//! DIR/image_cache_db_init and the like: locks of the original, see [`locks`]
//! DIR/cache.db           hits and last access of what is here; with the driver `xattr` in `.glance`
//! DIR/.glance/format     which format the files in `.glance` have, see [`super::format`]
//! DIR/.glance/space.lock held while room is given away, and while files change their place; has the tally
//! DIR/.glance/fills/     the room that each copy in the making has been promised
//! DIR/.glance/partial/<id> spans of an image that is not whole, and that nobody is bringing in now
//! DIR/.glance/spans/<id>   which spans of a copy are here, and what proves each of them
//! DIR/.glance/wanted       which images prefetch rules want here, see [`super::told`]
//! DIR/.glance/ways         in which order copies leave and when, see [`super::told`]
//! DIR/.glance/pins/<id>    the copy never leaves to make room; in it may be the tag or property it was pinned by
//! ```
//!
//! All but `.glance` is as the original has it. It takes every file at the top for an image, so what we
//! keep for ourselves lies in that one directory.

mod locks;

pub use locks::is_originals_lock;

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustix::fs::{Gid, Mode, OFlags, Uid};
use walkdir::WalkDir;

use super::format;
use crate::domain::ImageId;

/// The paths of one cache directory.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
    index: PathBuf,
}

/// A whole copy, as its file shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    pub id: ImageId,
    pub size: u64,
    pub modified: DateTime<Utc>,
    pub accessed: DateTime<Utc>,
}

/// What lies at the top of the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    pub images: Vec<Placed>,
    /// Bytes of files that are no images of ours: they take room, and nobody but their owner removes them.
    pub strange: u64,
    /// How many of these may grow.
    pub strangers: u64,
}

/// What is at the place of a whole copy.
#[derive(Debug)]
pub enum InPlace {
    Nothing,
    Whole(File, u64),
    /// A file of another size than the image has.
    WrongSize(u64),
    /// Something that no copy can take the place of.
    Obstructed,
}

impl Layout {
    /// The directory at `root`, with its index at `index` (relative to it).
    #[must_use]
    pub fn new(root: &Path, index: &Path) -> Self {
        Self {
            root: root.to_owned(),
            index: root.join(index),
        }
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn image(&self, id: ImageId) -> PathBuf {
        self.root.join(id.as_str())
    }

    pub fn incomplete(&self) -> PathBuf {
        self.root.join("incomplete")
    }

    pub fn partial(&self, id: ImageId) -> PathBuf {
        self.incomplete().join(id.as_str())
    }

    pub fn invalid(&self) -> PathBuf {
        self.root.join("invalid")
    }

    pub fn queue(&self) -> PathBuf {
        self.root.join("queue")
    }

    pub fn index(&self) -> &Path {
        &self.index
    }

    /// Whether the hits of copies are noted on their files, as the original's driver `xattr` has it. It takes
    /// every file at the top for an image, so the index stands out of its sight then.
    pub fn counts_on_files(&self) -> bool {
        self.index.starts_with(self.own())
    }

    /// Moves the index that another driver has left at its own place.
    pub fn fetch_index(&self) -> io::Result<()> {
        let Some(name) = self.index.file_name() else {
            return Ok(());
        };
        let other = if self.counts_on_files() {
            self.root.join(name)
        } else {
            self.own().join(name)
        };
        let mut journal = other.clone().into_os_string();
        journal.push("-journal");
        // One that was being written is not moved: files tell what is here.
        if self.index.exists() || Path::new(&journal).exists() {
            return Ok(());
        }
        match fs::rename(other, &self.index) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// What only we know of.
    pub fn own(&self) -> PathBuf {
        self.root.join(".glance")
    }

    /// The promises of room, see [`super::space`].
    pub fn fills(&self) -> PathBuf {
        self.own().join("fills")
    }

    /// Where parts of images lie that nobody is bringing in now.
    pub fn parts(&self) -> PathBuf {
        self.own().join("partial")
    }

    pub fn part(&self, id: ImageId) -> PathBuf {
        self.parts().join(id.as_str())
    }

    /// Where the tables of spans lie.
    pub fn tables(&self) -> PathBuf {
        self.own().join("spans")
    }

    /// The table of a copy, whole or not, see [`super::spans`].
    pub fn spans(&self, id: ImageId) -> PathBuf {
        self.tables().join(id.as_str())
    }

    /// Where it is said which copies are pinned, see [`super::pins`].
    pub fn pins(&self) -> PathBuf {
        self.own().join("pins")
    }

    /// Where it is said what rules want, see [`super::told`].
    pub fn wanted(&self) -> PathBuf {
        self.own().join("wanted")
    }

    /// Where it is said what a service goes by, see [`super::told`].
    pub fn ways(&self) -> PathBuf {
        self.own().join("ways")
    }

    pub fn space_lock(&self) -> PathBuf {
        self.own().join("space.lock")
    }

    pub fn format(&self) -> PathBuf {
        self.own().join("format")
    }

    /// Where an index goes that turned out to be none.
    pub fn broken_index(&self) -> PathBuf {
        self.own().join("broken-index.db")
    }

    /// Creates what is missing.
    pub fn prepare(&self) -> io::Result<()> {
        format::check(self)?;
        fs::create_dir_all(&self.root)?;
        for dir in [
            self.incomplete(),
            self.invalid(),
            self.queue(),
            self.own(),
            self.fills(),
            self.parts(),
            self.tables(),
            self.pins(),
        ] {
            match fs::DirBuilder::new().mode(0o755).create(&dir) {
                Ok(()) => self.adopt(&File::open(&dir)?)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
                Err(error) => return Err(error),
            }
        }
        format::mark(self)
    }

    /// Gives what root has made in somebody's directory to that somebody.
    pub fn adopt(&self, made: &File) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let owner = fs::metadata(&self.root)?;
        if owner.uid() == 0 {
            return Ok(());
        }
        let (user, group) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
        Ok(rustix::fs::fchown(made, Some(user), Some(group))?)
    }

    /// Makes the names at the top durable.
    pub fn sync_root(&self) -> io::Result<()> {
        File::open(&self.root)?.sync_all()
    }

    /// Opens the whole copy of an image, if it is one.
    pub fn open_image(&self, id: ImageId, size: Option<u64>) -> io::Result<InPlace> {
        let path = self.image(id);
        let file = match open_existing(&path) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(InPlace::Nothing),
            Err(error) if is_others(&path, &error) => return Ok(InPlace::Obstructed),
            Err(error) => return Err(error),
        };
        let found = file.metadata()?;
        Ok(if found.is_dir() {
            InPlace::Obstructed
        } else if !found.is_file() {
            InPlace::Nothing
        } else if size.is_some_and(|size| size != found.len()) {
            InPlace::WrongSize(found.len())
        } else {
            InPlace::Whole(file, found.len())
        })
    }

    /// Reads the top of the directory. What vanishes meanwhile is not in it.
    pub fn contents(&self) -> io::Result<Contents> {
        fs::metadata(&self.root)?;
        let mut contents = Contents::default();
        for (name, found) in files(&self.root)? {
            match image_named(&name) {
                Some(id) => contents.images.push(placed(id, &found)?),
                None if self.is_index(&name) => {}
                None => {
                    contents.strange += found.len();
                    contents.strangers += u64::from(!is_originals_lock(&name, &found));
                }
            }
        }
        Ok(contents)
    }

    /// The whole copy of an image, as its file shows it, if it is there.
    pub fn placed(&self, id: ImageId) -> io::Result<Option<Placed>> {
        match fs::symlink_metadata(self.image(id)) {
            Ok(found) if found.is_file() => placed(id, &found).map(Some),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The index and what SQLite keeps beside it.
    pub fn is_index(&self, name: &OsStr) -> bool {
        let index = self.index.file_name().unwrap_or_default();
        name.as_encoded_bytes()
            .strip_prefix(index.as_encoded_bytes())
            .is_some_and(|rest| matches!(rest, b"" | b"-journal" | b"-wal" | b"-shm"))
    }
}

/// The image that a file of this name belongs to.
pub fn image_named(name: &OsStr) -> Option<ImageId> {
    name.to_str()?.parse().ok()
}

/// The regular files in a directory, links not followed. A directory that is not there has none.
pub fn files(dir: &Path) -> io::Result<Vec<(std::ffi::OsString, Metadata)>> {
    let mut found = Vec::new();
    for entry in WalkDir::new(dir).min_depth(1).max_depth(1) {
        let file = entry.and_then(|entry| Ok((entry.file_name().to_owned(), entry.metadata()?)));
        match file.map_err(io::Error::from) {
            Ok((name, metadata)) if metadata.is_file() => found.push((name, metadata)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Opens a file for reading. A link is not followed: it is nobody's image.
pub fn open_existing(path: &Path) -> io::Result<Option<File>> {
    open(path, OFlags::RDONLY)
}

/// The same where one that we may not read is as good as none: it is some other user's, and the directory is fine.
pub fn open_readable(path: &Path) -> io::Result<Option<File>> {
    match open_existing(path) {
        Err(error) if is_others(path, &error) => Ok(None),
        opened => opened,
    }
}

/// Whether it is the file that we may not open, and not the way to it.
pub fn is_others(path: &Path, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && fs::symlink_metadata(path).is_ok()
}

/// Opens a file that is there for writing as well.
pub fn open_to_write(path: &Path) -> io::Result<Option<File>> {
    open(path, OFlags::RDWR)
}

fn open(path: &Path, access: OFlags) -> io::Result<Option<File>> {
    use rustix::io::Errno;
    // Without NONBLOCK a named pipe would wait for its other end.
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => Ok(Some(File::from(file))),
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::ISDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Removes a file; false where there was none. A directory of its name is somebody's, and stays.
pub fn remove(path: &Path) -> io::Result<bool> {
    use io::ErrorKind::{IsADirectory, NotFound};
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), NotFound | IsADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the file was still there to be moved.
pub fn renamed(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether `path` is a name of the file behind `metadata`.
pub fn names(path: &Path, metadata: &Metadata) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|found| (found.dev(), found.ino()) == (metadata.dev(), metadata.ino()))
}

fn placed(id: ImageId, found: &Metadata) -> io::Result<Placed> {
    let modified = DateTime::from(found.modified()?);
    Ok(Placed {
        id,
        size: found.len(),
        modified,
        accessed: found.accessed().map_or(modified, DateTime::from),
    })
}

#[cfg(test)]
mod tests;
