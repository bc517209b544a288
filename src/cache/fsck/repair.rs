//! Making a directory keep its rules.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

use super::prove::Hashed;
use super::{Finding, Fsck, Records, Repair, What, bytes, index, inside};
use crate::cache::layout::{self, Layout, names};
use crate::cache::partial::GROWING;
use crate::cache::space::SpaceLock;
use crate::cache::spans::Table;
use crate::cache::tally::Tally;
use crate::cache::{Result, evict, format, parked};
use crate::domain::ImageId;
use crate::telemetry::counters::Reason;

/// What became of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// It is still as it was, and why.
    Left(String),
}

impl Fsck {
    /// Repairs what [`Fsck::check`] has found, as far as it is still so.
    pub fn repair(
        &self,
        findings: Vec<Finding>,
        records: &Records,
    ) -> Result<Vec<(Finding, Outcome)>> {
        let mut outcomes = Vec::new();
        let mut rows = false;
        let findings: Vec<Finding> = findings.into_iter().map(|one| self.hashed(one)).collect();
        {
            let lock = self.at(self.take_lock(&findings))?;
            let now = self.at(self.look_under(&lock, records, &findings))?;
            for finding in findings {
                let bytes = matches!(
                    finding.repair,
                    Repair::Park(..) | Repair::Clear(..) | Repair::Bind(..) | Repair::Settle(_)
                );
                let still = bytes || now.iter().any(|other| other.is_same(&finding));
                rows |= matches!(
                    finding.repair,
                    Repair::Mend | Repair::Leave(_) | Repair::Park(..) | Repair::Settle(_)
                );
                let done = if still || matches!(finding.repair, Repair::Leave(_)) {
                    self.apply(&finding, &lock)
                } else {
                    Ok(Outcome::Done)
                };
                let outcome = done.unwrap_or_else(|error| Outcome::Left(error.to_string()));
                outcomes.push((finding, outcome));
            }
            if !outcomes.is_empty() {
                let counted = Tally::default().completed(&self.layout, self.clock.now());
                lock.keep(self.at(counted)?);
            }
        }
        // Not under the lock: others may hold the index for a while.
        if rows && let Err(error) = index::mend(&self.layout) {
            for (finding, outcome) in &mut outcomes {
                if finding.repair == Repair::Mend {
                    *outcome = Outcome::Left(error.to_string());
                }
            }
        }
        Ok(outcomes)
    }

    /// Reads what has to be read before one knows what to do, without the lock.
    fn hashed(&self, finding: Finding) -> Finding {
        let Repair::Prove(id, proof) = &finding.repair else {
            return finding;
        };
        match Hashed::of(&self.layout, *id, proof) {
            Ok(Some(hashed)) => Finding {
                repair: Repair::Settle(hashed),
                ..finding
            },
            // It is gone. What cannot be read stays, and is told of.
            Ok(None) => finding,
            Err(error) => {
                tracing::warn!(image.id = %id, "the copy of image {id} cannot be read: {error}");
                finding
            }
        }
    }

    /// Takes the lock, for which nothing but a file may be in the place of one.
    fn take_lock(&self, findings: &[Finding]) -> io::Result<SpaceLock> {
        let path = self.layout.space_lock();
        let place = inside(&self.layout, &path);
        if let Some(finding) = findings.iter().find(|finding| finding.path == place) {
            match finding.repair {
                Repair::Remove => drop(layout::remove(&path)?),
                Repair::RemoveDirectory => fs::remove_dir(&path)?,
                Repair::MoveAside => move_aside(&self.layout, &path)?,
                _ => {}
            }
        }
        SpaceLock::take(&self.layout)
    }

