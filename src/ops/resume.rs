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
use crate::cache::{FillBroken, Tail};
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
        again: None,
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
    /// What is read once more, to be compared.
    again: Option<Once>,
    source: S,
}

/// The end of what was handed out.
struct Once {
    tail: Tail,
    /// What of it has come again.
    hasher: blake3::Hasher,
    left: u64,
}

impl Once {
    fn of(tail: Tail, end: u64) -> Self {
        Self {
            tail,
            hasher: blake3::Hasher::new(),
            left: end - tail.start,
        }
    }

    /// Takes what of `bytes` is of it.
    fn take(&mut self, bytes: &mut Bytes) -> io::Result<()> {
        let count = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.hasher.update(&bytes.split_to(count));
        self.left -= count as u64;
        if self.left == 0 && *self.hasher.finalize().as_bytes() != self.tail.sum {
            return Err(io::Error::other(
                "what came before is not what the image has",
            ));
        }
        Ok(())
    }
}

impl<S: Resume> Reading<S> {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            match self.bytes.next().await {
                Some(Ok(mut bytes)) => {
                    if let Some(again) = &mut self.again {
                        again.take(&mut bytes)?;
                        self.again.take_if(|again| again.left == 0);
                        if bytes.is_empty() {
                            continue;
                        }
                    }
                    self.rest.start += bytes.len() as u64;
                    return Ok(Some(bytes));
                }
                // The last byte has come: how its fill ended is of no interest.
                Some(Err(error)) if broken(&error).is_some() && self.rest.is_empty() => {
                    return Ok(None);
                }
                Some(Err(error)) => match broken(&error) {
                    Some(broken) => {
                        let tail = broken.tail;
                        self.read_on(tail).await?;
                    }
                    None => return Err(error),
                },
                None => return Ok(None),
            }
        }
    }

    /// Looks for what is left, and for what has to be compared before it.
    async fn read_on(&mut self, tail: Option<Tail>) -> io::Result<()> {
        // What was to be compared still is.
        let tail = self.again.as_ref().map(|again| again.tail).or(tail);
        let begin = tail.map_or(self.rest.start, |tail| tail.start);
        self.again = tail.map(|tail| Once::of(tail, self.rest.start));
        let rest = ByteRange {
            start: begin,
            end: self.rest.end,
        };
        self.bytes = self.source.resume(rest).await?;
        Ok(())
    }
}

/// How a fill broke of which what came up to there is right, as far as one can tell.
fn broken(error: &io::Error) -> Option<&FillBroken> {
    let broken = error.get_ref().and_then(|inner| inner.downcast_ref());
    broken.filter(|broken: &&FillBroken| broken.resumable)
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
            tail: None,
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

    /// Reads data whose fill broke after four bytes, of which the last two are to be had once more.
    async fn after_two_of(had: &[u8; 2], breaks: &[usize]) -> io::Result<Vec<u8>> {
        let broken = FillBroken {
            id: ImageId::random(),
            reason: "the store hung up".to_owned(),
            resumable: true,
            tail: Some(Tail {
                start: 2,
                sum: *blake3::hash(had).as_bytes(),
            }),
        };
        let begun = [
            Ok(Bytes::from_static(b"0123")),
            Err(io::Error::other(broken)),
        ];
        let rest = ByteRange { start: 0, end: 10 };
        let source = Breaking(breaks.iter().rev().copied().collect());
        let stream = carried_on(Box::pin(stream::iter(begun)), rest, source);
        Ok(stream.try_collect::<Vec<Bytes>>().await?.concat())
    }

    #[tokio::test]
    async fn what_came_of_a_span_that_was_not_complete_is_compared_and_comes_once() {
        assert_eq!(after_two_of(b"23", &[100]).await.unwrap(), DATA);
        assert_eq!(after_two_of(b"23", &[1, 0, 100]).await.unwrap(), DATA);
        let error = after_two_of(b"2x", &[100]).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "what came before is not what the image has"
        );
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
            tail: None,
        };
        let ended = after(io::Error::other(wrong)).await;
        assert!(ended.contains("wrong hash"), "{ended}");
    }
}
