//! Whether the bytes of a whole copy are still those that came.
//!
//! A span that was read and matched its checksum is trusted as long as nobody touched the file, which its inode,
//! size and change time tell, and no longer than a sweep takes to come round: a disk may lose bits without
//! touching anything. A change time of just now is no witness: another change may follow within the same tick
//! of the clock.

use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::growing::Progress;
use super::pieces::Known;
use super::spans::{Proof, Table};
use super::sums::{self, Sum, bytes_of, spans_of};
use crate::config::Verify;
use crate::domain::ImageId;
use crate::domain::report::Verifier;

/// Copies whose state is remembered. Of more, the others are checked again.
const REMEMBERED: usize = 4096;

/// How old a change must be to be told from the next one.
const SETTLED: Duration = Duration::from_secs(1);

/// What tells whether a file was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Touch {
    pub fn of(found: &Metadata) -> Self {
        Self {
            inode: found.ino(),
            size: found.size(),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }

    /// Whether one can tell the next change from this one.
    fn is_settled(&self, now: DateTime<Utc>) -> bool {
        let changed = DateTime::from_timestamp(self.changed.0, 0).unwrap_or(now);
        (now - changed).to_std().is_ok_and(|age| age > SETTLED)
    }
}

/// What this process knows of one copy. Shared by all who read it.
#[derive(Debug)]
pub struct Copy {
    pub id: ImageId,
    pub size: u64,
    /// Of the file that is meant.
    inode: u64,
    /// What its data is meant to be.
    proof: Proof,
    /// How far it is proven, while it is: of a copy that came without a table of spans.
    pub proving: Option<watch::Receiver<Progress>>,
    table: Mutex<Option<Arc<Table>>>,
    /// Checksums of what was read to prove it, where there is no table (yet).
    read: Mutex<Vec<Sum>>,
    /// Spans that nobody has compared yet with the table, which was made for another file.
    unseen: Mutex<HashSet<u64>>,
    trusted: Mutex<Trusted>,
    /// What is known of spans that are checked piece by piece.
    pub known: Known,
    /// One repairs at a time.
    pub repairing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Trusted {
    touch: Option<Touch>,
    /// A bit for each span.
    spans: Vec<u64>,
    since: Instant,
}

impl Copy {
    pub fn new(id: ImageId, (inode, size): (u64, u64), proof: Proof, table: Option<Table>) -> Self {
        let moved = table.as_ref().filter(|table| table.inode != inode);
        let unseen = moved.map(|_| (0..spans_of(size)).collect());
        Self {
            unseen: Mutex::new(unseen.unwrap_or_default()),
            id,
            size,
            inode,
            proof,
            proving: None,
            table: Mutex::new(table.map(Arc::new)),
            read: Mutex::default(),
            trusted: Mutex::new(Trusted {
                touch: None,
                spans: Vec::new(),
                since: Instant::now(),
            }),
            known: Known::default(),
            repairing: tokio::sync::Mutex::default(),
        }
    }

    /// Whether it is of this file and this data.
    pub fn is_of(&self, inode: u64, size: u64, proof: &Proof) -> bool {
        self.inode == inode && self.size == size && self.proof == *proof
    }

    fn table(&self) -> Option<Arc<Table>> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.clone()
    }

