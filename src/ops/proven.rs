//! Data that passes the cache: it is hashed on its way, and its last bytes leave only once its digest has turned
//! out to be the image's. So a wrong body is never a complete one, whichever way it came.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::hashing::{Digests, hashed};
use crate::domain::Image;
use crate::stream::{Blob, ByteStream};

/// Bytes that nobody gets before the proof.
const HELD_BACK: usize = 64 * 1024;

/// All of an image's data, proven. Of an image without a digest it is what it is.
pub(super) fn proven(image: &Image, blob: Blob) -> io::Result<Blob> {
    let Some((algorithm, expected)) = image.checksums.proof() else {
        return Ok(blob);
    };
    let (bytes, digests) = hashed(blob.bytes, [algorithm])?;
    let proving = Proving {
        bytes,
        held: VecDeque::new(),
        size: 0,
        digests: Some(digests),
        what: format!("image {}: expected {algorithm} {expected}", image.id),
        expected: expected.to_owned(),
    };
    let bytes = stream::try_unfold(proving, |mut proving| async move {
        Ok::<_, io::Error>(proving.next().await?.map(|bytes| (bytes, proving)))
    });
    Ok(Blob {
        size: blob.size,
        bytes: Box::pin(bytes),
    })
}

struct Proving {
    bytes: ByteStream,
    /// What has come and has not been handed out, and how much that is.
    held: VecDeque<Bytes>,
    size: usize,
    /// What it comes to; none once it has proven right.
    digests: Option<Digests<1>>,
    expected: String,
    what: String,
}

impl Proving {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let front = self.held.front().map_or(0, Bytes::len);
            if front > 0 && (self.digests.is_none() || self.size - front >= HELD_BACK) {
                self.size -= front;
                return Ok(self.held.pop_front());
            }
            match self.bytes.next().await.transpose()? {
                Some(bytes) => {
                    self.size += bytes.len();
                    self.held.push_back(bytes);
                }
                None => match self.digests.take() {
                    Some(digests) => {
                        let [got] = digests.finish().await?;
                        self.judge(&got)?;
                    }
                    None => return Ok(None),
                },
            }
        }
    }

    fn judge(&self, got: &str) -> io::Result<()> {
        if got == self.expected {
            return Ok(());
        }
        tracing::error!("the store's data is not that of {}, got {got}", self.what);
        Err(io::Error::other("the data is not the image's"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::checksum::HashAlgorithm;

    async fn read(size: usize, expected_of: usize) -> (usize, bool) {
        let mut hasher = HashAlgorithm::Sha256.hasher();
        hasher.update(&vec![7; expected_of]);
        let parts: Vec<io::Result<Bytes>> = (0..size)
            .step_by(10_000)
            .map(|at| Ok(Bytes::from(vec![7; (size - at).min(10_000)])))
            .collect();
        let (bytes, digests) =
            hashed(Box::pin(stream::iter(parts)), [HashAlgorithm::Sha256]).unwrap();
        let mut proving = Proving {
            bytes,
            held: VecDeque::new(),
            size: 0,
            digests: Some(digests),
            expected: hasher.finish(),
            what: "a test".to_owned(),
        };
        let mut seen = 0;
        loop {
            match proving.next().await {
                Ok(Some(bytes)) => seen += bytes.len(),
                Ok(None) => return (seen, true),
                Err(_) => return (seen, false),
            }
        }
    }

    #[tokio::test]
    async fn right_data_comes_whole_and_wrong_data_never_does() {
        for size in [0, 1, HELD_BACK, HELD_BACK + 1, 300_000] {
            assert_eq!(read(size, size).await, (size, true));
            let (seen, whole) = read(size, size + 1).await;
            assert!(!whole && seen <= size.saturating_sub(HELD_BACK));
        }
    }
}
