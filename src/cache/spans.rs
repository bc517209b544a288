//! What is known of a copy's data, span by span: `.glance/spans/<id>`.
//!
//! An image is cut into spans of one size. The table has a BLAKE3 checksum for each span that is here, and
//! nothing for the others: so one file says which spans there are, and proves each of them. Nothing needs to
//! be written in any order, for a span whose data did not reach the disk before a crash does not match its
//! checksum, and is as good as absent.
//!
//! ```text
//! 0    "glspans1"
//! 8    size of the image, u64; all ones where it is not known yet
//! 16   inode of the data file, u64: a table does not speak for a file that somebody put in its place, before that
//!      file has turned out to have the same bytes, see [`moved`]
//! 24   bytes that a fill has written without a gap, u64: how far other processes may read along; all ones
//!      where it goes no further
//! 32   size of a span, u32
//! 36   length of the proof, u32, and from 40 on its text: "sha512:..." as in the image's record
//! 240  when all of the data was last read and found right, u64 of microseconds since 1970; zero where nobody noted it
//! 248  by whom, u32: 1 the fill, 2 who served it first, 3 a sweep
//! 256  32 bytes for each span; zeros where it is absent
//! ```
//!
//! Numbers are little-endian.

mod moved;
mod verified;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::layout::{self, Layout};
use super::sums::{SPAN, Sum, spans_of};
use crate::domain::ImageId;
use crate::domain::checksum::{Checksums, HashAlgorithm};

const MAGIC: &[u8; 8] = b"glspans1";
const HEADER: u64 = 256;
const HEADER_BYTES: usize = 256;
const PROOF_AT: usize = 40;
const SIZE_AT: u64 = 8;
const INODE_AT: u64 = 16;
const FILLED_AT: u64 = 24;
const PROOF_BYTES: usize = 200;
const UNKNOWN: u64 = u64::MAX;
const CUT: u64 = u64::MAX;

/// In the place of a checksum.
const ABSENT: Sum = [0; 32];

/// What data is meant to be there: the digest in the image's record, by name and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof(String);

impl Proof {
    pub fn of(checksums: &Checksums) -> Self {
        Self(
            checksums
                .proof()
                .map_or_else(String::new, |(algorithm, value)| {
                    format!("{algorithm}:{value}")
                }),
        )
    }

    /// The digest, where it is one that we can compute.
    pub fn digest(&self) -> Option<(HashAlgorithm, &str)> {
        let (name, value) = self.0.split_once(':')?;
        Some((name.parse().ok()?, value))
    }

    /// The image's record names no digest.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

/// `sha512:...`
impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The table of one copy, open.
#[derive(Debug)]
pub struct Table {
    file: File,
    pub size: Option<u64>,
    pub inode: u64,
    pub proof: Proof,
    sums: RwLock<Vec<Sum>>,
}

impl Table {
    /// Makes the table of a file about which nothing is known. Nothing is written before [`Table::begin`].
    pub fn create(
        layout: &Layout,
        id: ImageId,
        inode: u64,
        size: Option<u64>,
        proof: &Proof,
    ) -> io::Result<Self> {
        let path = layout.spans(id);
        // Never in place: somebody may be reading the one that was there.
        layout::remove(&path)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o640)
            .open(path)?;
        layout.adopt(&file)?;
        let spans = size.map_or(0, spans_of);
        Ok(Self {
            file,
            size,
            inode,
            proof: proof.clone(),
            sums: RwLock::new(vec![ABSENT; usize::try_from(spans).unwrap_or(0)]),
        })
    }

    /// Gets it ready for a fill, or for parts. A new one takes its room on the disk only now: on a full one it
    /// must be there before room can be made.
    pub fn begin(&self) -> io::Result<()> {
        if self.file.metadata()?.len() > 0 {
            // What comes now is not proven.
            self.forget_verified()?;
            return self.set_filled(0);
        }
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(MAGIC);
        header[8..16].copy_from_slice(&self.size.unwrap_or(UNKNOWN).to_le_bytes());
        header[16..24].copy_from_slice(&self.inode.to_le_bytes());
        header[32..36].copy_from_slice(&u32::try_from(SPAN).unwrap_or(0).to_le_bytes());
        let text = self.proof.0.as_bytes();
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        header[36..40].copy_from_slice(&length.to_le_bytes());
        let place = &mut header[PROOF_AT..PROOF_AT + PROOF_BYTES];
        let Some(place) = place.get_mut(..text.len()) else {
            let why = format!("a digest of over {PROOF_BYTES} bytes");
            return Err(io::Error::other(why));
        };
        place.copy_from_slice(text);
        self.file.write_all_at(&header, 0)?;
        let spans = self.size.map_or(0, spans_of);
        self.file.set_len(HEADER + spans * 32)
    }

