//! The lock on the cache directory, and the tally that its file keeps.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fs2::FileExt as _;

use super::format;
use super::layout::{self, Layout, names};
use super::tally::{Area, Tally};
use crate::domain::ImageId;

/// How often, and after which pauses, it is asked for where nobody waits for it.
const ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(2);

/// The right to give room away, to move files into their place, and to ask whose a partial file is.
#[derive(Debug)]
pub struct SpaceLock {
    file: Option<File>,
    tally: Cell<Tally>,
    /// Whether it may be written down.
    writable: bool,
}

impl SpaceLock {
    /// Waits for it where there is one, and changes nothing: where no process of ours has ever been, there
    /// is nobody to keep out.
    pub fn look(layout: &Layout) -> io::Result<Self> {
        let file = layout::open_existing(&layout.space_lock())?;
        if let Some(file) = &file {
            fs2::FileExt::lock_shared(file)?;
        }
        format::check(layout)?;
        Ok(Self::held(layout, file, false))
    }

    /// Waits for it. Creates the directories where they are missing.
    pub fn take(layout: &Layout) -> io::Result<Self> {
        let path = layout.space_lock();
        loop {
            let opened = OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .mode(0o644)
                .open(&path);
            let file = match opened {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    layout.prepare()?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            layout.adopt(&file)?;
            match file.lock_exclusive() {
                // The lock of a file that lost its name meanwhile keeps nobody out.
                Ok(()) if names(&path, &file.metadata()?) => {
                    format::check(layout)?;
                    return Ok(Self::held(layout, Some(file), true));
                }
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for it, but not for long: for who may hold it already, somewhere up its stack.
    pub fn try_take(layout: &Layout) -> io::Result<Option<Self>> {
        for _ in 0..ATTEMPTS {
            let Some(file) = layout::open_to_write(&layout.space_lock())? else {
                return Ok(None);
            };
            match file.try_lock_exclusive() {
                Ok(()) if names(&layout.space_lock(), &file.metadata()?) => {
                    return Ok(Some(Self::held(layout, Some(file), true)));
                }
                Ok(()) => {}
                Err(error) if error.kind() == fs2::lock_contended_error().kind() => {}
                Err(error) => return Err(error),
            }
            std::thread::sleep(PAUSE);
        }
        Ok(None)
    }

    fn held(layout: &Layout, file: Option<File>, writable: bool) -> Self {
        let tally = file.as_ref().map(Tally::read).unwrap_or_default();
        Self {
            file,
            tally: Cell::new(tally.believed(layout)),
            writable,
        }
    }

    /// What is there. A directory that others have changed is counted anew.
    pub fn tally(&self, layout: &Layout, now: DateTime<Utc>) -> io::Result<Tally> {
        let known = self.tally.get();
        let tally = known.completed(layout, now)?;
        if tally != known {
            self.keep(tally);
        }
        Ok(tally)
    }

    /// What is known without counting anything.
    pub fn known(&self) -> Tally {
        self.tally.get()
    }

    /// Writes down what was counted.
    pub fn keep(&self, tally: Tally) {
        self.tally.set(tally);
        if let Some(file) = self.file.as_ref().filter(|_| self.writable)
            && let Err(error) = tally.write(file)
        {
            // Its stamps do not fit any more, so it is counted anew.
            tracing::debug!("the tally of the cache directory is not written: {error}");
        }
    }

    /// So many files and bytes more are there, put there under this lock.
    pub fn came(&self, layout: &Layout, area: Area, files: u64, bytes: u64) {
        self.note(layout, area, |count| {
            count.files += files;
            count.bytes += bytes;
        });
    }

    /// So many files and bytes are gone, taken away under this lock.
    pub fn went(&self, layout: &Layout, area: Area, files: u64, bytes: u64) {
        self.note(layout, area, |count| {
            count.files = count.files.saturating_sub(files);
            count.bytes = count.bytes.saturating_sub(bytes);
        });
    }

    /// Puts a file with data that is not the image's aside, in the place of what was put there before.
    pub fn put_aside(&self, layout: &Layout, id: ImageId, from: &Path) -> io::Result<()> {
        let aside = layout.invalid().join(id.as_str());
        let (bytes, before) = (length(from)?.unwrap_or(0), length(&aside)?);
        if layout::renamed(fs::rename(from, aside))? {
            self.note(layout, Area::Invalid, |count| {
                count.files += u64::from(before.is_none());
                count.bytes = (count.bytes + bytes).saturating_sub(before.unwrap_or(0));
            });
        }
        Ok(())
    }

    fn note(&self, layout: &Layout, area: Area, change: impl FnOnce(&mut super::tally::Count)) {
        let mut tally = self.tally.get();
        let count = tally.count_mut(area);
        if count.is_known() {
            change(count);
            count.restamp(layout, area);
            self.keep(tally);
        }
    }
}

/// Bytes of a file; none where there is none.
fn length(path: &Path) -> io::Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(found.is_file().then_some(found.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
