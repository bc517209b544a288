//! Room: it is reserved before the first byte, and copies leave for it in their order.
//!
//! What is taken is the sum of the files at the top of the directory, whoever put them there (see
//! [`super::tally`]), and of what is promised to those that are being filled. A promise is a small file beside
//! the partial one, `.glance/fills/<id>.<inode>`, with the number of bytes in it; it counts as long as the
//! partial file is locked. All of this happens under one lock per directory, which is never held while
//! anybody waits for a store, a client or the index.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::layout::{self, Layout, Placed, files, image_named};
use super::owner::{Owner, owner};
use super::parked;
use super::partial::Partial;
use super::residents::{Asker, Residents, Wish};
use super::tally::{Area, Tally};
use crate::domain::ImageId;

pub use super::limits::Limits;
pub use super::lock::SpaceLock;

/// What a fill may still take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Filling {
    inode: u64,
    /// Bytes of it that count, whether they are there or not.
    promised: u64,
    /// Bytes of the disk it has already.
    allocated: u64,
}

/// What is taken.
#[derive(Debug, Default)]
pub struct Usage {
    pub tally: Tally,
    fills: Vec<Filling>,
    /// What dead fills have left.
    dead: Vec<(PathBuf, u64)>,
}

impl Usage {
    /// Looks at the tally, and at the files that somebody has open.
    pub fn measure(layout: &Layout, now: DateTime<Utc>, lock: &SpaceLock) -> io::Result<Self> {
        Self::beside(lock.tally(layout, now)?, layout, now, lock)
    }

    /// The same with a tally that was counted before.
    pub fn beside(
        tally: Tally,
        layout: &Layout,
        now: DateTime<Utc>,
        lock: &SpaceLock,
    ) -> io::Result<Self> {
        let mut usage = Self {
            tally,
            ..Self::default()
        };
        for (name, _) in files(&layout.incomplete())? {
            let path = layout.incomplete().join(&name);
            let Some(file) = layout::open_readable(&path)? else {
                continue;
            };
            let found = file.metadata()?;
            let allocated = found.blocks() * 512;
            let mut promised = found.len();
            if let Some(id) = image_named(&name) {
                if owner(layout, id, &file, now, lock)? == Owner::Dead {
                    usage.dead.push((path, allocated));
                    continue;
                }
                promised = promised.max(read_promise(layout, id, found.ino()));
            }
            usage.fills.push(Filling {
                inode: found.ino(),
                promised,
                allocated,
            });
        }
        for (name, _) in files(&layout.fills())? {
            usage.add_part(layout, &name, lock)?;
        }
        Ok(usage)
    }

    /// Parts that somebody has open, or had when its process died: those are promised room.
    fn add_part(&mut self, layout: &Layout, promise: &OsStr, lock: &SpaceLock) -> io::Result<()> {
        let Some((id, inode)) = promise.to_str().and_then(|name| name.split_once('.')) else {
            return Ok(());
        };
        let Ok(id) = id.parse::<ImageId>() else {
            return Ok(());
        };
        let path = layout.part(id);
        let Some(file) = layout::open_readable(&path)? else {
            return Ok(());
        };
        let found = file.metadata()?;
        if found.ino().to_string() != inode {
            return Ok(());
        }
        let allocated = found.blocks() * 512;
        if parked::is_held(&file, lock).unwrap_or(true) {
            self.fills.push(Filling {
                inode: found.ino(),
                promised: allocated.max(read_promise(layout, id, found.ino())),
                allocated,
            });
        } else {
            self.dead.push((path, allocated));
        }
        Ok(())
    }

    /// Bytes of all copies, whole and growing.
    pub fn taken(&self) -> u64 {
        let fills: u64 = self.fills.iter().map(|fill| fill.promised).sum();
        self.tally.copies.bytes + self.tally.strange + fills
    }

    /// Bytes of what is the first to go: bad data, parts that nobody has open, and what dead fills have left.
    pub fn waste(&self) -> u64 {
        let dead: u64 = self.dead.iter().map(|(_, size)| size).sum();
        self.tally.parts.bytes + self.tally.invalid.bytes + dead
    }