    /// Opens the table of an image. None where there is none, or none that can be read.
    pub fn open(layout: &Layout, id: ImageId) -> io::Result<Option<Self>> {
        let path = layout.spans(id);
        let opened = match layout::open_to_write(&path) {
            Err(error) if is_readable_only(&error) => layout::open_readable(&path),
            opened => opened,
        };
        let Some(file) = opened? else {
            return Ok(None);
        };
        Ok(Self::read(file).ok())
    }

    fn read(file: File) -> io::Result<Self> {
        let bad = || io::Error::from(io::ErrorKind::InvalidData);
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, 0)?;
        let number = |at: usize| {
            let bytes = header[at..at + 8].try_into().unwrap_or_default();
            u64::from_le_bytes(bytes)
        };
        let small = |at: usize| {
            let bytes = header[at..at + 4].try_into().unwrap_or_default();
            u32::from_le_bytes(bytes)
        };
        if &header[..8] != MAGIC || u64::from(small(32)) != SPAN {
            return Err(bad());
        }
        let size = Some(number(8)).filter(|size| *size != UNKNOWN);
        let length = usize::try_from(small(36)).map_err(|_| bad())?;
        let proof = header[PROOF_AT..].get(..length).ok_or_else(bad)?;
        let proof = String::from_utf8(proof.to_vec()).map_err(|_| bad())?;
        let here = (file.metadata()?.len().saturating_sub(HEADER)) / 32;
        let spans = size.map_or(here, spans_of);
        if here != spans {
            return Err(bad());
        }
        let mut bytes = vec![0; usize::try_from(spans * 32).map_err(|_| bad())?];
        file.read_exact_at(&mut bytes, HEADER)?;
        let sums = bytes.chunks_exact(32);
        let sums = sums.map(|sum| sum.try_into().unwrap_or(ABSENT)).collect();
        Ok(Self {
            size,
            inode: number(16),
            proof: Proof(proof),
            file,
            sums: RwLock::new(sums),
        })
    }

    fn sums(&self) -> RwLockReadGuard<'_, Vec<Sum>> {
        self.sums.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it speaks for this file and this data.
    pub fn is_for(&self, inode: u64, size: Option<u64>, proof: &Proof) -> bool {
        self.inode == inode && self.size == size && self.proof == *proof
    }

    /// The checksum of a span that is here.
    pub fn sum(&self, span: u64) -> Option<Sum> {
        let sums = self.sums();
        let sum = sums.get(usize::try_from(span).ok()?)?;
        (*sum != ABSENT).then_some(*sum)
    }

    /// The same as another process has written it just now.
    pub fn sum_now(&self, span: u64) -> io::Result<Option<Sum>> {
        let mut sum = ABSENT;
        match self.file.read_exact_at(&mut sum, HEADER + span * 32) {
            Ok(()) => Ok((sum != ABSENT).then_some(sum)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How many spans are here.
    pub fn here(&self) -> u64 {
        self.sums().iter().filter(|sum| **sum != ABSENT).count() as u64
    }

    /// Says of a span that it is not here.
    pub fn clear(&self, span: u64) -> io::Result<()> {
        self.set(span, ABSENT)
    }

    /// Says of a span that it is here, and what proves it.
    pub fn set(&self, span: u64, sum: Sum) -> io::Result<()> {
        let mut sums = self.sums.write().unwrap_or_else(PoisonError::into_inner);
        let at = usize::try_from(span).map_err(io::Error::other)?;
        if sums.len() <= at {
            sums.resize(at + 1, ABSENT);
        }
        sums[at] = sum;
        self.file.write_all_at(&sum, HEADER + span * 32)
    }

    /// The part of the image that begins with this span and is all absent, or all here.
    pub fn run(&self, first: u64) -> (bool, u64) {
        let sums = self.sums();
        let here = |span: u64| {
            let sum = usize::try_from(span).ok().and_then(|span| sums.get(span));
            sum.is_some_and(|sum| *sum != ABSENT)
        };
        let known = sums.len() as u64;
        let last = (first..known).take_while(|span| here(*span) == here(first));
        (here(first), last.last().map_or(first + 1, |span| span + 1))
    }

    /// Says how large the image has turned out to be.
    pub fn settle(&self, size: u64) -> io::Result<()> {
        self.file.write_all_at(&size.to_le_bytes(), SIZE_AT)
    }

    /// Whether the file still has its name.
    pub fn is_known(&self, layout: &Layout, id: ImageId) -> bool {
        let found = self.file.metadata();
        found.is_ok_and(|found| layout::names(&layout.spans(id), &found))
    }

    /// Removes the file, if it still has its name.
    pub fn remove(&self, layout: &Layout, id: ImageId) -> io::Result<()> {
        if self.is_known(layout, id) {
            layout::remove(&layout.spans(id))?;
        }
        Ok(())
    }

    /// Says how much a fill has written without a gap.
    pub fn set_filled(&self, bytes: u64) -> io::Result<()> {
        self.file.write_all_at(&bytes.to_le_bytes(), FILLED_AT)
    }

    /// Says that the fill goes no further, for those who read along in other processes.
    pub fn set_cut(&self) -> io::Result<()> {
        self.set_filled(CUT)
    }

    /// How much a fill of another process has written without a gap; none where it goes no further.
    pub fn filled(&self) -> io::Result<Option<u64>> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, FILLED_AT)?;
        Ok(Some(u64::from_le_bytes(bytes)).filter(|filled| *filled != CUT))
    }
}

