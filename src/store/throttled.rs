//! A store that is as slow as one wants: what a far or busy store does to those who wait for it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, sleep_until};

use super::{Result, Store, Stored};
use crate::domain::{ImageId, Location};
use crate::stream::{Blob, ByteRange, ByteStream};

/// A store around a store: its reads share a limited rate, and are counted.
pub struct Throttled<S> {
    store: S,
    line: Arc<Line>,
    reads: AtomicU64,
}

impl<S: Store> Throttled<S> {
    /// Limits what is read of `store`, by all together. A rate of 0 means no limit.
    pub fn new(store: S, bytes_per_second: u64) -> Self {
        Self {
            store,
            line: Arc::new(Line {
                bytes_per_second,
                free_at: Mutex::new(None),
                passed: AtomicU64::new(0),
            }),
            reads: AtomicU64::new(0),
        }
    }

    /// How often data was asked for.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// How many bytes of it were given.
    pub fn bytes(&self) -> u64 {
        self.line.passed.load(Ordering::Relaxed)
    }
}

impl<S: Store> fmt::Debug for Throttled<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttled")
            .field("store", &self.store)
            .field("bytes_per_second", &self.line.bytes_per_second)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: Store> Store for Throttled<S> {
    async fn put(&self, id: ImageId, bytes: ByteStream, size: Option<u64>) -> Result<Stored> {
        self.store.put(id, bytes, size).await
    }

    async fn get(&self, location: &Location, range: Option<ByteRange>) -> Result<Blob> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let Blob { size, bytes } = self.store.get(location, range).await?;
        let bytes = slowed(bytes, Arc::clone(&self.line));
        Ok(Blob { size, bytes })
    }

    async fn size(&self, location: &Location) -> Result<u64> {
        self.store.size(location).await
    }

    async fn delete(&self, location: &Location) -> Result<()> {
        self.store.delete(location).await
    }

    fn offers_parts(&self) -> bool {
        self.store.offers_parts()
    }
}

/// How late a reader may come and still find the line as if it had been in time: timers wake late, and a line
/// that lost that time at every chunk would be slower than it says.
const SLACK: Duration = Duration::from_millis(50);

/// The line to the store: one chunk passes at a time.
struct Line {
    bytes_per_second: u64,
    free_at: Mutex<Option<Instant>>,
    passed: AtomicU64,
}

impl Line {
    /// Takes the line for as long as `bytes` need, and says when they will have passed.
    fn pass(&self, bytes: u64) -> Instant {
        self.passed.fetch_add(bytes, Ordering::Relaxed);
        let now = Instant::now();
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = free_at.filter(|free| *free + SLACK > now).unwrap_or(now);
        *free_at.insert(begins + time_for(bytes, self.bytes_per_second))
    }
}

fn slowed(bytes: ByteStream, line: Arc<Line>) -> ByteStream {
    let slowed = stream::unfold((bytes, line), |(mut bytes, line)| async move {
        let chunk = bytes.next().await?;
        let len = chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        sleep_until(line.pass(len)).await;
        Some((chunk, (bytes, line)))
    });
    Box::pin(slowed)
}

fn time_for(bytes: u64, bytes_per_second: u64) -> Duration {
    if bytes_per_second == 0 {
        return Duration::ZERO;
    }
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(bytes_per_second);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_brings_a_seconds_worth() {
        assert_eq!(time_for(100_000_000, 100_000_000), Duration::from_secs(1));
        assert_eq!(time_for(1, 4), Duration::from_millis(250));
        assert_eq!(time_for(5, 0), Duration::ZERO);
    }
}
