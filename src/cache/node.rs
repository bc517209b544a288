//! What all handles of one cache share, and looking an image up.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::cached::CachedImage;
use super::claim::{Claim, Reached};
use super::fills::Fills;
use super::growing::Growing;
use super::index::Index;
use super::journal::Journal;
use super::layout::{InPlace, Layout};
use super::queue_watch::Wishes;
use super::space::Limits;
use super::trouble::Trouble;
use super::{Expected, Lookup, Past};
use crate::clock::Clock;
use crate::config::CacheConfig;
use crate::domain::ImageId;

/// The cache of one directory, in one process.
#[derive(Debug)]
pub struct Node {
    pub layout: Layout,
    pub clock: Clock,
    pub journal: Journal,
    pub fills: Fills,
    pub trouble: Trouble,
    pub wishes: Wishes,
    /// Cancelled when the process ends.
    pub stop: CancellationToken,
    /// Claims take turns: each of them waits for the same lock on the directory, and whoever asks for an
    /// image that is just being claimed is to find the claim.
    claiming: tokio::sync::Mutex<()>,
    /// They may change while the service runs.
    bounds: RwLock<Bounds>,
}

/// How much the cache may take, and for how long something useless may.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    limits: Limits,
    stall_time: Duration,
}

impl Bounds {
    fn of(config: &CacheConfig) -> Self {
        Self {
            limits: Limits {
                max_size: config.max_size,
                min_free: config.min_free_space,
            },
            stall_time: config.stall_time,
        }
    }
}

impl Node {
    pub fn new(config: &CacheConfig, clock: Clock) -> Self {
        let layout = Layout::new(&config.dir, &config.index_file);
        Self {
            clock,
            journal: Journal::start(Index::new(layout.clone())),
            fills: Fills::new(),
            trouble: Trouble::new(config.dir.clone()),
            wishes: Wishes::new(config.queue_settle),
            stop: CancellationToken::new(),
            claiming: tokio::sync::Mutex::new(()),
            bounds: RwLock::new(Bounds::of(config)),
            layout,
        }
    }

    /// How much the cache may take now.
    pub fn limits(&self) -> Limits {
        self.bounds().limits
    }

    /// For how long an unlocked partial file may be left alone.
    pub fn stall_time(&self) -> Duration {
        self.bounds().stall_time
    }

    /// Goes by the limits of another configuration from now on.
    pub fn limit(&self, config: &CacheConfig) {
        *self.bounds.write().unwrap_or_else(PoisonError::into_inner) = Bounds::of(config);
    }

    fn bounds(&self) -> Bounds {
        *self.bounds.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is here of the image, without claiming it.
    pub async fn peek(self: &Arc<Self>, id: ImageId, expected: &Expected) -> Option<Lookup> {
        let (layout, size) = (self.layout.clone(), expected.size);
        let found = blocking(move || layout.open_image(id, size)).await;
        if let Ok(InPlace::Whole(file, size)) = found {
            let image = CachedImage::new(Arc::clone(self), id, file, size);
            return Some(Lookup::Cached(image));
        }
        self.join(id, expected)
    }

    /// Reads along with a fill of this process.
    fn join(&self, id: ImageId, expected: &Expected) -> Option<Lookup> {
        let fill = self.fills.get(id)?;
        Some(Lookup::Growing(Growing::here(fill, expected.size)))
    }

    pub async fn lookup(self: &Arc<Self>, id: ImageId, expected: &Expected) -> Lookup {
        if let Some(found) = self.peek(id, expected).await {
            return found;
        }
        let most = self.limits().max_size;
        if expected.size.unwrap_or(1) > most || most == 0 {
            return Lookup::Bypass(Past::TooLarge);
        }
        if self.stop.is_cancelled() {
            return Lookup::Bypass(Past::Ending);
        }
        if self.trouble.is_resting() {
            return Lookup::Bypass(Past::Trouble);
        }
        let _turn = self.claiming.lock().await;
        if let Some(found) = self.join(id, expected) {
            return found;
        }
        let (node, wanted) = (Arc::clone(self), expected.clone());
        match blocking(move || Claim::reach(&node, id, &wanted)).await {
            Ok(Reached::Cached(file, size)) => {
                Lookup::Cached(CachedImage::new(Arc::clone(self), id, file, size))
            }
            Ok(Reached::Claimed(claim)) => {
                self.trouble.end();
                Lookup::Missing(claim)
            }
            Ok(Reached::Growing(file)) => {
                let layout = self.layout.clone();
                Lookup::Growing(Growing::of_sibling(layout, id, file, expected.size))
            }
            Ok(Reached::Not(why)) => {
                if matches!(why, Past::Obstructed | Past::Stranger) {
                    self.trouble.tell_in_the_way(id, why);
                }
                Lookup::Bypass(why)
            }
            Err(error) => {
                self.trouble.begin(&error);
                Lookup::Bypass(Past::Trouble)
            }
        }
    }
}

/// Does file work where it holds nobody up.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(std::io::Error::other)
        .flatten()
}
