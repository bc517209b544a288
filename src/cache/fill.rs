//! Bringing one image in, while others already read it.
//!
//! Three parts, so that each goes at its own speed and none on the runtime's time: a task reads the store,
//! as far as spans are not here already, a thread writes and commits, a thread hashes. Between them are two
//! batches of a mebibyte at most, and what came last is kept for those who keep up (see [`super::recent`]):
//! that bounds the memory of a fill. No client is among them: who caused the fill reads along like all
//! others, and the fill goes on when they leave.
//!
//! Order of the end: all bytes written, size and hash right, readers told, file synced, moved, directory
//! synced, index told.

use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::FillBroken;
use super::account::Account;
use super::claim::{Claim, Failure};
use super::feed::{Feed, Step, hash};
use super::growing::{HELD_BACK, Progress};
use super::source::{Source, Supply};
use super::sums::{Summing, span_at};
use crate::domain::report::Verifier;

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
        node: Arc::clone(claim.running.node()),
    };
    let source = feed.supply.source.clone();
    let announced = feed.supply.first.as_ref().and_then(|blob| blob.size);
    let account = Account::begin(claim.open().partial.id(), feed.supply.store.clone());
    let open = Arc::clone(claim.open());
    let threads = hasher
        .map(|hasher| spawn("cache-hash", move || hash(&open, hasher, to_hash)))
        .transpose()
        .and_then(|hashing| {
            let writer = Writer::new(claim, source, announced, account);
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

/// The one that writes.
pub struct Writer {
    claim: Claim,
    source: Option<Arc<dyn Source>>,
    /// What the image has, or what the store says it will send.
    size: Option<u64>,
    written: u64,
    summing: Summing,
    account: Account,
}

impl Writer {
    pub fn new(
        claim: Claim,
        source: Option<Arc<dyn Source>>,
        announced: Option<u64>,
        account: Account,
    ) -> Self {
        Self {
            size: claim.expected.size.or(announced),
            claim,
            source,
            written: 0,
            summing: Summing::default(),
            account,
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
        self.end(proven)
    }

    /// Puts the copy into its place where it is proven, and lets go of everything.
    pub fn end(self, proven: Result<(), Failure>) -> Result<(), FillBroken> {
        let Claim { hold, running, .. } = self.claim;
        let mut account = self.account;
        account.bytes = self.written;
        let partial = &hold.open.partial;
        let failure = match proven {
            Ok(()) => match partial.commit() {
                Ok(true) => {
                    running.committed(&account);
                    return Ok(());
                }
                Ok(false) => Failure::Dropped,
                Err(error) => Failure::Disk(error),
            },
            Err(failure) => {
                if let (Failure::Wrong(_), Some(source)) = (&failure, &self.source) {
                    source.disproved();
                }
                let left = match failure {
                    Failure::Wrong(_) => partial.reject(),
                    // The disk gets its room back.
                    Failure::Disk(_) => partial.discard(),
                    Failure::Broken(_) | Failure::Dropped => Ok(()),
                };
                if let Err(error) = left {
                    tracing::warn!("a partial file was left behind: {error}");
                }
                failure
            }
        };
        // Only its spans are left: who hears of it and asks again goes on with them.
        drop(hold);
        Err(running.failed(&failure, &account))
    }

    /// Writes what comes, and tells how far one may read.
    fn write(&mut self, inbox: &mut mpsc::Receiver<Step>) -> Result<(), Failure> {
        while let Some(step) = inbox.blocking_recv() {
            if self.take(step)? {
                return Ok(());
            }
        }
        // The task that reads the store ends only with its runtime.
        Err(Failure::Broken("this node is stopping".into()))
    }

    /// Takes what comes next. True where that was all.
    pub fn take(&mut self, step: Step) -> Result<bool, Failure> {
        match step {
            Step::Data(batch) => self.write_batch(&batch)?,
            Step::Kept(bytes) => {
                self.look_after_the_file()?;
                self.written = bytes.end;
                self.tell()?;
            }
            Step::End => return self.end_spans().map(|()| true),
            Step::Broken(reason) => return Err(Failure::Broken(reason)),
        }
        Ok(false)
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
        self.claim.running.keep(will_be - coming, batch);
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
            return Err(Failure::Dropped);
        }
        Ok(())
    }

    /// Compares what was written with what the image has, and tells the readers.
    pub fn prove(
        &mut self,
        hashing: Option<JoinHandle<io::Result<String>>>,
    ) -> Result<(), Failure> {
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
        let partial = &self.claim.open().partial;
        let now = self.claim.running.node().clock.now();
        partial.table().note_verified(now, Verifier::Fill)?;
        partial.mark_verified()?;
        self.claim.running.show(Progress::Verified(self.written));
        Ok(())
    }
}
