//! Copies that do not go with their table: the digest of the image tells which of both is wrong.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use chrono::{DateTime, Utc};

use crate::cache::evict;
use crate::cache::layout::{Layout, names, open_existing};
use crate::cache::space::SpaceLock;
use crate::cache::spans::{Proof, Table};
use crate::cache::sums::{Sum, Summing};
use crate::domain::ImageId;
use crate::domain::report::Verifier;
use crate::telemetry::counters::Reason;

/// Bytes that are read at once.
const PIECE: usize = 1024 * 1024;

/// What came of hashing a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    id: ImageId,
    inode: u64,
    size: u64,
    /// When it was written to last.
    written: (i64, i64),
    proof: Proof,
    /// The checksums of its spans; none where it is not what the proof says.
    sums: Option<Vec<Sum>>,
}

impl Hashed {
    /// Reads all of a copy, without any lock. None where it is gone, or nobody could tell what it is meant to be.
    pub fn of(layout: &Layout, id: ImageId, proof: &Proof) -> io::Result<Option<Self>> {
        let (Some((algorithm, expected)), Some(file)) =
            (proof.digest(), open_existing(&layout.image(id))?)
        else {
            return Ok(None);
        };
        let found = file.metadata()?;
        let (mut hasher, mut summing) = (algorithm.hasher(), Summing::default());
        let (mut sums, mut at) = (Vec::new(), 0);
        let mut buffer = vec![0; PIECE];
        loop {
            let read = file.read_at(&mut buffer, at)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            summing.update(&buffer[..read], |sum| sums.push(sum));
            at += read as u64;
        }
        sums.extend(summing.finish());
        Ok(Some(Self {
            id,
            inode: found.ino(),
            size: found.len(),
            written: written(&found),
            proof: proof.clone(),
            sums: (at == found.len() && hasher.finish() == expected).then_some(sums),
        }))
    }

    /// Whether it is what the proof says.
    pub fn is_right(&self) -> bool {
        self.sums.is_some()
    }

    /// Gives the copy a table, or lets it go. False where it is another one by now, or was written to.
    pub fn settle(
        &self,
        layout: &Layout,
        now: DateTime<Utc>,
        lock: &SpaceLock,
    ) -> io::Result<bool> {
        let place = layout.image(self.id);
        let Some(file) = open_existing(&place)? else {
            return Ok(false);
        };
        let found = file.metadata()?;
        let same = (found.ino(), found.len(), written(&found));
        if same != (self.inode, self.size, self.written) || !names(&place, &found) {
            return Ok(false);
        }
        match &self.sums {
            Some(sums) => {
                let (file, noted) = ((self.inode, self.size), (now, Verifier::Sweep));
                Table::of_proven(layout, self.id, file, &self.proof, sums, noted)?;
            }
            None => drop(evict::under(lock, layout, self.id, Reason::Bad)?),
        }
        Ok(true)
    }
}

fn written(found: &Metadata) -> (i64, i64) {
    (found.mtime(), found.mtime_nsec())
}
