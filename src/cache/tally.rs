//! What is there, counted once: who asks for room does not look at every file.
//!
//! The numbers stand in `.glance/space.lock`, the file of the lock that guards them. Every process of ours that
//! puts a file there or takes one away says so under that lock. What others do shows in the time of modification
//! of the directory, its *stamp*: a tally with another stamp is not believed, and the directory is counted anew.
//! A file that others write in place changes no stamp, so while there is one that may grow the directory is counted
//! again and again, and a sweep counts all of it from time to time, whatever the stamps say.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

use super::layout::{self, Layout, files, image_named};
use super::lock::SpaceLock;
use super::space;

/// A copy that others put there and wrote to so shortly ago may still grow. What is no copy may grow at any time.
const GROWS: TimeDelta = TimeDelta::seconds(10);

/// While files may grow, a tally is believed to the end of its second, and where counting takes long for so many times
/// as long.
const SHARE: u32 = 20;

/// And never for longer, in seconds: somebody may set the clock back.
const LONGEST: i64 = 60;

/// Sweeps that nobody is kept waiting for, before one that does.
const QUIET_SWEEPS: u32 = 3;

/// So many bytes of a part a file system may take or give back by itself, when it writes what it was given.
const LATER: u64 = 1024 * 1024;

const MAGIC: &str = "glance-tally-1";
/// A line of more bytes than it ever needs.
const LINE: usize = 320;

/// The directories that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Whole copies, at the top.
    Copies,
    /// Parts that nobody has open: those that somebody has are promised room.
    Parts,
    /// Bad data.
    Invalid,
}

impl Area {
    fn path(self, layout: &Layout) -> PathBuf {
        match self {
            Area::Copies => layout.root().to_owned(),
            Area::Parts => layout.parts(),
            Area::Invalid => layout.invalid(),
        }
    }
}

/// When a directory was last changed, in seconds and nanoseconds. None where that is not known.
type Stamp = Option<(i64, i64)>;

/// What is in one directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    stamp: Stamp,
    pub files: u64,
    pub bytes: u64,
}

impl Count {
    /// Whether it is believed.
    pub fn is_known(&self) -> bool {
        self.stamp.is_some()
    }

    /// After a change of ours.
    pub fn restamp(&mut self, layout: &Layout, area: Area) {
        self.stamp = stamp(layout, area);
    }
}

fn stamp(layout: &Layout, area: Area) -> Stamp {
    let found = fs::metadata(area.path(layout)).ok()?;
    Some((found.mtime(), found.mtime_nsec()))
}

/// What is in the cache directory, but for copies in the making.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub copies: Count,
    pub parts: Count,
    pub invalid: Count,
    /// Bytes at the top that are no copies'.
    pub strange: u64,
    /// Seconds since the epoch after which it is not believed; 0 for no end.
    until: i64,
}

impl Tally {
    /// What a lock file says; nothing where it says nothing.
    pub fn read(file: &File) -> Self {
        let mut line = [0; LINE];
        let read = file.read_at(&mut line, 0).unwrap_or(0);
        std::str::from_utf8(&line[..read])
            .ok()
            .and_then(Self::parse)
            .unwrap_or_default()
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        (words.next()? == MAGIC).then_some(())?;
        let mut number = || words.next()?.parse::<i64>().ok();
        let mut tally = Self::default();
        for count in [&mut tally.copies, &mut tally.parts, &mut tally.invalid] {
            let stamp = (number()?, number()?);
            *count = Count {
                stamp: (stamp.0 != 0).then_some(stamp),
                files: number()?.try_into().ok()?,
                bytes: number()?.try_into().ok()?,
            };
        }
        tally.strange = number()?.try_into().ok()?;
        tally.until = number()?;
        Some(tally)
    }

    pub fn write(&self, file: &File) -> io::Result<()> {
        let counts = [self.copies, self.parts, self.invalid].map(|count| {
            let (seconds, nanos) = count.stamp.unwrap_or_default();
            format!("{seconds} {nanos} {} {}", count.files, count.bytes)
        });
        let line = format!(
            "{MAGIC} {} {} {}",
            counts.join(" "),
            self.strange,
            self.until
        );
        let width = LINE - 1;
        file.write_all_at(format!("{line:<width$}\n").as_bytes(), 0)
    }

    /// What it says is taken, and what is, where that differs. To be asked under the lock.
    pub fn error(self, layout: &Layout, now: DateTime<Utc>) -> io::Result<Option<(u64, u64)>> {
        let said = self.completed(layout, now)?;
        let found = Self::default().completed(layout, now)?;
        let exact = |tally: &Self| {
            let Self {
                copies,
                parts,
                invalid,
                ..
            } = tally;
            let files = [copies.files, parts.files, invalid.files];
            (files, copies.bytes, invalid.bytes, tally.strange)
        };
        let blocks = said.parts.bytes.abs_diff(found.parts.bytes);
        let is_right = exact(&said) == exact(&found) && blocks <= found.parts.files * LATER;
        let sum = |tally: &Self| {
            let Self {
                copies,
                parts,
                invalid,
                ..
            } = tally;
            copies.bytes + parts.bytes + invalid.bytes + tally.strange
        };
        Ok((!is_right).then(|| (sum(&said), sum(&found))))
    }

