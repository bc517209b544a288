//! Room: it is reserved before the first byte, and the least recently used images leave for it.
//!
//! Files are the truth. What is taken is the sum of the files at the top of the directory, whoever put them
//! there, and of what is promised to those that are being filled. A promise is a small file beside the
//! partial one, `.glance/fills/<id>.<inode>`, with the number of bytes in it; it counts as long as the
//! partial file is locked. All of this happens under one lock per directory, which is never held while
//! anybody waits for a store, a client or the index.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use fs2::FileExt as _;

use super::format;
use super::layout::{self, Contents, Layout, Placed, files, image_named, names};
use super::owner::{Owner, owner};
use super::parked;
use super::partial::Partial;
use super::prune::{self, Uses};
use crate::domain::ImageId;

/// How much the cache may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of all copies, whole and growing.
    pub max_size: u64,
    /// Bytes that the disk keeps free.
    pub min_free: u64,
}

/// The right to give room away, to move files into their place, and to ask whose a partial file is.
#[derive(Debug)]
pub struct SpaceLock {
    _file: Option<File>,
}

impl SpaceLock {
    /// Waits for it where there is one, and changes nothing: where no process of ours has ever been, there
    /// is nobody to keep out.
    pub fn look(layout: &Layout) -> io::Result<Self> {
        let file = layout::open_existing(&layout.space_lock())?;
        if let Some(file) = &file {
            fs2::FileExt::lock_shared(file)?;
        }
        format::check(layout)?;
        Ok(Self { _file: file })
    }

