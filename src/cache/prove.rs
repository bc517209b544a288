//! Proving a copy that somebody else made, or whose table of spans is lost: it is read once from end to end.
//!
//! It is served meanwhile, as far as it has been read, and its last bytes only once its digest has turned out to
//! be the image's. So the original's directory is served from at once, and never a wrong image from it.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::growing::{HELD_BACK, Progress};
use super::layout::names;
use super::node::Node;
use super::parked;
use super::space::SpaceLock;
use super::spans::{Proof, Table};
use super::sums::Summing;
use super::tally::Area;
use super::trust::Copy;
use super::{Expected, FillBroken};
use crate::domain::ImageId;
use crate::domain::report::Verifier;
use crate::telemetry::counters::Reason;

/// Bytes that are read at once.
const PIECE: usize = 1024 * 1024;

/// Begins to prove the copy, on a thread of its own. What is known of it is told to all who read it.
pub fn begin(
    node: &Arc<Node>,
    id: ImageId,
    file: &Arc<File>,
    (inode, size): (u64, u64),
    expected: &Expected,
) -> Arc<Copy> {
    let progress = watch::Sender::new(Progress::Growing(0));
    let mut copy = Copy::new(id, (inode, size), Proof::of(&expected.checksums), None);
    copy.proving = Some(progress.subscribe());
    let copy = Arc::new(copy);
    node.copies.insert(Arc::clone(&copy));
    let proving = Proving {
        node: Arc::clone(node),
        copy: Arc::clone(&copy),
        file: Arc::clone(file),
        expected: expected.clone(),
        progress,
    };
    let thread = std::thread::Builder::new().name("cache-prove".into());
    if let Err(error) = thread.spawn(move || proving.run()) {
        // Those who wait hear that nothing comes.
        tracing::warn!("no thread to prove a copy: {error}");
        node.copies.forget(id);
    }
    copy
}

struct Proving {
    node: Arc<Node>,
    copy: Arc<Copy>,
    file: Arc<File>,
    expected: Expected,
    progress: watch::Sender<Progress>,
}

impl Proving {
    fn run(self) {
        let (id, since) = (self.copy.id, Instant::now());
        match self.prove() {
            Ok(None) => {
                let seconds = since.elapsed().as_secs_f64();
                tracing::info!(image.id = %id, size = self.copy.size, seconds, "verified the copy of image {id}");
                self.progress
                    .send_replace(Progress::Verified(self.copy.size));
            }
            Ok(Some(wrong)) => {
                let reason = Reason::Bad.word();
                tracing::warn!(image.id = %id, size = self.copy.size, reason, "the copy of image {id} is not the image, and was put into invalid/: {wrong}");
                self.reject();
                self.end(&wrong, false);
            }
            Err(error) => {
                tracing::warn!(image.id = %id, "the copy of image {id} could not be verified: {error}");
                self.end(&error.to_string(), true);
            }
        }
    }

    fn end(&self, reason: &str, resumable: bool) {
        self.node.copies.forget(self.copy.id);
        let id = self.copy.id;
        let reason = reason.to_owned();
        self.progress.send_replace(Progress::Broken(FillBroken {
            id,
            reason,
            resumable,
            tail: None,
        }));
    }

    /// Reads it all. What is wrong with it, if something is.
    fn prove(&self) -> io::Result<Option<String>> {
        let (id, size) = (self.copy.id, self.copy.size);
        let proof = self.expected.checksums.proof();
        let mut hasher = proof.map(|(algorithm, _)| algorithm.hasher());
        let (mut summing, mut sums) = (Summing::default(), Vec::new());
        let mut note = |sum| {
            self.copy.note(sum);
            sums.push(sum);
        };
        let mut buffer = vec![0; PIECE];
        let mut at = 0;
        while at < size {
            if self.node.stop.is_cancelled() {
                return Err(io::Error::other("this node is stopping"));
            }
            let wanted = usize::try_from(size - at).map_or(PIECE, |rest| rest.min(PIECE));
            let piece = &mut buffer[..wanted];
            self.file.read_exact_at(piece, at)?;
            if let Some(hasher) = &mut hasher {
                hasher.update(piece);
            }
            summing.update(piece, &mut note);
            at += piece.len() as u64;
            let visible = at.min(size.saturating_sub(HELD_BACK));
            self.progress.send_replace(Progress::Growing(visible));
        }
        summing.finish().into_iter().for_each(note);
        if let (Some((algorithm, expected)), Some(hasher)) = (proof, hasher) {
            let got = hasher.finish();
            if got != expected {
                return Ok(Some(format!("expected {algorithm} {expected}, got {got}")));
            }
        }
        let inode = self.file.metadata()?.ino();
        let proof = Proof::of(&self.expected.checksums);
        let made = self.drop_part().and_then(|()| {
            let noted = (self.node.clock.now(), Verifier::Serve);
            let layout = &self.node.layout;
            Table::of_proven(layout, id, (inode, size), &proof, &sums, noted)
        });
        match made {
            Ok(table) => self.copy.set_table(table),
            // It was right when it was read. The next process reads it again.
            Err(error) => {
                tracing::warn!(image.id = %id, "no table of spans for image {id}: {error}");
            }
        }
        Ok(None)
    }

    /// Whoever has put the copy there knows of no parts, and its table takes the place of theirs.
    fn drop_part(&self) -> io::Result<()> {
        let (layout, id) = (&self.node.layout, self.copy.id);
        let lock = SpaceLock::take(layout)?;
        if parked::is_useless(layout, id, &lock)? {
            parked::remove(layout, id, &lock)?;
        }
        Ok(())
    }

    /// Puts the file aside, if it is still the copy.
    fn reject(&self) {
        let layout = &self.node.layout;
        let moved = SpaceLock::take(layout).and_then(|lock| {
            let place = layout.image(self.copy.id);
            if names(&place, &self.file.metadata()?) {
                lock.put_aside(layout, self.copy.id, &place)?;
                lock.went(layout, Area::Copies, 1, self.copy.size);
                self.node.left(self.copy.id, self.copy.size, Reason::Bad);
            }
            Ok(())
        });
        if let Err(error) = moved {
            tracing::warn!("bad data could not be put aside: {error}");
        }
    }
}