/// What we may not write we may still read.
fn is_readable_only(error: &io::Error) -> bool {
    let kinds = [
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::ReadOnlyFilesystem,
    ];
    kinds.contains(&error.kind())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn layout() -> (tempfile::TempDir, Layout) {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), Path::new("cache.db"));
        layout.prepare().unwrap();
        (dir, layout)
    }

    fn proof(text: &str) -> Proof {
        Proof(text.to_owned())
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let (_dir, layout) = layout();
        let id = ImageId::random();
        let size = Some(SPAN * 3 + 1);
        let table = Table::create(&layout, id, 77, size, &proof("md5:ab")).unwrap();
        table.begin().unwrap();
        table.set(2, [7; 32]).unwrap();
        table.set(3, [8; 32]).unwrap();
        table.set(3, [9; 32]).unwrap();
        table.set_filled(123).unwrap();

        let again = Table::open(&layout, id).unwrap().unwrap();
        assert!(again.is_for(77, size, &proof("md5:ab")));
        assert!(!again.is_for(78, size, &proof("md5:ab")));
        assert!(!again.is_for(77, size, &proof("md5:ac")));
        assert_eq!(again.filled().unwrap(), Some(123));
        table.set_cut().unwrap();
        assert_eq!(again.filled().unwrap(), None);
        let sums: Vec<_> = (0..5).map(|span| again.sum(span)).collect();
        assert_eq!(sums, [None, None, Some([7; 32]), Some([9; 32]), None]);
        assert_eq!((again.run(0), again.run(2)), ((false, 2), (true, 4)));
        again.clear(2).unwrap();
        assert_eq!((again.run(0), again.here()), ((false, 3), 1));
    }

    #[test]
    fn a_table_of_unknown_length_grows() {
        let (_dir, layout) = layout();
        let id = ImageId::random();
        let table = Table::create(&layout, id, 1, None, &proof("")).unwrap();
        table.begin().unwrap();
        table.set(1, [1; 32]).unwrap();
        let again = Table::open(&layout, id).unwrap().unwrap();
        assert_eq!((again.size, again.here()), (None, 1));
    }

    #[test]
    fn what_is_no_table_is_none() {
        let (_dir, layout) = layout();
        let id = ImageId::random();
        assert!(Table::open(&layout, id).unwrap().is_none());
        for junk in [&b""[..], b"glspans1", &[0; 300]] {
            std::fs::write(layout.spans(id), junk).unwrap();
            assert!(Table::open(&layout, id).unwrap().is_none());
        }
        let table = Table::create(&layout, id, 1, Some(SPAN * 2), &proof("")).unwrap();
        table.begin().unwrap();
        let short = OpenOptions::new().write(true).open(layout.spans(id));
        short.unwrap().set_len(HEADER + 33).unwrap();
        assert!(Table::open(&layout, id).unwrap().is_none());
    }
}
