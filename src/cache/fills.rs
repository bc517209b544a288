//! The fills of this process, by image.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::growing::Fill;
use crate::domain::ImageId;

/// What all fills together keep in memory, about: bytes of each kind, see [`Fills::share`].
const MEMORY: u64 = 64 * 1024 * 1024;

/// The fills of this process: from a claim to its end.
#[derive(Debug)]
pub struct Fills {
    by_image: Mutex<HashMap<ImageId, Arc<Fill>>>,
    /// How many there are, those included that were dropped from the cache and go on for their readers.
    running: watch::Sender<usize>,
}

impl Fills {
    pub fn new() -> Self {
        Self {
            by_image: Mutex::default(),
            running: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ImageId, Arc<Fill>>> {
        // A map is whole whatever happened to the thread that held it.
        self.by_image.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, id: ImageId) -> Option<Arc<Fill>> {
        self.lock().get(&id).cloned()
    }

    pub fn insert(&self, fill: &Arc<Fill>) {
        self.lock().insert(fill.id, Arc::clone(fill));
        self.running.send_modify(|running| *running += 1);
    }

    /// Nobody is to join it any more.
    pub fn detach(&self, id: ImageId) {
        self.lock().remove(&id);
    }

    /// Nobody is to join any of them any more.
    pub fn detach_all(&self) {
        self.lock().clear();
    }

    /// Nobody is to join this one any more. There may be another of the image already.
    pub fn part(&self, fill: &Arc<Fill>) {
        let mut fills = self.lock();
        if fills
            .get(&fill.id)
            .is_some_and(|known| Arc::ptr_eq(known, fill))
        {
            fills.remove(&fill.id);
        }
    }

    /// It has ended.
    pub fn remove(&self, fill: &Arc<Fill>) {
        self.part(fill);
        self.running.send_modify(|running| *running -= 1);
    }

    /// How many read along with each.
    pub fn readers(&self) -> HashMap<ImageId, u64> {
        let fills = self.lock();
        let readers = |fill: &Arc<Fill>| fill.progress.receiver_count() as u64;
        fills
            .iter()
            .map(|(id, fill)| (*id, readers(fill)))
            .collect()
    }

    /// How much one of them may keep of what came last, and of what is on its way to the disk.
    pub fn share(&self) -> u64 {
        MEMORY / (*self.running.borrow()).max(1) as u64
    }

    /// Waits until none runs.
    pub async fn ended(&self) {
        // An error says that the sender is gone, and it is right here.
        let _ = self
            .running
            .subscribe()
            .wait_for(|running| *running == 0)
            .await;
    }
}
