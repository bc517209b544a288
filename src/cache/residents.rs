//! Who leaves when room is needed: the order of this process, and what it must not touch.
//!
//! Files are the truth. The order is what this process knows of them: what it did itself, what the index has of
//! others, and, where that turns out to be too little, what is in the directory. Who is chosen is looked at
//! before it has to go.

mod leaving;

pub use leaving::{Asker, Wish};

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::eviction::{Lru, Order, Place, S3Fifo, Standing, Tick};
use super::layout::{Layout, Placed};
use super::lives::Lives;
use super::pins;
use super::rows::Rows;
use super::standings::Stored;
use crate::config::Eviction;
use crate::domain::ImageId;
use crate::domain::report::{Queue, Turn};

/// The copies that may leave, in their order.
#[derive(Debug)]
pub struct Residents {
    eviction: Eviction,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    order: Box<dyn Order<ImageId>>,
    pins: pins::Pins,
    /// Copies that are pinned stand outside of the order.
    pinned: HashMap<ImageId, Standing>,
    lives: Lives,
    /// What rules want to be here, and how many rules are more important than all that want it.
    wanted: HashMap<ImageId, usize>,
}

/// A time as the order has it.
pub fn tick(at: DateTime<Utc>) -> Tick {
    at.timestamp_micros()
}

impl Residents {
    pub fn new(eviction: Eviction) -> Self {
        let order: Box<dyn Order<ImageId>> = match eviction {
            Eviction::Lru => Box::new(Lru::default()),
            Eviction::S3Fifo => Box::new(S3Fifo::default()),
        };
        Self {
            eviction,
            inner: Mutex::new(Inner {
                order,
                pins: pins::Pins::default(),
                pinned: HashMap::new(),
                lives: Lives::default(),
                wanted: HashMap::new(),
            }),
        }
    }

    /// By what it orders.
    pub fn eviction(&self) -> Eviction {
        self.eviction
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What rules want to be here, from now on, and how many rules are more important than those.
    pub fn want(&self, wanted: HashMap<ImageId, usize>) {
        self.lock().wanted = wanted;
    }

    /// A copy was put into its place. Says where it stands.
    pub fn came(&self, id: ImageId, size: u64, at: DateTime<Utc>) -> Option<Standing> {
        let mut inner = self.lock();
        inner.lives.used(id);
        inner.order.came(id, size, tick(at));
        let standing = inner.order.standing(id);
        inner.hold(id);
        standing
    }

    /// A whole download of a copy. Says where it stands.
    pub fn used(&self, id: ImageId, at: DateTime<Utc>) -> Option<Standing> {
        let mut inner = self.lock();
        inner.lives.used(id);
        if let Some(standing) = inner.pinned.get_mut(&id) {
            standing.used = standing.used.max(tick(at));
            return Some(*standing);
        }
        inner.order.used(id, tick(at));
        inner.resident(id)
    }

    /// Others have counted so many uses more of a copy, the last of them then. Says where it stands, where that
    /// changed.
    pub fn counted(&self, id: ImageId, more: u64, at: DateTime<Utc>) -> Option<Standing> {
        let mut inner = self.lock();
        let before = match inner.pinned.get(&id) {
            Some(standing) => *standing,
            None => inner.resident(id)?,
        };
        let standing = before.counted(more, tick(at));
        if standing == before {
            return None;
        }
        match inner.pinned.get_mut(&id) {
            Some(pinned) => *pinned = standing,
            None => inner.order.put(id, standing),
        }
        Some(standing)
    }

    /// A copy is gone, whoever took it away.
    pub fn gone(&self, id: ImageId) {
        let mut inner = self.lock();
        inner.pinned.remove(&id);
        inner.lives.gone(id);
        // The names of those who had to leave are remembered.
        if inner.resident(id).is_some() {
            inner.order.forget(id);
        }
    }

    /// How long an image may stay unused, apart from what holds for all. True where that is new.
    pub fn live(&self, id: ImageId, life: Option<Duration>) -> bool {
        self.lock().lives.set(id, life)
    }

    /// How long an image may stay unused, where `all` holds for every one: the shorter one of that and its own.
    pub fn life_within(&self, id: ImageId, all: Option<Duration>) -> Option<Duration> {
        self.life(id).into_iter().chain(all).min()
    }

    /// How long an image may stay unused, where that is its own.
    pub fn life(&self, id: ImageId) -> Option<Duration> {
        self.lock().lives.of(id)
    }

    /// Where a copy stands that is here.
    pub fn standing(&self, id: ImageId) -> Option<Standing> {
        let inner = self.lock();
        inner
            .pinned
            .get(&id)
            .copied()
            .or_else(|| inner.resident(id))
    }

    /// Its turn to leave. None where it is not here, or never leaves to make room.
    pub fn turn(&self, id: ImageId) -> Option<Turn> {
        let inner = self.lock();
        let standing = inner.resident(id)?;
        let (before, of) = inner.order.turn(id)?;
        let queue = match (self.eviction, standing.place) {
            (Eviction::Lru, _) => Queue::Lru,
            (Eviction::S3Fifo, Place::Kept) => Queue::Kept,
            (Eviction::S3Fifo, Place::Trial | Place::Left) => Queue::Trial,
        };
        Some(Turn {
            queue,
            uses: standing.uses,
            before: before as u64,
            of: of as u64,
        })
    }

    /// Those whose standing changed when others left, with it.
    pub fn moved(&self) -> Vec<(ImageId, Option<Standing>)> {
        let mut inner = self.lock();
        let moved: HashSet<ImageId> = inner.order.moved().into_iter().collect();
        let standing = |id| (id, inner.order.standing(id));
        moved.into_iter().map(standing).collect()
    }

    /// Learns what other processes, or this one before a restart, have written down.
    pub fn learn(&self, stored: &[(ImageId, Stored)]) {
        let mut inner = self.lock();
        for (id, stored) in stored {
            inner.learn(*id, *stored);
        }
    }

    /// Makes the order agree with the files. Of those that nobody has written down, their rows tell.
    pub fn agree(&self, layout: &Layout, images: &[Placed], rows: &Rows) {
        self.lock().read_pins(layout);
        // A few at a time: downloads that end want to say so.
        for some in images.chunks(1000) {
            self.lock().agree(some, rows);
        }
        let here: HashSet<ImageId> = images.iter().map(|image| image.id).collect();
        self.lock().pinned.retain(|id, _| here.contains(id));
    }

    /// The shortest time that a copy may stay unused, where `all` holds for every one.
    pub fn shortest_life(&self, all: Option<Duration>) -> Option<Duration> {
        self.lock().lives.shortest(all)
    }

    /// The copies that have not been used for their time to live, and that no rule wants: they would be fetched
    /// again. Blocks.
    pub fn due(
        &self,
        layout: &Layout,
        all: Option<Duration>,
        now: DateTime<Utc>,
    ) -> io::Result<Vec<Placed>> {
        let images = if all.is_some() {
            layout.contents()?.images
        } else {
            let own: Vec<ImageId> = self.lock().lives.own().collect();
            let placed = own.into_iter().map(|id| layout.placed(id));
            placed
                .filter_map(Result::transpose)
                .collect::<io::Result<_>>()?
        };
        let mut inner = self.lock();
        inner.read_pins(layout);
        let mut due = Vec::new();
        for image in images {
            let used = match inner.resident(image.id) {
                Some(standing) => standing.used,
                None if inner.pinned.contains_key(&image.id) => continue,
                None => tick(image.modified),
            };
            let is_wanted = inner.wanted.contains_key(&image.id);
            if !is_wanted
                && inner.lives.is_over(image.id, used, all, tick(now))
                && !pins::has(layout, image.id)
            {
                due.push(image);
            }
        }
        Ok(due)
    }

    /// Bytes of copies that are pinned, as far as they are known.
    pub fn pinned_bytes(&self) -> u64 {
        self.lock().pinned_bytes()
    }
}

impl Inner {
    fn pinned_bytes(&self) -> u64 {
        self.pinned.values().map(|standing| standing.size).sum()
    }

