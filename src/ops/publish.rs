//! What this node has copies of, told to the others: rows of the database, as the original's cache driver
//! `centralized_db` writes them.
//!
//! Never on the way of a request: a task follows the cache at its own pace and writes what has changed, much at
//! once. While the database is away nothing is lost, for what to write is found by comparing what the
//! directory has with what was told.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Glance, Result};
use crate::cache::{Cache, Entry, Known};
use crate::db::{CopyRow, Db};
use crate::domain::ImageId;

/// What happens so close together is written at once.
const GATHER: Duration = Duration::from_secs(1);
/// Of the time, at most one part in so many goes into looking through the directory.
const SHARE: u32 = 20;
/// What other processes do in the directory makes no noise here.
const SWEEP: Duration = Duration::from_mins(1);
/// How long to leave a database alone that is away.
const RETRY: Duration = Duration::from_secs(5);
/// How long the end of the process waits for what is being told, and for the last rows.
const LAST: Duration = Duration::from_secs(3);

impl Glance {
    /// The name by which other nodes know this one; none where the cache tells nobody.
    pub fn node_name(&self) -> Option<&str> {
        self.config.cache.as_ref()?.node_name.as_deref()
    }

    /// Tells what the cache has until `stop` is cancelled.
    pub async fn publish_copies(&self, stop: CancellationToken) {
        let (Some(cache), Some(name)) = (&self.cache, self.node_name()) else {
            return;
        };
        let mut publisher = Publisher {
            db: &self.db,
            cache,
            name,
            told: None,
            failing: false,
        };
        let late = async {
            stop.cancelled().await;
            sleep(LAST).await;
        };
        tokio::select! {
            () = publisher.follow(&stop) => {}
            () = late => {
                warn!("other nodes are told the rest of what the cache has at the next start");
            }
        }
    }
}

struct Publisher<'a> {
    db: &'a Db,
    cache: &'a Cache,
    name: &'a str,
    /// None as long as it is not known what the rows say.
    told: Option<Told>,
    /// The log says so.
    failing: bool,
}

/// What the rows of this node say.
struct Told {
    node: i64,
    copies: HashMap<ImageId, CopyRow>,
}

impl Publisher<'_> {
    /// Tells it until `stop` is cancelled, and once more then. What is being told is never broken off: the rows
    /// would stay locked until the database finds out, and who tells the rest would wait for that.
    async fn follow(&mut self, stop: &CancellationToken) {
        loop {
            let begun = Instant::now();
            let rest = if self.tell().await {
                begun.elapsed() * SHARE
            } else {
                RETRY
            };
            let next = async {
                sleep(rest.max(GATHER)).await;
                // Changed, or time to look.
                let _ = timeout(SWEEP, self.cache.changed()).await;
            };
            if stop.run_until_cancelled(next).await.is_none() {
                break;
            }
        }
        self.tell().await;
    }

    /// Makes the rows say what the directory has. False where that did not work.
    async fn tell(&mut self) -> bool {
        match self.try_tell().await {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    info!("other nodes are told again what the cache has");
                }
                true
            }
            Err(error) => {
                // Another process of this node may have written as well.
                self.told = None;
                if !std::mem::replace(&mut self.failing, true) {
                    warn!("other nodes are not told what the cache has: {error}");
                }
                false
            }
        }
    }

    async fn try_tell(&mut self) -> Result<()> {
        let told = match &mut self.told {
            Some(told) => told,
            none => {
                let told = Told::read(self.db, self.name).await?;
                // The original counts there, and there alone.
                let known = told.copies.values().map(known).collect();
                self.cache.adopt(known).await?;
                none.insert(told)
            }
        };
        let entries = self.cache.entries().await?;
        let here: HashMap<ImageId, CopyRow> =
            entries.iter().map(|entry| (entry.id, row(entry))).collect();
        let there: Vec<CopyRow> = (here.values())
            .filter(|copy| told.copies.get(&copy.id) != Some(copy))
            .cloned()
            .collect();
        let gone: Vec<ImageId> = (told.copies.keys())
            .filter(|id| !here.contains_key(id))
            .copied()
            .collect();
        if !there.is_empty() || !gone.is_empty() {
            self.db.tell_copies(told.node, &there, &gone).await?;
        }
        told.copies = here;
        Ok(())
    }
}

impl Told {
    async fn read(db: &Db, name: &str) -> Result<Self> {
        let node = db.node(name).await?;
        let copies = db.copies_of(node).await?;
        let copies = copies.into_iter().map(|copy| (copy.id, copy)).collect();
        Ok(Self { node, copies })
    }
}

fn known(copy: &CopyRow) -> Known {
    Known {
        id: copy.id,
        hits: copy.hits,
        last_accessed: copy.last_accessed,
        last_modified: copy.last_modified,
    }
}

fn row(entry: &Entry) -> CopyRow {
    CopyRow {
        id: entry.id,
        size: entry.size,
        hits: entry.hits,
        last_accessed: entry.last_accessed,
        last_modified: entry.last_modified,
    }
}
