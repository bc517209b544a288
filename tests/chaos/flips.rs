//! Bits that were turned around on purpose, and which of them a client may see.
//!
//! Of an answer that comes to its end every byte is right. One that breaks off may have wrong bytes where nobody can know
//! in time that they are, because only the hash of the whole tells, at the end: of a store that lies, and of a copy
//! without a table of its spans, which is proven while it is served. What has a table is compared with it before it
//! leaves.

use std::sync::{Mutex, MutexGuard};

/// Where a bit was turned around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On its way from the store.
    Store,
    /// In the cache directory, with a table that tells.
    Told,
    /// The same without one.
    Untold,
}

#[derive(Debug)]
struct Flip {
    place: Place,
    at: usize,
    bit: u8,
}

/// The bits of one image that were turned around.
#[derive(Debug, Default)]
pub struct Flips(Mutex<Vec<Flip>>);

impl Flips {
    fn lock(&self) -> MutexGuard<'_, Vec<Flip>> {
        self.0.lock().expect("no thread died")
    }

    /// Notes a bit that is about to be turned around.
    pub fn note(&self, place: Place, at: usize, bit: u8) {
        self.lock().push(Flip { place, at, bit });
    }

    /// The table of spans is about to go.
    pub fn lose_table(&self) {
        for flip in self.lock().iter_mut() {
            if flip.place == Place::Told {
                flip.place = Place::Untold;
            }
        }
    }

    /// The directory has been repaired. What a store has sent may lie there still, as spans that nobody can prove.
    pub fn repaired(&self) {
        self.lock().retain(|flip| flip.place == Place::Store);
    }

    /// Whether these bits of a byte may be wrong in an answer that breaks off.
    pub fn explain(&self, at: usize, bits: u8) -> bool {
        let flips = self.lock();
        let shown = flips
            .iter()
            .filter(|flip| flip.at == at && flip.place != Place::Told);
        bits & !shown.fold(0, |shown, flip| shown | flip.bit) == 0
    }
}
