//! Where image data is kept.

mod absent;
pub mod file;
pub mod http;
pub mod registry;
pub mod suspects;
pub mod throttled;

pub use file::{FileStore, Unrecorded};
pub use http::HttpStore;
pub use registry::Registry;
pub use throttled::Throttled;

use std::fmt;

use async_trait::async_trait;

use crate::domain::{ImageId, Location};
use crate::stream::{Blob, ByteRange, ByteStream};

/// Why a store did not do as asked. No variant carries a URL: it may hold credentials.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no data there")]
    NotFound,
    #[error("the data is in use")]
    InUse,
    #[error("the store is full")]
    Full,
    #[error("the store is read-only")]
    ReadOnly,
    #[error("the store does not let us: {0}")]
    Denied(String),
    #[error("data for this image is there already")]
    Duplicate,
    /// The stream that was to be stored broke: the client's fault, not the store's.
    #[error("the data ended early: {0}")]
    Source(#[source] std::io::Error),
    #[error("the store is not available: {0}")]
    Unavailable(String),
    #[error("no store here has scheme {0:?}")]
    UnknownScheme(String),
    /// What is at an address is not to be had that way, whoever asks.
    #[error("the address leads nowhere: {0}")]
    BadAddress(String),
    /// The server that has the data does not answer.
    #[error("Remote server where the image is present is unavailable.")]
    RemoteUnavailable,
    /// Clients cannot have parts of what is kept there.
    #[error(
        "Getting images randomly from this store is not supported. Offset: {}, length: {}",
        .0.start, .0.len()
    )]
    NoParts(ByteRange),
    #[error("store failure: {0}")]
    Failed(#[source] std::io::Error),
}

pub type Result<T> = std::result::Result<T, Error>;

/// Data that a store has taken.
#[derive(Debug)]
pub struct Stored {
    pub location: Location,
    pub size: u64,
    /// What tells the data from a leftover until a record has its location, in stores that know of such.
    pub unrecorded: Option<Unrecorded>,
}

impl Stored {
    /// A record has the location, or will never have it and the data is gone.
    pub async fn settle(self) {
        if let Some(unrecorded) = self.unrecorded {
            unrecorded.keep().await;
        }
    }
}

/// A place that keeps image data: a directory, a Swift container, a Ceph pool.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Keeps `bytes` and says where, and how many there were. All or nothing: a stream that fails leaves no trace.
    async fn put(&self, id: ImageId, bytes: ByteStream, size: Option<u64>) -> Result<Stored>;
    /// Opens the data at `location`, or the `range` of it.
    async fn get(&self, location: &Location, range: Option<ByteRange>) -> Result<Blob>;
    /// The bytes at `location`, as far as that can be told without reading them.
    async fn size(&self, location: &Location) -> Result<u64>;
    /// Forgets the data at `location`. Forgetting twice is [`Error::NotFound`].
    async fn delete(&self, location: &Location) -> Result<()>;
    /// Whether clients may ask for parts of the data. Where the original cannot, its clients rely on being told.
    fn offers_parts(&self) -> bool;
}
