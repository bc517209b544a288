//! Spans of images that are not whole: `.glance/partial/<id>`.
//!
//! They are what cut fills and ranges have left. Nobody counts them as cached, nobody lists them, and they are
//! the first to go when room is needed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::FallocateFlags;

use super::layout::{self, Layout, files, image_named};
use super::space::{self, SpaceLock};
use super::spans::Table;
use super::sums::{bytes_of, spans_of};
use super::tally::Area;
use crate::domain::ImageId;

/// Puts what a dead process has left in `incomplete/` aside, where somebody can go on with it. False where
/// there is nothing to go on with: then it is removed.
pub fn put(layout: &Layout, id: ImageId, lock: &SpaceLock) -> io::Result<bool> {
    let path = layout.partial(id);
    let Some(file) = layout::open_to_write(&path)? else {
        return Ok(false);
    };
    let inode = file.metadata()?.ino();
    let table = Table::open(layout, id)?;
    let speaks_for_another = table.as_ref().is_some_and(|table| table.inode != inode);
    let kept = match table {
        Some(table) if table.inode == inode && table.size.is_some() && table.here() > 0 => {
            release_holes(&file, &table)?;
            fs::rename(&path, layout.part(id))?;
            lock.came(layout, Area::Parts, 1, file.metadata()?.blocks() * 512);
            tracing::info!(image.id = %id, spans = table.here(), "kept the spans of a cut fill of image {id}");
            true
        }
        _ => {
            tracing::info!(image.id = %id, "removed a dead fill of image {id}");
            layout::remove(&path)?;
            if !speaks_for_another {
                layout::remove(&layout.spans(id))?;
            }
            false
        }
    };
    space::withdraw(layout, id, inode)?;
    Ok(kept)
}

/// Gives back the room of spans that are not here.
pub fn release_holes(file: &File, table: &Table) -> io::Result<()> {
    use rustix::io::Errno;
    let size = table.size.unwrap_or(0);
    let mut span = 0;
    while span < spans_of(size) {
        let (here, end) = table.run(span);
        if !here {
            let hole = bytes_of(span, end, size);
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            match rustix::fs::fallocate(file, flags, hole.start, hole.len()) {
                Ok(()) => {}
                // There they take the room that they take, and are counted with it.
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        span = end;
    }
    Ok(())
}

/// Removes the spans of an image that is not whole. False where there were none.
pub fn remove(layout: &Layout, id: ImageId, lock: &SpaceLock) -> io::Result<bool> {
    let found = fs::symlink_metadata(layout.part(id)).ok();
    let gone = layout::remove(&layout.part(id))?;
    if gone {
        // What is promised room is counted by its promise.
        let counted = found.filter(|found| !space::is_promised(layout, id, found.ino()));
        let (files, bytes) = counted.map_or((0, 0), |found| (1, found.blocks() * 512));
        lock.went(layout, Area::Parts, files, bytes);
        layout::remove(&layout.spans(id))?;
    }
    Ok(gone)
}

/// Whether a process has it open. To be asked under the lock on the directory.
pub fn is_held(file: &File, _lock: &SpaceLock) -> io::Result<bool> {
    match fs2::FileExt::try_lock_shared(file) {
        Ok(()) => fs2::FileExt::unlock(file).map(|()| false),
        Err(error) if error.kind() == fs2::lock_contended_error().kind() => Ok(true),
        Err(error) => Err(error),
    }
}

/// Whether a process has the part of an image open.
pub fn is_in_use(layout: &Layout, id: ImageId, lock: &SpaceLock) -> io::Result<bool> {
    match layout::open_readable(&layout.part(id))? {
        Some(file) => is_held(&file, lock),
        None => Ok(false),
    }
}

/// Whether nobody uses a part, and nobody could go on with it: all of the image may be here by now, for the original
/// knows of no parts.
pub fn is_useless(layout: &Layout, id: ImageId, lock: &SpaceLock) -> io::Result<bool> {
    let Some(file) = layout::open_readable(&layout.part(id))? else {
        return Ok(false);
    };
    if is_held(&file, lock)? {
        return Ok(false);
    }
    if fs::symlink_metadata(layout.image(id)).is_ok_and(|copy| copy.is_file()) {
        return Ok(true);
    }
    let found = file.metadata()?;
    let table = Table::open(layout, id)?;
    let useful = table.is_some_and(|table| {
        table.inode == found.ino() && table.size == Some(found.len()) && table.here() > 0
    });
    Ok(!useful)
}

/// Removes parts that nobody could go on with: a process died before the first span of them was here.
pub fn remove_useless(layout: &Layout, lock: &SpaceLock) -> io::Result<()> {
    for (name, _) in files(&layout.parts())? {
        if let Some(id) = image_named(&name)
            && is_useless(layout, id, lock)?
        {
            layout::remove(&layout.part(id))?;
        }
    }
    Ok(())
}

/// Removes tables that speak for no file.
pub fn remove_orphans(layout: &Layout, lock: &SpaceLock) -> io::Result<u64> {
    let mut gone = 0;
    for name in orphans(layout, lock)? {
        gone += u64::from(layout::remove(&layout.tables().join(name))?);
    }
    Ok(gone)
}

/// The tables that speak for no file.
pub fn orphans(layout: &Layout, _lock: &SpaceLock) -> io::Result<Vec<OsString>> {
    let mut names = files(&layout.tables())?;
    names.retain(|(name, _)| {
        let id = image_named(name);
        let table = id.zip(id.and_then(|id| Table::open(layout, id).ok().flatten()));
        !table.is_some_and(|(id, table)| speaks_for_any(layout, id, &table))
    });
    Ok(names.into_iter().map(|(name, _)| name).collect())
}

/// Whether a table speaks for a file of its image, or for a copy that was moved.
fn speaks_for_any(layout: &Layout, id: ImageId, table: &Table) -> bool {
    let found = |path| fs::symlink_metadata(path).ok();
    let copy = found(layout.image(id));
    let moved = copy
        .as_ref()
        .is_some_and(|copy| copy.is_file() && table.proves(copy.len()));
    let places = [copy, found(layout.part(id)), found(layout.partial(id))];
    let mut found = places.iter().flatten();
    moved || found.any(|found| found.ino() == table.inode)
}
