//! Images asked for ahead of time: empty files, put there by us or by anyone.

use std::fs::{FileTimes, OpenOptions};
use std::io;

use chrono::{DateTime, Utc};

use super::layout::{self, Layout, files, image_named};
use super::owner;
use super::space::SpaceLock;
use crate::domain::ImageId;

/// An image that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Queued {
    pub since: DateTime<Utc>,
    pub id: ImageId,
}

/// The queue, first to be fetched first, and the names in it that are no image's.
pub fn list(layout: &Layout) -> io::Result<(Vec<Queued>, Vec<String>)> {
    let mut queue = Vec::new();
    let mut strange = Vec::new();
    for (name, found) in files(&layout.queue())? {
        match image_named(&name) {
            Some(id) => queue.push(Queued {
                since: DateTime::from(found.modified()?),
                id,
            }),
            None => strange.push(name.to_string_lossy().into_owned()),
        }
    }
    queue.sort_unstable();
    Ok((queue, strange))
}

/// Asks for an image. False where it is here, on its way or asked for already.
pub fn add(layout: &Layout, id: ImageId, now: DateTime<Utc>) -> io::Result<bool> {
    {
        let lock = SpaceLock::take(layout)?;
        let here = std::fs::symlink_metadata(layout.image(id)).is_ok_and(|found| found.is_file());
        if here || owner::is_growing(layout, id, now, &lock)? {
            return Ok(false);
        }
    }
    let path = layout.queue().join(id.as_str());
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => {
            layout.adopt(&file)?;
            // Finer than the kernel's own stamps, so that the order is that of the asking.
            file.set_times(FileTimes::new().set_modified(now.into()))?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes a wish back. False where there was none.
pub fn remove(layout: &Layout, id: ImageId) -> io::Result<bool> {
    layout::remove(&layout.queue().join(id.as_str()))
}

/// Takes every wish back, and says how many there were.
pub fn clear(layout: &Layout) -> io::Result<u64> {
    let mut gone = 0;
    for queued in list(layout)?.0 {
        gone += u64::from(remove(layout, queued.id)?);
    }
    Ok(gone)
}
