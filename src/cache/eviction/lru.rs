//! What was not used for longest leaves first, as in the original.

use std::collections::{BTreeSet, HashMap};

use super::{Key, Order, Place, Standing, Tick};

/// Copies by their last use.
#[derive(Debug)]
pub struct Lru<K> {
    known: HashMap<K, Standing>,
    queue: BTreeSet<(Tick, K)>,
    bytes: u64,
}

impl<K> Default for Lru<K> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            queue: BTreeSet::new(),
            bytes: 0,
        }
    }
}

impl<K: Key> Order<K> for Lru<K> {
    fn came(&mut self, key: K, size: u64, at: Tick) {
        self.put(
            key,
            Standing {
                size,
                place: Place::Trial,
                uses: 0,
                since: at,
                used: at,
            },
        );
    }

    fn used(&mut self, key: K, at: Tick) {
        if let Some(mut standing) = self.known.get(&key).copied() {
            standing.touch(at);
            self.put(key, standing);
        }
    }

    fn put(&mut self, key: K, standing: Standing) {
        self.forget(key);
        // Of what has left nothing need be known here.
        if standing.place != Place::Left {
            self.known.insert(key, standing);
            self.queue.insert((standing.used, key));
            self.bytes += standing.size;
        }
    }

    fn forget(&mut self, key: K) {
        if let Some(standing) = self.known.remove(&key) {
            self.queue.remove(&(standing.used, key));
            self.bytes -= standing.size;
        }
    }

    fn next(&mut self, _at: Tick) -> Option<K> {
        let (_, key) = *self.queue.first()?;
        self.forget(key);
        Some(key)
    }

    fn standing(&self, key: K) -> Option<Standing> {
        self.known.get(&key).copied()
    }

    fn turn(&self, key: K) -> Option<(usize, usize)> {
        let used = self.known.get(&key)?.used;
        let before = self.queue.range(..(used, key)).count();
        Some((before, self.queue.len()))
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn moved(&mut self) -> Vec<K> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_leaves_first() {
        let mut order = Lru::default();
        for (at, key) in ["a", "b", "c"].into_iter().enumerate() {
            order.came(key, 10, i64::try_from(at).unwrap());
        }
        order.used("a", 5);
        order.used("unknown", 6);
        assert_eq!(order.bytes(), 30);
        let leaving: Vec<_> = std::iter::from_fn(|| order.next(9)).collect();
        assert_eq!(leaving, ["b", "c", "a"]);
        assert_eq!(order.bytes(), 0);
    }
}
