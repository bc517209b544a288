//! Digests of data as it goes by.
//!
//! Each digest has a thread of its own, so the data moves at the speed of the slowest of them and not at
//! the speed of all in a row. The threads share the bytes with whoever comes after; how far one may lag
//! behind is bounded, and with it the memory.

use std::io;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::{mpsc, oneshot};

use crate::domain::checksum::HashAlgorithm;
use crate::stream::ByteStream;

/// Chunks that may wait for a digest.
const WAITING: usize = 8;

/// Bytes of a chunk, at most: together with [`WAITING`] this bounds what a stream in motion holds.
const CHUNK: usize = 256 * 1024;

/// The digests of a stream, once it has ended well.
#[derive(Debug)]
pub(super) struct Digests<const N: usize>([oneshot::Receiver<String>; N]);

/// The stream again, and its digests in the order of `algorithms`.
pub(super) fn hashed<const N: usize>(
    bytes: ByteStream,
    algorithms: [HashAlgorithm; N],
) -> io::Result<(ByteStream, Digests<N>)> {
    let mut hashers = Vec::new();
    let mut digests = Vec::new();
    for algorithm in algorithms {
        let (hasher, digest) = spawn(algorithm)?;
        hashers.push(hasher);
        digests.push(digest);
    }
    let digests = digests.try_into();
    let digests: [_; N] = digests.map_err(|_| io::Error::other("a digest is missing"))?;
    let feed = Feed {
        bytes,
        rest: Bytes::new(),
        hashers,
    };
    let bytes = stream::try_unfold(feed, |mut feed| async move {
        Ok(feed.next().await?.map(|bytes| (bytes, feed)))
    });
    Ok((Box::pin(bytes), Digests(digests)))
}

impl<const N: usize> Digests<N> {
    /// The digests, in lower-case hexadecimal. There are none of a stream that broke or was left midway.
    pub(super) async fn finish(self) -> io::Result<[String; N]> {
        let mut finished = [const { String::new() }; N];
        for (place, digest) in finished.iter_mut().zip(self.0) {
            let broken = |_| io::Error::other("the data was not hashed to its end");
            *place = digest.await.map_err(broken)?;
        }
        Ok(finished)
    }
}

/// What a hashing thread is told.
enum Order {
    Take(Bytes),
    /// There is no more. Without it the stream was left midway, and nobody wants the digest.
    Finish,
}

fn spawn(algorithm: HashAlgorithm) -> io::Result<(mpsc::Sender<Order>, oneshot::Receiver<String>)> {
    let (orders, mut inbox) = mpsc::channel(WAITING);
    let (done, digest) = oneshot::channel();
    std::thread::Builder::new()
        .name(format!("hash-{algorithm}"))
        .spawn(move || {
            let mut hasher = algorithm.hasher();
            while let Some(order) = inbox.blocking_recv() {
                match order {
                    Order::Take(bytes) => hasher.update(&bytes),
                    Order::Finish => {
                        // Whoever asked may be gone.
                        let _ = done.send(hasher.finish());
                        return;
                    }
                }
            }
        })?;
    Ok((orders, digest))
}

/// A stream, and who listens to it.
struct Feed {
    bytes: ByteStream,
    /// What is left of a chunk that was too large.
    rest: Bytes,
    hashers: Vec<mpsc::Sender<Order>>,
}

impl Feed {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.rest.is_empty() {
            let Some(bytes) = self.bytes.next().await.transpose()? else {
                tell(&self.hashers, || Order::Finish).await?;
                return Ok(None);
            };
            self.rest = bytes;
        }
        let bytes = self.rest.split_to(self.rest.len().min(CHUNK));
        tell(&self.hashers, || Order::Take(bytes.clone())).await?;
        Ok(Some(bytes))
    }
}

async fn tell(hashers: &[mpsc::Sender<Order>], order: impl Fn() -> Order) -> io::Result<()> {
    for hasher in hashers {
        let gone = |_| io::Error::other("a hashing thread is gone");
        hasher.send(order()).await.map_err(gone)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    fn stream_of(parts: Vec<io::Result<Bytes>>) -> ByteStream {
        Box::pin(stream::iter(parts))
    }

    const BOTH: [HashAlgorithm; 2] = [HashAlgorithm::Md5, HashAlgorithm::Sha256];

    #[tokio::test]
    async fn bytes_pass_unchanged_and_are_hashed() {
        let data: Vec<u8> = (0..=250).cycle().take(3 * CHUNK + 5).collect();
        let parts = vec![
            Ok(Bytes::from(data.clone())),
            Ok(Bytes::from_static(b"end")),
        ];
        let (bytes, digests) = hashed(stream_of(parts), BOTH).unwrap();

        let passed: Vec<Bytes> = bytes.try_collect().await.unwrap();
        assert_eq!(passed.concat(), [&data[..], b"end"].concat());
        let expected = BOTH.map(|algorithm| {
            let mut hasher = algorithm.hasher();
            hasher.update(&data);
            hasher.update(b"end");
            hasher.finish()
        });
        assert_eq!(digests.finish().await.unwrap(), expected);
    }

    #[tokio::test]
    async fn an_empty_stream_has_the_digest_of_nothing() {
        let (bytes, digests) = hashed(stream_of(Vec::new()), BOTH).unwrap();
        assert!(bytes.try_collect::<Vec<_>>().await.unwrap().is_empty());
        let digests = digests.finish().await.unwrap();
        assert_eq!(digests[0], "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[tokio::test]
    async fn a_stream_that_breaks_has_no_digest() {
        let parts = vec![
            Ok(Bytes::from_static(b"begin")),
            Err(io::Error::other("broken")),
        ];
        let (bytes, digests) = hashed(stream_of(parts), BOTH).unwrap();
        let error = bytes.try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.to_string(), "broken");
        assert!(digests.finish().await.is_err());
    }

    #[tokio::test]
    async fn a_stream_that_is_dropped_midway_has_no_digest() {
        let parts = vec![
            Ok(Bytes::from_static(b"begin")),
            Ok(Bytes::from_static(b"end")),
        ];
        let (mut bytes, digests) = hashed(stream_of(parts), BOTH).unwrap();
        bytes.next().await.unwrap().unwrap();
        drop(bytes);
        assert!(digests.finish().await.is_err());
    }
}
