//! Reading along with a copy that is being made.
//!
//! Within this process the writer says how far one may read; to other processes its table of spans does. Either way
//! the last bytes are held back until all of it is proven to be the image's data: who read a wrong beginning never
//! gets to a proper end.
//!
//! What leaves is either still in memory as the store sent it (see [`super::recent`]), or it is of a span that is
//! complete, whose checksum the writer has noted, and which is checked before it leaves (see [`super::leaving`]). The span
//! that grows is not read from the file, for nobody could tell whether it is what was written there: who reads
//! along in another process is up to a span behind.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

use super::leaving::{Leaving, Next};
use super::node::Node;
use super::pieces::Known;
use super::recent::Recent;
use super::sibling::Sibling;
use super::spans::{Proof, Table};
use super::sums::{SPAN, Sum, bytes_of, span_at};
use super::{Expected, FillBroken, Tail};
use crate::domain::ImageId;
use crate::stream::{Blob, ByteRange, ByteStream, read_file};
use crate::telemetry::counters::Counters;

/// Bytes that nobody gets before the proof.
pub const HELD_BACK: u64 = 64 * 1024;

/// Who wants bytes that are further ahead of the writer than this does not wait for them.
const NEAR: u64 = 32 * 1024 * 1024;

/// How far a fill has come.
#[derive(Debug, Clone)]
pub enum Progress {
    /// So many bytes may be read.
    Growing(u64),
    /// All of it, so many bytes, is there and right.
    Verified(u64),
    Broken(FillBroken),
}

/// How far one may read.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub visible: u64,
    /// That is all there is.
    pub whole: bool,
}

/// A fill in this process, as its readers see it.
#[derive(Debug)]
pub struct Fill {
    pub id: ImageId,
    pub file: Arc<File>,
    /// The checksums of spans that are complete.
    pub table: Arc<Table>,
    pub recent: Recent,
    /// What is known of spans that were read from the file.
    pub known: Known,
    pub progress: watch::Sender<Progress>,
}

impl Fill {
    pub fn new(id: ImageId, file: File, table: Arc<Table>) -> Self {
        Self {
            id,
            file: Arc::new(file),
            table,
            recent: Recent::default(),
            known: Known::default(),
            progress: watch::Sender::new(Progress::Growing(0)),
        }
    }

    /// Whether it brings what is expected.
    pub fn is_of(&self, expected: &Expected) -> bool {
        let proof = Proof::of(&expected.checksums);
        (self.table).is_for(self.table.inode, expected.size, &proof)
    }

    /// Whether who wants the byte at `position` will not have to wait for long.
    pub fn is_near(&self, position: u64) -> bool {
        match &*self.progress.borrow() {
            Progress::Growing(visible) => position < visible.saturating_add(NEAR),
            Progress::Verified(_) | Progress::Broken(_) => true,
        }
    }

    /// Says that there will be no more, unless there is all.
    pub fn break_off(&self, reason: impl Into<String>, resumable: bool) {
        self.progress.send_if_modified(|progress| {
            let open = matches!(progress, Progress::Growing(_));
            if open {
                *progress = Progress::Broken(FillBroken {
                    id: self.id,
                    reason: reason.into(),
                    resumable,
                    tail: None,
                });
            }
            // What was in memory stays there for those who had some of it.
            open
        });
    }
}

/// A copy that is being made.
#[derive(Debug, Clone)]
pub struct Growing {
    id: ImageId,
    size: Option<u64>,
    writer: Writer,
    /// Where bad spans are counted; none where nothing is checked.
    checks: Option<Counters>,
}

/// Who makes it.
#[derive(Debug, Clone)]
enum Writer {
    /// This process. Holding the receiver is what counts as reading along.
    Here(Arc<Fill>, watch::Receiver<Progress>),
    Sibling(Arc<Sibling>),
}

