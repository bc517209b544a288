//! `queue-image --wait`: staying until every image is cached, or cannot be.

use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Options;
use super::place::Place;
use crate::cli::console::Console;
use crate::cli::{Exit, Result};
use crate::client::CacheState;
use crate::domain::ImageId;

/// Often enough to feel prompt, seldom enough to be nothing to the API.
const POLL: Duration = Duration::from_millis(500);
/// An image may be in neither list for the moment in which it moves from one to the other.
const BETWEEN_LISTS: u32 = 4;

/// Stays until all of `ids` are cached, one has left the queue without, or `patience` is at its end.
pub fn until_cached(
    place: &Place,
    ids: &[ImageId],
    patience: Duration,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let mut watch = Watch::new(ids);
    let bar = bar(console.watched && !options.json, ids.len());
    let began = Instant::now();
    while !watch.pending.is_empty() && began.elapsed() < patience {
        watch.observe(&place.state()?);
        bar.set_position(watch.cached.len() as u64);
        if !watch.pending.is_empty() {
            thread::sleep(POLL);
        }
    }
    bar.finish_and_clear();

    let waiting: Vec<_> = watch.pending.iter().map(|(id, _)| id).collect();
    if options.json {
        console.json(&json!({
            "cached": watch.cached, "failed": watch.failed, "waiting": waiting,
        }))?;
    } else if options.verbose {
        for id in &watch.cached {
            console.result(format!("Cached image {id}"))?;
        }
    }
    for id in &watch.failed {
        console.say(format!(
            "Image {id} left the queue and is not cached: the log of glance-api says why"
        ));
    }
    for id in &waiting {
        console.say(format!(
            "Image {id} is still not cached after {} seconds: it stays queued, and the log of glance-api \
             says what keeps it",
            patience.as_secs()
        ));
    }
    Ok(if watch.failed.is_empty() && waiting.is_empty() {
        Exit::Success
    } else {
        Exit::Failure
    })
}

fn bar(shown: bool, images: usize) -> ProgressBar {
    if !shown {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(images as u64);
    if let Ok(style) = ProgressStyle::with_template(
        "{spinner} {pos} of {len} images cached [{bar:30}] {elapsed_precise}",
    ) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// What is known of the images that are waited for.
#[derive(Debug)]
struct Watch {
    /// With the number of times in a row that an image was in neither list.
    pending: Vec<(String, u32)>,
    cached: Vec<String>,
    failed: Vec<String>,
}

impl Watch {
    fn new(ids: &[ImageId]) -> Self {
        Self {
            pending: ids.iter().map(|id| (id.to_string(), 0)).collect(),
            cached: Vec::new(),
            failed: Vec::new(),
        }
    }

    fn observe(&mut self, state: &CacheState) {
        for (id, missed) in std::mem::take(&mut self.pending) {
            if state.cached_images.iter().any(|row| row.image_id == id) {
                self.cached.push(id);
            } else if state.queued_images.contains(&id) {
                self.pending.push((id, 0));
            } else if missed < BETWEEN_LISTS {
                self.pending.push((id, missed + 1));
            } else {
                self.failed.push(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::CachedImage;

    fn state(cached: &[&ImageId], queued: &[&ImageId]) -> CacheState {
        let row = |id: &&ImageId| CachedImage {
            image_id: id.to_string(),
            size: 1,
            hits: 0,
            last_accessed: 0.0,
            last_modified: 0.0,
        };
        CacheState {
            cached_images: cached.iter().map(row).collect(),
            queued_images: queued.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn an_image_is_waited_for_until_it_is_cached() {
        let id = ImageId::random();
        let mut watch = Watch::new(&[id]);
        watch.observe(&state(&[], &[&id]));
        assert_eq!(watch.pending.len(), 1);
        watch.observe(&state(&[&id], &[]));
        assert_eq!(watch.cached, [id.to_string()]);
        assert!(watch.pending.is_empty() && watch.failed.is_empty());
    }

    #[test]
    fn an_image_between_the_lists_is_given_a_moment() {
        let id = ImageId::random();
        let mut watch = Watch::new(&[id]);
        for _ in 0..BETWEEN_LISTS {
            watch.observe(&state(&[], &[]));
        }
        watch.observe(&state(&[], &[&id]));
        assert_eq!(watch.pending, [(id.to_string(), 0)]);
    }

    #[test]
    fn an_image_that_left_the_queue_uncached_has_failed() {
        let id = ImageId::random();
        let mut watch = Watch::new(&[id]);
        for _ in 0..=BETWEEN_LISTS {
            watch.observe(&state(&[], &[]));
        }
        assert_eq!(watch.failed, [id.to_string()]);
    }
}
