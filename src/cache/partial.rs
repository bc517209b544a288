//! A copy that is not whole, and the lock on it: `incomplete/<id>` while somebody brings the image in, else
//! `.glance/partial/<id>`, where the original never looks.
//!
//! The lock is `flock` on the open file. It holds against every process on this node, and the kernel drops
//! it when its holder dies, so a crash leaves nothing to time out. What follows from it:
//!
//! - a locked partial file is being filled;
//! - an unlocked one that was promised room (or is as we create them, and still empty) was ours, and its
//!   process is dead: who comes next goes on with the spans it has;
//! - any other unlocked one is of a service that takes no locks. It is left alone while it still changes.
//!
//! What is known of its data stands in its table of spans (see [`super::spans`]). A fill that is cut leaves
//! its spans for the next one, or for those who want no more than a part of the image.
//!
//! Whoever asks for a lock only to see whether it is held does so under the [`SpaceLock`], as every claim
//! does; otherwise the question itself would look like a fill.
//!
//! The mode of the file goes with its data: those who read along in other processes see by it whether what
//! they have open was verified, also where it has lost its name meanwhile.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FallocateFlags, Mode};

use super::Expected;
use super::layout::{self, Layout, names};
use super::marks;
use super::parked;
use super::space::{self, SpaceLock};
use super::spans::{Proof, Table};
use super::tally::Area;
use crate::domain::ImageId;
use crate::stream::ByteRange;

/// Being written: its writer's alone.
pub const GROWING: u32 = 0o600;
/// All of the image, and proven to be so.
const VERIFIED: u32 = 0o640;
/// Not the image's data. Nobody writes it any more.
const BAD: u32 = 0o400;

/// A partial file that is locked by this process. Dropped before its commit, only its spans are left.
#[derive(Debug)]
pub struct Partial {
    layout: Layout,
    id: ImageId,
    file: File,
    inode: u64,
    table: Arc<Table>,
    place: Mutex<Place>,
    /// Bytes of room it has been promised.
    promised: AtomicU64,
}

/// Where the file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `.glance/partial/`: nobody brings the whole image in.
    Parked,
    /// `incomplete/`
    Filling,
    /// It is whole, bad or dropped.
    Gone,
}

/// What the data is meant to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub size: Option<u64>,
    pub proof: Proof,
}

