//! What all handles of one cache share, and looking an image up.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::cached::CachedImage;
use super::claim::{Claim, Reached};
use super::fills::Fills;
use super::growing::Growing;
use super::index::Index;
use super::journal::Journal;
use super::layout::{InPlace, Layout, Placed};
use super::partial::Wanted;
use super::parts::{Part, Parts};
use super::prune;
use super::queue_watch::Wishes;
use super::residents::{Asker, Residents};
use super::space::Limits;
use super::spans::{Proof, Table};
use super::trouble::Trouble;
use super::trust::{Copies, Copy, Rules};
use super::{Expected, Lookup, Past, evict, marks, prove};
use crate::clock::Clock;
use crate::config::{CacheConfig, Verify};
use crate::domain::ImageId;
use crate::stream::ByteRange;
use crate::telemetry::counters::{Counters, Reason};

/// The cache of one directory, in one process.
#[derive(Debug)]
pub struct Node {
    pub layout: Layout,
    pub clock: Clock,
    pub counters: Counters,
    pub journal: Journal,
    /// Who leaves when room is needed.
    pub residents: Arc<Residents>,
    pub fills: Fills,
    /// What is not whole, as far as this process has it open.
    pub parts: Parts,
    /// What is whole, as far as this process has read it.
    pub copies: Copies,
    pub trouble: Trouble,
    pub wishes: Wishes,
    /// An image got a time to live of its own.
    pub lives_changed: Arc<Notify>,
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
    life: Option<Duration>,
}

impl Bounds {
    fn of(config: &CacheConfig) -> Self {
        Self {
            limits: Limits {
                max_size: config.max_size,
                min_free: config.min_free_space,
                low_water: config.low_water,
            },
            life: config.ttl,
            stall_time: config.stall_time,
        }
    }
}

impl Node {
    pub fn new(config: &CacheConfig, clock: Clock, counters: Counters) -> Self {
        let layout = Layout::new(&config.dir, &config.index_file);
        let residents = Arc::new(Residents::new(config.eviction));
        Self {
            clock,
            counters,
            journal: Journal::start(layout.clone(), &residents),
            residents,
            fills: Fills::new(),
            parts: Parts::new(),
            copies: Copies::new(Rules {
                verify: config.verify,
                period: config.sweep_period,
            }),
            trouble: Trouble::new(config.dir.clone()),
            wishes: Wishes::new(config.queue_settle),
            lives_changed: Arc::default(),
            stop: CancellationToken::new(),
            claiming: tokio::sync::Mutex::new(()),
            bounds: RwLock::new(Bounds::of(config)),
            layout,
        }
    }

    /// Makes rows agree with the files, and takes over what was counted on them.
    pub async fn reconcile(self: &Arc<Self>, images: Vec<Placed>) {
        drop(self.journal.mend(images.clone()).await);
        if self.layout.counts_on_files() {
            let (layout, now) = (self.layout.clone(), self.clock.now());
            let read = images.clone();
            let known = blocking(move || Ok(marks::read(&layout, &read, now))).await;
            self.journal.adopt(known.unwrap_or_default(), images).await;
        }
    }

    /// Notes on the files what the closed index has of them, where the driver keeps it there.
    pub async fn note_on_files(&self) {
        if !self.layout.counts_on_files() {
            return;
        }
        let layout = self.layout.clone();
        let noted = blocking(move || {
            let mut index = Index::new(layout.clone());
            let rows = index.rows().map_err(io::Error::other)?;
            index.close();
            marks::write(&layout, &rows)
        });
        if let Err(error) = noted.await {
            tracing::warn!("hits are not noted on the files of the cache: {error}");
        }
    }

    /// How much the cache may take now.
    pub fn limits(&self) -> Limits {
        self.bounds().limits
    }

    /// How long any copy may stay unused.
    pub fn life(&self) -> Option<Duration> {
        self.bounds().life
    }

    /// By what a prune goes now.
    pub fn prune_rules(&self) -> prune::Rules {
        let Bounds { limits, life, .. } = self.bounds();
        prune::Rules { limits, life }
    }

