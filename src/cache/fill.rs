//! Bringing one image in, while others already read it.
//!
//! Three parts, so that each goes at its own speed and none on the runtime's time: a task reads the store,
//! as far as spans are not here already, a thread writes and commits, a thread hashes. Between them are two batches of a mebibyte at most, which
//! bounds the memory of a fill. No client is among them: who caused the fill reads along like all others,
//! and the fill goes on when they leave.
//!
//! Order of the end: all bytes written, size and hash right, readers told, file synced, moved, directory
//! synced, index told.

use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::FillBroken;
use super::claim::{Claim, Failure};
use super::growing::{HELD_BACK, Progress};
use super::node::blocking;
use super::parts::Open;
use super::source::Supply;
use super::spans::{self, Summing, bytes_of, span_at, spans_of};
use crate::domain::checksum::Hasher;
use crate::stream::{ByteRange, ByteStream};

/// Bytes that are written at once, where the store is quick enough.
const BATCH: usize = 1024 * 1024;

/// Bytes that are read at once of what is here already.
const KEPT_PIECE: usize = 256 * 1024;

/// How long bytes wait for others to be written with.
const MOMENT: Duration = Duration::from_millis(10);

/// A store that sends nothing for so long will not go on. Those who read along look again.
const STALL: Duration = Duration::from_mins(2);

const DROPPED: &str = "it was dropped from the cache meanwhile";

/// What comes to the writer.
enum Step {
    Data(Vec<Bytes>),
    /// These bytes are here already, from an earlier fill or from those who wanted a part.
    Kept(ByteRange),
    /// There is no more.
    End,
    /// There is more, but it cannot be had.
    Broken(String),
}

/// What comes to the thread that hashes.
enum Piece {
    Data(Vec<Bytes>),
    Kept(ByteRange),
}

/// How the data of a store ended.
pub enum Ended {
    Complete,
    Broken(String),
}

impl Ended {
    pub fn reason(self) -> String {
        match self {
            Ended::Complete => "the store sent too few bytes".into(),
            Ended::Broken(reason) => reason,
        }
    }
}

/// Starts the fill. What is received says how it ended.
pub fn start(claim: Claim, supply: Supply) -> oneshot::Receiver<Result<(), FillBroken>> {
    let (outcome, ended) = oneshot::channel();
    let (data, inbox) = mpsc::channel(1);
    let (copies, to_hash) = mpsc::channel(1);
    let hasher = claim.expected.checksums.proof();
    let hasher = hasher.map(|(algorithm, _)| algorithm.hasher());
    let feed = Feed {
        open: Arc::clone(claim.open()),
        stop: claim.running.node().stop.clone(),
        size: claim.expected.size,
        supply,
        writer: data,
        hasher: copies,
    };
    let announced = feed.supply.first.as_ref().and_then(|blob| blob.size);
    let open = Arc::clone(claim.open());
    let threads = hasher
        .map(|hasher| spawn("cache-hash", move || hash(&open, hasher, to_hash)))
        .transpose()
        .and_then(|hashing| {
            let writer = Writer::new(claim, announced);
            spawn("cache-fill", move || {
                // Nobody may be waiting for it.
                let _ = outcome.send(writer.run(inbox, hashing));
            })
        });
    match threads {
        Ok(_) => drop(tokio::spawn(feed.run())),
        // The claim was moved into a thread that never was, and let go of everything.
        Err(error) => tracing::warn!("no thread for a fill: {error}"),
    }
    ended
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.into()).spawn(work)
}

/// The one that reads the store, as fast as it comes and the disk takes it, and only what is not here.
struct Feed {
    open: Arc<Open>,
    stop: CancellationToken,
    size: Option<u64>,
    supply: Supply,
    writer: mpsc::Sender<Step>,
    hasher: mpsc::Sender<Piece>,
}

/// The writer has ended before its time, and knows why.
struct WriterGone;

