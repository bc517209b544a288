//! The copies on this node.

pub mod directory;

pub use directory::{Directory, Placed, Queued, Waste};

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::config::CacheConfig;
use crate::domain::ImageId;
use crate::domain::checksum::Checksums;
use crate::stream::{Blob, ByteRange};

/// Why the cache could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cache directory {path}: {source}")]
    Directory {
        path: String,
        source: std::io::Error,
    },
    #[error("cache index: {0}")]
    Index(#[from] rusqlite::Error),
}

pub type Result<T> = std::result::Result<T, Error>;

/// The cache of this node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cache {
    inner: Arc<()>,
}

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
    /// Nothing, and no room can be made for it: read past the cache.
    Bypass,
}

/// An open copy. It stays readable when the cache lets it go.
#[derive(Debug)]
pub struct CachedImage {}

/// A copy that is being made.
#[derive(Debug, Clone)]
pub struct Growing {}

/// The right to bring one image in: a partial file, the lock on it and the room reserved for it.
#[derive(Debug)]
pub struct Claim {}

/// A row of the listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The row's number in the index.
    pub row: i64,
    pub id: ImageId,
    pub size: u64,
    pub hits: u64,
    pub last_accessed: DateTime<Utc>,
    pub last_modified: DateTime<Utc>,
}

/// What a prune took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    pub files: u64,
    pub bytes: u64,
}

#[expect(unused_variables, reason = "outline")]
impl Cache {
    /// Opens the cache and reconciles files and index. A directory that cannot be used is no error: every
    /// lookup is a bypass until it can, and the log says so once.
    pub async fn open(config: CacheConfig, clock: Clock) -> Self {
        todo!()
    }

    /// What this node has of the image. Never waits for another fill.
    pub async fn lookup(&self, id: ImageId, expected: &Expected) -> Lookup {
        todo!()
    }

    /// The listing, hits that are not yet written included. Sorted by last access, most recent first.
    pub async fn entries(&self) -> Result<Vec<Entry>> {
        todo!()
    }

    /// The queue, first to be fetched first.
    pub async fn queued(&self) -> Result<Vec<ImageId>> {
        todo!()
    }

    /// Puts an image into the queue. False where it is cached, growing or queued already.
    pub async fn queue(&self, id: ImageId) -> Result<bool> {
        todo!()
    }

    pub async fn unqueue(&self, id: ImageId) -> Result<bool> {
        todo!()
    }

    /// Empties the queue and says how many were in it.
    pub async fn unqueue_all(&self) -> Result<u64> {
        todo!()
    }

    /// Drops this node's copy, a growing one too. Who reads it reads on.
    pub async fn evict(&self, id: ImageId) -> Result<bool> {
        todo!()
    }

    /// Drops every copy and says how many there were.
    pub async fn clear(&self) -> Result<u64> {
        todo!()
    }

    pub async fn prune(&self) -> Result<Pruned> {
        todo!()
    }

    pub async fn clean(&self) -> Result<u64> {
        todo!()
    }

    /// Writes what is only in memory, leaves one plain index file and an empty `incomplete/`.
    pub async fn close(&self) {
        todo!()
    }
}

#[expect(unused_variables, reason = "outline")]
impl CachedImage {
    pub fn size(&self) -> u64 {
        todo!()
    }

    /// The bytes. A whole read that reaches the end is a hit.
    pub fn read(self, range: Option<ByteRange>) -> Blob {
        todo!()
    }
}

#[expect(unused_variables, reason = "outline")]
impl Growing {
    /// The bytes as they arrive. Ends with an error whose inner error is [`FillBroken`] where the fill did
    /// not come to its end: who has the first n bytes may look again and read on from there.
    pub fn read(self, range: Option<ByteRange>) -> Blob {
        todo!()
    }
}

/// The fill that was read along with did not come to its end.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the fill of image {id} broke: {reason}")]
pub struct FillBroken {
    pub id: ImageId,
    pub reason: String,
}

#[expect(unused_variables, reason = "outline")]
impl Claim {
    /// Starts a fill from the store's data. It outlives everyone who reads along.
    pub fn fill_from(self, blob: Blob) -> Growing {
        todo!()
    }

    /// Waits for the fill to end; the error says why nothing was committed.
    pub async fn fill_whole(self, blob: Blob) -> std::result::Result<(), FillBroken> {
        todo!()
    }
}
