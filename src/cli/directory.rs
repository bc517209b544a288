//! The cache directory as the tools need it: rows like those of the API, and nothing created by accident.

use std::path::Path;
use std::time::SystemTime;

use chrono::{DateTime, Utc};

use super::{Error, Result};
use crate::cache::{self, Directory, Entry};
use crate::client::{CacheState, CachedImage};
use crate::clock::Clock;
use crate::config::CacheConfig;
use crate::config::cache::hidden_index;
use crate::domain::report::Overview;

/// Opens the cache at `path`, which must be there: a slip of the pen shall not make a new one.
pub fn at(path: &Path) -> Result<Directory> {
    let mut config = CacheConfig::at(path.to_owned());
    if path.join(hidden_index()).exists() {
        config.index_file = hidden_index();
    }
    open(&config)
}

/// Opens the configured cache.
pub fn open(config: &CacheConfig) -> Result<Directory> {
    if !config.dir.is_dir() {
        return Err(Error::NoDirectory(config.dir.clone()));
    }
    Ok(Directory::open(config, Clock::system())?)
}

/// Both lists, as `GET /v2/cache` has them.
pub fn state(directory: &Directory) -> Result<CacheState> {
    // The queue first: an image leaves it only when it is cached, so it is in one list at least.
    let queued_images = directory
        .queued()?
        .iter()
        .map(|queued| queued.id.to_string())
        .collect();
    Ok(CacheState {
        cached_images: directory.entries()?.iter().map(row).collect(),
        queued_images,
    })
}

/// How the node does, as `GET /v2/cache_node` has it, but for what only a service knows.
pub fn overview(directory: &Directory) -> Result<Overview> {
    /// As many as anybody has lines for.
    const HOT: usize = 100;
    let survey = directory.survey()?;
    let entries = directory.entries()?;
    Ok(Overview {
        survey,
        hits: entries.iter().map(|entry| entry.hits).sum(),
        hot: cache::hot(&entries, HOT),
        downloads: None,
    })
}

/// When the partial copy of an image was last written to; none where there is no such copy.
pub fn written(config: &CacheConfig, id: &str) -> Option<SystemTime> {
    let partial = config.dir.join("incomplete").join(id);
    partial.metadata().and_then(|file| file.modified()).ok()
}

fn row(entry: &Entry) -> CachedImage {
    CachedImage {
        image_id: entry.id.to_string(),
        size: entry.size,
        hits: entry.hits,
        last_accessed: seconds(entry.last_accessed),
        last_modified: seconds(entry.last_modified),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds are exact for 200 years"
)]
fn seconds(time: DateTime<Utc>) -> f64 {
    time.timestamp_micros() as f64 / 1e6
}
