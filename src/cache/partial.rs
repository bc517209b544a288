//! A copy in the making: `incomplete/<id>`, and the lock on it.
//!
//! The lock is `flock` on the open file. It holds against every process on this node, and the kernel drops
//! it when its holder dies, so a crash leaves nothing to time out. What follows from it:
//!
//! - a locked partial file is being filled;
//! - an unlocked one that was promised room (or is as we create them, and still empty) was ours, and its
//!   process is dead: it goes away at once;
//! - any other unlocked one is of a service that takes no locks. It is left alone while it still changes.
//!
//! Whoever asks for a lock only to see whether it is held does so under the [`SpaceLock`], as every claim
//! does; otherwise the question itself would look like a fill.
//!
//! The mode of the file goes with its data: those who read along in other processes see by it whether what
//! they have open was verified, also where it has lost its name meanwhile.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

use chrono::{DateTime, TimeDelta, Utc};
use fs2::FileExt as _;
use rustix::fs::{FallocateFlags, Mode};

use super::layout::{self, Layout, names};
use super::space::{self, SpaceLock};
use crate::domain::ImageId;

/// Being written: its writer's alone.
const GROWING: u32 = 0o600;
/// All of the image, and proven to be so.
const VERIFIED: u32 = 0o640;
/// Not the image's data. Nobody writes it any more.
const BAD: u32 = 0o400;

/// How long an unlocked file of a stranger is taken for one that is still being written.
const STRANGER_RESTS: TimeDelta = TimeDelta::seconds(10);

/// A partial file that is locked by this process. Dropped before its commit, it never was.
#[derive(Debug)]
pub struct Partial {
    layout: Layout,
    id: ImageId,
    file: File,
    inode: u64,
}

/// What came of reaching for an image.
#[derive(Debug)]
pub enum Attempt {
    Claimed(Partial),
    /// Somebody else fills it: their file, opened for reading.
    Growing(File),
    /// A service that takes no locks may be filling it.
    Stranger,
    /// Something is in the way that is no partial file.
    Obstructed,
}

/// Whose a partial file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A process that fills it.
    Filler,
    /// A process of ours that died.
    Dead,
    /// A service without locks, that may be alive.
    Stranger,
    /// The same, after it has not written for a while.
    Nobody,
}

/// What is known of the data in a partial file, by whoever has it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    Growing,
    Verified,
    Bad,
}

impl Data {
    pub fn of(metadata: &Metadata) -> Self {
        match metadata.mode() & 0o777 {
            VERIFIED => Data::Verified,
            BAD => Data::Bad,
            _ => Data::Growing,
        }
    }
}

/// Whose the open partial file is.
pub fn owner(
    layout: &Layout,
    id: ImageId,
    file: &File,
    now: DateTime<Utc>,
    _lock: &SpaceLock,
) -> io::Result<Owner> {
    // Shared, for that needs no right to write.
    match fs2::FileExt::try_lock_shared(file) {
        Ok(()) => fs2::FileExt::unlock(file)?,
        Err(error) if error.kind() == fs2::lock_contended_error().kind() => {
            return Ok(Owner::Filler);
        }
        Err(error) => return Err(error),
    }
    let found = file.metadata()?;
    let ours = found.len() == 0 && found.mode() & 0o777 == GROWING;
    if ours || space::is_promised(layout, id, found.ino()) {
        return Ok(Owner::Dead);
    }
    // A time to come is no sign of life: the clock was set back.
    let age = now - DateTime::<Utc>::from(found.modified()?);
    let fresh = age < STRANGER_RESTS && age > -STRANGER_RESTS;
    Ok(if fresh {
        Owner::Stranger
    } else {
        Owner::Nobody
    })
}

/// Whether somebody is bringing the image in.
pub fn is_growing(
    layout: &Layout,
    id: ImageId,
    now: DateTime<Utc>,
    lock: &SpaceLock,
) -> io::Result<bool> {
    let Some(file) = layout::open_existing(&layout.partial(id))? else {
        return Ok(false);
    };
    let owner = owner(layout, id, &file, now, lock)?;
    Ok(matches!(owner, Owner::Filler | Owner::Stranger))
}

