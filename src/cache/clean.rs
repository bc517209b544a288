//! Taking away what is of no use: bad data, and copies that nobody makes any more. What a dead process has left of one
//! is put aside, for the next fill to go on with.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::layout::{self, Layout, files, image_named, open_readable};
use super::owner::{Owner, owner};
use super::parked;
use super::space::{self, SpaceLock};
use super::tally::Area;

/// A file that should go, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waste {
    pub path: PathBuf,
    pub bytes: u64,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was not the image's data.
    Invalid,
    /// Nobody has written to it for the stall time.
    Stalled,
    /// It has no image's name, and nobody has written to it for the stall time.
    Stray,
    /// The process that wrote it is dead.
    Dead,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "it was not the image's data",
            Self::Stalled => "nobody has gone on with it for the stall time",
            Self::Stray => "it is no image's, and older than the stall time",
            Self::Dead => "the process that wrote it is dead",
        })
    }
}

/// Takes away what is of no use now, and says how many files that were.
pub fn run(layout: &Layout, stall_time: Duration, now: DateTime<Utc>) -> io::Result<u64> {
    let lock = SpaceLock::take(layout)?;
    let waste = plan(layout, stall_time, now, &lock)?;
    execute(layout, &waste, &lock)
}

/// What should go. A partial file that somebody holds the lock of never does, however old it is.
pub fn plan(
    layout: &Layout,
    stall_time: Duration,
    now: DateTime<Utc>,
    lock: &SpaceLock,
) -> io::Result<Vec<Waste>> {
    let mut waste = Vec::new();
    for (name, found) in files(&layout.invalid())? {
        waste.push(Waste {
            path: layout.invalid().join(name),
            bytes: found.len(),
            why: Why::Invalid,
        });
    }
    for (name, found) in files(&layout.incomplete())? {
        let path = layout.incomplete().join(&name);
        let owner = match (image_named(&name), open_readable(&path)?) {
            (Some(id), Some(file)) => owner(layout, id, &file, now, lock)?,
            (None, Some(_)) => Owner::Nobody,
            (_, None) => continue,
        };
        let age = now - DateTime::<Utc>::from(found.modified()?);
        // A time to come is as far away as one that is past: the clock was set back.
        let stalled = age.abs().to_std().is_ok_and(|age| age >= stall_time);
        let why = match owner {
            Owner::Dead => Why::Dead,
            Owner::Nobody | Owner::Stranger if stalled && image_named(&name).is_none() => {
                Why::Stray
            }
            Owner::Nobody | Owner::Stranger if stalled => Why::Stalled,
            Owner::Filler | Owner::Nobody | Owner::Stranger => continue,
        };
        waste.push(Waste {
            path,
            bytes: found.len(),
            why,
        });
    }
    Ok(waste)
}

/// Removes it, or puts its spans aside, and says how many files were still there.
pub fn execute(layout: &Layout, waste: &[Waste], lock: &SpaceLock) -> io::Result<u64> {
    let mut gone = 0;
    for Waste { path, why, bytes } in waste {
        let id = path.file_name().and_then(image_named);
        if let (Why::Dead, Some(id)) = (why, id) {
            parked::put(layout, id, lock)?;
            // Either way it is in `incomplete/` no more.
            gone += 1;
        } else if layout::remove(path)? {
            if *why == Why::Invalid {
                lock.went(layout, Area::Invalid, 1, *bytes);
            }
            tracing::info!("removed {} ({why})", path.display());
            gone += 1;
        }
    }
    space::withdraw_orphans(layout, lock)?;
    parked::remove_orphans(layout, lock)?;
    Ok(gone)
}