    /// Takes away what is the first to go.
    pub fn remove_waste(&self, layout: &Layout, lock: &SpaceLock) -> io::Result<()> {
        for (path, _) in &self.dead {
            layout::remove(path)?;
            // Spans that nobody goes on with have a table.
            if let Some(id) = path.file_name().and_then(image_named)
                && *path == layout.part(id)
            {
                layout::remove(&layout.spans(id))?;
            }
        }
        lock.came(layout, Area::Parts, 0, 0);
        for (name, found) in files(&layout.parts())? {
            let id = image_named(&name);
            if id.is_some_and(|id| is_promised(layout, id, found.ino())) {
                continue;
            }
            layout::remove(&layout.parts().join(name))?;
            lock.went(layout, Area::Parts, 1, found.blocks() * 512);
            if let Some(id) = id {
                layout::remove(&layout.spans(id))?;
            }
        }
        for (name, found) in files(&layout.invalid())? {
            layout::remove(&layout.invalid().join(name))?;
            lock.went(layout, Area::Invalid, 1, found.len());
        }
        Ok(())
    }
}

/// What came of asking for room.
#[derive(Debug)]
pub struct Room {
    pub granted: bool,
    /// It is the disk that has none, and not the limit.
    pub disk_full: bool,
    /// The images that had to leave.
    pub evicted: Vec<Placed>,
}

/// Promises `bytes` in all to a fill, and makes room for them.
pub fn reserve(
    partial: &Partial,
    limits: Limits,
    bytes: u64,
    now: DateTime<Utc>,
    (residents, asker): (&Residents, Asker),
) -> io::Result<Room> {
    let layout = partial.layout();
    let refused = |excess: Excess, evicted| Room {
        granted: false,
        disk_full: excess.on_disk > 0,
        evicted,
    };
    let lock = SpaceLock::take(layout)?;
    let usage = Usage::measure(layout, now, &lock)?;
    let excess = usage.excess(partial, limits, bytes)?;
    let mut evicted = Vec::new();
    if excess.bytes() > 0 {
        let here = usage.tally.copies.bytes;
        let wish = usage.wish(excess, limits, asker);
        let Some(leaving) = residents.leaving(layout, wish, here, now)? else {
            return Ok(refused(excess, evicted));
        };
        usage.remove_waste(layout, &lock)?;
        for image in leaving {
            let (id, size) = (image.id, image.size);
            if remove_copy(layout, &image, &lock)? {
                tracing::info!(image.id = %id, size, reason = "room", "evicted image {id} to make room");
                evicted.push(image);
            }
        }
        // A disk gets room back only when the last reader of a removed file is done, so it is asked again.
        let usage = Usage::measure(layout, now, &lock)?;
        let excess = usage.excess(partial, limits, bytes)?;
        if excess.bytes() > 0 {
            return Ok(refused(excess, evicted));
        }
    }
    promise(partial, bytes, &lock)?;
    Ok(Room {
        granted: true,
        disk_full: false,
        evicted,
    })
}

/// Removes a whole copy. False where somebody who takes no locks was there first.
pub fn remove_copy(layout: &Layout, image: &Placed, lock: &SpaceLock) -> io::Result<bool> {
    let gone = layout::remove(&layout.image(image.id))?;
    if gone {
        lock.went(layout, Area::Copies, 1, image.size);
        layout::remove(&layout.spans(image.id))?;
    }
    Ok(gone)
}

/// Promises `bytes` in all where there is room for them, and takes nothing away for it.
pub fn reserve_free(
    partial: &Partial,
    limits: Limits,
    bytes: u64,
    now: DateTime<Utc>,
) -> io::Result<bool> {
    let lock = SpaceLock::take(partial.layout())?;
    let usage = Usage::measure(partial.layout(), now, &lock)?;
    let fits = usage.excess(partial, limits, bytes)?.bytes() == 0;
    if fits {
        promise(partial, bytes, &lock)?;
    }
    Ok(fits)
}

/// What must go before there is room.
#[derive(Debug, Clone, Copy)]
struct Excess {
    over_limit: u64,
    on_disk: u64,
}

impl Excess {
    fn bytes(self) -> u64 {
        self.over_limit.max(self.on_disk)
    }
}

