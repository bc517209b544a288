//! The copies on this node.
//!
//! One fact has one home. A file in its place is *cached*, a locked partial file is *growing*, an empty file
//! in `queue/` is wanted; the index holds only what files cannot say, hits and last access. So any number
//! of processes may work on one directory, and a crash leaves nothing that has to time out.
//!
//! Below is what blocks and needs no runtime ([`layout`], [`partial`], [`space`], [`index`], [`queue`],
//! [`prune`], [`clean`]); tools reach it through [`Directory`]. Above it, for the service, is [`Cache`],
//! which never blocks: lookups, fills that many read along with, and the index written on the side.

mod account;
mod cached;
mod claim;
mod clean;
mod crowd;
mod directory;
mod entry;
mod error;
mod evict;
pub mod eviction;
mod expire;
mod feed;
mod fetch;
mod fill;
mod fills;
#[cfg(test)]
mod followed;
mod format;
mod fsck;
mod growing;
mod index;
#[cfg(test)]
mod interleaved;
mod inventory;
mod journal;
mod layout;
mod leaving;
mod limits;
mod lives;
mod lock;
mod marks;
mod node;
mod owner;
mod parked;
mod partial;
mod parts;
mod pieces;
mod pins;
mod profile;
mod prove;
mod prune;
mod queue;
mod queue_watch;
mod reach;
mod recent;
mod reconcile;
mod recount;
mod residents;
mod rows;
mod sibling;
mod source;
mod space;
mod spans;
mod standings;
mod sums;
mod survey;
mod tally;
mod told;
mod trouble;
mod trust;

pub use cached::CachedImage;
pub use claim::{Claim, Need};
pub use clean::{Waste, Why};
pub use directory::Directory;
pub use entry::{Entry, hot};
pub use error::{Error, Result};
pub use fsck::{Finding, Fsck, Outcome, Record, Records, Repair, Scope, Weight, What};
pub use growing::Growing;
pub use inventory::Inventory;
pub use layout::Placed;
pub use parts::Part;
pub use prune::Pruned;
pub use queue::Queued;
pub use queue_watch::QueueWatch;
pub use rows::Known;
pub use source::{Source, Supply};
pub use told::{Want, Wanted};

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::CacheConfig;
use crate::domain::ImageId;
use crate::domain::checksum::Checksums;
use crate::domain::report::{Profile, Survey};
use crate::stream::ByteRange;
use crate::telemetry::counters::{Counters, Reason};
use node::{Node, blocking};
use residents::Asker;

/// How long the end of the process waits for fills to let go: one that is proven may still wait for its disk.
const FILLS_END: Duration = Duration::from_secs(15);

/// What the image's record says its data is.
#[derive(Debug, Clone)]
pub struct Expected {
    pub size: Option<u64>,
    pub checksums: Checksums,
}

/// What this node has of an image.
#[derive(Debug)]
pub enum Lookup {
    /// All of it.
    Cached(CachedImage),
    /// The beginning, and more of it every moment: read along behind the writer, whichever process of
    /// this node that is.
    Growing(Growing),
    /// Nothing, and the caller may bring it in.
    Missing(Claim),
    /// Parts of it, or nothing yet: what of a part is missing can be fetched.
    Part(Part),
    /// Nothing, and nothing can be brought in: read past the cache.
    Bypass(Past),
}

/// Why an image is not brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Past {
    #[error("this node does not cache")]
    NoCache,
    #[error("the cache has no room for it")]
    NoRoom,
    #[error("it is larger than the whole cache may be")]
    TooLarge,
    #[error("something that is no copy is in its place in the cache directory")]
    Obstructed,
    #[error("a service that takes no locks seems to be writing its copy")]
    Stranger,
    #[error("the cache directory cannot be used")]
    Trouble,
    #[error("it is neither here nor on its way")]
    NotHere,
    #[error("its data has changed, and the fill that runs is of what it was")]
    OtherData,
    #[error("its fill is far from there")]
    FarAhead,
    #[error("another process has its parts open")]
    Elsewhere,
    #[error("the service ends")]
    Ending,
}

