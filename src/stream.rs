//! Image data in motion: it is streamed everywhere and held nowhere.

use std::fmt;
use std::io;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;

/// Image data as it arrives. An error ends it; what came before the error may be incomplete.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Data that a store or a cache file hands out.
pub struct Blob {
    /// Bytes that will come, where that is known.
    pub size: Option<u64>,
    pub bytes: ByteStream,
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// A part of an image: from `start` up to, and without, `end`. Never empty, always inside the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    pub start: u64,
    pub end: u64,
}

impl ByteRange {
    /// The number of bytes in it.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// A range is never empty; this is here because `len` is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }
}
