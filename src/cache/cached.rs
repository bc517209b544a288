//! Reading a whole copy.

use std::fs::File;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;

use super::node::Node;
use crate::domain::ImageId;
use crate::stream::{Blob, ByteRange, ByteStream, read_file};

/// An open copy. It stays readable when the cache lets it go.
#[derive(Debug)]
pub struct CachedImage {
    node: Arc<Node>,
    id: ImageId,
    file: Arc<File>,
    size: u64,
}

impl CachedImage {
    pub(super) fn new(node: Arc<Node>, id: ImageId, file: File, size: u64) -> Self {
        Self {
            node,
            id,
            file: Arc::new(file),
            size,
        }
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes. A whole read that reaches the end is a hit.
    pub fn read(self, range: Option<ByteRange>) -> Blob {
        let Some(range) = range else {
            return self.read_whole();
        };
        Blob {
            size: Some(range.len()),
            bytes: read_file(self.file, range),
        }
    }

    fn read_whole(self) -> Blob {
        let size = self.size;
        let whole = ByteRange {
            start: 0,
            end: size,
        };
        let bytes = read_file(Arc::clone(&self.file), whole);
        let mut counted = Counted {
            bytes,
            rest: size,
            image: Some(self),
        };
        // Of an empty image nobody reads anything.
        counted.count(0);
        Blob {
            size: Some(size),
            bytes: Box::pin(counted),
        }
    }
}

/// A whole read, which is a hit when its last byte is handed out: nobody asks for what comes after it.
struct Counted {
    bytes: ByteStream,
    rest: u64,
    image: Option<CachedImage>,
}

impl Counted {
    fn count(&mut self, bytes: usize) {
        self.rest = self.rest.saturating_sub(bytes as u64);
        if self.rest == 0
            && let Some(image) = self.image.take()
        {
            image.node.journal.hit(image.id, image.node.clock.now());
        }
    }
}

impl Stream for Counted {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.bytes.as_mut().poll_next(cx));
        if let Some(Ok(chunk)) = &next {
            self.count(chunk.len());
        }
        Poll::Ready(next)
    }
}
