//! Parts of images that are not whole: what a range needs is fetched in spans, each once.
//!
//! Spans stay in `.glance/partial/<id>` until the image is brought in, which then has so much less to fetch, or
//! until somebody needs the room. Nothing leaves the cache to make room for them.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::claim::Reached;
use super::fetch::Fetch;
use super::layout::InPlace;
use super::leaving::{Leaving, Next};
use super::node::{Node, blocking};
use super::partial::{Partial, Wanted};
use super::pieces::Known;
use super::reach::Attempt;
use super::source::Source;
use super::space::SpaceLock;
use super::sums::{bytes_of, span_at, spans_of};
use super::{Expected, FillBroken, Past};
use crate::domain::ImageId;
use crate::stream::{Blob, ByteRange};

/// Spans that are asked for in one request to the store, at most.
const RUN: u64 = 16;

/// Requests to stores at once, for parts: with the bytes of a batch this bounds their memory.
const REQUESTS: usize = 32;

/// What came of fetching a span: none while it is on its way.
pub type Outcome = Option<Result<(), String>>;

/// A partial file, for all in this process who work on it.
#[derive(Debug)]
pub struct Open {
    pub partial: Partial,
    /// What is known of spans that were read from it.
    known: Known,
    /// Spans that are on their way.
    flights: Mutex<HashMap<u64, watch::Receiver<Outcome>>>,
    /// Whether somebody brings the whole image in. From then on nobody else writes into the file, so that what
    /// the fill proves is what the file has.
    pub filling: RwLock<bool>,
    /// Held by who counts and takes room.
    pub room: Mutex<()>,
    /// Given back after the partial file: what it leaves behind is in order by then.
    _known: TaskTrackerToken,
}

impl Open {
    pub fn new(partial: Partial, parts: &Parts) -> Self {
        Self {
            partial,
            known: Known::default(),
            flights: Mutex::default(),
            filling: RwLock::new(false),
            room: Mutex::default(),
            _known: parts.open.token(),
        }
    }

    /// Begins or ends a fill; waits for what is just being written.
    pub fn set_filling(&self, filling: bool) {
        *self.filling.write().unwrap_or_else(PoisonError::into_inner) = filling;
    }

    pub fn flights(&self) -> MutexGuard<'_, HashMap<u64, watch::Receiver<Outcome>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The partial files that this process has open.
#[derive(Debug)]
pub struct Parts {
    by_image: Mutex<HashMap<ImageId, Weak<Open>>>,
    /// All of them, those included that nobody finds by their image any more.
    open: TaskTracker,
    pub requests: Semaphore,
}

impl Parts {
    pub fn new() -> Self {
        Self {
            by_image: Mutex::default(),
            open: TaskTracker::new(),
            requests: Semaphore::new(REQUESTS),
        }
    }

