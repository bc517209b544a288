//! Writing one file, on a thread of its own.
//!
//! The file lives on the writer's thread from its creation to its last sync, so nothing that waits for the
//! disk ever runs on the runtime, and whatever happens to the one who uploads, there is one place that
//! cleans up: a file goes with its [`Unrecorded`], be it that the writer was dropped before it was told to
//! finish, or that it has finished for somebody who did not wait to hear of it.

use std::fs::{self, File};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::PathBuf;

use bytes::Bytes;
use rustix::fs::{Advice, fadvise};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::super::{Error, Result};
use super::failure;
use super::unrecorded::Unrecorded;
use crate::domain::ImageId;

/// Chunks that may wait for the disk.
const WAITING: usize = 8;

/// After so many bytes the disk is told to begin with them, so that little is left for the sync at the end.
const BEGIN: u64 = 8 * 1024 * 1024;

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

/// A file in its place, and how many bytes it has. It goes again unless it is told to stay.
pub(super) type Written = (Unrecorded, u64);

fn write(mut inbox: mpsc::Receiver<Order>, plan: &Plan) -> Result<Written> {
    // The end would refuse as well, but only after all of the data has come.
    if plan.target.exists() {
        return Err(Error::Duplicate);
    }
    let mut part = Part {
        data: Unrecorded::create(plan.id, &plan.dir, plan.target.clone())?,
        size: 0,
        begun: 0,
    };
    loop {
        match inbox.blocking_recv() {
            Some(Order::Write(bytes)) => part.append(&bytes, plan.hole).map_err(failure)?,
            Some(Order::Finish) => return part.commit(plan),
            None => return Err(Error::Source(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

/// A file that is not whole yet.
struct Part {
    data: Unrecorded,
    size: u64,
    /// Up to here the disk has begun.
    begun: u64,
}

impl Part {
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
        self.data.file().write_all_at(bytes, self.size)?;
        self.size += bytes.len() as u64;
        if let Some(waiting) = NonZeroU64::new(self.size - self.begun)
            && waiting.get() >= BEGIN
        {
            // Pages that are dirty are not dropped on this advice: the kernel begins to write them.
            let _ = fadvise(
                self.data.file(),
                self.begun,
                Some(waiting),
                Advice::DontNeed,
            );
            self.begun = self.size;
        }
        Ok(())
    }

    fn commit(self, plan: &Plan) -> Result<Written> {
        let file = self.data.file();
        // A hole at the end exists only once the length says so.
        file.set_len(self.size).map_err(failure)?;
        if let Some(mode) = plan.permissions {
            let set = file.set_permissions(fs::Permissions::from_mode(mode));
            if let Err(error) = set {
                warn!(image.id = %plan.id, %error, "cannot set the permissions of image {}", plan.id);
            }
        }
        file.sync_all().map_err(failure)?;
        self.data.show().map_err(failure)?;
        File::open(&plan.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(failure)?;
        Ok((self.data, self.size))
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    // In blocks, so that the compiler can compare many at once.
    bytes
        .chunks(64)
        .all(|block| block.iter().fold(0, |all, byte| all | byte) == 0)
}