    /// Waits for it. Creates the directories where they are missing.
    pub fn take(layout: &Layout) -> io::Result<Self> {
        let path = layout.space_lock();
        loop {
            let opened = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o644)
                .open(&path);
            let file = match opened {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    layout.prepare()?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            layout.adopt(&file)?;
            match file.lock_exclusive() {
                // The lock of a file that lost its name meanwhile keeps nobody out.
                Ok(()) if names(&path, &file.metadata()?) => {
                    format::check(layout)?;
                    return Ok(Self { _file: Some(file) });
                }
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

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
    pub contents: Contents,
    fills: Vec<Filling>,
    /// Bad data and what dead fills have left: the first to go.
    waste: Vec<(PathBuf, u64)>,
}

impl Usage {
    /// Reads the directory.
    pub fn measure(layout: &Layout, now: DateTime<Utc>, lock: &SpaceLock) -> io::Result<Self> {
        let mut fills = Vec::new();
        let mut waste = Vec::new();
        for (name, _) in files(&layout.incomplete())? {
            let path = layout.incomplete().join(&name);
            let Some(file) = layout::open_existing(&path)? else {
                continue;
            };
            let found = file.metadata()?;
            let mut promised = found.len();
            if let Some(id) = image_named(&name) {
                if owner(layout, id, &file, now, lock)? == Owner::Dead {
                    waste.push((path, found.blocks() * 512));
                    continue;
                }
                promised = promised.max(read_promise(layout, id, found.ino()));
            }
            fills.push(Filling {
                inode: found.ino(),
                promised,
                allocated: found.blocks() * 512,
            });
        }
        for (name, found) in files(&layout.parts())? {
            let path = layout.parts().join(name);
            let Some(file) = layout::open_existing(&path)? else {
                continue;
            };
            let allocated = found.blocks() * 512;
            let id = path.file_name().and_then(image_named);
            match id.filter(|_| parked::is_held(&file, lock).unwrap_or(true)) {
                Some(id) => fills.push(Filling {
                    inode: found.ino(),
                    promised: allocated.max(read_promise(layout, id, found.ino())),
                    allocated,
                }),
                None => waste.push((path, allocated)),
            }
        }
        for (name, found) in files(&layout.invalid())? {
            waste.push((layout.invalid().join(name), found.len()));
        }
        Ok(Self {
            contents: layout.contents()?,
            fills,
            waste,
        })
    }

    /// Bytes of all copies, whole and growing.
    pub fn taken(&self) -> u64 {
        let images: u64 = self.contents.images.iter().map(|image| image.size).sum();
        let fills: u64 = self.fills.iter().map(|fill| fill.promised).sum();
        images + fills + self.contents.strange
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

/// Promises `bytes` in all to a fill, and makes room for them. `uses` tells when images were last used; it
/// is asked only where some must leave, and not under the lock.
pub fn reserve(
    partial: &Partial,
    limits: Limits,
    bytes: u64,
    now: DateTime<Utc>,
    uses: &dyn Fn() -> Uses,
) -> io::Result<Room> {
    let layout = partial.layout();
    let granted = |evicted| Room {
        granted: true,
        disk_full: false,
        evicted,
    };
    let refused = |excess: Excess, evicted| Room {
        granted: false,
        disk_full: excess.on_disk > 0,
        evicted,
    };
    {
        let lock = SpaceLock::take(layout)?;
        let usage = Usage::measure(layout, now, &lock)?;
        if usage.excess(partial, limits, bytes)?.bytes() == 0 {
            promise(partial, bytes, &lock)?;
            return Ok(granted(Vec::new()));
        }
    }
    let uses = uses();
    let lock = SpaceLock::take(layout)?;
    let usage = Usage::measure(layout, now, &lock)?;
    let excess = usage.excess(partial, limits, bytes)?;
    let waste: u64 = usage.waste.iter().map(|(_, size)| size).sum();
    let needed = excess.bytes().saturating_sub(waste);
    let images = &usage.contents.images;
    let Some(leaving) = prune::least_recently_used(images, &uses, needed) else {
        return Ok(refused(excess, Vec::new()));
    };
    if excess.bytes() > 0 {
        for (path, _) in &usage.waste {
            layout::remove(path)?;
            // Spans that nobody goes on with have a table.
            if let Some(id) = path.file_name().and_then(image_named)
                && *path == layout.part(id)
            {
                layout::remove(&layout.spans(id))?;
            }
        }
    }
    for image in &leaving {
        layout::remove(&layout.image(image.id))?;
        layout::remove(&layout.spans(image.id))?;
        let (id, size) = (image.id, image.size);
        tracing::info!(image.id = %id, size, reason = "room", "evicted image {id} to make room");
    }
    // A disk gets room back only when the last reader of a removed file is done, so it is asked again.
    let usage = Usage::measure(layout, now, &lock)?;
    let excess = usage.excess(partial, limits, bytes)?;
    if excess.bytes() > 0 {
        return Ok(refused(excess, leaving));
    }
    promise(partial, bytes, &lock)?;
    Ok(granted(leaving))
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
    /// What must go before `partial` may have `bytes` in all.
    fn excess(&self, partial: &Partial, limits: Limits, bytes: u64) -> io::Result<Excess> {
        let (own, others): (Vec<Filling>, Vec<Filling>) = self
            .fills
            .iter()
            .partition(|fill| fill.inode == partial.inode());
        let own_promise: u64 = own.iter().map(|fill| fill.promised).sum();
        let own_blocks: u64 = own.iter().map(|fill| fill.allocated).sum();
        let waste: u64 = self.waste.iter().map(|(_, size)| size).sum();
        let taken = self.taken().saturating_sub(own_promise) + waste;
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
        layout::remove(&layout.fills().join(name))?;
    }
    Ok(())
}

/// The promises whose partial file is not there any more, or lies aside and is used by nobody. What a dead fill
/// was promised tells that it was ours, and goes with it.
pub fn orphans(layout: &Layout, lock: &SpaceLock) -> io::Result<Vec<OsString>> {
    let mut found = Vec::new();
    for (name, _) in files(&layout.fills())? {
        let promised = name.to_str().and_then(|name| {
            let (id, inode) = name.split_once('.')?;
            Some((id.parse().ok()?, inode.parse().ok()?))
        });
        let kept = match promised {
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

fn is_file(path: &Path, inode: u64) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.ino() == inode)
}
