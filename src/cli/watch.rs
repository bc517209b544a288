//! Watching images on their way from the queue into the cache.

use std::collections::HashSet;

use crate::client::CacheState;
use crate::domain::ImageId;

/// An image may be in neither list for the moment in which it moves from one to the other.
const BETWEEN_LISTS: u32 = 4;

/// What is known of the images that are waited for.
#[derive(Debug)]
pub struct Watch {
    pub pending: Vec<Pending>,
    pub cached: Vec<String>,
    /// They left the queue and are not cached.
    pub failed: Vec<String>,
}

/// An image that is waited for.
#[derive(Debug, PartialEq, Eq)]
pub struct Pending {
    pub id: String,
    /// It was seen in the queue. One that never was is being fetched for somebody else already, and will
    /// be in the cache or still missing when that is over.
    queued: bool,
    /// How often in a row it was in neither list.
    missed: u32,
}

impl Watch {
    pub fn new(ids: &[ImageId]) -> Self {
        let pending = |id: &ImageId| Pending {
            id: id.to_string(),
            queued: false,
            missed: 0,
        };
        Self {
            pending: ids.iter().map(pending).collect(),
            cached: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Takes in what a look at the lists shows.
    pub fn observe(&mut self, state: &CacheState) {
        let cached = state.cached_images.iter().map(|row| row.image_id.as_str());
        let cached: HashSet<&str> = cached.collect();
        let queued: HashSet<&str> = state.queued_images.iter().map(String::as_str).collect();
        for mut image in std::mem::take(&mut self.pending) {
            if cached.contains(image.id.as_str()) {
                self.cached.push(image.id);
                continue;
            }
            if queued.contains(image.id.as_str()) {
                image.queued = true;
                image.missed = 0;
            } else {
                image.missed += 1;
            }
            if image.queued && image.missed > BETWEEN_LISTS {
                self.failed.push(image.id);
            } else {
                self.pending.push(image);
            }
        }
    }

    pub fn is_over(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::CachedImage;

    fn cached(id: ImageId) -> CacheState {
        CacheState {
            cached_images: vec![CachedImage {
                image_id: id.to_string(),
                size: 1,
                hits: 0,
                last_accessed: 0.0,
                last_modified: 0.0,
            }],
            queued_images: vec![],
        }
    }

    fn queued(id: ImageId) -> CacheState {
        CacheState {
            cached_images: vec![],
            queued_images: vec![id.to_string()],
        }
    }

    #[test]
    fn an_image_is_waited_for_until_it_is_cached() {
        let id = ImageId::random();
        let mut watch = Watch::new(&[id]);
        watch.observe(&queued(id));
        assert!(!watch.is_over());
        watch.observe(&cached(id));
        assert_eq!(watch.cached, [id.to_string()]);
        assert!(watch.is_over() && watch.failed.is_empty());
    }

    #[test]
    fn an_image_between_the_lists_is_given_a_moment() {
        let id = ImageId::random();
        let mut watch = Watch::new(&[id]);
        for _ in 0..3 {
            watch.observe(&queued(id));
            for _ in 0..BETWEEN_LISTS {
                watch.observe(&CacheState::default());
            }
        }
        assert!(!watch.is_over());
    }

    #[test]
    fn an_image_that_left_the_queue_uncached_has_failed() {
        let id = ImageId::random();
        let mut watch = Watch::new(&[id]);
        watch.observe(&queued(id));
        for _ in 0..=BETWEEN_LISTS {
            watch.observe(&CacheState::default());
        }
        assert_eq!(watch.failed, [id.to_string()]);
    }

    #[test]
    fn an_image_that_was_growing_already_is_waited_for() {
        let id = ImageId::random();
        let mut watch = Watch::new(&[id]);
        for _ in 0..100 {
            watch.observe(&CacheState::default());
        }
        assert!(!watch.is_over());
    }
}