    /// Says where pinned copies leave little room for others.
    pub fn tell_pins(&self) {
        let (pinned, most) = (self.residents.pinned_bytes(), self.limits().max_size);
        if pinned > most / 2 {
            self.trouble.tell_pinned(pinned, most);
        }
    }

    /// For how long an unlocked partial file may be left alone.
    pub fn stall_time(&self) -> Duration {
        self.bounds().stall_time
    }

    /// Goes by the limits of another configuration from now on.
    pub fn limit(&self, config: &CacheConfig) {
        *self.bounds.write().unwrap_or_else(PoisonError::into_inner) = Bounds::of(config);
    }

    /// A whole copy of so many bytes left the cache.
    pub fn left(&self, id: ImageId, bytes: u64, reason: Reason) {
        self.counters.evicted(reason, bytes);
        self.journal.gone(id);
    }

    fn bounds(&self) -> Bounds {
        *self.bounds.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is here of the image, without claiming it.
    pub async fn peek(self: &Arc<Self>, id: ImageId, expected: &Expected) -> Option<Lookup> {
        let (node, wanted) = (Arc::clone(self), expected.clone());
        let found = blocking(move || node.open_copy(id, &wanted)).await;
        if let Ok(Some(image)) = found {
            return Some(Lookup::Cached(image));
        }
        self.join(id, expected)
    }

    /// Reads along with a fill of this process.
    fn join(&self, id: ImageId, expected: &Expected) -> Option<Lookup> {
        let fill = self.fills.get(id)?;
        if !fill.is_of(expected) {
            return Some(Lookup::Bypass(Past::OtherData));
        }
        Some(Lookup::Growing(Growing::here(self, fill, expected.size)))
    }

    /// Why nothing can be brought in now, if so.
    fn hindrance(&self) -> Option<Past> {
        if self.stop.is_cancelled() {
            return Some(Past::Ending);
        }
        self.trouble.is_resting().then_some(Past::Trouble)
    }

    /// What is here of the image, or the right to bring it in.
    pub async fn lookup(
        self: &Arc<Self>,
        id: ImageId,
        expected: &Expected,
        asker: Asker,
    ) -> Lookup {
        if let Some(found) = self.peek(id, expected).await {
            return found;
        }
        let most = self.limits().max_size;
        if expected.size.unwrap_or(1) > most || most == 0 {
            return Lookup::Bypass(Past::TooLarge);
        }
        if let Some(why) = self.hindrance() {
            return Lookup::Bypass(why);
        }
        let _turn = self.claiming.lock().await;
        if let Some(found) = self.join(id, expected) {
            return found;
        }
        let (node, wanted) = (Arc::clone(self), expected.clone());
        let reached = blocking(move || Claim::reach(&node, id, &wanted, asker)).await;
        self.found(id, expected, reached).await
    }

    /// What this node has of a part of the image, or can fetch of it.
    pub async fn lookup_part(
        self: &Arc<Self>,
        id: ImageId,
        expected: &Expected,
        range: ByteRange,
    ) -> Lookup {
        let (node, wanted) = (Arc::clone(self), expected.clone());
        let found = blocking(move || node.open_copy(id, &wanted)).await;
        if let Ok(Some(image)) = found {
            return Lookup::Cached(image);
        }
        let Some(size) = expected.size else {
            return self
                .join(id, expected)
                .unwrap_or(Lookup::Bypass(Past::NotHere));
        };
        if self.limits().max_size == 0 {
            return Lookup::Bypass(Past::TooLarge);
        }
        if let Some(why) = self.hindrance() {
            return Lookup::Bypass(why);
        }
        let _turn = self.claiming.lock().await;
        let open = self.parts.get(id, &Wanted::of(expected));
        let open = open.map(|open| Part::new(Arc::clone(self), open, size));
        if let Some(fill) = self.fills.get(id) {
            return match open.filter(|part| part.has(range)) {
                Some(part) => Lookup::Part(part),
                None if !fill.is_of(expected) => Lookup::Bypass(Past::OtherData),
                None if !fill.is_near(range.start) => Lookup::Bypass(Past::FarAhead),
                None => Lookup::Growing(Growing::here(self, fill, expected.size)),
            };
        }
        if let Some(part) = open {
            return Lookup::Part(part);
        }
        let (node, wanted) = (Arc::clone(self), expected.clone());
        let reached = blocking(move || Part::reach(&node, id, &wanted)).await;
        self.found(id, expected, reached).await
    }

    async fn found(
        self: &Arc<Self>,
        id: ImageId,
        expected: &Expected,
        reached: io::Result<Reached>,
    ) -> Lookup {
        match reached {
            Ok(Reached::Cached(file, size)) => {
                let (node, wanted) = (Arc::clone(self), expected.clone());
                let known = blocking(move || node.know(id, file, size, &wanted)).await;
                match known {
                    Ok(Some(image)) => Lookup::Cached(image),
                    Ok(None) | Err(_) => Lookup::Bypass(Past::NotHere),
                }
            }
            Ok(Reached::Claimed(claim)) => {
                self.trouble.end();
                Lookup::Missing(claim)
            }
            Ok(Reached::Part(open)) => {
                let size = expected.size.unwrap_or_default();
                Lookup::Part(Part::new(Arc::clone(self), open, size))
            }
            Ok(Reached::Growing(file, table)) => {
                let proof = Proof::of(&expected.checksums);
                let same = |table: &Table| table.is_for(table.inode, expected.size, &proof);
                if !table.as_ref().is_none_or(same) {
                    return Lookup::Bypass(Past::OtherData);
                }
                let opened = (file, table);
                Lookup::Growing(Growing::of_sibling(self, id, opened, expected.size))
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

    /// Opens the whole copy of an image, if there is one. Blocks.
    pub fn open_copy(
        self: &Arc<Self>,
        id: ImageId,
        expected: &Expected,
    ) -> io::Result<Option<CachedImage>> {
        match self.layout.open_image(id, expected.size)? {
            InPlace::Whole(file, size) => self.know(id, file, size, expected),
            InPlace::Nothing | InPlace::WrongSize(_) | InPlace::Obstructed => Ok(None),
        }
    }

    /// What is known of an open copy. None where it is a copy of other data. Blocks.
    fn know(
        self: &Arc<Self>,
        id: ImageId,
        file: File,
        size: u64,
        expected: &Expected,
    ) -> io::Result<Option<CachedImage>> {
        let inode = file.metadata()?.ino();
        let proof = Proof::of(&expected.checksums);
        let file = Arc::new(file);
        let image = |copy| {
            let file = Arc::clone(&file);
            Ok(Some(CachedImage::new(
                Arc::clone(self),
                id,
                file,
                size,
                copy,
            )))
        };
        let known = || {
            let copy = self.copies.get(id);
            copy.filter(|copy| copy.is_of(inode, size, &proof))
        };
        if let Some(copy) = known() {
            return image(Some(copy));
        }
        let _turn = self.copies.opening();
        if let Some(copy) = known() {
            return image(Some(copy));
        }
        let checks = self.copies.rules.verify != Verify::Off;
        // One of another file speaks for this one as far as it is compared.
        let speaks = |table: &Table| {
            table.is_for(inode, Some(size), &proof) || (checks && table.proves_as(size, &proof))
        };
        match Table::open(&self.layout, id)? {
            Some(table) if speaks(&table) => {
                let copy = Arc::new(Copy::new(id, (inode, size), proof, Some(table)));
                self.copies.insert(Arc::clone(&copy));
                image(Some(copy))
            }
            Some(table) if table.inode == inode && !table.proof.is_none() && !proof.is_none() => {
                evict::image(&self.layout, id, Reason::Stale)?;
                self.left(id, size, Reason::Stale);
                Ok(None)
            }
            _ if !checks => image(None),
            _ => image(Some(prove::begin(self, id, &file, (inode, size), expected))),
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
