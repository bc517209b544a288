//! When all of a copy was last found right, and by whom: a note in the head of its table.

use std::io;
use std::os::unix::fs::FileExt as _;

use chrono::{DateTime, Utc};

use super::{Layout, Proof, Table};
use crate::cache::sums::Sum;
use crate::domain::ImageId;
use crate::domain::report::{Verified, Verifier};

const VERIFIED_AT: u64 = 240;
const VERIFIED_BYTES: usize = 12;

impl Table {
    /// Makes the table of a file all of which was read and found right.
    pub fn of_proven(
        layout: &Layout,
        id: ImageId,
        (inode, size): (u64, u64),
        proof: &Proof,
        sums: &[Sum],
        (at, by): (DateTime<Utc>, Verifier),
    ) -> io::Result<Self> {
        let table = Self::create(layout, id, inode, Some(size), proof)?;
        table.begin()?;
        for (span, sum) in (0..).zip(sums) {
            table.set(span, *sum)?;
        }
        table.note_verified(at, by)?;
        Ok(table)
    }

    /// Notes that all of the data was read and found right. Earlier versions take no notice of that.
    pub fn note_verified(&self, at: DateTime<Utc>, by: Verifier) -> io::Result<()> {
        let mut note = [0; VERIFIED_BYTES];
        let micros = u64::try_from(at.timestamp_micros()).unwrap_or(0);
        note[..8].copy_from_slice(&micros.to_le_bytes());
        let by: u32 = match by {
            Verifier::Fill => 1,
            Verifier::Serve => 2,
            Verifier::Sweep => 3,
        };
        note[8..].copy_from_slice(&by.to_le_bytes());
        self.file.write_all_at(&note, VERIFIED_AT)
    }

    /// Notes that not all of the data is known to be right.
    pub fn forget_verified(&self) -> io::Result<()> {
        self.file.write_all_at(&[0; VERIFIED_BYTES], VERIFIED_AT)
    }

    /// When all of the data was last found right, and by whom, as far as that was noted.
    pub fn verified(&self) -> io::Result<Option<Verified>> {
        let mut note = [0; VERIFIED_BYTES];
        self.file.read_exact_at(&mut note, VERIFIED_AT)?;
        let (at, by) = note.split_at(8);
        let micros = u64::from_le_bytes(at.try_into().unwrap_or_default());
        let by = match u32::from_le_bytes(by.try_into().unwrap_or_default()) {
            1 => Verifier::Fill,
            2 => Verifier::Serve,
            3 => Verifier::Sweep,
            _ => return Ok(None),
        };
        let at = i64::try_from(micros).ok();
        let at = at.and_then(DateTime::from_timestamp_micros);
        Ok(at.map(|at| Verified { at: Some(at), by }))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::checksum::Checksums;

    #[test]
    fn the_last_to_verify_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), Path::new("cache.db"));
        layout.prepare().unwrap();
        let (id, proof) = (ImageId::random(), Proof::of(&Checksums::default()));
        let table = Table::create(&layout, id, 1, Some(9), &proof).unwrap();
        table.begin().unwrap();
        assert_eq!(table.verified().unwrap(), None);
        for by in [Verifier::Fill, Verifier::Serve, Verifier::Sweep] {
            let at = DateTime::from_timestamp_micros(1_700_000_000_123_456);
            table.note_verified(at.unwrap(), by).unwrap();
            let again = Table::open(&layout, id).unwrap().unwrap();
            assert_eq!(again.verified().unwrap(), Some(Verified { at, by }));
        }
    }
}
