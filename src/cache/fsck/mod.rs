//! Whether a directory keeps its rules, and making it keep them.
//!
//! It may be in use: a look is taken under the lock that gives out room, and what is wrong for a moment only is
//! the work of somebody, so it counts when every look of a few finds it again. Repairs are made under the same lock, of
//! what is then still wrong. No copy is read under it, so nobody waits for a disk.

mod bytes;
mod copies;
mod finding;
mod index;
mod kind;
mod names;
mod parts;
mod prove;
mod repair;
#[cfg(test)]
mod tests;

pub use finding::{Finding, Repair, Weight, What};
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
        let mut findings = self.at(self.look(records, &[]))?;
        for _ in 1..LOOKS {
            if !findings.iter().any(Finding::is_wrong) {
                break;
            }
            std::thread::sleep(MOMENT);
            let mut again = self.at(self.look(records, &findings))?;
            findings.retain(|first| {
                first.is_unchecked() || again.iter().any(|second| second.is_same(first))
            });
            // What cannot be looked at any more may be as wrong as before.
            again.retain(|second| {
                second.is_unchecked() && !findings.iter().any(|first| first.is_same(second))
            });
            findings.append(&mut again);
        }
        if scope == Scope::Bytes {
            let dead = findings.iter().filter_map(|finding| match finding.repair {
                Repair::PutAside(id) => Some(id),
                _ => None,
            });
            let dead: Vec<ImageId> = dead.collect();
            // Of these more is told now.
            findings.retain(|finding| finding.what != What::Moved);
            // At the end, for a repair takes them in order: what is put aside is cleared of what is bad.
            let bad = self.at(bytes::check(&self.layout, records, &dead))?;
            findings.extend(bad);
        }
        Ok(findings)
    }

    /// One look at everything but the bytes. An index that was away before is not waited for again.
    fn look(&self, records: &Records, before: &[Finding]) -> io::Result<Vec<Finding>> {
        let lock = SpaceLock::look(&self.layout)?;
        self.look_under(&lock, records, before)
    }

    fn look_under(
        &self,
        lock: &SpaceLock,
        records: &Records,
        before: &[Finding],
    ) -> io::Result<Vec<Finding>> {
        let (layout, now) = (&self.layout, self.clock.now());
        let mut findings = Vec::new();
        if Mark::read(layout)? == Mark::Torn {
            findings.push(Finding::new(".glance/format", What::Mark, Repair::Mark));
        }
        names::check(layout, &mut findings)?;
        copies::check(layout, records, &mut findings)?;
        parts::check(layout, (self.stall_time, now), lock, &mut findings)?;
        let is_away = |finding: &Finding| matches!(finding.what, What::IndexAway(_));
        if !before.iter().any(is_away) {
            index::check(layout, &mut findings)?;
        }
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
