//! Whose a file in `incomplete/` is.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use chrono::{DateTime, TimeDelta, Utc};

use super::layout::{self, Layout};
use super::partial::GROWING;
use super::space::{self, SpaceLock};
use crate::domain::ImageId;

/// How long an unlocked file of a stranger is taken for one that is still being written.
const STRANGER_RESTS: TimeDelta = TimeDelta::seconds(10);

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
    let Some(file) = layout::open_readable(&layout.partial(id))? else {
        return Ok(false);
    };
    let owner = owner(layout, id, &file, now, lock)?;
    Ok(matches!(owner, Owner::Filler | Owner::Stranger))
}
