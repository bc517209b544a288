//! Reading on where a fill that was read along with has broken.
//!
//! A reader of a growing copy has promised its client all of the image. Where the fill fails, because the
//! process that ran it died or the store hung up, the reader looks again at the byte it has come to: in
//! the cache, with another's fill, or at last in the store itself.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tracing::warn;

use super::Glance;
use crate::cache::FillBroken;
use crate::domain::Image;
use crate::stream::{Blob, ByteRange, ByteStream};

/// How often a reader looks again before it turns to the store.
const LOOKS: u32 = 2;

/// The blob, carried on where its fill breaks. Without a known size there is no telling what is left.
pub(super) fn resumed(
    glance: &Glance,
    image: &Image,
    range: Option<ByteRange>,
    blob: Blob,
) -> Blob {
    let whole = image.size.map(|size| ByteRange {
        start: 0,
        end: size,
    });
    let Some(rest) = range.or(whole) else {
        return blob;
    };
    let source = Again {
        glance: glance.clone(),
        image: image.clone(),
        whole: range.is_none(),
        looks: LOOKS,
    };
    Blob {
        size: blob.size,
        bytes: carried_on(blob.bytes, rest, source),
    }
}

/// Where the rest of some data can be had.
#[async_trait]
trait Resume: Send + 'static {
    async fn resume(&mut self, rest: ByteRange) -> io::Result<ByteStream>;
}

/// The image, looked for once more.
struct Again {
    glance: Glance,
    image: Image,
    /// It began with the first byte and wants all others.
    whole: bool,
    looks: u32,
}

#[async_trait]
impl Resume for Again {
    async fn resume(&mut self, rest: ByteRange) -> io::Result<ByteStream> {
        let (glance, image) = (&self.glance, &self.image);
        warn!(image.id = %image.id, at = rest.start,
            "the copy of image {} broke, reading on from byte {}", image.id, rest.start);
        let part = if self.looks > 0 {
            self.looks -= 1;
            glance.open_rest(image, rest, self.whole).await
        } else {
            glance.rest_past_cache(image, rest, self.whole).await
        };
        Ok(part.map_err(io::Error::other)?.bytes)
    }
}

/// The bytes of `rest`, each once: where a fill breaks, `source` has those that are left.
fn carried_on(bytes: ByteStream, rest: ByteRange, source: impl Resume) -> ByteStream {
    let reading = Reading {
        bytes,
        rest,
        source,
    };
    let bytes = stream::try_unfold(reading, |mut reading| async move {
        Ok(reading.next().await?.map(|bytes| (bytes, reading)))
    });
    Box::pin(bytes)
}

struct Reading<S> {
    bytes: ByteStream,
    /// What has not been handed out.
    rest: ByteRange,
    source: S,
}

impl<S: Resume> Reading<S> {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            match self.bytes.next().await {
                Some(Ok(bytes)) => {
                    self.rest.start += bytes.len() as u64;
                    return Ok(Some(bytes));
                }
                // The last byte has come: how its fill ended is of no interest.
                Some(Err(error)) if broken(&error) && self.rest.is_empty() => return Ok(None),
                Some(Err(error)) if broken(&error) => {
                    self.bytes = self.source.resume(self.rest).await?;
                }
                Some(Err(error)) => return Err(error),
                None => return Ok(None),
            }
        }
    }
}

/// Whether a fill broke, and what came of it up to there is right.
fn broken(error: &io::Error) -> bool {
    let broken = error.get_ref().and_then(|inner| inner.downcast_ref());
    broken.is_some_and(|broken: &FillBroken| broken.resumable)
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;
    use crate::domain::ImageId;

    const DATA: &[u8] = b"0123456789";

    /// A part of the data that breaks after so many bytes, a few at a time.
    fn part(rest: ByteRange, good: usize) -> ByteStream {
        let start = usize::try_from(rest.start).unwrap();
        let end = usize::try_from(rest.end).unwrap();
        let broken = FillBroken {
            id: ImageId::random(),
            reason: "the store hung up".to_owned(),
            resumable: true,
        };
        let good_end = end.min(start + good);
        let mut parts: Vec<io::Result<Bytes>> = DATA[start..good_end]
            .chunks(2)
            .map(|part| Ok(Bytes::from_static(part)))
            .collect();
        if good_end < end {
            parts.push(Err(io::Error::other(broken)));
        }
        Box::pin(stream::iter(parts))
    }

    /// Breaks after each of these counts, and has nothing after the last.
    struct Breaking(Vec<usize>);

    #[async_trait]
    impl Resume for Breaking {
        async fn resume(&mut self, rest: ByteRange) -> io::Result<ByteStream> {
            match self.0.pop() {
                Some(good) => Ok(part(rest, good)),
                None => Err(io::Error::other("nothing left")),
            }
        }
    }

    async fn read(start: u64, end: u64, breaks: &[usize]) -> io::Result<Vec<u8>> {
        let rest = ByteRange { start, end };
        let mut later = breaks.to_vec();
        later.reverse();
        let first = later.pop().unwrap();
        let stream = carried_on(part(rest, first), rest, Breaking(later));
        Ok(stream.try_collect::<Vec<Bytes>>().await?.concat())
    }

    #[tokio::test]
    async fn every_byte_comes_once_however_often_fills_break() {
        assert_eq!(read(0, 10, &[100]).await.unwrap(), DATA);
        assert_eq!(read(0, 10, &[3, 100]).await.unwrap(), DATA);
        assert_eq!(read(0, 10, &[0, 1, 0, 5, 100]).await.unwrap(), DATA);
    }

    #[tokio::test]
    async fn a_range_is_carried_on_within_itself() {
        assert_eq!(read(2, 7, &[1, 2, 100]).await.unwrap(), &DATA[2..7]);
    }

    #[tokio::test]
    async fn the_error_of_the_last_resort_ends_it() {
        let error = read(0, 10, &[3, 3]).await.unwrap_err();
        assert_eq!(error.to_string(), "nothing left");
    }

    /// How a stream ends that has nothing but this error.
    async fn after(error: io::Error) -> String {
        let rest = ByteRange { start: 0, end: 10 };
        let broken: ByteStream = Box::pin(stream::iter([Err(error)]));
        let stream = carried_on(broken, rest, Breaking(vec![100]));
        let error = stream.try_collect::<Vec<Bytes>>().await.unwrap_err();
        error.to_string()
    }

    #[tokio::test]
    async fn an_error_that_is_no_broken_fill_ends_it() {
        let ended = after(io::Error::other("the disk died")).await;
        assert_eq!(ended, "the disk died");
    }

    #[tokio::test]
    async fn data_that_proved_wrong_is_not_carried_on() {
        let wrong = FillBroken {
            id: ImageId::random(),
            reason: "wrong hash".to_owned(),
            resumable: false,
        };
        let ended = after(io::Error::other(wrong)).await;
        assert!(ended.contains("wrong hash"), "{ended}");
    }
}
