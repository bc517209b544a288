//! Whether a directory keeps its rules, and making it keep them.
//!
//! It may be in use: a look is taken under the lock that gives out room, and what is wrong for a moment only is
//! the work of somebody, so it counts when every look of a few finds it again. Repairs are made under the same lock, of
//! what is then still wrong. No copy is read under it, so nobody waits for a disk.

mod bytes;
mod copies;
mod finding;
mod index;
mod names;
mod parts;
mod repair;

pub use finding::{Finding, Repair, What};
pub use repair::Outcome;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::format::{self, Mark};
use super::layout::Layout;
use super::space::SpaceLock;
use super::{Error, Expected, Result, inventory};
use crate::clock::Clock;
use crate::config::CacheConfig;
use crate::domain::ImageId;

/// How often one looks at what is wrong. A copy that comes and goes all the time lacks its row now and then.
const LOOKS: u32 = 9;
/// How long one waits for the next look. What a service is at takes no longer than all of them.
const MOMENT: Duration = Duration::from_millis(250);

/// What the database says of an image.
#[derive(Debug, Clone)]
pub enum Record {
    Deleted,
    /// It has never had such an image.
    Unknown,
    Image(Expected),
}

/// What the database says, of the images that it was asked for.
pub type Records = HashMap<ImageId, Record>;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Names, sizes, tables and rows.
    Rules,
    /// Every byte as well.
    Bytes,
}

/// A directory that is checked.
#[derive(Debug)]
pub struct Fsck {
    layout: Layout,
    stall_time: Duration,
    clock: Clock,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub copies: u64,
    pub parts: u64,
    pub queued: u64,
}

impl Fsck {
    /// An error where the directory cannot be read, or is a newer program's.
    pub fn open(config: &CacheConfig, clock: Clock) -> Result<Self> {
        let layout = Layout::new(&config.dir, &config.index_file);
        let readable = std::fs::read_dir(layout.root()).and_then(|_| format::check(&layout));
        readable.map_err(|error| Error::at(&layout, error))?;
        Ok(Self {
            stall_time: config.stall_time,
            clock,
            layout,
        })
    }

    /// The images that have a copy, a part, a wish or a pin here: what the database may be asked for.
    pub fn images(&self) -> Result<Vec<ImageId>> {
        self.at(inventory::images(&self.layout))
    }

    pub fn copies(&self) -> Result<Vec<ImageId>> {
        let contents = self.at(self.layout.contents())?;
        Ok(contents.images.into_iter().map(|image| image.id).collect())
    }

    pub fn counts(&self) -> Result<Counts> {
        self.at(names::counts(&self.layout))
    }

    /// What is wrong. Changes nothing.
    pub fn check(&self, records: &Records, scope: Scope) -> Result<Vec<Finding>> {
        let mut findings = self.at(self.look(records))?;
        for _ in 1..LOOKS {
            if !findings.iter().any(Finding::may_pass) {
                break;
            }
            std::thread::sleep(MOMENT);
            let again = self.at(self.look(records))?;
            findings.retain(|first| again.iter().any(|second| second.is_same(first)));
        }
        if scope == Scope::Bytes {
            let dead = findings.iter().filter_map(|finding| match finding.repair {
                Repair::PutAside(id) => Some(id),
                _ => None,
            });
            let dead: Vec<ImageId> = dead.collect();
            // At the end, for a repair takes them in order: what is put aside is cleared of what is bad.
            let bad = self.at(bytes::check(&self.layout, records, &dead))?;
            findings.extend(bad);
        }
        Ok(findings)
    }

    /// One look at everything but the bytes.
    fn look(&self, records: &Records) -> io::Result<Vec<Finding>> {
        let lock = SpaceLock::look(&self.layout)?;
        self.look_under(&lock, records)
    }

    fn look_under(&self, lock: &SpaceLock, records: &Records) -> io::Result<Vec<Finding>> {
        let (layout, now) = (&self.layout, self.clock.now());
        let mut findings = Vec::new();
        if Mark::read(layout)? == Mark::Torn {
            findings.push(Finding::new(".glance/format", What::Mark, Repair::Mark));
        }
        names::check(layout, &mut findings)?;
        copies::check(layout, records, &mut findings)?;
        parts::check(layout, (self.stall_time, now), lock, &mut findings)?;
        index::check(layout, &mut findings)?;
        if let Some((said, found)) = lock.known().error(layout, now)? {
            let what = What::Tally { said, found };
            let path = inside(layout, &layout.space_lock());
            findings.push(Finding::new(path, what, Repair::Count));
        }
        Ok(findings)
    }

    fn at<T>(&self, result: io::Result<T>) -> Result<T> {
        result.map_err(|error| Error::at(&self.layout, error))
    }
}

/// A path in the directory, as findings name it.
fn inside(layout: &Layout, path: &Path) -> std::path::PathBuf {
    path.strip_prefix(layout.root()).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn what_no_service_makes_is_looked_at_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("notes.txt"), b"mine").unwrap();
        let config = CacheConfig::at(dir.path().to_owned());
        // Every look asks for the time.
        let looks = Arc::new(AtomicU32::new(0));
        let clock = {
            let looks = Arc::clone(&looks);
            Clock::from_fn(move || {
                looks.fetch_add(1, Ordering::Relaxed);
                Clock::system().now()
            })
        };
        let fsck = Fsck::open(&config, clock).unwrap();
        let found = fsck.check(&Records::new(), Scope::Rules).unwrap();
        assert!(found.iter().any(|finding| finding.what == What::Foreign));
        assert_eq!(looks.load(Ordering::Relaxed), 1, "{found:?}");
    }
}
