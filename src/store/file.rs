//! Images as files in a directory, `DIR/ID`, as the original lays them out.
//!
//! Data is written beside its final name, which it gets when all of it is on the disk, so a file under an
//! image's name is always whole. [`dirs`] says where new data goes, [`writer`] brings it there, and
//! [`unrecorded`] knows it from what a crash left.

mod dirs;
mod mountpoints;
mod unrecorded;
mod writer;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use rustix::io::Errno;
use tracing::warn;

use self::dirs::Directories;
use self::mountpoints::Mountpoints;
use self::writer::{Plan, Writer};
use super::{Error, Result, Store, Stored};
use crate::config::stores::FileStoreConfig;
use crate::domain::{ImageId, Location};
use crate::stream::{Blob, ByteRange, ByteStream};

pub use self::unrecorded::Unrecorded;

/// What the URLs of this store begin with.
pub(super) const SCHEMES: [&str; 2] = ["file", "filesystem"];

/// Images as files in one directory, or in several.
#[derive(Debug)]
pub struct FileStore {
    /// The backend's name, noted with every location of a multi-store configuration.
    name: Option<String>,
    dirs: Directories,
    mountpoints: Mountpoints,
    /// The permissions of new files; none leaves them to the umask.
    permissions: Option<u32>,
    /// Zeros in a row of this length are not written.
    hole: Option<usize>,
}

impl FileStore {
    /// Opens the store, and creates its directories.
    pub async fn open(config: &FileStoreConfig, name: Option<String>) -> Result<Self> {
        let config = config.clone();
        blocking(move || {
            let permissions = (config.file_perm > 0).then_some(config.file_perm);
            let dirs = Directories::new(config.dirs);
            dirs.prepare(permissions)?;
            Ok(Self {
                name,
                dirs,
                mountpoints: Mountpoints::load(config.metadata_file.as_deref())?,
                permissions,
                hole: config.thin_provisioning.then_some(config.chunk_size.max(1)),
            })
        })
        .await
    }

    /// Whether `location` is below one of the directories.
    pub(super) fn holds(&self, location: &Location) -> bool {
        path_of(location).is_ok_and(|path| self.dirs.contain(path))
    }

    pub(super) fn directories(&self) -> impl Iterator<Item = &PathBuf> {
        self.dirs.iter()
    }

    fn location(&self, path: &Path) -> Location {
        let mut metadata = self.mountpoints.of(path);
        if let Some(name) = &self.name {
            metadata.insert("store".to_owned(), name.clone().into());
        }
        Location::active(format!("file://{}", path.display()), metadata)
    }
}

#[async_trait]
impl Store for FileStore {
    async fn put(&self, id: ImageId, mut bytes: ByteStream, size: Option<u64>) -> Result<Stored> {
        let dirs = self.dirs.clone();
        let dir = blocking(move || dirs.choose(size.unwrap_or(0))).await?;
        let target = dir.join(id.as_str());
        let location = self.location(&target);
        let writer = Writer::start(Plan {
            id,
            dir,
            target,
            permissions: self.permissions,
            hole: self.hole,
        })?;
        while let Some(bytes) = bytes.next().await {
            match bytes {
                Ok(bytes) => {
                    if !writer.write(bytes).await {
                        break;
                    }
                }
                Err(error) => {
                    writer.abandon().await;
                    return Err(Error::Source(error));
                }
            }
        }
        let (mut unrecorded, size) = writer.finish().await?;
        unrecorded.stay();
        Ok(Stored {
            location,
            size,
            unrecorded: Some(unrecorded),
        })
    }

    async fn get(&self, location: &Location, range: Option<ByteRange>) -> Result<Blob> {
        let path = path_of(location)?.to_owned();
        blocking(move || {
            let file = File::open(path).map_err(failure)?;
            let metadata = file.metadata().map_err(failure)?;
            if !metadata.is_file() {
                return Err(Error::NotFound);
            }
            let whole = ByteRange {
                start: 0,
                end: metadata.len(),
            };
            let range = range.unwrap_or(whole);
            if range.end > whole.end {
                return Err(Error::Failed(io::ErrorKind::UnexpectedEof.into()));
            }
            Ok((file, range))
        })
        .await
        .map(|(file, range)| Blob::from_file(Arc::new(file), range))
    }

    async fn size(&self, location: &Location) -> Result<u64> {
        let path = path_of(location)?.to_owned();
        blocking(move || Ok(std::fs::metadata(path).map_err(failure)?.len())).await
    }

    async fn delete(&self, location: &Location) -> Result<()> {
        let path = path_of(location)?.to_owned();
        blocking(move || std::fs::remove_file(path).map_err(failure)).await
    }

    fn offers_parts(&self) -> bool {
        true
    }
}

/// What uploads left in these directories that ended with their process.
pub async fn left_in(dirs: Vec<PathBuf>) -> Vec<Unrecorded> {
    let look = move || {
        let found = dirs.iter().map(|dir| match Unrecorded::left_in(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn!(dir = %dir.display(), %error, "cannot look for what a crash left in {}: {error}", dir.display());
                Vec::new()
            }
            found => found.unwrap_or_default(),
        });
        Ok(found.flatten().collect())
    };
    blocking(look).await.unwrap_or_default()
}

fn path_of(location: &Location) -> Result<&Path> {
    match location.url.split_once("://") {
        Some((scheme, path)) if SCHEMES.contains(&scheme) => Ok(Path::new(path.trim())),
        _ => Err(Error::UnknownScheme(location.scheme().to_owned())),
    }
}

/// What the file system's refusal means.
fn failure(error: io::Error) -> Error {
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT | Errno::NOTDIR) => Error::NotFound,
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Error::Full,
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Error::Denied(error.to_string()),
        Some(Errno::EXIST) => Error::Duplicate,
        _ => Error::Failed(error),
    }
}

/// The same for a directory that an operator named: the message names it too.
fn failure_at(path: &Path, error: io::Error) -> Error {
    match failure(error) {
        Error::Denied(what) => Error::Denied(format!("{}: {what}", path.display())),
        Error::Failed(error) => {
            let what = format!("{}: {error}", path.display());
            Error::Failed(io::Error::new(error.kind(), what))
        }
        other => other,
    }
}

/// Runs what may wait for a disk where waiting hurts nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::Failed(io::Error::other(error))))
}