    pub fn set_table(&self, table: Table) {
        let mut place = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Arc::new(table));
        self.read().clear();
    }

    fn read(&self) -> MutexGuard<'_, Vec<Sum>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the checksum of the next span of a copy that is being proven: what leaves meanwhile is to be what was
    /// read for the proof.
    pub fn note(&self, sum: Sum) {
        self.read().push(sum);
    }

    /// Notes, for whoever asks later, that all of it was read and found right.
    pub fn note_swept(&self, at: DateTime<Utc>) -> io::Result<()> {
        self.table()
            .map_or(Ok(()), |table| table.note_verified(at, Verifier::Sweep))
    }

    /// The checksum of a span; none where it is not to be trusted.
    pub fn sum(&self, span: u64) -> Option<Sum> {
        let noted = || self.read().get(usize::try_from(span).ok()?).copied();
        self.table().map_or_else(noted, |table| table.sum(span))
    }

    fn unseen(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.unseen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its table was made for another file, and not all of this one has been compared with it.
    pub fn is_moved(&self) -> bool {
        !self.unseen().is_empty()
    }

    /// Notes that a span of the file is what the table says. With the last one the table is this file's. Blocks.
    pub fn saw(&self, span: u64, now: DateTime<Utc>) {
        let mut unseen = self.unseen();
        if !unseen.remove(&span) || !unseen.is_empty() {
            return;
        }
        let (id, table) = (self.id, self.table());
        let bound = table.map_or(Ok(()), |table| {
            table.note_verified(now, Verifier::Serve)?;
            table.bind(self.inode)
        });
        match bound {
            Ok(()) => {
                tracing::info!(image.id = %id, "the copy of image {id} lies in another file, and was found right");
            }
            // The next process compares it again.
            Err(error) => {
                tracing::debug!(image.id = %id, "the table of spans of image {id} cannot be written: {error}");
            }
        }
    }

    fn trusted(&self) -> MutexGuard<'_, Trusted> {
        self.trusted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a span may be handed out as it is, of a file in this state.
    pub fn trusts(&self, span: u64, touch: Touch, period: Duration) -> bool {
        let mut trusted = self.trusted();
        if trusted.since.elapsed() > period {
            trusted.spans.clear();
            trusted.since = Instant::now();
        }
        let (word, bit) = place_of(span);
        let known = trusted.spans.get(word).is_some_and(|word| word & bit != 0);
        known && trusted.touch == Some(touch)
    }

    /// Reads a span and compares it with its checksum. What it finds right it trusts. Blocks.
    pub fn check(&self, span: u64, file: &File, now: DateTime<Utc>) -> io::Result<Checked> {
        let before = Touch::of(&file.metadata()?);
        let Some(sum) = self.sum(span) else {
            return Ok(Checked::Bad);
        };
        if sums::sum_of(file, bytes_of(span, span + 1, self.size)).ok() != Some(sum) {
            return Ok(Checked::Bad);
        }
        self.saw(span, now);
        let after = Touch::of(&file.metadata()?);
        if before == after && before.is_settled(now) {
            let mut trusted = self.trusted();
            if trusted.touch != Some(before) {
                trusted.touch = Some(before);
                trusted.spans.clear();
                trusted.since = Instant::now();
            }
            let (word, bit) = place_of(span);
            if trusted.spans.len() <= word {
                trusted.spans.resize(word + 1, 0);
            }
            trusted.spans[word] |= bit;
        }
        Ok(Checked::Right(before))
    }
}

fn place_of(span: u64) -> (usize, u64) {
    let word = usize::try_from(span / 64).unwrap_or(usize::MAX - 1);
    (word, 1 << (span % 64))
}

/// What a look at a span has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It is right, in a file of this state.
    Right(Touch),
    Bad,
}

/// How the copies of a cache are checked.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub verify: Verify,
    /// How long a span that was right stays trusted.
    pub period: Duration,
}

impl Rules {
    /// Whether bytes are checked before they leave.
    pub fn checks_what_leaves(self) -> bool {
        matches!(self.verify, Verify::Always | Verify::Changed)
    }
}

/// The copies that this process has read.
#[derive(Debug)]
pub struct Copies {
    pub rules: Rules,
    by_image: Mutex<HashMap<ImageId, Arc<Copy>>>,
    /// Held by who finds out about a copy that is not known yet.
    opening: Mutex<()>,
}

