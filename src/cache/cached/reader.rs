//! Reading what is checked before it leaves, and repaired where it is bad.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;

use super::CachedImage;
use crate::cache::leaving::{Leaving, Next};
use crate::cache::node::blocking;
use crate::cache::sums::{bytes_of, span_at};
use crate::cache::trust::{Checked, Copy, Touch};
use crate::config::Verify;
use crate::stream::{ByteRange, ByteStream, read_file};

/// Somebody who reads bytes that are checked.
pub(super) struct Reader {
    image: CachedImage,
    rest: ByteRange,
    current: Option<Current>,
}

/// What is being read.
enum Current {
    /// Of a file in the state in which it was checked.
    Trusted(ByteStream, Option<Touch>),
    /// Piece by piece, each of them checked.
    Checked(Leaving),
}

impl Reader {
    /// Of a `range` of an image.
    pub fn new(image: CachedImage, range: ByteRange) -> Self {
        Self {
            image,
            rest: range,
            current: None,
        }
    }

    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let next = match &mut self.current {
                None => None,
                Some(Current::Trusted(bytes, touch)) => {
                    let next = bytes.next().await.transpose()?;
                    // Somebody may have written into the file since it was checked.
                    let touched = touch.is_some_and(|touch| self.image.touch().ok() != Some(touch));
                    next.filter(|_| !touched)
                }
                Some(Current::Checked(leaving)) => match leaving.next().await {
                    Next::Bytes(bytes) => Some(bytes),
                    Next::End => None,
                    Next::Bad => {
                        self.image.mend(self.rest.start).await?;
                        None
                    }
                },
            };
            if let Some(bytes) = next {
                self.rest.start += bytes.len() as u64;
                return Ok(Some(bytes));
            }
            self.current = None;
            if self.rest.is_empty() {
                return Ok(None);
            }
            self.current = Some(self.image.ready(self.rest).await?);
        }
    }
}

impl CachedImage {
    fn touch(&self) -> io::Result<Touch> {
        Ok(Touch::of(&self.file.metadata()?))
    }

    /// Waits until the first byte of `rest` may be handed out, and begins to read what may follow it at once.
    async fn ready(&self, rest: ByteRange) -> io::Result<Current> {
        let trusted = |part, touch| {
            let bytes = read_file(Arc::clone(&self.file), part);
            Current::Trusted(bytes, touch)
        };
        let Some(copy) = &self.copy else {
            return Ok(trusted(rest, None));
        };
        let span = span_at(rest.start);
        let all = bytes_of(span, span + 1, self.size);
        let part = ByteRange {
            end: all.end.min(rest.end),
            ..rest
        };
        self.is_proven(copy, span).await?;
        let rules = self.node.copies.rules;
        if rules.verify == Verify::Always {
            return self.pieces(copy, all, part).await.map(Current::Checked);
        }
        let mut touch = self.touch()?;
        if rules.verify != Verify::Changed || !copy.trusts(span, touch, rules.period) {
            touch = match self.check(copy, span).await? {
                Checked::Right(touch) => touch,
                Checked::Bad => self.mend(rest.start).await?,
            };
        }
        Ok(trusted(part, Some(touch)))
    }

    /// A part of a span of which every piece is compared before it leaves.
    async fn pieces(
        &self,
        copy: &Arc<Copy>,
        span: ByteRange,
        part: ByteRange,
    ) -> io::Result<Leaving> {
        let begin = async || {
            let sum = copy.sum(span_at(span.start))?;
            Leaving::begin(Arc::clone(&self.file), &copy.known, (span, sum), part).await
        };
        if let Some(leaving) = begin().await {
            if copy.is_moved() {
                let (copy, now) = (Arc::clone(copy), self.node.clock.now());
                let seen = move || {
                    copy.saw(span_at(span.start), now);
                    Ok(())
                };
                blocking(seen).await?;
            }
            return Ok(leaving);
        }
        self.mend(part.start).await?;
        let mended = begin().await;
        mended.ok_or_else(|| self.broken("the copy went bad again"))
    }

    /// Repairs the span at `position`, which is bad, unless it is still being proven.
    async fn mend(&self, position: u64) -> io::Result<Touch> {
        let Some(copy) = &self.copy else {
            return self.touch();
        };
        let span = span_at(position);
        if self.is_proven(copy, span).await? {
            self.repair(copy, span).await
        } else {
            Err(self.changed(span))
        }
    }
}
