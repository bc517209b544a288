//! `W-TinyLFU`, for copies with sizes: who comes has to have been asked for more often than who would leave.
//!
//! After Einziger, Friedman and Manes, "`TinyLFU`: a highly efficient cache admission policy", 2017. A window for
//! the new, a segmented LRU behind it, and a sketch of how often each name was asked for lately.

use std::collections::{BTreeSet, HashMap};

use glance::cache::eviction::{Key, Order, Place, Standing, Tick};

/// Of all bytes, one part of so many is the window.
const WINDOW: u64 = 20;
/// Of the rest, this many hundredths are for those that were used again.
const PROTECTED: u64 = 80;
/// After so many requests for each copy here, what was counted is halved; as if there were [`NAMES`] at least.
const AGEING: usize = 10;
const NAMES: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    Window,
    Probation,
    Protected,
}

#[derive(Debug)]
pub(crate) struct TinyLfu<K> {
    known: HashMap<K, (Segment, Standing)>,
    queues: [BTreeSet<(Tick, K)>; 3],
    bytes: [u64; 3],
    /// How often each name was asked for; exact, for a simulation has the room.
    counts: HashMap<K, u32>,
    counted: usize,
    turn: Tick,
    /// Somebody had to leave: from then on who comes contends with who is here.
    full: bool,
}

impl<K> Default for TinyLfu<K> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            queues: [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()],
            bytes: [0; 3],
            counts: HashMap::new(),
            counted: 0,
            turn: 0,
            full: false,
        }
    }
}

impl<K: Key> TinyLfu<K> {
    fn count(&mut self, key: K) {
        *self.counts.entry(key).or_default() += 1;
        self.counted += 1;
        if self.counted > AGEING * self.known.len().max(NAMES) {
            self.counted /= 2;
            self.counts.retain(|_, count| {
                *count /= 2;
                *count > 0
            });
        }
    }

    /// Puts a copy at the end of a segment.
    fn set(&mut self, key: K, segment: Segment, mut standing: Standing) {
        self.forget(key);
        self.turn += 1;
        standing.since = self.turn;
        self.known.insert(key, (segment, standing));
        self.queues[segment as usize].insert((standing.since, key));
        self.bytes[segment as usize] += standing.size;
    }

    fn oldest(&self, segment: Segment) -> Option<K> {
        self.queues[segment as usize].first().map(|(_, key)| *key)
    }

    fn frequency(&self, key: K) -> u32 {
        self.counts.get(&key).copied().unwrap_or(0)
    }
}

impl<K: Key> Order<K> for TinyLfu<K> {
    fn came(&mut self, key: K, size: u64, at: Tick) {
        self.count(key);
        let standing = Standing {
            size,
            place: Place::Trial,
            uses: 0,
            since: at,
            used: at,
        };
        self.set(key, Segment::Window, standing);
        while !self.full
            && self.bytes[0] * WINDOW > self.bytes()
            && let Some(oldest) = self.oldest(Segment::Window)
        {
            let (_, standing) = self.known[&oldest];
            self.set(oldest, Segment::Probation, standing);
        }
    }

    fn used(&mut self, key: K, at: Tick) {
        self.count(key);
        let Some((segment, mut standing)) = self.known.get(&key).copied() else {
            return;
        };
        standing.used = at;
        let segment = match segment {
            Segment::Window => Segment::Window,
            Segment::Probation | Segment::Protected => Segment::Protected,
        };
        self.set(key, segment, standing);
        let most = (self.bytes() - self.bytes[0]) * PROTECTED / 100;
        while self.bytes[Segment::Protected as usize] > most
            && let Some(oldest) = self.oldest(Segment::Protected)
        {
            let (_, standing) = self.known[&oldest];
            self.set(oldest, Segment::Probation, standing);
        }
    }

    fn put(&mut self, key: K, standing: Standing) {
        self.set(key, Segment::Probation, standing);
    }

    fn forget(&mut self, key: K) {
        if let Some((segment, standing)) = self.known.remove(&key) {
            self.queues[segment as usize].remove(&(standing.since, key));
            self.bytes[segment as usize] -= standing.size;
        }
    }

    fn next(&mut self, _at: Tick) -> Option<K> {
        self.full = true;
        // Whoever comes will be in the window, too.
        let coming = self.bytes() / self.known.len().max(1) as u64;
        while (self.bytes[0] + coming) * WINDOW > self.bytes()
            && let Some(candidate) = self.oldest(Segment::Window)
        {
            let Some(victim) = self.oldest(Segment::Probation) else {
                let (_, standing) = self.known[&candidate];
                self.set(candidate, Segment::Probation, standing);
                continue;
            };
            if self.frequency(candidate) <= self.frequency(victim) {
                self.forget(candidate);
                return Some(candidate);
            }
            let (_, standing) = self.known[&candidate];
            self.set(candidate, Segment::Probation, standing);
            self.forget(victim);
            return Some(victim);
        }
        let order = [Segment::Probation, Segment::Protected, Segment::Window];
        let key = order.into_iter().find_map(|segment| self.oldest(segment))?;
        self.forget(key);
        Some(key)
    }

    fn standing(&self, key: K) -> Option<Standing> {
        self.known.get(&key).map(|(_, standing)| *standing)
    }

    fn turn(&self, key: K) -> Option<(usize, usize)> {
        let (segment, standing) = self.known.get(&key)?;
        let queue = &self.queues[*segment as usize];
        let before = queue.range(..(standing.since, key)).count();
        Some((before, queue.len()))
    }

    fn bytes(&self) -> u64 {
        self.bytes.iter().sum()
    }

    fn moved(&mut self) -> Vec<K> {
        Vec::new()
    }
}