impl Feed {
    async fn run(mut self) {
        let (stop, writer) = (self.stop.clone(), self.writer.clone());
        let last = tokio::select! {
            biased;
            () = stop.cancelled() => Step::Broken("this node is stopping".into()),
            () = writer.closed() => return,
            last = self.send_all() => match last {
                Ok(last) => last,
                Err(WriterGone) => return,
            },
        };
        drop(self.hasher);
        // See above.
        let _ = self.writer.send(last).await;
    }

    /// Sends all there is, and says how it ended.
    async fn send_all(&mut self) -> Result<Step, WriterGone> {
        let Some(size) = self.size else {
            return self.send_from_store(None).await;
        };
        let mut span = 0;
        while span < spans_of(size) {
            let (here, end) = self.open.partial.table().run(span);
            if here && self.send_kept(span, size).await? {
                span += 1;
                continue;
            }
            let end = if here { span + 1 } else { end };
            let run = bytes_of(span, end, size);
            let last = self.send_from_store(Some(run)).await?;
            // What comes at the end of the last run is what there is: the writer knows whether it is enough.
            if end == spans_of(size) || !matches!(last, Step::End) {
                return Ok(last);
            }
            span = end;
        }
        if size == 0 {
            return self.send_from_store(Some(bytes_of(0, 0, 0))).await;
        }
        Ok(Step::End)
    }

    /// Says that a span is here. False where it is not what it was when it came.
    async fn send_kept(&mut self, span: u64, size: u64) -> Result<bool, WriterGone> {
        let bytes = bytes_of(span, span + 1, size);
        let open = Arc::clone(&self.open);
        let right = blocking(move || {
            let found = spans::sum_of(open.partial.file(), bytes)?;
            Ok(open.partial.table().sum(span) == Some(found))
        });
        if !right.await.unwrap_or(false) {
            return Ok(false);
        }
        // Nobody hashes an image whose hash is not known.
        let _ = self.hasher.send(Piece::Kept(bytes)).await;
        let sent = self.writer.send(Step::Kept(bytes)).await;
        sent.map(|()| true).map_err(|_| WriterGone)
    }

    /// Sends what the store has of a run of spans, or all it has.
    async fn send_from_store(&mut self, run: Option<ByteRange>) -> Result<Step, WriterGone> {
        let whole = self
            .size
            .is_none_or(|size| run.is_none_or(|run| run.len() == size));
        let opened = timeout(STALL, self.supply.open(run.filter(|_| !whole))).await;
        let mut blob = match opened {
            Ok(Ok(blob)) => blob,
            Ok(Err(error)) => return Ok(Step::Broken(error.to_string())),
            Err(_) => return Ok(silent()),
        };
        // More than was asked for is of interest at the end of the image alone.
        let ends = run.is_none_or(|run| Some(run.end) == self.size);
        let mut left = run.filter(|_| !ends).map(|run| run.len());
        loop {
            let Ok((batch, end)) = timeout(STALL, next_batch(&mut blob.bytes, BATCH)).await else {
                return Ok(silent());
            };
            let batch = match &mut left {
                Some(left) => up_to(left, batch),
                None => batch,
            };
            // Nobody hashes an image whose hash is not known.
            let _ = self.hasher.send(Piece::Data(batch.clone())).await;
            let sent = self.writer.send(Step::Data(batch)).await;
            sent.map_err(|_| WriterGone)?;
            match (end, left) {
                (_, Some(0)) | (Some(Ended::Complete), None) => return Ok(Step::End),
                (Some(ended), _) => return Ok(Step::Broken(ended.reason())),
                (None, _) => {}
            }
        }
    }
}

fn silent() -> Step {
    Step::Broken(format!("the store sent nothing for {STALL:?}"))
}

/// The bytes that are still wanted.
fn up_to(left: &mut u64, batch: Vec<Bytes>) -> Vec<Bytes> {
    let cut = batch.into_iter().map(|mut chunk| {
        let wanted = usize::try_from(*left).map_or(chunk.len(), |left| left.min(chunk.len()));
        chunk.truncate(wanted);
        *left -= wanted as u64;
        chunk
    });
    cut.collect()
}

