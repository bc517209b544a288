//! Fetching spans: a request to the store for some that follow each other, and telling those who wait for each.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::timeout;

use super::feed::{Ended, next_batch};
use super::node::{Node, blocking};
use super::parts::{Open, Outcome};
use super::source::Source;
use super::space;
use super::sums::{Summing, bytes_of};
use crate::stream::ByteRange;

/// Bytes that are written at once.
const BATCH: usize = 256 * 1024;

/// A store that sends nothing for so long will not go on.
const STALL: Duration = Duration::from_mins(2);

/// Spans on their way. It outlives whoever sent for them.
pub struct Fetch {
    pub node: Arc<Node>,
    pub open: Arc<Open>,
    pub size: u64,
    /// The span that comes next.
    pub next: u64,
    /// Those who wait for it, and for the ones after it.
    pub waiting: VecDeque<watch::Sender<Outcome>>,
}

impl Fetch {
    pub async fn run(mut self, source: Arc<dyn Source>) {
        let node = Arc::clone(&self.node);
        let stopped = || Err(io::Error::other("this node is stopping"));
        let brought = tokio::select! {
            biased;
            () = node.stop.cancelled() => stopped(),
            brought = self.bring(&source) => brought,
        };
        if let Err(error) = brought {
            let id = self.open.partial.id();
            // A full cache is what a cache is, and every range would say so.
            if error.kind() == io::ErrorKind::QuotaExceeded {
                tracing::debug!(image.id = %id, "spans of image {id} were not fetched: {error}");
            } else {
                tracing::warn!(image.id = %id, "spans of image {id} were not fetched: {error}");
            }
            self.land_all(&Err(error.to_string()));
        }
    }

    async fn bring(&mut self, source: &Arc<dyn Source>) -> io::Result<()> {
        let node = Arc::clone(&self.node);
        let _turn = node
            .parts
            .requests
            .acquire()
            .await
            .map_err(io::Error::other)?;
        let range = bytes_of(self.next, self.next + self.waiting.len() as u64, self.size);
        self.make_room(range).await?;
        let opened = timeout(STALL, source.open(Some(range))).await;
        let mut blob = opened.map_err(|_| silent())??;
        let mut at = range.start;
        let mut summing = Summing::default();
        while at < range.end {
            let batch = timeout(STALL, next_batch(&mut blob.bytes, BATCH)).await;
            let (batch, end) = batch.map_err(|_| silent())?;
            let writing = Writing {
                open: Arc::clone(&self.open),
                next: self.next,
                at,
                end: range.end,
                summing,
            };
            let written = blocking(move || writing.write(&batch)).await?;
            let count = written.at - at;
            (at, summing) = (written.at, written.summing);
            while self.next < written.next {
                self.node.counters.spans_fetched.inc();
                self.land(Ok(()));
            }
            if at < range.end && (end.is_some() || count == 0) {
                let reason = end.map_or_else(|| "the store sent nothing".into(), Ended::reason);
                return Err(io::Error::other(reason));
            }
        }
        Ok(())
    }

    /// Reserves room for these bytes beside those that are here.
    async fn make_room(&self, range: ByteRange) -> io::Result<()> {
        let (node, open) = (Arc::clone(&self.node), Arc::clone(&self.open));
        let granted = blocking(move || {
            let partial = &open.partial;
            let _turn = open.room.lock().unwrap_or_else(PoisonError::into_inner);
            let allocated = partial.file().metadata()?.blocks() * 512;
            let wanted = allocated.saturating_add(range.len());
            if wanted > partial.promised() {
                if !space::reserve_free(partial, node.limits(), wanted, node.clock.now())? {
                    return Ok(false);
                }
                partial.set_promised(wanted);
            }
            partial.prepare()?;
            partial.allocate(range)?;
            Ok(true)
        });
        if granted.await? {
            Ok(())
        } else {
            let full = io::ErrorKind::QuotaExceeded;
            Err(io::Error::new(full, "the cache has no room for it"))
        }
    }

    /// Tells those who wait for the next span.
    fn land(&mut self, outcome: Result<(), String>) {
        self.open.flights().remove(&self.next);
        if let Some(waiting) = self.waiting.pop_front() {
            waiting.send_replace(Some(outcome));
        }
        self.next += 1;
    }

    fn land_all(&mut self, outcome: &Result<(), String>) {
        while !self.waiting.is_empty() {
            self.land(outcome.clone());
        }
    }
}

/// How far the bytes of a fetch have come.
struct Writing {
    open: Arc<Open>,
    next: u64,
    at: u64,
    end: u64,
    summing: Summing,
}

impl Writing {
    /// Writes what came, and says of each span that it completes that it is here.
    fn write(mut self, batch: &[Bytes]) -> io::Result<Self> {
        let open = Arc::clone(&self.open);
        let filling = open.filling.read().unwrap_or_else(PoisonError::into_inner);
        if *filling {
            return Err(io::Error::other("the whole image is being brought in"));
        }
        let mut sums = Vec::new();
        for chunk in batch {
            let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
            let chunk = &chunk[..left.min(chunk.len())];
            open.partial.file().write_all_at(chunk, self.at)?;
            self.summing.update(chunk, |sum| sums.push(sum));
            self.at += chunk.len() as u64;
        }
        if self.at == self.end {
            sums.extend(self.summing.finish());
        }
        for sum in sums {
            open.partial.table().set(self.next, sum)?;
            self.next += 1;
        }
        Ok(self)
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.land_all(&Err("nobody fetches it any more".into()));
    }
}

fn silent() -> io::Error {
    io::Error::other(format!("the store sent nothing for {STALL:?}"))
}