    /// Where a copy stands that is here.
    fn resident(&self, id: ImageId) -> Option<Standing> {
        let standing = self.order.standing(id);
        standing.filter(|standing| standing.place != Place::Left)
    }

    /// Takes a pinned copy out of the order.
    fn hold(&mut self, id: ImageId) {
        if self.pins.has(id)
            && let Some(standing) = self.resident(id)
        {
            self.order.forget(id);
            self.pinned.insert(id, standing);
        }
    }

    /// Follows the pins, where they changed.
    fn read_pins(&mut self, layout: &Layout) {
        match self.pins.reread(layout) {
            Ok(false) => {}
            Ok(true) => {
                let free: Vec<ImageId> = self.pinned.keys().copied().collect();
                for id in free.into_iter().filter(|id| !self.pins.has(*id)) {
                    if let Some(standing) = self.pinned.remove(&id) {
                        self.order.put(id, standing);
                    }
                }
                for id in self.pins.all() {
                    self.hold(id);
                }
            }
            // What was known of them must do.
            Err(error) => tracing::warn!("pinned images are not known: {error}"),
        }
    }

    fn learn(&mut self, id: ImageId, stored: Stored) {
        if let Some(life) = stored.life {
            self.lives.set(id, Some(life));
        }
        let mut standing = stored.standing;
        if self.pinned.contains_key(&id) {
            return;
        }
        if let Some(known) = self.order.standing(id) {
            if known.since > standing.since {
                return;
            }
            standing.used = standing.used.max(known.used);
            if known.since == standing.since {
                standing.uses = standing.uses.max(known.uses);
            }
            if known == standing {
                return;
            }
        }
        self.order.put(id, standing);
        self.hold(id);
    }

    fn agree(&mut self, images: &[Placed], rows: &Rows) {
        for image in images {
            let row = rows.get(&image.id);
            if let Some(standing) = self.resident(image.id) {
                let used = row.map_or(standing.used, |row| tick(row.last_accessed));
                if used > standing.used || image.size != standing.size {
                    let used = used.max(standing.used);
                    let size = image.size;
                    self.order.put(
                        image.id,
                        Standing {
                            size,
                            used,
                            ..standing
                        },
                    );
                }
            } else if !self.pinned.contains_key(&image.id) {
                let hits = row.map_or(0, |row| row.hits);
                let used = row.map_or(image.modified, |row| row.last_accessed);
                let derived = Standing::derived(image.size, hits, tick(used));
                self.order.put(image.id, derived);
                self.hold(image.id);
            }
        }
    }
}
