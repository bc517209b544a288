//! Images whose data turned out not to be theirs: who reads one next begins at its next location.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::{Image, ImageId};

/// Images that are remembered. It is a hint: where there are more, all are forgotten.
const REMEMBERED: usize = 1000;

/// How often the data of images was wrong, since the process began.
#[derive(Debug, Default)]
pub struct Suspects(Mutex<HashMap<ImageId, usize>>);

impl Suspects {
    fn lock(&self) -> MutexGuard<'_, HashMap<ImageId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came of an image was wrong.
    pub fn note(&self, id: ImageId) {
        let mut suspects = self.lock();
        if suspects.len() >= REMEMBERED {
            suspects.clear();
        }
        *suspects.entry(id).or_default() += 1;
    }

    /// How many images these are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// The location to begin with.
    pub fn first(&self, image: &Image) -> usize {
        let times = self.lock().get(&image.id).copied().unwrap_or(0);
        times.checked_rem(image.locations.len()).unwrap_or(0)
    }
}