    fn apply(&self, finding: &Finding, lock: &SpaceLock) -> io::Result<Outcome> {
        let layout = &self.layout;
        let path = layout.root().join(&finding.path);
        match &finding.repair {
            Repair::Remove => drop(layout::remove(&path)?),
            Repair::RemoveDirectory => fs::remove_dir(&path)?,
            Repair::MoveAside => move_aside(layout, &path)?,
            Repair::Settle(hashed) => {
                if !hashed.settle(layout, self.clock.now(), lock)? {
                    let why = "it has changed meanwhile: check again";
                    return Ok(Outcome::Left(why.to_owned()));
                }
            }
            Repair::Bind(id, inode) => bind(layout, *id, *inode)?,
            Repair::Leave(id) => {
                evict::under(lock, layout, *id, reason(&finding.what))?;
            }
            Repair::Forget(id) => drop(layout::remove(&layout.spans(*id))?),
            Repair::PutAside(id) => drop(parked::put(layout, *id, lock)?),
            Repair::Park(id, bad) => park(layout, *id, bad, lock)?,
            Repair::Clear(id, bad) => return clear(layout, *id, bad, lock),
            Repair::Drop(id) => drop_part(layout, *id)?,
            Repair::Give(user, group) => {
                if let Some(file) = layout::open_existing(&path)? {
                    fchown(file, Some(*user), Some(*group))?;
                }
            }
            Repair::Mark => format::mark(layout)?,
            // Made once for all, by whoever has asked.
            Repair::Mend | Repair::Count | Repair::Tell(_) => {}
            Repair::Prove(..) => {
                let why = "it cannot be read, or is gone: check again";
                return Ok(Outcome::Left(why.to_owned()));
            }
            Repair::Nothing(why) => return Ok(Outcome::Left((*why).to_owned())),
        }
        Ok(Outcome::Done)
    }
}

/// Moves a directory that is in the way where it is in nobody's: nothing takes directories away there, and what is in it
/// is somebody's.
fn move_aside(layout: &Layout, path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let places = (1..).map(|number| layout.invalid().join(format!("{name}.moved-{number}")));
    let free = |place: &PathBuf| fs::symlink_metadata(place).is_err();
    let place = { places }.find(free).unwrap_or_default();
    fs::rename(path, place)
}

/// Makes the table of a copy whose bytes were compared with it that of its file.
fn bind(layout: &Layout, id: ImageId, inode: u64) -> io::Result<()> {
    let Some(file) = layout::open_existing(&layout.image(id))? else {
        return Ok(());
    };
    match bytes::copy_table(layout, id, &file)? {
        Some(table) if file.metadata()?.ino() == inode => table.bind(inode),
        // It is another copy by now.
        Some(_) | None => Ok(()),
    }
}

/// Why a copy leaves.
fn reason(what: &What) -> Reason {
    match what {
        What::Deleted => Reason::Deleted,
        What::ImageSize { .. } | What::OtherData => Reason::Stale,
        _ => Reason::Bad,
    }
}

/// A copy with bad spans becomes a part without them; the next fill fetches no more than those. Who reads the copy
/// goes on: its bytes stay where they are.
fn park(layout: &Layout, id: ImageId, bad: &[u64], lock: &SpaceLock) -> io::Result<()> {
    let place = layout.image(id);
    let Some(file) = layout::open_to_write(&place)? else {
        return Ok(());
    };
    let Some(table) = bytes::copy_table(layout, id, &file)? else {
        return Ok(());
    };
    let size = table.size.unwrap_or(0);
    let still: Vec<u64> = bad
        .iter()
        .copied()
        .filter(|span| bytes::is_bad(&file, &table, *span, size))
        .collect();
    if still.is_empty() {
        return Ok(());
    }
    // The room of another part is not worth two files of one image.
    if parked::is_in_use(layout, id, lock)? || layout.partial(id).exists() {
        return evict::under(lock, layout, id, Reason::Bad).map(drop);
    }
    for span in still {
        table.clear(span)?;
    }
    table.bind(file.metadata()?.ino())?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(GROWING))?;
    if names(&place, &file.metadata()?) {
        fs::rename(place, layout.part(id))?;
    }
    Ok(())
}

fn clear(layout: &Layout, id: ImageId, bad: &[u64], lock: &SpaceLock) -> io::Result<Outcome> {
    let Some(file) = layout::open_to_write(&layout.part(id))? else {
        return Ok(Outcome::Done);
    };
    if parked::is_held(&file, lock)? {
        let why = "a service uses it, and compares each span before it is read";
        return Ok(Outcome::Left(why.to_owned()));
    }
    if let Some(table) = bytes::own_table(layout, id, &file)? {
        for span in bad {
            table.clear(*span)?;
        }
        if table.here() == 0 {
            parked::remove(layout, id, lock)?;
        }
    }
    Ok(Outcome::Done)
}

/// Removes a part, and its table where that is its own.
fn drop_part(layout: &Layout, id: ImageId) -> io::Result<()> {
    let part = layout.part(id);
    if let Some(file) = layout::open_existing(&part)? {
        let inode = file.metadata()?.ino();
        if Table::open(layout, id)?.is_none_or(|table| table.inode == inode) {
            layout::remove(&layout.spans(id))?;
        }
        layout::remove(&part)?;
    }
    Ok(())
}