impl Wanted {
    pub fn of(expected: &Expected) -> Self {
        Self {
            size: expected.size,
            proof: Proof::of(&expected.checksums),
        }
    }
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

impl Partial {
    /// Takes over a locked file and its table.
    pub fn opened(
        layout: &Layout,
        id: ImageId,
        file: File,
        table: Table,
        place: Place,
        lock: &SpaceLock,
    ) -> io::Result<Self> {
        let partial = Self {
            layout: layout.clone(),
            id,
            inode: file.metadata()?.ino(),
            file,
            table: Arc::new(table),
            place: Mutex::new(place),
            promised: AtomicU64::new(0),
        };
        let known = space::is_promised(layout, id, partial.inode);
        let parked = *partial.place() == Place::Parked;
        if let Err(error) = space::promise(&partial, 0, lock) {
            *partial.place() = Place::Gone;
            return Err(error);
        }
        if parked && !known {
            // It is counted by its promise from now on.
            let allocated = partial.file.metadata()?.blocks() * 512;
            lock.went(layout, Area::Parts, 1, allocated);
        }
        Ok(partial)
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

    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The same for those who read along: they do not share the lock.
    pub fn shared_table(&self) -> Arc<Table> {
        Arc::clone(&self.table)
    }

    /// Bytes of room it has been promised.
    pub fn promised(&self) -> u64 {
        self.promised.load(Ordering::Acquire)
    }

    pub fn set_promised(&self, bytes: u64) {
        self.promised.store(bytes, Ordering::Release);
    }

    /// Whether nobody brings it in, and it is where one would look for it.
    pub fn is_parked(&self) -> bool {
        let found = self.file.metadata();
        *self.place() == Place::Parked
            && found.is_ok_and(|found| names(&self.layout.part(self.id), &found))
    }

    /// Taken after the lock on the directory, where both are needed.
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the file for those who read along. They do not share the lock.
    pub fn reader(&self) -> io::Result<File> {
        let path = match *self.place() {
            Place::Parked => self.layout.part(self.id),
            Place::Filling => self.layout.partial(self.id),
            Place::Gone => self.layout.image(self.id),
        };
        let file = File::open(path)?;
        if file.metadata()?.ino() == self.inode {
            Ok(file)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    /// Takes the blocks from the disk now, where the file system can, so that a full disk shows before the
    /// fill and not in its middle.
    pub fn allocate(&self, range: ByteRange) -> io::Result<()> {
        use rustix::io::Errno;
        if range.is_empty() {
            return Ok(());
        }
        let flags = FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(&self.file, flags, range.start, range.len()) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Gets the table ready, and gives the file its length, as far as that is known: it is never shorter from
    /// then on.
    pub fn prepare(&self) -> io::Result<()> {
        self.table.begin()?;
        self.table
            .size
            .map_or(Ok(()), |size| self.file.set_len(size))
    }

    /// Puts it where everyone looks for a copy that is being made.
    pub fn begin_fill(&self, lock: &SpaceLock) -> io::Result<()> {
        let mut place = self.place();
        if *place == Place::Parked {
            fs::rename(self.layout.part(self.id), self.layout.partial(self.id))?;
            lock.came(&self.layout, Area::Parts, 0, 0);
            *place = Place::Filling;
        }
        Ok(())
    }

    /// Nobody brings it in any more: its spans are put aside.
    pub fn end_fill(&self) -> io::Result<()> {
        if *self.place() != Place::Filling {
            return Ok(());
        }
        let lock = SpaceLock::take(&self.layout)?;
        let mut place = self.place();
        let path = self.layout.partial(self.id);
        *place = Place::Gone;
        self.give_back_room()?;
        if self.table.here() > 0 {
            self.table.set_cut()?;
        }
        if !names(&path, &self.file.metadata()?) {
            return Ok(());
        }
        if !self.is_useful() {
            self.table.remove(&self.layout, self.id)?;
            return layout::remove(&path).map(drop);
        }
        parked::release_holes(&self.file, &self.table)?;
        layout::renamed(fs::rename(&path, self.layout.part(self.id)))?;
        *place = Place::Parked;
        // As long as somebody has it open it is counted by its promise.
        let allocated = self.file.metadata()?.blocks() * 512;
        space::promise(self, allocated, &lock)?;
        self.set_promised(allocated);
        lock.came(&self.layout, Area::Parts, 0, 0);
        Ok(())
    }

    /// Whether somebody can go on with its spans. Not where another process has begun a fill beside it, whose table
    /// has taken the place of this one.
    fn is_useful(&self) -> bool {
        self.table.here() > 0
            && self.table.size.is_some()
            && self.table.is_known(&self.layout, self.id)
    }

    /// Its spans are of no use, or there is no room for them.
    pub fn discard(&self) -> io::Result<()> {
        let lock = SpaceLock::try_take(&self.layout)?;
        let mut place = self.place();
        let path = match *place {
            Place::Parked => self.layout.part(self.id),
            Place::Filling => self.layout.partial(self.id),
            Place::Gone => return Ok(()),
        };
        *place = Place::Gone;
        self.give_back_room()?;
        self.table.remove(&self.layout, self.id)?;
        if names(&path, &self.file.metadata()?) {
            layout::remove(&path)?;
            if let Some(lock) = lock {
                lock.came(&self.layout, Area::Parts, 0, 0);
            }
        }
        Ok(())
    }

    /// Tells everyone who reads along that all of it is there, and right.
    pub fn mark_verified(&self) -> io::Result<()> {
        let mode = Mode::from_raw_mode(VERIFIED);
        Ok(rustix::fs::fchmod(&self.file, mode)?)
    }

    /// Makes the copy durable and puts it into its place. False where it was dropped meanwhile.
    pub fn commit(&self) -> io::Result<bool> {
        if self.layout.counts_on_files() {
            marks::begin(&self.file);
        }
        self.file.sync_all()?;
        let moved = {
            // Under the lock nobody else can claim the image between the question and the move, and nobody
            // who counts bytes misses a file that is on its way.
            let lock = SpaceLock::take(&self.layout)?;
            let mut place = self.place();
            let partial = self.layout.partial(self.id);
            let moved = names(&partial, &self.file.metadata()?)
                && layout::renamed(fs::rename(&partial, self.layout.image(self.id)))?;
            *place = Place::Gone;
            self.give_back_room()?;
            if moved {
                let size = self.file.metadata()?.len();
                lock.came(&self.layout, Area::Copies, 1, size);
            }
            moved
        };
        if moved && let Err(error) = self.layout.sync_root() {
            tracing::warn!("the cache directory could not be synced: {error}");
        }
        Ok(moved)
    }

    /// Puts data that is not the image's aside, for somebody to look at until the next `clean`.
    pub fn reject(&self) -> io::Result<()> {
        // Under the lock, or who sees that it is bad and asks again would find it once more.
        let lock = SpaceLock::take(&self.layout)?;
        let mut place = self.place();
        rustix::fs::fchmod(&self.file, Mode::from_raw_mode(BAD))?;
        self.table.remove(&self.layout, self.id)?;
        let partial = self.layout.partial(self.id);
        if names(&partial, &self.file.metadata()?) {
            lock.put_aside(&self.layout, self.id, &partial)?;
        }
        *place = Place::Gone;
        self.give_back_room()
    }

    /// The promise has been used, or is not needed any more.
    fn give_back_room(&self) -> io::Result<()> {
        self.set_promised(0);
        space::withdraw(&self.layout, self.id, self.inode)
    }

    /// Leaves nothing behind but spans that are here. After a commit there is nothing to do.
    fn leave(&self) -> io::Result<()> {
        self.end_fill()?;
        if *self.place() == Place::Parked && !self.is_useful() {
            self.discard()?;
        }
        let parked = *self.place() == Place::Parked;
        if !parked {
            return self.give_back_room();
        }
        let Some(lock) = SpaceLock::try_take(&self.layout)? else {
            // It stays counted by its promise, until somebody takes it up or cleans.
            return Ok(());
        };
        let found = self.file.metadata()?;
        if names(&self.layout.part(self.id), &found) {
            // Nobody has it open any more.
            lock.came(&self.layout, Area::Parts, 1, found.blocks() * 512);
        }
        // With the room, and not a moment later: until then nobody else may remove the part or go on with it.
        let _ = fs2::FileExt::unlock(&self.file);
        self.give_back_room()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            let id = self.id;
            tracing::warn!(image.id = %id, "a partial file of image {id} was left behind: {error}");
        }
    }
}
