//! A directory that cannot be written: the node serves past it, and says so once.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Past;
use crate::domain::ImageId;

/// How long the directory is left alone before it is tried again.
const REST: Duration = Duration::from_secs(3);

/// How often to say that the disk is full: small images may still fit, so there is no end to tell of.
const REMIND: Duration = Duration::from_mins(10);

/// Whether the directory can be used.
#[derive(Debug)]
pub struct Trouble {
    dir: PathBuf,
    /// Until when it is left alone; none where all is well.
    resting: Mutex<Option<Instant>>,
    /// When the log was last told of a full disk.
    told_full: Mutex<Option<Instant>>,
    /// The same for images that something is in the way of.
    told_in_the_way: Mutex<HashMap<ImageId, Instant>>,
    /// The same for pins that leave no room.
    told_pinned: Mutex<Option<Instant>>,
}

impl Trouble {
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            resting: Mutex::default(),
            told_full: Mutex::default(),
            told_in_the_way: Mutex::default(),
            told_pinned: Mutex::default(),
        }
    }

    /// Something did not work.
    pub fn begin(&self, error: &io::Error) {
        let before = lock(&self.resting).replace(Instant::now() + REST);
        if before.is_none() {
            let dir = self.dir.display();
            tracing::warn!("images are served past the cache, for {dir} cannot be used: {error}");
        }
    }

    /// Something worked.
    pub fn end(&self) {
        if lock(&self.resting).take().is_some() {
            tracing::info!(
                "the cache directory {} can be used again",
                self.dir.display()
            );
        }
    }

    /// Whether it is too early to try again.
    pub fn is_resting(&self) -> bool {
        lock(&self.resting).is_some_and(|until| Instant::now() < until)
    }

    /// An image cannot be brought in because of something that others put there.
    pub fn tell_in_the_way(&self, id: ImageId, why: Past) {
        let now = Instant::now();
        let mut told = lock(&self.told_in_the_way);
        // What was told long ago is told again, and forgotten where it is no trouble any more.
        told.retain(|_, told| now <= *told + REMIND);
        told.entry(id).or_insert_with(|| {
            let dir = self.dir.display();
            tracing::warn!(image.id = %id, "image {id} is served past the cache in {dir}: {why}");
            now
        });
    }

    /// Pinned copies have so many of the bytes that there may be, and others find no room.
    pub fn tell_pinned(&self, pinned: u64, most: u64) {
        let now = Instant::now();
        let mut told = lock(&self.told_pinned);
        if told.is_none_or(|told| now > told + REMIND) {
            *told = Some(now);
            let dir = self.dir.display();
            tracing::warn!(
                pinned,
                most,
                "pinned images take {pinned} of the {most} bytes of {dir}: others are served past the cache"
            );
        }
    }

    /// There is no room on the disk for an image, whoever took it.
    pub fn tell_disk_full(&self) {
        let now = Instant::now();
        let mut told = lock(&self.told_full);
        if told.is_none_or(|told| now > told + REMIND) {
            *told = Some(now);
            let dir = self.dir.display();
            tracing::warn!(
                "images are served past the cache: the disk of {dir} has no room for them"
            );
        }
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