/// What the store has ready, up to a batch, and whether that was the end. Those who read along are not to
/// wait for a slow store to fill a batch, but each batch wakes all of them: so it waits for the first bytes,
/// and then a moment for more.
pub async fn next_batch(bytes: &mut ByteStream, most: usize) -> (Vec<Bytes>, Option<Ended>) {
    let mut batch = Vec::new();
    let mut size = 0;
    let mut next = bytes.next().await;
    let full = Instant::now() + MOMENT;
    loop {
        match next {
            Some(Ok(chunk)) => {
                size += chunk.len();
                batch.push(chunk);
            }
            Some(Err(error)) => return (batch, Some(Ended::Broken(error.to_string()))),
            None => return (batch, Some(Ended::Complete)),
        }
        if size >= most {
            return (batch, None);
        }
        match timeout_at(full, bytes.next()).await {
            Ok(more) => next = more,
            Err(_) => return (batch, None),
        }
    }
}

fn hash(open: &Open, mut hasher: Hasher, mut pieces: mpsc::Receiver<Piece>) -> io::Result<String> {
    let mut buffer = Vec::new();
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Data(batch) => batch.iter().for_each(|chunk| hasher.update(chunk)),
            Piece::Kept(mut rest) => {
                buffer.resize(KEPT_PIECE, 0);
                while !rest.is_empty() {
                    let wanted = usize::try_from(rest.len()).unwrap_or(KEPT_PIECE);
                    let piece = &mut buffer[..wanted.min(KEPT_PIECE)];
                    open.partial.file().read_exact_at(piece, rest.start)?;
                    hasher.update(piece);
                    rest.start += piece.len() as u64;
                }
            }
        }
    }
    Ok(hasher.finish())
}

/// The one that writes.
struct Writer {
    claim: Claim,
    /// What the image has, or what the store says it will send.
    size: Option<u64>,
    written: u64,
    summing: Summing,
}

impl Writer {
    fn new(claim: Claim, announced: Option<u64>) -> Self {
        Self {
            size: claim.expected.size.or(announced),
            claim,
            written: 0,
            summing: Summing::default(),
        }
    }

    fn run(
        mut self,
        mut inbox: mpsc::Receiver<Step>,
        hashing: Option<JoinHandle<io::Result<String>>>,
    ) -> Result<(), FillBroken> {
        let proven = self.write(&mut inbox).and_then(|()| self.prove(hashing));
        // The store need not be read any further.
        drop(inbox);
        let Claim { hold, running, .. } = self.claim;
        let partial = &hold.open.partial;
        let failure = match proven {
            Ok(()) => match partial.commit() {
                Ok(true) => {
                    running.committed(self.written);
                    return Ok(());
                }
                Ok(false) => Failure::Broken(DROPPED.into()),
                Err(error) => Failure::Disk(error),
            },
            Err(failure) => {
                let left = match failure {
                    Failure::Wrong(_) => partial.reject(),
                    // The disk gets its room back.
                    Failure::Disk(_) => partial.discard(),
                    Failure::Broken(_) => Ok(()),
                };
                if let Err(error) = left {
                    tracing::warn!("a partial file was left behind: {error}");
                }
                failure
            }
        };
        // Only its spans are left: who hears of it and asks again goes on with them.
        drop(hold);
        Err(running.failed(failure))
    }

    /// Writes what comes, and tells how far one may read.
    fn write(&mut self, inbox: &mut mpsc::Receiver<Step>) -> Result<(), Failure> {
        while let Some(step) = inbox.blocking_recv() {
            match step {
                Step::Data(batch) => self.write_batch(&batch)?,
                Step::Kept(bytes) => {
                    self.look_after_the_file()?;
                    self.written = bytes.end;
                    self.tell()?;
                }
                Step::End => return self.end_spans(),
                Step::Broken(reason) => return Err(Failure::Broken(reason)),
            }
        }
        // The task that reads the store ends only with its runtime.
        Err(Failure::Broken("this node is stopping".into()))
    }