impl Growing {
    pub(super) fn here(node: &Node, fill: Arc<Fill>, size: Option<u64>) -> Self {
        let progress = fill.progress.subscribe();
        Self {
            id: fill.id,
            size,
            writer: Writer::Here(fill, progress),
            checks: checks(node),
        }
    }

    pub(super) fn of_sibling(
        node: &Node,
        id: ImageId,
        opened: (File, Option<Table>),
        size: Option<u64>,
    ) -> Self {
        let sibling = Sibling::new(node.layout.clone(), id, opened, size);
        Self {
            id,
            size,
            writer: Writer::Sibling(Arc::new(sibling)),
            checks: checks(node),
        }
    }

    /// The bytes as they arrive. Ends with an error whose inner error is [`FillBroken`] where the fill did
    /// not come to its end: who has the first n bytes may look again and read on from there, if it says so.
    pub fn read(self, range: Option<ByteRange>) -> Blob {
        let end = range.map(|range| range.end).or(self.size);
        let start = range.map_or(0, |range| range.start);
        let reader = Reader {
            growing: self,
            start,
            position: start,
            end,
            current: None,
        };
        Blob {
            size: end.map(|end| end - start),
            bytes: reader.stream(),
        }
    }
}

fn checks(node: &Node) -> Option<Counters> {
    let checks = node.copies.rules.checks_what_leaves();
    checks.then(|| node.counters.clone())
}

impl Writer {
    fn file(&self) -> Arc<File> {
        match self {
            Writer::Here(fill, _) => Arc::clone(&fill.file),
            Writer::Sibling(sibling) => Arc::clone(&sibling.file),
        }
    }

    async fn beyond(&mut self, position: u64) -> Result<Seen, FillBroken> {
        match self {
            Writer::Here(fill, progress) => beyond(fill.id, progress, position).await,
            Writer::Sibling(sibling) => Arc::clone(sibling).beyond(position).await,
        }
    }

    fn known(&self) -> &Known {
        match self {
            Writer::Here(fill, _) => &fill.known,
            Writer::Sibling(sibling) => &sibling.known,
        }
    }

    /// What is in memory there.
    fn recent(&self, position: u64) -> Option<Bytes> {
        match self {
            Writer::Here(fill, _) => fill.recent.at(position),
            Writer::Sibling(_) => None,
        }
    }

    /// The checksum of what was in memory there.
    fn had(&self, range: ByteRange) -> Option<Sum> {
        match self {
            Writer::Here(fill, _) => fill.recent.sum(range),
            Writer::Sibling(_) => None,
        }
    }

    async fn sum(&self, span: u64) -> io::Result<Option<Sum>> {
        match self {
            Writer::Here(fill, _) => Ok(fill.table.sum(span)),
            Writer::Sibling(sibling) => Arc::clone(sibling).sum(span).await,
        }
    }
}

/// Somebody who reads along.
struct Reader {
    growing: Growing,
    start: u64,
    position: u64,
    end: Option<u64>,
    /// What is being read from the file.
    current: Option<Current>,
}

enum Current {
    /// Of a span that is complete.
    Checked(Leaving),
    Unchecked(ByteStream),
}

impl Reader {
    fn stream(self) -> ByteStream {
        let bytes = stream::try_unfold(self, |mut reader| async move {
            let next = reader.next().await?;
            Ok::<_, io::Error>(next.map(|bytes| (bytes, reader)))
        });
        bytes.boxed()
    }

