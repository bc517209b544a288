//! What Keystone said of tokens, for a while. Tokens themselves are not kept, only their hashes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::token::Identity;

/// The hash of a token: whoever reads it cannot use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }
}

/// Tokens that are believed, the longest known first.
#[derive(Debug)]
pub struct TokenCache {
    life: Duration,
    most: usize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    entries: HashMap<Key, Entry>,
    order: VecDeque<(Instant, Key)>,
}

#[derive(Debug)]
struct Entry {
    since: Instant,
    identity: Arc<Identity>,
}

impl TokenCache {
    /// Believes for `life`, and at most so many: beyond that the longest known one is asked for again.
    pub fn new(life: Duration, most: usize) -> Self {
        Self {
            life,
            most,
            known: Mutex::default(),
        }
    }

    pub fn get(&self, key: Key, now: Instant) -> Option<Arc<Identity>> {
        let known = self.known();
        let entry = known.entries.get(&key)?;
        (now.duration_since(entry.since) < self.life).then(|| Arc::clone(&entry.identity))
    }

    pub fn put(&self, key: Key, identity: &Arc<Identity>, since: Instant) {
        if self.life.is_zero() {
            return;
        }
        let mut known = self.known();
        let identity = Arc::clone(identity);
        known.entries.insert(key, Entry { since, identity });
        known.order.push_back((since, key));
        while let Some((when, oldest)) = known.order.front().copied()
            && (known.order.len() > self.most || since.duration_since(when) >= self.life)
        {
            known.order.pop_front();
            // One that was put again since then has a later place.
            if known
                .entries
                .get(&oldest)
                .is_some_and(|entry| entry.since == when)
            {
                known.entries.remove(&oldest);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Arc<Identity> {
        let body = br#"{"token": {"expires_at": "2026-01-01T00:00:00Z",
            "user": {"id": "u", "domain": {"id": "d"}}}}"#;
        Arc::new(Identity::read(body).unwrap())
    }

    #[test]
    fn a_token_is_believed_for_a_while() {
        let cache = TokenCache::new(Duration::from_mins(5), 10);
        let now = Instant::now();
        let known = |token, seconds| {
            let later = now + Duration::from_secs(seconds);
            cache.get(Key::of(token), later).is_some()
        };
        cache.put(Key::of("t"), &identity(), now);
        assert!(known("t", 0) && known("t", 299));
        assert!(!known("t", 300) && !known("T", 0));
    }

    #[test]
    fn the_longest_known_one_leaves_when_there_are_too_many() {
        let cache = TokenCache::new(Duration::from_mins(5), 2);
        let now = Instant::now();
        for token in ["a", "b", "c"] {
            cache.put(Key::of(token), &identity(), now);
        }
        let known = |token| cache.get(Key::of(token), now).is_some();
        assert!(!known("a") && known("b") && known("c"));
    }

    #[test]
    fn no_time_is_no_cache() {
        let cache = TokenCache::new(Duration::ZERO, 2);
        let now = Instant::now();
        cache.put(Key::of("a"), &identity(), now);
        assert!(cache.get(Key::of("a"), now).is_none());
    }
}
