//! Writing one file, on a thread of its own.
//!
//! The file lives on the writer's thread from its creation to its last sync, so nothing that waits for the
//! disk ever runs on the runtime, and whatever happens to the one who uploads, there is one place that
//! cleans up: a writer that is dropped before it was told to finish removes what it has, and so does
//! [`Written`], which was finished for somebody who did not wait to hear of it.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{Advice, CWD, RenameFlags, fadvise};
use rustix::io::Errno;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::super::{Error, Result};
use super::failure;
use crate::domain::ImageId;

/// Chunks that may wait for the disk.
const WAITING: usize = 8;

/// After so many bytes the disk is told to begin with them, so that little is left for the sync at the end.
const BEGIN: u64 = 8 * 1024 * 1024;

const SUFFIX: &str = ".part";

/// Whose data the unfinished file of this name is; none where it is no unfinished file.
pub(super) fn image_of_part(name: &OsStr) -> Option<ImageId> {
    let name = name.to_str()?;
    let inner = name.strip_prefix('.')?.strip_suffix(SUFFIX)?;
    let (id, _) = inner.split_once('.')?;
    id.parse().ok()
}

/// What is to be written, and where it ends up.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) id: ImageId,
    pub(super) dir: PathBuf,
    pub(super) target: PathBuf,
    pub(super) permissions: Option<u32>,
    pub(super) hole: Option<usize>,
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Writer {
    orders: mpsc::Sender<Order>,
    outcome: oneshot::Receiver<Result<Written>>,
}

#[derive(Debug)]
enum Order {
    Write(Bytes),
    /// There is no more. Without it the data is incomplete, and goes.
    Finish,
}

impl Writer {
    pub(super) fn start(plan: Plan) -> Result<Self> {
        let (orders, inbox) = mpsc::channel(WAITING);
        let (done, outcome) = oneshot::channel();
        std::thread::Builder::new()
            .name("store-file".to_owned())
            .spawn(move || {
                let written = write(inbox, &plan).map_err(|error| match error {
                    // The directory is missing, not the image.
                    Error::NotFound => Error::Unavailable("its directory is away".to_owned()),
                    other => other,
                });
                // Whoever asked may be gone; then this drops the file as well.
                let _ = done.send(written);
            })
            .map_err(Error::Failed)?;
        Ok(Self { orders, outcome })
    }

    /// Passes on the next bytes. False where the writer has given up; `finish` says why.
    pub(super) async fn write(&self, bytes: Bytes) -> bool {
        self.orders.send(Order::Write(bytes)).await.is_ok()
    }

    /// Puts the file in its place, whole and synced.
    pub(super) async fn finish(self) -> Result<Written> {
        // A writer that has given up takes no orders; its outcome is what counts.
        let _ = self.orders.send(Order::Finish).await;
        let gone = |_| Error::Failed(io::Error::other("the writing thread is gone"));
        self.outcome.await.map_err(gone)?
    }

    /// Returns when nothing of it is left.
    pub(super) async fn abandon(self) {
        drop(self.orders);
        let _ = self.outcome.await;
    }
}

/// A file in its place. It goes again unless somebody wants to keep it.
#[derive(Debug)]
pub(super) struct Written {
    size: u64,
    path: Option<PathBuf>,
}

impl Written {
    /// Keeps the file, and says how many bytes it has.
    pub(super) fn keep(mut self) -> u64 {
        self.path = None;
        self.size
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            remove(path);
        }
    }
}

fn write(mut inbox: mpsc::Receiver<Order>, plan: &Plan) -> Result<Written> {
    // The rename would refuse as well, but only after all of the data has come.
    if plan.target.exists() {
        return Err(Error::Duplicate);
    }
    let mut part = Part::create(&plan.dir, plan.id)?;
    loop {
        match inbox.blocking_recv() {
            Some(Order::Write(bytes)) => part.append(&bytes, plan.hole).map_err(failure)?,
            Some(Order::Finish) => return part.commit(plan),
            None => return Err(Error::Source(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

/// An unfinished file: hidden, locked, and gone when dropped.
struct Part {
    file: File,
    path: PathBuf,
    size: u64,
    /// Up to here the disk has begun.
    begun: u64,
}

impl Part {
    fn create(dir: &Path, id: ImageId) -> Result<Self> {
        loop {
            let path = dir.join(format!(".{id}.{}{SUFFIX}", uuid::Uuid::new_v4().simple()));
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)
                .map_err(failure)?;
            let part = Self {
                file,
                path,
                size: 0,
                begun: 0,
            };
            // A file system without locks has no sweeper to be kept off either.
            if part.file.lock().is_ok() && part.file.metadata().map_err(failure)?.nlink() == 0 {
                // A process that starts took it for a leftover, in the moment before it was locked.
                continue;
            }
            return Ok(part);
        }
    }

    fn append(&mut self, bytes: &[u8], hole: Option<usize>) -> io::Result<()> {
        let Some(hole) = hole else {
            return self.write(bytes);
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            // Holes begin and end where the file's own blocks do.
            let into = usize::try_from(self.size % hole as u64).unwrap_or(0);
            let (block, after) = rest.split_at(rest.len().min(hole - into));
            if is_zero(block) {
                self.size += block.len() as u64;
            } else {
                self.write(block)?;
            }
            rest = after;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.size)?;
        self.size += bytes.len() as u64;
        if let Some(waiting) = NonZeroU64::new(self.size - self.begun)
            && waiting.get() >= BEGIN
        {
            // Pages that are dirty are not dropped on this advice: the kernel begins to write them.
            let _ = fadvise(&self.file, self.begun, Some(waiting), Advice::DontNeed);
            self.begun = self.size;
        }
        Ok(())
    }

    fn commit(mut self, plan: &Plan) -> Result<Written> {
        // A hole at the end exists only once the length says so.
        self.file.set_len(self.size).map_err(failure)?;
        if let Some(mode) = plan.permissions {
            let set = self.file.set_permissions(fs::Permissions::from_mode(mode));
            if let Err(error) = set {
                warn!(image.id = %plan.id, %error, "cannot set the permissions of image {}", plan.id);
            }
        }
        self.file.sync_all().map_err(failure)?;
        rename_new(&self.path, &plan.target).map_err(failure)?;
        self.path.clone_from(&plan.target);
        File::open(&plan.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(failure)?;
        Ok(Written {
            size: self.size,
            path: Some(std::mem::take(&mut self.path)),
        })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            remove(&self.path);
        }
    }
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            warn!(path = %path.display(), %error, "cannot remove {}: {error}", path.display());
        }
        _ => {}
    }
}

/// Renames, unless there is something of that name already.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Network file systems have links, which do not replace either, but no such rename.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(from, to)?;
            remove(from);
            Ok(())
        }
        other => Ok(other?),
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    // In blocks, so that the compiler can compare many at once.
    bytes
        .chunks(64)
        .all(|block| block.iter().fold(0, |all, byte| all | byte) == 0)
}
