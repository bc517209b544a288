//! Dropping copies. Who reads one reads on: an open file outlives its name.

use std::io;

use super::layout::{Layout, Placed, files, image_named, remove};
use super::parked;
use super::space::SpaceLock;
use super::tally::Area;
use crate::domain::ImageId;
use crate::telemetry::counters::Reason;

/// What was there of an image, and is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// Bytes of the whole copy.
    pub whole: Option<u64>,
    /// There was one in the making.
    growing: bool,
}

impl Dropped {
    /// Whether there was a copy, whole or growing.
    pub fn any(self) -> bool {
        self.growing || self.whole.is_some()
    }
}

/// Drops the copy of an image, whole or growing.
pub fn image(layout: &Layout, id: ImageId, reason: Reason) -> io::Result<Dropped> {
    under(&SpaceLock::take(layout)?, layout, id, reason)
}

/// The same, for who has the lock.
pub fn under(
    lock: &SpaceLock,
    layout: &Layout,
    id: ImageId,
    reason: Reason,
) -> io::Result<Dropped> {
    // In this order: a fill that ends in between has moved its file to where the second look finds it.
    let growing = remove(&layout.partial(id))?;
    let parts = parked::remove(layout, id, lock)?;
    let place = layout.image(id);
    let size = std::fs::symlink_metadata(&place).map_or(0, |found| found.len());
    let whole = remove(&place)?.then_some(size);
    if let Some(size) = whole {
        lock.went(layout, Area::Copies, 1, size);
    }
    if growing || parts || whole.is_some() {
        remove(&layout.spans(id))?;
    }
    if let Some(size) = whole {
        tell(id, size, reason);
    }
    Ok(Dropped { whole, growing })
}

/// Drops every copy because somebody asked for it, and says which were whole.
pub fn all(layout: &Layout) -> io::Result<Vec<Placed>> {
    let lock = SpaceLock::take(layout)?;
    for (name, _) in files(&layout.incomplete())? {
        if image_named(&name).is_some() {
            remove(&layout.incomplete().join(name))?;
        }
    }
    for (name, _) in files(&layout.parts())? {
        match image_named(&name) {
            Some(id) => drop(parked::remove(layout, id, &lock)?),
            None => drop(remove(&layout.parts().join(name))?),
        }
    }
    let mut gone = Vec::new();
    for placed in layout.contents()?.images {
        if remove(&layout.image(placed.id))? {
            lock.went(layout, Area::Copies, 1, placed.size);
            tell(placed.id, placed.size, Reason::Asked);
            gone.push(placed);
        }
    }
    for (name, _) in files(&layout.tables())? {
        remove(&layout.tables().join(name))?;
    }
    Ok(gone)
}

fn tell(id: ImageId, size: u64, reason: Reason) {
    tracing::info!(image.id = %id, size, reason = reason.word(), "dropped the copy of image {id}");
}