impl Partial {
    /// Reaches for the image.
    pub fn claim(
        layout: &Layout,
        id: ImageId,
        now: DateTime<Utc>,
        lock: &SpaceLock,
    ) -> io::Result<Attempt> {
        let path = layout.partial(id);
        if let Some(file) = layout::open_existing(&path)? {
            if file.metadata()?.is_dir() {
                return Ok(Attempt::Obstructed);
            }
            match owner(layout, id, &file, now, lock)? {
                Owner::Filler => return Ok(Attempt::Growing(file)),
                Owner::Stranger => return Ok(Attempt::Stranger),
                Owner::Dead | Owner::Nobody => {
                    tracing::info!(image.id = %id, "removed a dead fill of image {id}");
                    layout::remove(&path)?;
                    space::withdraw(layout, id, file.metadata()?.ino())?;
                }
            }
        }
        let created = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(GROWING)
            .open(&path);
        let file = match created {
            Ok(file) => file,
            // A link that leads nowhere, or somebody who takes no locks and came in between.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Ok(Attempt::Obstructed);
            }
            Err(error) => return Err(error),
        };
        let inode = file.metadata()?.ino();
        let layout = layout.clone();
        let partial = Self {
            layout,
            id,
            file,
            inode,
        };
        partial.file.try_lock_exclusive()?;
        partial.layout.adopt(&partial.file)?;
        space::promise(&partial, 0, lock)?;
        Ok(Attempt::Claimed(partial))
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub fn id(&self) -> ImageId {
        self.id
    }

    pub fn inode(&self) -> u64 {
        self.inode
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Opens the file for those who read along. They do not share the lock.
    pub fn reader(&self) -> io::Result<File> {
        let file = File::open(self.layout.partial(self.id))?;
        if file.metadata()?.ino() == self.inode {
            Ok(file)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    /// Takes the blocks from the disk now, where the file system can, so that a full disk shows before the
    /// fill and not in its middle.
    pub fn allocate(&self, size: u64) -> io::Result<()> {
        use rustix::io::Errno;
        if size == 0 {
            return Ok(());
        }
        match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, size) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells everyone who reads along that all of it is there, and right.
    pub fn mark_verified(&self) -> io::Result<()> {
        Ok(rustix::fs::fchmod(
            &self.file,
            Mode::from_raw_mode(VERIFIED),
        )?)
    }

    /// Makes the copy durable and puts it into its place. False where it was dropped meanwhile.
    pub fn commit(self) -> io::Result<bool> {
        self.file.sync_all()?;
        let moved = {
            // Under the lock nobody else can claim the image between the question and the move, and nobody
            // who counts bytes misses a file that is on its way.
            let _lock = SpaceLock::take(&self.layout)?;
            let partial = self.layout.partial(self.id);
            names(&partial, &self.file.metadata()?)
                && renamed(fs::rename(&partial, self.layout.image(self.id)))?
        };
        if moved && let Err(error) = self.layout.sync_root() {
            tracing::warn!("the cache directory could not be synced: {error}");
        }
        Ok(moved)
    }

    /// Puts data that is not the image's aside, for somebody to look at until the next `clean`.
    pub fn reject(self) -> io::Result<()> {
        // Under the lock, or who sees that it is bad and asks again would find it once more.
        let _lock = SpaceLock::take(&self.layout)?;
        rustix::fs::fchmod(&self.file, Mode::from_raw_mode(BAD))?;
        let partial = self.layout.partial(self.id);
        if names(&partial, &self.file.metadata()?) {
            let aside = self.layout.invalid().join(self.id.as_str());
            renamed(fs::rename(&partial, aside))?;
        }
        Ok(())
    }
}

/// Whether the file was still there to be moved.
fn renamed(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Partial {
    /// Leaves nothing behind in `incomplete/`. After a commit there is nothing.
    fn remove(&self) -> io::Result<()> {
        let path = self.layout.partial(self.id);
        if names(&path, &self.file.metadata()?) {
            layout::remove(&path)?;
        }
        space::withdraw(&self.layout, self.id, self.inode)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            let id = self.id;
            tracing::warn!(image.id = %id, "a partial file of image {id} was left behind: {error}");
        }
    }
}