    /// Waits until none is open. The last to hold one may be a thread that outlives its fill.
    pub async fn ended(&self) {
        self.open.close();
        self.open.wait().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ImageId, Weak<Open>>> {
        self.by_image.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn insert(&self, open: &Arc<Open>) {
        let mut parts = self.lock();
        parts.retain(|_, open| open.strong_count() > 0);
        parts.insert(open.partial.id(), Arc::downgrade(open));
    }

    /// What is open of this very data.
    pub fn get(&self, id: ImageId, wanted: &Wanted) -> Option<Arc<Open>> {
        let open = self.lock().get(&id)?.upgrade()?;
        let partial = &open.partial;
        let same = partial
            .table()
            .is_for(partial.inode(), wanted.size, &wanted.proof);
        same.then_some(open)
    }
}

/// An image of which parts are here, or may be.
#[derive(Debug)]
pub struct Part {
    node: Arc<Node>,
    open: Arc<Open>,
    size: u64,
}

impl Part {
    pub(super) fn new(node: Arc<Node>, open: Arc<Open>, size: u64) -> Self {
        Self { node, open, size }
    }

    /// Reaches for an image, to fetch parts of it. Blocks.
    pub(super) fn reach(node: &Node, id: ImageId, expected: &Expected) -> io::Result<Reached> {
        let (now, layout) = (node.clock.now(), &node.layout);
        let wanted = Wanted::of(expected);
        let lock = SpaceLock::take(layout)?;
        if let InPlace::Whole(file, size) = layout.open_image(id, expected.size)? {
            return Ok(Reached::Cached(file, size));
        }
        match Partial::part(layout, id, &wanted, now, &lock)? {
            Attempt::Claimed(partial) => {
                let open = Arc::new(Open::new(partial, &node.parts));
                node.parts.insert(&open);
                Ok(Reached::Part(open))
            }
            Attempt::Growing(file, table) => Ok(Reached::Growing(file, table)),
            Attempt::Stranger => Ok(Reached::Not(Past::Stranger)),
            Attempt::Obstructed => Ok(Reached::Not(Past::Elsewhere)),
        }
    }

    /// The bytes of the range, which is fetched where it is not here. Ends with an error whose inner error is
    /// [`FillBroken`] where it cannot be had.
    pub fn read(self, range: ByteRange, source: Arc<dyn Source>) -> Blob {
        let reader = Reader {
            part: self,
            source,
            rest: range,
            file: None,
            current: None,
        };
        let bytes = stream::try_unfold(reader, |mut reader| async move {
            let next = reader.next().await?;
            Ok::<_, io::Error>(next.map(|bytes| (bytes, reader)))
        });
        Blob {
            size: Some(range.len()),
            bytes: Box::pin(bytes),
        }
    }

    /// Whether all of the range is here.
    pub fn has(&self, range: ByteRange) -> bool {
        let (here, end) = self.open.partial.table().run(span_at(range.start));
        here && range.end <= bytes_of(0, end, self.size).end
    }

    /// Whether somebody has asked for a part before.
    pub fn has_some(&self) -> bool {
        self.open.partial.table().here() > 0
    }

    fn broken(&self, reason: impl Into<String>) -> io::Error {
        io::Error::other(FillBroken {
            id: self.open.partial.id(),
            reason: reason.into(),
            resumable: true,
            tail: None,
        })
    }
}

/// Somebody who reads a range.
struct Reader {
    part: Part,
    source: Arc<dyn Source>,
    rest: ByteRange,
    file: Option<Arc<File>>,
    /// What is left of the span that is being read.
    current: Option<Leaving>,
}

impl Reader {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(current) = &mut self.current {
                match current.next().await {
                    Next::Bytes(bytes) => {
                        self.rest.start += bytes.len() as u64;
                        return Ok(Some(bytes));
                    }
                    Next::End => {}
                    Next::Bad => self.part.went_bad(span_at(self.rest.start)).await?,
                }
                self.current = None;
            }
            if self.rest.is_empty() {
                return Ok(None);
            }
            let span = span_at(self.rest.start);
            let bytes = bytes_of(span, span + 1, self.part.size);
            let rest = ByteRange {
                start: self.rest.start,
                end: bytes.end.min(self.rest.end),
            };
            let table = self.part.open.partial.table();
            if table.sum(span).is_none() {
                let last = span_at(self.rest.end - 1);
                let mut flight = self.part.fetch(span, last, &self.source);
                let landed = flight.wait_for(Option::is_some).await;
                let landed = landed.map_err(|_| self.part.broken("this node is stopping"))?;
                if let Some(Err(reason)) = &*landed {
                    return Err(self.part.broken(reason));
                }
            }
            // Where it went bad since, it is fetched once more.
            if let Some(sum) = table.sum(span) {
                let file = self.file().await?;
                let known = &self.part.open.known;
                self.current = Leaving::begin(file, known, (bytes, sum), rest).await;
                if self.current.is_none() {
                    self.part.went_bad(span).await?;
                }
            }
        }
    }

    async fn file(&mut self) -> io::Result<Arc<File>> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let open = Arc::clone(&self.part.open);
        let file = blocking(move || open.partial.file().try_clone()).await?;
        Ok(Arc::clone(self.file.insert(Arc::new(file))))
    }
}

impl Part {
    /// A span is not what it was. It can be fetched again, unless the image is just being brought in.
    async fn went_bad(&self, span: u64) -> io::Result<()> {
        if self.forget(span).await? {
            Ok(())
        } else {
            Err(self.broken("the whole image is being brought in"))
        }
    }

    /// Forgets a bad span. False where a fill may have written it anew since it was read, and says itself what is here.
    async fn forget(&self, span: u64) -> io::Result<bool> {
        let (open, node) = (Arc::clone(&self.open), Arc::clone(&self.node));
        blocking(move || {
            let filling = open.filling.read().unwrap_or_else(PoisonError::into_inner);
            if *filling {
                return Ok(false);
            }
            let id = open.partial.id();
            node.counters.verify_failures.inc();
            tracing::warn!(image.id = %id, span, what = "part", "span {span} of image {id} went bad and is fetched again");
            open.partial.table().clear(span)?;
            Ok(true)
        })
        .await
    }

    /// Sends for a span, and for those after it up to `last` that are missing as well.
    fn fetch(&self, span: u64, last: u64, source: &Arc<dyn Source>) -> watch::Receiver<Outcome> {
        let mut flights = self.open.flights();
        if let Some(flight) = flights.get(&span) {
            return flight.clone();
        }
        let (_, absent) = self.open.partial.table().run(span);
        let end = absent
            .min(last + 1)
            .min(span + RUN)
            .min(spans_of(self.size));
        let mut senders = Vec::new();
        for span in span..end {
            if flights.contains_key(&span) {
                break;
            }
            let (sender, receiver) = watch::channel(None);
            flights.insert(span, receiver);
            senders.push(sender);
        }
        let first = flights[&span].clone();
        drop(flights);
        let fetch = Fetch {
            node: Arc::clone(&self.node),
            open: Arc::clone(&self.open),
            size: self.size,
            next: span,
            waiting: senders.into_iter().collect(),
        };
        tokio::spawn(fetch.run(Arc::clone(source)));
        first
    }
}
