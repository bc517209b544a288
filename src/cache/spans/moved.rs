//! A table whose copy came to lie in another file: a backup was restored, or the directory moved to another disk.
//!
//! It proves that file as well as the first one, if it is of all of the image and its checksums are of bytes that were
//! proven. Who serves the copy compares every span with it, as always, and when all were right, the table is the new
//! file's. What somebody else put in the place of a copy is told from that copy by its bytes.

use std::io;
use std::os::unix::fs::FileExt as _;

use super::{INODE_AT, Proof, Table};
use crate::cache::sums::spans_of;

impl Table {
    /// Whether it proves each byte of such a file, whichever file it was made for.
    pub fn proves(&self, size: u64) -> bool {
        let proven = self.verified().is_ok_and(|noted| noted.is_some());
        self.size == Some(size) && self.here() == spans_of(size) && proven
    }

    /// The same of a file that is meant to be this data.
    pub fn proves_as(&self, size: u64, proof: &Proof) -> bool {
        self.proof == *proof && self.proves(size)
    }

    /// Says for which file it speaks from now on: one that has the bytes that it proves.
    pub fn bind(&self, inode: u64) -> io::Result<()> {
        self.file.write_all_at(&inode.to_le_bytes(), INODE_AT)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Layout;
    use super::*;
    use crate::cache::sums::SPAN;
    use crate::clock::Clock;
    use crate::domain::ImageId;
    use crate::domain::checksum::Checksums;
    use crate::domain::report::Verifier;

    #[test]
    fn only_a_table_of_all_of_the_proven_data_proves_another_file() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), Path::new("cache.db"));
        layout.prepare().unwrap();
        let (id, proof) = (ImageId::random(), Proof::of(&Checksums::default()));
        let size = SPAN + 1;
        let table = Table::create(&layout, id, 1, Some(size), &proof).unwrap();
        table.begin().unwrap();
        table.set(0, [7; 32]).unwrap();
        table
            .note_verified(Clock::system().now(), Verifier::Fill)
            .unwrap();
        assert!(!table.proves(size), "a span is missing");
        table.set(1, [8; 32]).unwrap();
        assert!(table.proves(size));
        assert!(!table.proves(size - 1));
        assert!(table.proves_as(size, &proof));
        assert!(!table.proves_as(size, &Proof("md5:ab".to_owned())));

        // What a fill brings from now on is not proven yet.
        table.begin().unwrap();
        assert!(!table.proves(size));

        table.bind(2).unwrap();
        assert_eq!(Table::open(&layout, id).unwrap().unwrap().inode, 2);
    }
}
