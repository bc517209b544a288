//! Reading a whole copy, span by span: each is checked before its bytes leave, as far as the rules say so, and
//! one that went bad is fetched again.

mod reader;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};

use super::FillBroken;
use super::growing::beyond;
use super::layout::{self, names};
use super::node::{Node, blocking};
use super::source::Source;
use super::space::SpaceLock;
use super::sums::{SPAN, bytes_of, spans_of};
use super::tally::Area;
use super::trust::{Checked, Copy, Touch};
use crate::domain::ImageId;
use crate::stream::{Blob, ByteRange, ByteStream, read_file};
use crate::telemetry::counters::Reason;
use reader::Reader;

/// An open copy. It stays readable when the cache lets it go.
#[derive(Clone)]
pub struct CachedImage {
    node: Arc<Node>,
    id: ImageId,
    file: Arc<File>,
    size: u64,
    /// What is known of it; none where nothing is checked.
    copy: Option<Arc<Copy>>,
    source: Option<Arc<dyn Source>>,
}

impl std::fmt::Debug for CachedImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedImage")
            .field("id", &self.id)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl CachedImage {
    pub(super) fn new(
        node: Arc<Node>,
        id: ImageId,
        file: Arc<File>,
        size: u64,
        copy: Option<Arc<Copy>>,
    ) -> Self {
        Self {
            node,
            id,
            file,
            size,
            copy,
            source: None,
        }
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Says where spans that went bad can be had again.
    #[must_use]
    pub fn repaired_from(mut self, source: Arc<dyn Source>) -> Self {
        self.source = Some(source);
        self
    }

    /// The bytes. A whole read that reaches the end is a hit. Ends with an error whose inner error is
    /// [`FillBroken`] where they turn out to be wrong and cannot be repaired.
    pub fn read(self, range: Option<ByteRange>) -> Blob {
        let Some(range) = range else {
            return self.read_whole();
        };
        Blob {
            size: Some(range.len()),
            bytes: self.stream(range),
        }
    }

    fn read_whole(self) -> Blob {
        let size = self.size;
        let whole = ByteRange {
            start: 0,
            end: size,
        };
        let mut counted = Counted {
            bytes: self.clone().stream(whole),
            rest: size,
            image: Some(self),
        };
        // Of an empty image nobody reads anything.
        counted.note(0);
        Blob {
            size: Some(size),
            bytes: Box::pin(counted),
        }
    }

    fn stream(self, range: ByteRange) -> ByteStream {
        let checked = self.node.copies.rules.checks_what_leaves();
        // What is not proven yet waits for that in any case.
        let checked = |copy: &Arc<Copy>| checked || copy.proving.is_some() || copy.is_moved();
        if !self.copy.as_ref().is_some_and(checked) {
            return read_file(self.file, range);
        }
        let bytes = stream::try_unfold(Reader::new(self, range), |mut reader| async move {
            let next = reader.next().await?;
            Ok::<_, io::Error>(next.map(|bytes| (bytes, reader)))
        });
        Box::pin(bytes)
    }

    /// Reads every span and compares it, whatever is known of it, at so many bytes per second. Says how many were
    /// bad.
    pub(super) async fn sweep(&self, rate: u64) -> io::Result<u64> {
        let (mut bad, mut all) = (0, true);
        for span in 0..spans_of(self.size) {
            let Some(was_bad) = self.sweep_span(span).await? else {
                all = false;
                continue;
            };
            bad += u64::from(was_bad);
            let nanos = u128::from(SPAN) * 1_000_000_000 / u128::from(rate.max(1));
            let pause = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            tokio::time::sleep(pause).await;
        }
        if all && let Some(copy) = self.copy.clone() {
            let now = self.node.clock.now();
            if let Err(error) = blocking(move || copy.note_swept(now)).await {
                // All of it was swept nevertheless.
                tracing::debug!(image.id = %self.id, "the sweep of image {} is not noted: {error}", self.id);
            }
        }
        Ok(bad)
    }

    /// Reads a span and compares it, and repairs it where it is bad. True where it was; none where there is nothing to
    /// compare it with.
    async fn sweep_span(&self, span: u64) -> io::Result<Option<bool>> {
        let Some(copy) = &self.copy else {
            return Ok(None);
        };
        // What is being proven is being read already.
        if !self.is_proven(copy, span).await? {
            return Ok(None);
        }
        let bad = self.check(copy, span).await? == Checked::Bad;
        if bad {
            self.repair(copy, span).await?;
        }
        Ok(Some(bad))
    }

    /// Waits until a span has been read for the proof, where there has to be one, so that one can tell whether it
    /// still is what it was then. False where the whole is not proven.
    async fn is_proven(&self, copy: &Copy, span: u64) -> io::Result<bool> {
        let Some(proving) = &copy.proving else {
            return Ok(true);
        };
        let last = bytes_of(span, span + 1, self.size).end.saturating_sub(1);
        let seen = beyond(self.id, &mut proving.clone(), last).await;
        Ok(seen.map_err(io::Error::other)?.whole)
    }

    async fn check(&self, copy: &Arc<Copy>, span: u64) -> io::Result<Checked> {
        let (copy, file, now) = (
            Arc::clone(copy),
            Arc::clone(&self.file),
            self.node.clock.now(),
        );
        blocking(move || copy.check(span, &file, now)).await
    }

    /// Somebody writes into a copy that is being proven. What has left of it may be as wrong.
    fn changed(&self, span: u64) -> io::Error {
        let id = self.id;
        self.node.counters.verify_failures.inc();
        tracing::warn!(image.id = %id, span, what = "copy", "span {span} of the copy of image {id} changed while it was verified");
        io::Error::other(FillBroken {
            id,
            reason: "the copy changed while it was verified".into(),
            resumable: false,
            tail: None,
        })
    }

    fn broken(&self, reason: impl Into<String>) -> io::Error {
        io::Error::other(FillBroken {
            id: self.id,
            reason: reason.into(),
            resumable: true,
            tail: None,
        })
    }

    /// Fetches a bad span again.
    async fn repair(&self, copy: &Arc<Copy>, span: u64) -> io::Result<Touch> {
        let _turn = copy.repairing.lock().await;
        // Somebody else may have done it meanwhile.
        if let Checked::Right(touch) = self.check(copy, span).await? {
            return Ok(touch);
        }
        let id = self.id;
        self.node.counters.verify_failures.inc();
        tracing::warn!(image.id = %id, span, what = "copy", "span {span} of the copy of image {id} is bad");
        let Some(source) = &self.source else {
            return Err(self.broken("the copy is bad, and there is nothing to repair it from"));
        };
        let range = bytes_of(span, span + 1, self.size);
        let fetched = fetch(source.as_ref(), range).await;
        let fetched = fetched.map_err(|error| self.broken(error.to_string()))?;
        let (image, checked) = (self.clone(), Arc::clone(copy));
        let repaired = blocking(move || image.replace(&checked, span, &fetched)).await?;
        if repaired && let Checked::Right(touch) = self.check(copy, span).await? {
            self.node.counters.spans_repaired.inc();
            tracing::info!(image.id = %id, span, what = "copy", "repaired span {span} of the copy of image {id}");
            return Ok(touch);
        }
        // Either the table is wrong or the store is: the whole image will tell, when it is fetched anew.
        let image = self.clone();
        blocking(move || image.put_aside()).await?;
        Err(self.broken("the copy is bad, and the store has something else"))
    }

    /// Writes the right bytes in the place of the bad ones. False where they are not the right ones.
    fn replace(&self, copy: &Copy, span: u64, bytes: &[u8]) -> io::Result<bool> {
        if copy.sum(span) != Some(*blake3::hash(bytes).as_bytes()) {
            return Ok(false);
        }
        let layout = &self.node.layout;
        let path = layout.image(self.id);
        let Some(file) = layout::open_to_write(&path)? else {
            return Ok(false);
        };
        let mine = names(&path, &self.file.metadata()?) && names(&path, &file.metadata()?);
        if mine {
            file.write_all_at(bytes, span * SPAN)?;
        }
        Ok(mine)
    }

    fn put_aside(&self) -> io::Result<()> {
        let layout = &self.node.layout;
        let lock = SpaceLock::take(layout)?;
        let place = layout.image(self.id);
        if names(&place, &self.file.metadata()?) {
            let id = self.id;
            let (size, reason) = (self.size, Reason::Bad.word());
            tracing::warn!(image.id = %id, size, reason, "the copy of image {id} was put into invalid/");
            lock.put_aside(layout, id, &place)?;
            lock.went(layout, Area::Copies, 1, size);
            self.node.left(id, self.size, Reason::Bad);
        }
        self.node.copies.forget(self.id);
        Ok(())
    }
}

/// The bytes of one span, from the store.
async fn fetch(source: &dyn Source, range: ByteRange) -> io::Result<Bytes> {
    let mut blob = source.open(Some(range)).await?;
    let wanted = usize::try_from(range.len()).map_err(io::Error::other)?;
    let mut bytes = BytesMut::with_capacity(wanted);
    while bytes.len() < wanted {
        let Some(chunk) = blob.bytes.next().await.transpose()? else {
            return Err(io::Error::other("the store sent too few bytes"));
        };
        bytes.extend_from_slice(&chunk[..chunk.len().min(wanted - bytes.len())]);
    }
    Ok(bytes.freeze())
}

/// A whole read, which is a hit when its last byte is handed out: nobody asks for what comes after it.
struct Counted {
    bytes: ByteStream,
    rest: u64,
    image: Option<CachedImage>,
}

impl Counted {
    fn note(&mut self, bytes: usize) {
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
            self.note(chunk.len());
        }
        Poll::Ready(next)
    }
}