    pub fn count_mut(&mut self, area: Area) -> &mut Count {
        match area {
            Area::Copies => &mut self.copies,
            Area::Parts => &mut self.parts,
            Area::Invalid => &mut self.invalid,
        }
    }

    /// The part of it that the stamps bear out.
    pub fn believed(mut self, layout: &Layout) -> Self {
        for area in [Area::Copies, Area::Parts, Area::Invalid] {
            let count = self.count_mut(area);
            if count.stamp != stamp(layout, area) {
                count.stamp = None;
            }
        }
        self
    }

    /// Counts what is not known.
    pub fn completed(mut self, layout: &Layout, now: DateTime<Utc>) -> io::Result<Self> {
        let left = self.until - now.timestamp();
        let ended = self.until != 0 && !(0..=LONGEST).contains(&left);
        if !self.copies.is_known() || ended {
            self.count_copies(layout, now)?;
        }
        if !self.parts.is_known() {
            self.parts = count_parts(layout)?;
        }
        if !self.invalid.is_known() {
            self.invalid = count_invalid(layout)?;
        }
        Ok(self)
    }

    fn count_copies(&mut self, layout: &Layout, now: DateTime<Utc>) -> io::Result<()> {
        let begun = Instant::now();
        // First the stamp: what changes while one counts makes it a wrong one.
        let stamp = stamp(layout, Area::Copies);
        let contents = layout.contents()?;
        let fresh = |at: DateTime<Utc>| (now - at).abs() < GROWS;
        let grows = contents.strangers > 0
            || contents
                .images
                .iter()
                .any(|image| fresh(image.modified) && !layout.spans(image.id).exists());
        self.copies = Count {
            stamp,
            files: contents.images.len() as u64,
            bytes: contents.images.iter().map(|image| image.size).sum(),
        };
        self.strange = contents.strange;
        let rest = i64::try_from((begun.elapsed() * SHARE).as_secs()).unwrap_or(LONGEST);
        self.until = if grows {
            now.timestamp() + rest.min(LONGEST)
        } else {
            0
        };
        Ok(())
    }
}

fn count_parts(layout: &Layout) -> io::Result<Count> {
    let mut count = Count {
        stamp: stamp(layout, Area::Parts),
        ..Count::default()
    };
    for (name, found) in files(&layout.parts())? {
        let promised =
            image_named(&name).is_some_and(|id| space::is_promised(layout, id, found.ino()));
        if !promised {
            count.files += 1;
            count.bytes += found.blocks() * 512;
        }
    }
    Ok(count)
}

fn count_invalid(layout: &Layout) -> io::Result<Count> {
    let stamp = stamp(layout, Area::Invalid);
    let found = files(&layout.invalid())?;
    Ok(Count {
        stamp,
        files: found.len() as u64,
        bytes: found.iter().map(|(_, found)| found.len()).sum(),
    })
}

/// Counts everything, whatever the stamps say. Nobody is kept waiting for it, unless the directory never rests.
pub fn sweep(layout: &Layout, now: DateTime<Utc>) -> io::Result<()> {
    for _ in 0..QUIET_SWEEPS {
        // A directory that is not there has nothing to count, and is not made for it.
        let Some(before) = known(layout)? else {
            return Ok(());
        };
        let counted = Tally::default().completed(layout, now)?;
        let lock = SpaceLock::take(layout)?;
        if lock.known() == before {
            settle(&lock, before, counted);
            return Ok(());
        }
    }
    let lock = SpaceLock::take(layout)?;
    let before = lock.known();
    settle(&lock, before, Tally::default().completed(layout, now)?);
    Ok(())
}

/// What is there, for who only tells of it: what has to be counted is counted without the lock, and nobody who
/// asks for room waits for that.
pub fn seen(layout: &Layout, now: DateTime<Utc>) -> io::Result<Tally> {
    let known = SpaceLock::look(layout)?.known();
    known.completed(layout, now)
}

fn known(layout: &Layout) -> io::Result<Option<Tally>> {
    if layout::open_existing(&layout.space_lock())?.is_none() {
        return Ok(None);
    }
    SpaceLock::look(layout).map(|lock| Some(lock.known()))
}

fn settle(lock: &SpaceLock, before: Tally, counted: Tally) {
    if before.copies.is_known() && before.copies.bytes != counted.copies.bytes {
        let (was, is) = (before.copies.bytes, counted.copies.bytes);
        tracing::warn!("copies of {is} bytes are in the cache directory in place of {was}");
    }
    if before != counted {
        lock.keep(counted);
    }
}

#[cfg(test)]
mod tests;