impl Copies {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            by_image: Mutex::default(),
            opening: Mutex::default(),
        }
    }

    /// One finds out about copies at a time.
    pub fn opening(&self) -> MutexGuard<'_, ()> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ImageId, Arc<Copy>>> {
        self.by_image.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, id: ImageId) -> Option<Arc<Copy>> {
        self.lock().get(&id).cloned()
    }

    pub fn insert(&self, copy: Arc<Copy>) {
        let mut copies = self.lock();
        if copies.len() >= REMEMBERED && !copies.contains_key(&copy.id) {
            // Whichever: it costs whoever reads it next another look.
            let idle = copies.values().find(|copy| Arc::strong_count(copy) == 1);
            let idle = idle.map(|copy| copy.id);
            idle.and_then(|id| copies.remove(&id));
        }
        copies.insert(copy.id, copy);
    }

    pub fn forget(&self, id: ImageId) {
        self.lock().remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::FileExt as _;
    use std::path::Path;

    use super::super::layout::Layout;
    use super::super::sums::SPAN;
    use super::*;
    use crate::domain::checksum::Checksums;

    const PERIOD: Duration = Duration::from_mins(1);

    /// A copy of two spans, and its file.
    fn copy(dir: &Path) -> (Copy, File) {
        let layout = Layout::new(dir, Path::new("cache.db"));
        layout.prepare().unwrap();
        let id = ImageId::random();
        let mut file = File::options();
        let file = file.read(true).write(true).create(true).truncate(true);
        let mut file = file.open(layout.image(id)).unwrap();
        let size = SPAN + 10;
        file.write_all(&vec![7; usize::try_from(size).unwrap()])
            .unwrap();
        let proof = Proof::of(&Checksums::default());
        let inode = file.metadata().unwrap().ino();
        let table = Table::create(&layout, id, inode, Some(size), &proof).unwrap();
        table.begin().unwrap();
        for span in 0..2 {
            let sum = sums::sum_of(&file, bytes_of(span, span + 1, size)).unwrap();
            table.set(span, sum).unwrap();
        }
        (Copy::new(id, (inode, size), proof, Some(table)), file)
    }

    fn later() -> DateTime<Utc> {
        crate::clock::Clock::system().now() + Duration::from_secs(5)
    }

    #[test]
    fn what_was_right_is_trusted_until_somebody_touches_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let (copy, file) = copy(dir.path());
        let touch = || Touch::of(&file.metadata().unwrap());
        assert!(!copy.trusts(0, touch(), PERIOD));
        let right = Checked::Right(touch());
        assert_eq!(copy.check(0, &file, later()).unwrap(), right);
        assert!(copy.trusts(0, touch(), PERIOD));
        assert!(!copy.trusts(1, touch(), PERIOD));

        file.write_all_at(&[8], SPAN).unwrap();
        assert!(!copy.trusts(0, touch(), PERIOD));
        assert_eq!(copy.check(1, &file, later()).unwrap(), Checked::Bad);
        let right = Checked::Right(touch());
        assert_eq!(copy.check(0, &file, later()).unwrap(), right);
    }

    #[test]
    fn a_copy_that_is_being_proven_is_held_to_what_was_read() {
        let dir = tempfile::tempdir().unwrap();
        let (known, file) = copy(dir.path());
        let proof = Proof::of(&Checksums::default());
        let copy = Copy::new(known.id, (known.inode, known.size), proof, None);
        assert_eq!(copy.check(0, &file, later()).unwrap(), Checked::Bad);
        copy.note(known.sum(0).unwrap());
        let right = Checked::Right(Touch::of(&file.metadata().unwrap()));
        assert_eq!(copy.check(0, &file, later()).unwrap(), right);
        assert_eq!(copy.check(1, &file, later()).unwrap(), Checked::Bad);
        file.write_all_at(&[8], 5).unwrap();
        assert_eq!(copy.check(0, &file, later()).unwrap(), Checked::Bad);
    }

    #[test]
    fn trust_ends_with_its_period() {
        let dir = tempfile::tempdir().unwrap();
        let (copy, file) = copy(dir.path());
        copy.check(0, &file, later()).unwrap();
        let touch = Touch::of(&file.metadata().unwrap());
        assert!(!copy.trusts(0, touch, Duration::ZERO));
    }

    #[test]
    fn a_change_of_just_now_is_no_witness() {
        let dir = tempfile::tempdir().unwrap();
        let (copy, file) = copy(dir.path());
        let now = file.metadata().unwrap().modified().unwrap().into();
        let touch = Touch::of(&file.metadata().unwrap());
        assert_eq!(copy.check(0, &file, now).unwrap(), Checked::Right(touch));
        assert!(!copy.trusts(0, touch, PERIOD));
    }
}
