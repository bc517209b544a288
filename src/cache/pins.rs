//! Copies that never leave to make room: `.glance/pins/<id>`, a file for each image. It is empty, or says by what
//! the image was found that somebody pinned.
//!
//! An image may be pinned before it is cached. Whoever drops a copy by name drops a pinned one, too; the pin
//! stays, and counts for the next copy.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;

use super::layout::{self, Layout, files, image_named};
use super::space::SpaceLock;
use super::{Cache, Result};
use crate::domain::{ImageId, report};

impl Cache {
    /// Sees to it that an image's copy never leaves to make room, whether it is here or comes later. What it was found
    /// by is kept; one that is named stays so. False where it was pinned before.
    pub async fn pin(&self, id: ImageId, reason: &str) -> Result<bool> {
        let reason = reason.to_owned();
        self.work(move |node| add(&node.layout, id, &reason)).await
    }

    /// Lets an image's copy leave like others. False where it was not pinned.
    pub async fn unpin(&self, id: ImageId) -> Result<bool> {
        self.work(move |node| remove(&node.layout, id)).await
    }

    /// The images that are pinned, and by what.
    pub async fn pinned(&self) -> Result<report::Pins> {
        self.work(|node| report(&node.layout)).await
    }
}

/// Characters of a reason: a pin takes no more than a block.
const LONGEST_REASON: usize = 512;

/// The pins, as they were when the directory last changed.
#[derive(Debug, Default)]
pub struct Pins {
    ids: HashSet<ImageId>,
    stamp: Option<(i64, i64)>,
}

impl Pins {
    /// Reads them anew where they changed, and says whether they did.
    pub fn reread(&mut self, layout: &Layout) -> io::Result<bool> {
        let stamp = match fs::metadata(layout.pins()) {
            Ok(found) => Some((found.mtime(), found.mtime_nsec())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if stamp == self.stamp {
            return Ok(false);
        }
        self.ids = list(layout)?.into_iter().collect();
        self.stamp = stamp;
        Ok(true)
    }

    pub fn has(&self, id: ImageId) -> bool {
        self.ids.contains(&id)
    }

    pub fn all(&self) -> Vec<ImageId> {
        self.ids.iter().copied().collect()
    }
}

/// The images that are pinned, by id.
pub fn list(layout: &Layout) -> io::Result<Vec<ImageId>> {
    let found = files(&layout.pins())?;
    let mut ids: Vec<ImageId> = found
        .iter()
        .filter_map(|(name, _)| image_named(name))
        .collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Bytes of whole copies that are pinned.
pub fn bytes(layout: &Layout) -> io::Result<u64> {
    let copies = list(layout)?.into_iter().map(|id| layout.image(id));
    let found = copies.filter_map(|path| fs::symlink_metadata(path).ok());
    Ok(found
        .filter(fs::Metadata::is_file)
        .map(|copy| copy.len())
        .sum())
}

/// The images that are pinned, and by what.
pub fn report(layout: &Layout) -> io::Result<report::Pins> {
    let mut pins = report::Pins::default();
    for id in list(layout)? {
        // One that is gone by now is not pinned.
        let Some(reason) = reason(layout, id)? else {
            continue;
        };
        pins.pinned_images.push(id);
        if !reason.is_empty() {
            pins.pinned_by.insert(id, reason);
        }
    }
    Ok(pins)
}

/// Whether an image is pinned. For who lets copies go, under the lock.
pub fn has(layout: &Layout, id: ImageId) -> bool {
    layout.pins().join(id.as_str()).is_file()
}

/// By what an image is pinned; empty where it was named. None where it is not.
pub fn reason(layout: &Layout, id: ImageId) -> io::Result<Option<String>> {
    let Some(file) = layout::open_existing(&layout.pins().join(id.as_str()))? else {
        return Ok(None);
    };
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut text = Vec::new();
    // A character has four bytes at most.
    file.take(4 * LONGEST_REASON as u64)
        .read_to_end(&mut text)?;
    Ok(Some(String::from_utf8_lossy(&text).trim().to_owned()))
}

/// Pins an image. False where it was, and then it stays pinned by what it was, unless it is named now: that counts for
/// more. From then on nobody lets it go who did not have the lock before.
pub fn add(layout: &Layout, id: ImageId, reason: &str) -> io::Result<bool> {
    layout.prepare()?;
    let _lock = SpaceLock::take(layout)?;
    let path = layout.pins().join(id.as_str());
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => {
            layout.adopt(&file)?;
            let line = reason.chars().filter(|sign| !sign.is_control());
            let line: String = line.take(LONGEST_REASON).collect();
            file.write_all(line.as_bytes())?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if reason.is_empty()
                && let Some(file) = layout::open_to_write(&path)?
            {
                file.set_len(0)?;
            }
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Lets an image leave again. False where it was not pinned.
pub fn remove(layout: &Layout, id: ImageId) -> io::Result<bool> {
    layout::remove(&layout.pins().join(id.as_str()))
}