impl Usage {
    /// How many bytes of copies must leave, and how many may in the same go, down to the low-water mark.
    fn wish(&self, excess: Excess, limits: Limits, asker: Asker) -> Wish {
        let waste = self.waste();
        let needed = excess.bytes().saturating_sub(waste);
        let spare = if excess.over_limit > waste {
            limits.max_size - limits.low()
        } else {
            0
        };
        Wish {
            needed,
            best: needed.max(
                excess
                    .over_limit
                    .saturating_sub(waste)
                    .saturating_add(spare),
            ),
            asker,
            anyway: false,
        }
    }

    /// What must go before `partial` may have `bytes` in all.
    fn excess(&self, partial: &Partial, limits: Limits, bytes: u64) -> io::Result<Excess> {
        let (own, others): (Vec<Filling>, Vec<Filling>) = self
            .fills
            .iter()
            .partition(|fill| fill.inode == partial.inode());
        let own_promise: u64 = own.iter().map(|fill| fill.promised).sum();
        let own_blocks: u64 = own.iter().map(|fill| fill.allocated).sum();
        let taken = self.taken().saturating_sub(own_promise) + self.waste();
        let over_limit = taken.saturating_add(bytes).saturating_sub(limits.max_size);

        let to_come: u64 = others
            .iter()
            .map(|fill| fill.promised.saturating_sub(fill.allocated))
            .sum();
        let wanted = bytes
            .saturating_sub(own_blocks)
            .saturating_add(to_come)
            .saturating_add(limits.min_free);
        let free = fs2::available_space(partial.layout().root())?;
        Ok(Excess {
            over_limit,
            on_disk: wanted.saturating_sub(free),
        })
    }
}

fn promise_of(layout: &Layout, id: ImageId, inode: u64) -> PathBuf {
    layout.fills().join(format!("{id}.{inode}"))
}

/// Writes down what a fill may take.
pub fn promise(partial: &Partial, bytes: u64, _lock: &SpaceLock) -> io::Result<()> {
    let path = promise_of(partial.layout(), partial.id(), partial.inode());
    // One of nothing takes no block: on a full disk it must be there before room can be made.
    let text = match bytes {
        0 => String::new(),
        bytes => format!("{bytes}\n"),
    };
    fs::write(&path, text)?;
    partial.layout().adopt(&File::open(path)?)
}

/// Whether the partial file was made by a process of ours.
pub fn is_promised(layout: &Layout, id: ImageId, inode: u64) -> bool {
    promise_of(layout, id, inode).exists()
}

fn read_promise(layout: &Layout, id: ImageId, inode: u64) -> u64 {
    // Written under the lock and read under it: only a crash leaves one that is not whole, and its partial
    // file is not locked.
    fs::read_to_string(promise_of(layout, id, inode))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

/// Takes a promise back.
pub fn withdraw(layout: &Layout, id: ImageId, inode: u64) -> io::Result<()> {
    layout::remove(&promise_of(layout, id, inode)).map(drop)
}

/// Takes back the promises whose partial file nobody fills any more.
pub fn withdraw_orphans(layout: &Layout, lock: &SpaceLock) -> io::Result<()> {
    for name in orphans(layout, lock)? {
        // A part that nobody uses any more lies there from now on.
        if let Some((id, inode)) = promised(&name)
            && let Ok(found) = fs::symlink_metadata(layout.part(id))
            && found.ino() == inode
        {
            lock.came(layout, Area::Parts, 1, found.blocks() * 512);
        }
        layout::remove(&layout.fills().join(name))?;
    }
    Ok(())
}

/// The promises whose partial file is not there any more, or lies aside and is used by nobody. What a dead fill
/// was promised tells that it was ours, and goes with it.
pub fn orphans(layout: &Layout, lock: &SpaceLock) -> io::Result<Vec<OsString>> {
    let mut found = Vec::new();
    for (name, _) in files(&layout.fills())? {
        let kept = match promised(&name) {
            Some((id, inode)) => {
                is_file(&layout.partial(id), inode)
                    || (is_file(&layout.part(id), inode) && parked::is_in_use(layout, id, lock)?)
            }
            None => false,
        };
        if !kept {
            found.push(name);
        }
    }
    Ok(found)
}

/// The image that a promise is of, and the inode of its partial file.
fn promised(name: &OsStr) -> Option<(ImageId, u64)> {
    let (id, inode) = name.to_str()?.split_once('.')?;
    Some((id.parse().ok()?, inode.parse().ok()?))
}

fn is_file(path: &Path, inode: u64) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.ino() == inode)
}
