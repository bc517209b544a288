//! `queue-image --wait`: staying until every image is cached, or cannot be.

use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Options;
use super::place::Place;
use crate::cli::console::Console;
use crate::cli::watch::Watch;
use crate::cli::{Exit, Result};
use crate::domain::ImageId;

/// Often enough to feel prompt, seldom enough to be nothing to the API.
const POLL: Duration = Duration::from_millis(500);

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
    while !watch.is_over() && began.elapsed() < patience {
        watch.observe(&place.state()?);
        bar.set_position(watch.cached.len() as u64);
        if !watch.is_over() {
            thread::sleep(POLL);
        }
    }
    bar.finish_and_clear();

    let waiting: Vec<_> = watch.pending.iter().map(|image| &image.id).collect();
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
