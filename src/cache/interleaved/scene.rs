//! A directory, and what holds in it: after every step, and when all are done.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::layout::{InPlace, Layout, files};
use super::super::partial::{Partial, Wanted};
use super::super::space::SpaceLock;
use super::super::spans::{Proof, Table};
use super::super::{parked, reconcile, space};
use crate::domain::ImageId;
use crate::domain::checksum::Checksums;

pub const DATA: &[u8] = b"the bytes of an image";
pub const WRONG: &[u8] = b"the bytes of no image";

/// One directory, and those who are at work in it.
pub struct Scene {
    _dir: tempfile::TempDir,
    pub layout: Layout,
    pub id: ImageId,
    pub now: DateTime<Utc>,
    pub fills: [Option<Fill>; 2],
    pub reader: Option<File>,
    pub died: bool,
}

pub struct Fill {
    pub partial: Partial,
    pub verified: bool,
    /// Somebody has dropped the image since it was claimed.
    pub dropped: bool,
}

impl Scene {
    pub fn new() -> Self {
        // In memory where there is such a place: there are many scenes.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let dir = dir.unwrap();
        let layout = Layout::new(dir.path(), Path::new("cache.db"));
        layout.prepare().unwrap();
        Self {
            _dir: dir,
            layout,
            id: ImageId::random(),
            now: crate::clock::Clock::system().now() + TimeDelta::minutes(1),
            fills: [None, None],
            reader: None,
            died: false,
        }
    }

    pub fn wanted() -> Wanted {
        Wanted {
            size: Some(DATA.len() as u64),
            proof: Proof::of(&Checksums::default()),
        }
    }

    pub fn whole(&self) -> Option<File> {
        match self.layout.open_image(self.id, Some(DATA.len() as u64)) {
            Ok(InPlace::Whole(file, _)) => Some(file),
            Ok(_) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// What holds after every step.
    pub fn holds(&self) {
        if let Ok(copy) = fs::read(self.layout.image(self.id)) {
            assert_eq!(copy, DATA, "a wrong copy is in its place");
        }
        let place = fs::symlink_metadata(self.layout.partial(self.id)).map(|found| found.ino());
        let inodes = self
            .fills
            .each_ref()
            .map(|fill| fill.as_ref().map(|fill| fill.partial.inode()));
        assert!(
            inodes[0].is_none() || inodes[0] != inodes[1],
            "two work on one file"
        );
        if let Ok(inode) = place {
            let known = inodes.contains(&Some(inode)) || self.died;
            assert!(known, "a file in the making is nobody's");
        }
    }

    /// What holds when all are done.
    pub fn ends(mut self) {
        self.fills = [None, None];
        if self.died {
            reconcile::files(&self.layout, self.now).unwrap();
        }
        self.holds();
        if let Some(copy) = self.whole() {
            let table = Table::open(&self.layout, self.id).unwrap();
            let table = table.expect("a copy has its table");
            assert_eq!(table.inode, copy.metadata().unwrap().ino());
            assert_eq!(table.sum(0), Some(*blake3::hash(DATA).as_bytes()));
        }
        let lock = SpaceLock::take(&self.layout).unwrap();
        let names = |dir: &Path| files(dir).unwrap().len();
        assert_eq!(names(&self.layout.incomplete()), 0, "a fill is left");
        assert_eq!(names(&self.layout.fills()), 0, "a promise is left");
        let orphans = parked::orphans(&self.layout, &lock).unwrap();
        assert_eq!(orphans.len(), 0, "a table is left");
        assert!(space::orphans(&self.layout, &lock).unwrap().is_empty());
        let useless = parked::is_useless(&self.layout, self.id, &lock).unwrap();
        assert!(!useless, "a part is left that nobody can go on with");
    }
}
