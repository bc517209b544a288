//! Image data in motion: it is streamed everywhere and held nowhere.

mod file;
mod pace;
mod pool;

pub use file::{read_at, read_file};
pub use pace::{Pace, paced};
pub use pool::{CHUNK, packed};

use std::fmt;
use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

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

impl Blob {
    /// A part of a file.
    pub fn from_file(file: Arc<File>, range: ByteRange) -> Self {
        Self {
            size: Some(range.len()),
            bytes: read_file(file, range),
        }
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// A part of an image: from `start` up to, and without, `end`, and inside the image. Only all of an empty
/// image is empty.
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

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }
}