    /// The next bytes that may leave; none at the end.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let next = match &mut self.current {
                None => None,
                Some(Current::Unchecked(bytes)) => bytes.next().await.transpose()?,
                Some(Current::Checked(leaving)) => match leaving.next().await {
                    Next::Bytes(bytes) => Some(bytes),
                    Next::End => None,
                    Next::Bad => return Err(self.bad()),
                },
            };
            if let Some(bytes) = next {
                self.position += bytes.len() as u64;
                return Ok(Some(bytes));
            }
            self.current = None;
            if self.end.is_some_and(|end| self.position >= end) && self.position > 0 {
                return Ok(None);
            }
            let seen = self.growing.writer.beyond(self.position).await;
            let seen = seen.map_err(|broken| self.interrupted(broken))?;
            let may = self.end.map_or(seen.visible, |end| end.min(seen.visible));
            if may <= self.position {
                return Ok(None);
            }
            if let Some(mut bytes) = self.growing.writer.recent(self.position) {
                let most = usize::try_from(may - self.position).unwrap_or(usize::MAX);
                bytes.truncate(most);
                self.position += bytes.len() as u64;
                return Ok(Some(bytes));
            }
            self.current = if self.growing.checks.is_some() {
                self.span(seen).await?.map(Current::Checked)
            } else {
                let part = ByteRange {
                    start: self.position,
                    end: may,
                };
                let bytes = read_file(self.growing.writer.file(), part);
                Some(Current::Unchecked(bytes))
            };
        }
    }

    /// What is wanted of the next span, once it is complete. None where one has to look again.
    async fn span(&mut self, seen: Seen) -> io::Result<Option<Leaving>> {
        let writer = &mut self.growing.writer;
        let span = span_at(self.position);
        let all = bytes_of(span, span + 1, self.growing.size.unwrap_or(u64::MAX));
        if !seen.whole && seen.visible < all.end {
            let seen = writer.beyond(all.end - 1).await;
            return seen
                .map(|_| None)
                .map_err(|broken| self.interrupted(broken));
        }
        let all = ByteRange {
            end: all.end.min(seen.visible),
            ..all
        };
        let Some(sum) = writer.sum(span).await? else {
            // The copy is in its place, or will be: who looks again finds out what it is.
            return Err(self.broken("a span of it has no checksum", true));
        };
        let part = ByteRange {
            start: self.position,
            end: self.end.map_or(all.end, |end| end.min(all.end)),
        };
        let leaving = Leaving::begin(writer.file(), writer.known(), (all, sum), part).await;
        leaving.map(Some).ok_or_else(|| self.bad())
    }

    /// The fill broke in the middle of a span, of which some may have left out of memory.
    fn interrupted(&self, broken: FillBroken) -> io::Error {
        let start = (span_at(self.position) * SPAN).max(self.start);
        let had = ByteRange {
            start,
            end: self.position,
        };
        let sum = self.growing.writer.had(had);
        let tail = sum.map(|sum| Tail { start, sum });
        io::Error::other(FillBroken { tail, ..broken })
    }

    /// What has left of a bad span was right: who looks again reads on.
    fn bad(&self) -> io::Error {
        let (id, span) = (self.growing.id, span_at(self.position));
        if let Some(counters) = &self.growing.checks {
            counters.verify_failures.inc();
        }
        tracing::warn!(image.id = %id, span, what = "growing", "span {span} of the growing copy of image {id} is bad");
        self.broken("what was written is not what is there", true)
    }

    fn broken(&self, reason: &str, resumable: bool) -> io::Error {
        io::Error::other(FillBroken {
            id: self.growing.id,
            reason: reason.to_owned(),
            resumable,
            tail: None,
        })
    }
}

/// Waits until more than `position` bytes may be read, or all there are.
pub async fn beyond(
    id: ImageId,
    progress: &mut watch::Receiver<Progress>,
    position: u64,
) -> Result<Seen, FillBroken> {
    let seen = progress
        .wait_for(|progress| match progress {
            Progress::Growing(visible) => *visible > position,
            Progress::Verified(_) | Progress::Broken(_) => true,
        })
        .await;
    match seen.as_deref() {
        Ok(Progress::Growing(visible)) => Ok(Seen {
            visible: *visible,
            whole: false,
        }),
        Ok(Progress::Verified(size)) => Ok(Seen {
            visible: *size,
            whole: true,
        }),
        Ok(Progress::Broken(broken)) => Err(broken.clone()),
        Err(_) => Err(FillBroken {
            id,
            reason: "its writer is gone".into(),
            resumable: true,
            tail: None,
        }),
    }
}