/// The fill that was read along with did not come to its end.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the fill of image {id} broke: {reason}")]
pub struct FillBroken {
    pub id: ImageId,
    pub reason: String,
    /// What was read so far is as good as what the store sends. Where it is not, because the data proved
    /// not to be the image's, nothing may be read on from there.
    pub resumable: bool,
    /// What its reader has had of a span that was not complete, for which no checksum speaks: who reads on elsewhere
    /// compares it.
    pub tail: Option<Tail>,
}

/// The bytes from `start` up to where a reader has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    pub start: u64,
    /// Their BLAKE3 checksum.
    pub sum: [u8; 32],
}

/// Links are not followed: they are nobody's image.
fn is_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

/// The cache of this node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cache {
    node: Arc<Node>,
}

impl Cache {
    /// Opens the cache and reconciles files and index. A directory that cannot be used is no error: every
    /// lookup is a bypass until it can, and the log says so once.
    pub async fn open(config: CacheConfig, clock: Clock, counters: Counters) -> Self {
        let node = Arc::new(Node::new(&config, clock, counters));
        let cache = Self { node };
        let node = Arc::clone(&cache.node);
        match blocking(move || reconcile::files(&node.layout, node.clock.now())).await {
            Ok(images) => cache.node.reconcile(images).await,
            Err(error) => cache.node.trouble.begin(&error),
        }
        cache.recall_wanted(&config.rules).await;
        cache.tell_ways().await;
        tokio::spawn(recount::run(Arc::downgrade(&cache.node)));
        tokio::spawn(expire::run(Arc::downgrade(&cache.node)));
        cache
    }

    /// Takes over what others have counted of copies that are here.
    pub async fn adopt(&self, known: Vec<Known>) -> Result<()> {
        let images = self.work(|node| Ok(node.layout.contents()?.images)).await?;
        if self.node.journal.adopt(known, images).await {
            return Ok(());
        }
        let why = io::Error::other("its index cannot be written");
        Err(Error::at(&self.node.layout, why))
    }

    /// Goes by the limits of `config` from now on. A lower one is reached within half a minute, or when room is
    /// needed. Whatever else differs waits for the next start.
    pub fn limit(&self, config: &CacheConfig) {
        self.node.limit(config);
        let cache = self.clone();
        tokio::spawn(async move { cache.tell_ways().await });
    }

    /// What this node has of the image. Never waits for another fill.
    pub async fn lookup(&self, id: ImageId, expected: &Expected) -> Lookup {
        self.node.lookup(id, expected, Asker::Anybody).await
    }

    /// The same for an image that a rule wants: nothing that rules want leaves to make room for it.
    pub async fn lookup_for_rule(&self, id: ImageId, expected: &Expected) -> Lookup {
        self.node.lookup(id, expected, Asker::Rule).await
    }

    /// What this node has of a part of the image, or can fetch of it: never [`Lookup::Missing`], and nothing
    /// leaves to make room for it.
    pub async fn lookup_part(&self, id: ImageId, expected: &Expected, range: ByteRange) -> Lookup {
        self.node.lookup_part(id, expected, range).await
    }

    /// Reads every span of a copy and compares it, whatever is known of it; what is bad is fetched again. Goes
    /// at so many bytes per second, and says how many spans were bad.
    pub async fn sweep(
        &self,
        id: ImageId,
        expected: &Expected,
        source: Arc<dyn Source>,
        rate: u64,
    ) -> io::Result<u64> {
        let (node, wanted) = (Arc::clone(&self.node), expected.clone());
        let Some(image) = blocking(move || node.open_copy(id, &wanted)).await? else {
            return Ok(0);
        };
        image.repaired_from(source).sweep(rate).await
    }

    /// What this node has of the image, for whoever would not bring it in: never [`Lookup::Missing`], and
    /// nothing leaves to make room for it.
    pub async fn peek(&self, id: ImageId, expected: &Expected) -> Lookup {
        let found = self.node.peek(id, expected).await;
        found.unwrap_or(Lookup::Bypass(Past::NotHere))
    }

