//! Waiting for images to be asked for: by us, or by anyone who puts a file into `queue/`.
//!
//! The directory is watched, and since watches can be lost (a directory that is replaced, a full event
//! queue, a network file system) it is also read every now and then.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use super::node::{Node, blocking};
use super::queue::{self, Queued};
use crate::domain::ImageId;

/// How often the directory is read, watch or no watch.
const SWEEP: Duration = Duration::from_secs(30);

/// Who wants what, and when.
#[derive(Debug)]
pub struct Wishes {
    /// How long an image rests in the queue, so that one can see it there and take it back.
    settle: Duration,
    changed: Arc<Notify>,
    /// These do not rest.
    at_once: Mutex<HashSet<ImageId>>,
}

impl Wishes {
    pub fn new(settle: Duration) -> Self {
        Self {
            settle,
            changed: Arc::default(),
            at_once: Mutex::default(),
        }
    }

    pub fn hurry(&self, id: ImageId) {
        self.at_once().insert(id);
        self.changed.notify_one();
    }

    /// The queue is not as it was.
    pub fn change(&self) {
        self.changed.notify_one();
    }

    /// Forgets who is not in the queue any more.
    fn keep(&self, queue: &[Queued]) {
        let queued: HashSet<ImageId> = queue.iter().map(|queued| queued.id).collect();
        self.at_once().retain(|id| queued.contains(id));
    }

    /// It is being fetched. Where that fails it is not hurried again.
    fn taken(&self, id: ImageId) {
        self.at_once().remove(&id);
    }

    fn is_hurried(&self, id: ImageId) -> bool {
        self.at_once().contains(&id)
    }

    fn at_once(&self) -> MutexGuard<'_, HashSet<ImageId>> {
        self.at_once.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long an image still has to rest.
    fn rests(&self, queued: &Queued, now: DateTime<Utc>) -> Duration {
        // Since a time to come: the clock was set back, and nobody remembers for how long it has rested.
        let waited = (now - queued.since).to_std().unwrap_or(self.settle);
        if self.is_hurried(queued.id) {
            Duration::ZERO
        } else {
            self.settle.saturating_sub(waited)
        }
    }
}

/// The queue, watched. There is one per cache: what changes wakes one watcher.
#[derive(Debug)]
pub struct QueueWatch {
    node: Arc<Node>,
    watch: Arc<Mutex<Watch>>,
}

/// The watch on the directory, and what the log has said of it.
#[derive(Debug, Default)]
struct Watch {
    /// The watcher, and the inode of the directory it watches.
    watcher: Option<(RecommendedWatcher, u64)>,
    /// Names that are no image's, each told once.
    strange: HashSet<String>,
}

impl QueueWatch {
    pub(super) fn new(node: Arc<Node>) -> Self {
        Self {
            node,
            watch: Arc::default(),
        }
    }

    /// The next image to fetch: the first in the queue that has settled and is in neither set. What somebody
    /// wants comes before what rules want; of that the highest `rank` comes first, and what has none is not
    /// to be fetched now. Waits for one. Who is in `resting` is taken all the same where it is wanted at once.
    /// May be dropped and called again.
    pub async fn next(
        &self,
        busy: &HashSet<ImageId>,
        resting: &HashSet<ImageId>,
        rank: impl Fn(&str) -> Option<i64>,
    ) -> Queued {
        loop {
            let wishes = &self.node.wishes;
            let queue = self.look().await;
            wishes.keep(&queue);
            let now = self.node.clock.now();
            let first = queue
                .iter()
                .filter(|queued| !busy.contains(&queued.id))
                .map(|queued| (queued, wishes.is_hurried(queued.id)))
                .filter(|(queued, hurried)| *hurried || !resting.contains(&queued.id))
                // Of those that need not wait any longer the hurried ones go first.
                .filter_map(|(queued, hurried)| {
                    let rank = match queued.rule.as_deref().filter(|_| !hurried) {
                        Some(rule) => (true, Reverse(rank(rule)?)),
                        None => (false, Reverse(0)),
                    };
                    Some((wishes.rests(queued, now), (!hurried, rank), queued))
                })
                .min_by_key(|(rest, order, _)| (*rest, *order));
            let rest = match first {
                Some((Duration::ZERO, _, queued)) => {
                    wishes.taken(queued.id);
                    return queued.clone();
                }
                Some((rest, ..)) => rest.min(SWEEP),
                None => SWEEP,
            };
            // Either way the directory is read again.
            let _ = tokio::time::timeout(rest, wishes.changed.notified()).await;
        }
    }

    /// An image was fetched, or could not be. Who wanted it at once meanwhile has been served by that.
    pub fn tried(&self, id: ImageId) {
        self.node.wishes.taken(id);
    }

    async fn look(&self) -> Vec<Queued> {
        let (node, watch) = (Arc::clone(&self.node), Arc::clone(&self.watch));
        let queue = blocking(move || {
            let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
            watch.renew(&node);
            let (queue, strange) = queue::list(&node.layout)?;
            for name in strange {
                if !watch.strange.contains(&name) {
                    tracing::warn!("{name:?} in the queue of the cache is no image id");
                    watch.strange.insert(name);
                }
            }
            Ok(queue)
        });
        queue.await.unwrap_or_else(|error| {
            self.node.trouble.begin(&error);
            Vec::new()
        })
    }
}

impl Watch {
    /// Watches the directory, again where it was replaced. Without a watch there are the sweeps.
    fn renew(&mut self, node: &Node) {
        use std::os::unix::fs::MetadataExt as _;
        let dir = node.layout.queue();
        let inode = std::fs::metadata(&dir).map(|found| found.ino()).ok();
        if self.watcher.as_ref().map(|(_, watched)| *watched) == inode {
            return;
        }
        self.watcher = None;
        let Some(inode) = inode else { return };
        let changed = Arc::clone(&node.wishes.changed);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading the directory is an event, too.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                changed.notify_one();
            }
        });
        let watcher = watcher.and_then(|mut watcher| {
            watcher.watch(&dir, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        match watcher {
            Ok(watcher) => self.watcher = Some((watcher, inode)),
            Err(error) => {
                tracing::debug!("the queue is read every {SWEEP:?}, not watched: {error}");
            }
        }
    }
}
