//! Bringing one image in, while others already read it.
//!
//! Three parts, so that each goes at its own speed and none on the runtime's time: a task reads the store,
//! a thread writes and commits, a thread hashes. Between them are two batches of a mebibyte at most, which
//! bounds the memory of a fill. No client is among them: who caused the fill reads along like all others,
//! and the fill goes on when they leave.
//!
//! Order of the end: all bytes written, size and hash right, readers told, file synced, moved, directory
//! synced, index told.

use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
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
use crate::domain::checksum::Hasher;
use crate::stream::{Blob, ByteStream};

/// Bytes that are written at once, where the store is quick enough.
const BATCH: usize = 1024 * 1024;

/// How long bytes wait for others to be written with.
const MOMENT: Duration = Duration::from_millis(10);

/// A store that sends nothing for so long will not go on. Those who read along look again.
const STALL: Duration = Duration::from_mins(2);

const DROPPED: &str = "it was dropped from the cache meanwhile";

/// What the store's data comes to the writer as.
enum Step {
    Data(Vec<Bytes>),
    /// There is no more.
    End,
    /// There is more, but it cannot be had.
    Broken(String),
}

/// Starts the fill. What is received says how it ended.
pub fn start(claim: Claim, blob: Blob) -> oneshot::Receiver<Result<(), FillBroken>> {
    let (outcome, ended) = oneshot::channel();
    let (data, inbox) = mpsc::channel(1);
    let (copies, to_hash) = mpsc::channel(1);
    let stop = claim.running.node().stop.clone();
    let hasher = claim.expected.checksums.proof();
    let hasher = hasher.map(|(algorithm, _)| algorithm.hasher());
    let threads = hasher
        .map(|hasher| spawn("cache-hash", move || hash(hasher, to_hash)))
        .transpose()
        .and_then(|hashing| {
            let writer = Writer::new(claim, blob.size);
            spawn("cache-fill", move || {
                // Nobody may be waiting for it.
                let _ = outcome.send(writer.run(inbox, hashing));
            })
        });
    match threads {
        Ok(_) => drop(tokio::spawn(feed(blob.bytes, data, copies, stop))),
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

/// Reads the store as fast as it comes and the disk takes it.
async fn feed(
    mut bytes: ByteStream,
    writer: mpsc::Sender<Step>,
    hasher: mpsc::Sender<Vec<Bytes>>,
    stop: CancellationToken,
) {
    let last = loop {
        let batch = tokio::select! {
            biased;
            () = stop.cancelled() => break Step::Broken("this node is stopping".into()),
            // Ended before its time, and knows why.
            () = writer.closed() => return,
            batch = timeout(STALL, next_batch(&mut bytes)) => batch,
        };
        match batch {
            Ok((batch, None)) => {
                if send(&writer, &hasher, batch).await.is_err() {
                    return;
                }
            }
            Ok((batch, Some(end))) => {
                if send(&writer, &hasher, batch).await.is_err() {
                    return;
                }
                break end;
            }
            Err(_) => break Step::Broken(format!("the store sent nothing for {STALL:?}")),
        }
    };
    drop(hasher);
    // See above.
    let _ = writer.send(last).await;
}

/// What the store has ready, up to a batch, and whether that was the end. Those who read along are not to
/// wait for a slow store to fill a batch, but each batch wakes all of them: so it waits for the first bytes,
/// and then a moment for more.
async fn next_batch(bytes: &mut ByteStream) -> (Vec<Bytes>, Option<Step>) {
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
            Some(Err(error)) => return (batch, Some(Step::Broken(error.to_string()))),
            None => return (batch, Some(Step::End)),
        }
        if size >= BATCH {
            return (batch, None);
        }
        match timeout_at(full, bytes.next()).await {
            Ok(more) => next = more,
            Err(_) => return (batch, None),
        }
    }
}

/// Hands a batch to both threads. An error says that the writer has ended.
async fn send(
    writer: &mpsc::Sender<Step>,
    hasher: &mpsc::Sender<Vec<Bytes>>,
    batch: Vec<Bytes>,
) -> Result<(), ()> {
    // Nobody hashes an image whose hash is not known.
    let _ = hasher.send(batch.clone()).await;
    writer.send(Step::Data(batch)).await.map_err(drop)
}

fn hash(mut hasher: Hasher, mut batches: mpsc::Receiver<Vec<Bytes>>) -> String {
    while let Some(batch) = batches.blocking_recv() {
        for chunk in batch {
            hasher.update(&chunk);
        }
    }
    hasher.finish()
}

/// The one that writes.
struct Writer {
    claim: Claim,
    /// What the image has, or what the store says it will send.
    size: Option<u64>,
    written: u64,
}

impl Writer {
    fn new(claim: Claim, announced: Option<u64>) -> Self {
        Self {
            size: claim.expected.size.or(announced),
            claim,
            written: 0,
        }
    }

    fn run(
        mut self,
        mut inbox: mpsc::Receiver<Step>,
        hashing: Option<JoinHandle<String>>,
    ) -> Result<(), FillBroken> {
        let proven = self.write(&mut inbox).and_then(|()| self.prove(hashing));
        // The store need not be read any further.
        drop(inbox);
        let Claim {
            partial, running, ..
        } = self.claim;
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
                if !matches!(failure, Failure::Wrong(_)) {
                    drop(partial);
                } else if let Err(error) = partial.reject() {
                    tracing::warn!("bad data could not be put aside: {error}");
                }
                failure
            }
        };
        // Nothing of it is left: who hears of it and asks again begins anew.
        Err(running.failed(failure))
    }

    /// Writes what comes, and tells how far one may read.
    fn write(&mut self, inbox: &mut mpsc::Receiver<Step>) -> Result<(), Failure> {
        while let Some(step) = inbox.blocking_recv() {
            match step {
                Step::Data(batch) => self.write_batch(&batch)?,
                Step::End => return Ok(()),
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
        for chunk in batch {
            let file = self.claim.partial.file();
            file.write_all_at(chunk, self.written)?;
            self.written += chunk.len() as u64;
        }
        let visible = match self.size {
            Some(size) => self.written.min(size.saturating_sub(HELD_BACK)),
            None => self.written.saturating_sub(HELD_BACK),
        };
        self.claim.running.show(Progress::Growing(visible));
        Ok(())
    }

    /// Somebody may have dropped the image, or, without asking for locks, written into its file.
    fn look_after_the_file(&self) -> Result<(), Failure> {
        let found = self.claim.partial.file().metadata()?;
        if found.len() != self.written {
            let reason = "somebody else writes into its file";
            return Err(Failure::Broken(reason.into()));
        }
        if found.nlink() == 0 && self.claim.running.has_no_readers() {
            return Err(Failure::Broken(DROPPED.into()));
        }
        Ok(())
    }

    /// Compares what was written with what the image has, and tells the readers.
    fn prove(&mut self, hashing: Option<JoinHandle<String>>) -> Result<(), Failure> {
        let got = hashing.map(JoinHandle::join).transpose();
        let got = got.map_err(|_| Failure::Broken("its hash could not be computed".into()))?;
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
        self.claim.partial.mark_verified()?;
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
        let batch = timeout(STALL, next_batch(&mut store)).await;
        let (batch, end) = batch.expect("those who read along wait for a moment only");
        assert_eq!(batch.concat(), b"partpartpart");
        assert!(end.is_none());
    }
}