    fn write_batch(&mut self, batch: &[Bytes]) -> Result<(), Failure> {
        let coming: u64 = batch.iter().map(|chunk| chunk.len() as u64).sum();
        let will_be = self.written + coming;
        if let Some(size) = self.size
            && will_be > size
        {
            return Err(Failure::Wrong(format!(
                "expected {size} bytes, got {will_be} or more"
            )));
        }
        self.claim.reserve(will_be, self.size)?;
        self.look_after_the_file()?;
        let open = Arc::clone(self.claim.open());
        let partial = &open.partial;
        for chunk in batch {
            partial.file().write_all_at(chunk, self.written)?;
            let mut span = span_at(self.written);
            let mut complete = Ok(());
            self.summing.update(chunk, |sum| {
                if complete.is_ok() {
                    complete = partial.table().set(span, sum);
                }
                span += 1;
            });
            complete?;
            self.written += chunk.len() as u64;
        }
        self.tell()
    }

    /// The last span is shorter than others.
    fn end_spans(&mut self) -> Result<(), Failure> {
        if let Some(sum) = self.summing.finish() {
            let last = span_at(self.written - 1);
            self.claim.open().partial.table().set(last, sum)?;
        }
        Ok(self.claim.open().partial.table().settle(self.written)?)
    }

    /// Tells those who read along how far they may.
    fn tell(&self) -> Result<(), Failure> {
        let visible = match self.size {
            Some(size) => self.written.min(size.saturating_sub(HELD_BACK)),
            None => self.written.saturating_sub(HELD_BACK),
        };
        self.claim.open().partial.table().set_filled(self.written)?;
        self.claim.running.show(Progress::Growing(visible));
        Ok(())
    }

    /// Somebody may have dropped the image, or, without asking for locks, written into its file.
    fn look_after_the_file(&self) -> Result<(), Failure> {
        let partial = &self.claim.open().partial;
        let found = partial.file().metadata()?;
        if found.len() != partial.table().size.unwrap_or(self.written) {
            let reason = "somebody else writes into its file";
            return Err(Failure::Broken(reason.into()));
        }
        if found.nlink() == 0 && self.claim.running.has_no_readers() {
            return Err(Failure::Broken(DROPPED.into()));
        }
        Ok(())
    }

    /// Compares what was written with what the image has, and tells the readers.
    fn prove(&mut self, hashing: Option<JoinHandle<io::Result<String>>>) -> Result<(), Failure> {
        let got = hashing.map(JoinHandle::join).transpose();
        let got = got.map_err(|_| Failure::Broken("its hash could not be computed".into()))?;
        let got = got.transpose()?;
        if let Some(size) = self.size
            && size != self.written
        {
            let written = self.written;
            return Err(Failure::Wrong(format!(
                "expected {size} bytes, got {written}"
            )));
        }
        if let Some((algorithm, expected)) = self.claim.expected.checksums.proof()
            && let Some(got) = got
            && got != expected
        {
            return Err(Failure::Wrong(format!(
                "expected {algorithm} {expected}, got {got}"
            )));
        }
        self.look_after_the_file()?;
        self.claim.open().partial.mark_verified()?;
        self.claim.running.show(Progress::Verified(self.written));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio::task::yield_now;

    use super::*;

    /// A store that sends so many parts, none of which is there when it is asked for, and then nothing.
    fn hesitant(parts: u64) -> ByteStream {
        Box::pin(stream::unfold(0, move |sent| async move {
            if sent == parts {
                std::future::pending::<()>().await;
            }
            yield_now().await;
            Some((Ok(Bytes::from_static(b"part")), sent + 1))
        }))
    }

    #[tokio::test]
    async fn what_comes_within_a_moment_is_written_at_once() {
        let mut store = hesitant(3);
        let batch = timeout(STALL, next_batch(&mut store, BATCH)).await;
        let (batch, end) = batch.expect("those who read along wait for a moment only");
        assert_eq!(batch.concat(), b"partpartpart");
        assert!(end.is_none());
    }
}
