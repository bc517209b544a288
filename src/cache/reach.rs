//! Reaching for an image that is not whole: to bring it in, or for parts of it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use chrono::{DateTime, Utc};
use fs2::FileExt as _;

use super::layout::{self, Layout};
use super::owner::{Owner, owner};
use super::parked;
use super::partial::{GROWING, Partial, Place, Wanted};
use super::space::SpaceLock;
use super::spans::Table;
use super::tally::Area;
use crate::domain::ImageId;

/// What came of reaching for an image.
#[derive(Debug)]
pub enum Attempt {
    Claimed(Partial),
    /// Another process fills it: its file and its table, opened for reading.
    Growing(File, Option<Table>),
    /// A service that takes no locks may be filling it.
    Stranger,
    /// Something is in the way that is no partial file.
    Obstructed,
}

impl Partial {
    /// Reaches for the image, to bring it in.
    pub fn claim(
        layout: &Layout,
        id: ImageId,
        wanted: &Wanted,
        now: DateTime<Utc>,
        lock: &SpaceLock,
    ) -> io::Result<Attempt> {
        if let Some(taken) = Self::taken(layout, id, now, lock)? {
            return Ok(taken);
        }
        let path = layout.partial(id);
        let partial = match Self::reopen(layout, id, wanted, lock)? {
            Some(parked) => parked,
            None => match Self::create(layout, id, wanted, &path, lock)? {
                Some(created) => created,
                None => return Ok(Attempt::Obstructed),
            },
        };
        partial.begin_fill(lock)?;
        Ok(Attempt::Claimed(partial))
    }

    /// Reaches for the image, to fetch parts of it. Where another process has the parts open there is nothing
    /// to be had.
    pub fn part(
        layout: &Layout,
        id: ImageId,
        wanted: &Wanted,
        now: DateTime<Utc>,
        lock: &SpaceLock,
    ) -> io::Result<Attempt> {
        if let Some(taken) = Self::taken(layout, id, now, lock)? {
            return Ok(taken);
        }
        let path = layout.part(id);
        let partial = match Self::reopen(layout, id, wanted, lock)? {
            Some(parked) => Some(parked),
            None if path.exists() => None,
            None => Self::create(layout, id, wanted, &path, lock)?,
        };
        Ok(partial.map_or(Attempt::Obstructed, Attempt::Claimed))
    }

    /// Who or what keeps us from the image. What a dead process has left in `incomplete/` is put where we
    /// look for it.
    fn taken(
        layout: &Layout,
        id: ImageId,
        now: DateTime<Utc>,
        lock: &SpaceLock,
    ) -> io::Result<Option<Attempt>> {
        let path = layout.partial(id);
        let Some(file) = layout::open_readable(&path)? else {
            return Ok(None);
        };
        if file.metadata()?.is_dir() {
            return Ok(Some(Attempt::Obstructed));
        }
        match owner(layout, id, &file, now, lock)? {
            Owner::Filler => {
                let table = Table::open(layout, id)?;
                Ok(Some(Attempt::Growing(file, table)))
            }
            Owner::Stranger => Ok(Some(Attempt::Stranger)),
            Owner::Dead => parked::put(layout, id, lock).map(|_| None),
            Owner::Nobody => {
                tracing::info!(image.id = %id, "removed a dead fill of image {id}");
                layout::remove(&path).map(|_| None)
            }
        }
    }

    /// Goes on with the spans that are here. Those of other data go away.
    fn reopen(
        layout: &Layout,
        id: ImageId,
        wanted: &Wanted,
        lock: &SpaceLock,
    ) -> io::Result<Option<Self>> {
        let path = layout.part(id);
        let file = match layout::open_to_write(&path) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(None),
            Err(error) if layout::is_others(&path, &error) => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock_exclusive() {
            Ok(()) => {}
            Err(error) if error.kind() == fs2::lock_contended_error().kind() => return Ok(None),
            Err(error) => return Err(error),
        }
        let inode = file.metadata()?.ino();
        let table = Table::open(layout, id)?;
        let ours = |table: &Table| table.is_for(inode, wanted.size, &wanted.proof);
        let Some(table) = table.filter(|table| wanted.size.is_some() && ours(table)) else {
            parked::remove(layout, id, lock)?;
            return Ok(None);
        };
        Self::opened(layout, id, file, table, Place::Parked, lock).map(Some)
    }

    /// None where something is in the way.
    fn create(
        layout: &Layout,
        id: ImageId,
        wanted: &Wanted,
        path: &Path,
        lock: &SpaceLock,
    ) -> io::Result<Option<Self>> {
        let created = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(GROWING)
            .open(path);
        let file = match created {
            Ok(file) => file,
            // A link that leads nowhere, or somebody who takes no locks and came in between.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(error),
        };
        if path == layout.part(id) {
            lock.came(layout, Area::Parts, 1, 0);
        }
        file.try_lock_exclusive()?;
        layout.adopt(&file)?;
        let inode = file.metadata()?.ino();
        let place = if path == layout.partial(id) {
            Place::Filling
        } else {
            Place::Parked
        };
        let made = Table::create(layout, id, inode, wanted.size, &wanted.proof);
        let made = made.and_then(|table| Self::opened(layout, id, file, table, place, lock));
        if made.is_err() {
            // Nothing holds it any more, and an empty file is nobody's.
            layout::remove(path)?;
        }
        made.map(Some)
    }
}
