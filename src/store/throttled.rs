//! A store that is as slow as one wants: what a far or busy store does to those who wait for it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Result, Store, Stored};
use crate::domain::{ImageId, Location};
use crate::stream::{Blob, ByteRange, ByteStream, Pace, paced};

/// A store around a store: its reads share a limited rate, and are counted.
pub struct Throttled<S> {
    store: S,
    line: Arc<Pace>,
    reads: AtomicU64,
}

impl<S: Store> Throttled<S> {
    /// Limits what is read of `store`, by all together. A rate of 0 means no limit.
    pub fn new(store: S, bytes_per_second: u64) -> Self {
        Self {
            store,
            line: Arc::new(Pace::new(bytes_per_second)),
            reads: AtomicU64::new(0),
        }
    }

    /// How often data was asked for.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// How many bytes of it were given.
    pub fn bytes(&self) -> u64 {
        self.line.passed()
    }
}

impl<S: Store> fmt::Debug for Throttled<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttled")
            .field("store", &self.store)
            .field("bytes_per_second", &self.line.bytes_per_second())
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
        let bytes = paced(bytes, Arc::clone(&self.line), CancellationToken::new());
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
