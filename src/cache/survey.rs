//! What a cache directory holds, in numbers.

use std::io;
use std::os::unix::fs::MetadataExt as _;

use chrono::{DateTime, Utc};

use super::layout::{self, Layout, files, image_named};
use super::owner::{Owner, owner};
use super::queue;
use super::space::{SpaceLock, Usage};
use super::spans::Table;
use crate::domain::report::{Growth, Survey};

/// Reads the directory. Nothing in it changes for that.
pub fn take(layout: &Layout, limit: u64, now: DateTime<Utc>) -> io::Result<Survey> {
    let lock = SpaceLock::look(layout)?;
    let usage = Usage::measure(layout, now, &lock)?;
    let growing = growing(layout, now, &lock)?;
    drop(lock);
    Ok(Survey {
        limit,
        used: usage.taken(),
        free: fs2::available_space(layout.root())?,
        copies: usage.tally.copies.files,
        queued: queue::list(layout)?.0.len() as u64,
        growing,
    })
}

/// The copies that somebody is making.
fn growing(layout: &Layout, now: DateTime<Utc>, lock: &SpaceLock) -> io::Result<Vec<Growth>> {
    let mut growing = Vec::new();
    for (name, _) in files(&layout.incomplete())? {
        let Some(id) = image_named(&name) else {
            continue;
        };
        let Some(file) = layout::open_readable(&layout.partial(id))? else {
            continue;
        };
        let found = file.metadata()?;
        let table = match owner(layout, id, &file, now, lock)? {
            Owner::Filler => Table::open(layout, id)?,
            Owner::Stranger => None,
            Owner::Dead | Owner::Nobody => continue,
        };
        let table = table.filter(|table| table.inode == found.ino());
        growing.push(match table {
            Some(table) => Growth {
                image_id: id,
                size: table.size,
                filled: table.filled()?.unwrap_or(0),
            },
            // It has not begun, or its maker writes it from end to end without a table.
            None => Growth {
                image_id: id,
                size: None,
                filled: found.len(),
            },
        });
    }
    growing.sort_unstable_by_key(|growth| growth.image_id);
    Ok(growing)
}
