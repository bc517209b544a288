//! S3-FIFO, for copies with sizes: what was read once leaves soon, what is read again stays.
//!
//! Two queues, oldest first. A copy comes *on trial*; where it was used again by the time its turn comes, it is
//! *kept*, else it leaves. A kept copy that was used since its last turn has another one. Names of those who
//! left are remembered for as many bytes as are here: who comes back that soon is kept at once. So a sweep over
//! all images drives out no more than what is on trial.
//!
//! After Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023.

use std::collections::{BTreeSet, HashMap};

use super::{Key, Order, Place, Standing, Tick};

/// Of all bytes, what may be on trial while there are others to leave: one part of so many.
const TRIAL: u64 = 10;

/// Uses that get a copy through its trial are more than this.
pub(super) const PROVEN: u8 = 1;

/// A queue of names, oldest first.
#[derive(Debug)]
struct Queue<K> {
    names: BTreeSet<(Tick, K)>,
    bytes: u64,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self {
            names: BTreeSet::new(),
            bytes: 0,
        }
    }
}

/// Copies on trial, those that are kept, and names of those who left.
#[derive(Debug)]
pub struct S3Fifo<K> {
    known: HashMap<K, Standing>,
    trial: Queue<K>,
    kept: Queue<K>,
    left: Queue<K>,
    moved: Vec<K>,
}

impl<K> Default for S3Fifo<K> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            trial: Queue::default(),
            kept: Queue::default(),
            left: Queue::default(),
            moved: Vec::new(),
        }
    }
}

impl<K: Key> S3Fifo<K> {
    fn queue(&mut self, place: Place) -> &mut Queue<K> {
        match place {
            Place::Trial => &mut self.trial,
            Place::Kept => &mut self.kept,
            Place::Left => &mut self.left,
        }
    }

    /// Moves a copy to the end of a queue, and forgets its uses but for so many.
    fn requeue(&mut self, key: K, mut standing: Standing, (place, uses): (Place, u8), at: Tick) {
        standing.place = place;
        standing.uses = uses;
        // Behind all others, also where the clock was set back.
        let last = self.queue(place).names.last().map_or(at, |last| last.0 + 1);
        standing.since = at.max(last);
        self.put(key, standing);
        self.moved.push(key);
    }

    /// Forgets names of those who left long ago.
    fn forget_old(&mut self) {
        let most = self.bytes().max(1);
        while self.left.bytes > most
            && let Some((_, key)) = self.left.names.first().copied()
        {
            self.forget(key);
            self.moved.push(key);
        }
    }
}

impl<K: Key> Order<K> for S3Fifo<K> {
    fn came(&mut self, key: K, size: u64, at: Tick) {
        let known = self.known.get(&key).map(|standing| standing.place);
        let place = match known {
            Some(Place::Left | Place::Kept) => Place::Kept,
            Some(Place::Trial) | None => Place::Trial,
        };
        self.put(
            key,
            Standing {
                size,
                place,
                uses: 0,
                since: at,
                used: at,
            },
        );
    }

    fn used(&mut self, key: K, at: Tick) {
        if let Some(standing) = self.known.get_mut(&key)
            && standing.place != Place::Left
        {
            standing.touch(at);
        }
    }

    fn put(&mut self, key: K, standing: Standing) {
        self.forget(key);
        self.known.insert(key, standing);
        let queue = self.queue(standing.place);
        queue.names.insert((standing.since, key));
        queue.bytes += standing.size;
    }

    fn forget(&mut self, key: K) {
        if let Some(standing) = self.known.remove(&key) {
            let queue = self.queue(standing.place);
            queue.names.remove(&(standing.since, key));
            queue.bytes -= standing.size;
        }
    }

    fn next(&mut self, at: Tick) -> Option<K> {
        loop {
            let many = self.trial.bytes.saturating_mul(TRIAL) > self.bytes();
            let from = if many || self.kept.names.is_empty() {
                Place::Trial
            } else {
                Place::Kept
            };
            let (_, key) = *self.queue(from).names.first()?;
            let standing = self.known[&key];
            match from {
                Place::Trial if standing.uses > PROVEN => {
                    self.requeue(key, standing, (Place::Kept, 0), at);
                }
                Place::Kept if standing.uses > 0 => {
                    self.requeue(key, standing, (Place::Kept, standing.uses - 1), at);
                }
                Place::Trial => {
                    self.requeue(key, standing, (Place::Left, 0), at);
                    self.forget_old();
                    return Some(key);
                }
                Place::Kept | Place::Left => {
                    self.forget(key);
                    return Some(key);
                }
            }
        }
    }

    fn standing(&self, key: K) -> Option<Standing> {
        self.known.get(&key).copied()
    }

    fn turn(&self, key: K) -> Option<(usize, usize)> {
        let standing = self.known.get(&key)?;
        let names = match standing.place {
            Place::Trial => &self.trial.names,
            Place::Kept => &self.kept.names,
            Place::Left => return None,
        };
        let before = names.range(..(standing.since, key)).count();
        Some((before, names.len()))
    }

    fn bytes(&self) -> u64 {
        self.trial.bytes + self.kept.bytes
    }

    fn moved(&mut self) -> Vec<K> {
        std::mem::take(&mut self.moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Room for so many copies of one byte, and requests in order.
    fn run(order: &mut S3Fifo<u32>, room: u64, requests: impl IntoIterator<Item = u32>) -> u32 {
        let mut hits = 0;
        for (at, key) in (0..).zip(requests) {
            let here = order.standing(key);
            if here.is_some_and(|standing| standing.place != Place::Left) {
                order.used(key, at);
                hits += 1;
                continue;
            }
            while order.bytes() >= room {
                order.next(at).expect("somebody leaves");
            }
            order.came(key, 1, at);
        }
        hits
    }

    #[test]
    fn what_is_used_again_survives_a_sweep_over_everything() {
        let mut order = S3Fifo::default();
        let popular: Vec<u32> = (0..8).collect();
        run(&mut order, 10, popular.repeat(4));
        run(&mut order, 10, 100..1000);
        assert_eq!(run(&mut order, 10, popular), 8);
    }

    #[test]
    fn who_comes_back_soon_is_kept() {
        let mut order = S3Fifo::default();
        run(&mut order, 10, 0..12);
        assert_eq!(order.standing(0).unwrap().place, Place::Left);
        run(&mut order, 10, [0]);
        assert_eq!(order.standing(0).unwrap().place, Place::Kept);
    }

    #[test]
    fn names_of_those_who_left_are_remembered_for_as_many_bytes_as_are_here() {
        let mut order = S3Fifo::default();
        run(&mut order, 10, 0..1000);
        assert!(order.left.bytes <= 10, "{}", order.left.bytes);
        assert_eq!(order.known.len(), order.left.names.len() + 10);
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_from_leaving() {
        let mut order = S3Fifo::default();
        for key in 0..5_u32 {
            let derived = Standing::derived(1, 9, 1_000_000);
            order.put(key, derived);
        }
        let leaving: Vec<_> = std::iter::from_fn(|| order.next(-5)).collect();
        assert_eq!(leaving.len(), 5);
        assert_eq!(order.bytes(), 0);
    }
}