    /// The listing, hits that are not yet written included. Sorted by last access, most recent first.
    pub async fn entries(&self) -> Result<Vec<Entry>> {
        let images = self.work(|node| Ok(node.layout.contents()?.images)).await?;
        let rows = self.node.journal.mend(images.clone()).await;
        Ok(entry::listing(&images, &rows))
    }

    /// Whether there is a whole copy of the image.
    pub async fn has(&self, id: ImageId) -> Result<bool> {
        self.work(move |node| Ok(is_file(&node.layout.image(id))))
            .await
    }

    /// Drops this node's copy, a growing one too. Who reads it reads on.
    pub async fn evict(&self, id: ImageId) -> Result<bool> {
        self.drop_copy(id, Reason::Asked).await
    }

    /// Lets go of all that is here of an image that was deleted: its copy, the wish for one, and its pin.
    pub async fn forget(&self, id: ImageId) -> Result<()> {
        self.unqueue(id).await?;
        self.drop_copy(id, Reason::Deleted).await?;
        if self.unpin(id).await? {
            tracing::info!(image.id = %id, "image {id} was deleted, and is not pinned any more");
        }
        Ok(())
    }

    async fn drop_copy(&self, id: ImageId, reason: Reason) -> Result<bool> {
        self.node.fills.detach(id);
        self.node.copies.forget(id);
        let dropped = self
            .work(move |node| evict::image(&node.layout, id, reason))
            .await?;
        match dropped.whole {
            Some(bytes) => self.node.left(id, bytes, reason),
            None => self.node.journal.gone(id),
        }
        Ok(dropped.any())
    }

    /// Drops every copy and says how many there were.
    pub async fn clear(&self) -> Result<u64> {
        self.node.fills.detach_all();
        let gone = self.work(|node| evict::all(&node.layout)).await?;
        for image in &gone {
            self.node.left(image.id, image.size, Reason::Asked);
        }
        Ok(gone.len() as u64)
    }

    /// Waits until a copy came, was used or left, since the last time that somebody waited. For one at a time.
    /// What other processes do in the directory is not noticed.
    pub async fn changed(&self) {
        self.node.journal.changed().await;
    }

    /// Removes bad data and fills that nobody goes on with, and says how many files that were.
    pub async fn clean(&self) -> Result<u64> {
        self.work(|node| clean::run(&node.layout, node.stall_time(), node.clock.now()))
            .await
    }

    /// What the directory holds, in numbers, whichever processes work on it.
    pub async fn survey(&self) -> Result<Survey> {
        self.work(|node| survey::take(&node.layout, node.limits(), node.clock.now()))
            .await
    }

    /// How many in this process read along with each fill of it.
    pub fn readers(&self) -> HashMap<ImageId, u64> {
        self.node.fills.readers()
    }

    /// Whether the directory could not be used a moment ago, and is left alone.
    pub fn is_in_trouble(&self) -> bool {
        self.node.trouble.is_resting()
    }

    /// Everything that is known of one image.
    pub async fn profile(&self, id: ImageId) -> Result<Profile> {
        let row = self.node.journal.row(id).await;
        self.work(move |node| {
            let residents = &node.residents;
            let known = profile::Known {
                row,
                turn: residents.turn(id),
                life: residents.life_within(id, node.life()),
            };
            profile::of(&node.layout, id, &known, node.clock.now())
        })
        .await
    }

    /// Writes what is only in memory, leaves one plain index file and an empty `incomplete/`.
    pub async fn close(&self) {
        self.node.stop.cancel();
        let ended = async {
            self.node.fills.ended().await;
            self.node.parts.ended().await;
        };
        let ended = tokio::time::timeout(FILLS_END, ended).await;
        if ended.is_err() {
            tracing::warn!("fills are still running, their files stay for the next start");
        }
        self.node.journal.close().await;
        self.node.note_on_files().await;
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Node) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let node = Arc::clone(&self.node);
        let done = blocking(move || work(&node)).await;
        done.map_err(|error| Error::at(&self.node.layout, error))
    }
}
