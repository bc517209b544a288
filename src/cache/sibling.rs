//! Reading along with a fill of another process of this node: its table of spans says how far it has come, and the
//! mode of its file whether all of it is proven.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::FillBroken;
use super::growing::{HELD_BACK, Seen};
use super::layout::Layout;
use super::node::blocking;
use super::partial::Data;
use super::pieces::Known;
use super::space::SpaceLock;
use super::spans::Table;
use super::sums::Sum;
use crate::domain::ImageId;

/// How often the file of another process is looked at: at first, and at most.
const LOOK: Duration = Duration::from_millis(5);
const LOOK_SELDOM: Duration = Duration::from_millis(50);
/// A file that does not grow for so long may have lost its writer.
const SILENCE: Duration = Duration::from_millis(250);

/// A fill in another process.
#[derive(Debug)]
pub struct Sibling {
    id: ImageId,
    size: Option<u64>,
    pub file: Arc<File>,
    /// Where its writer says how far it has come, once it has begun.
    table: Mutex<Option<Table>>,
    layout: Layout,
    /// What is known of spans that were read from the file.
    pub known: Known,
}

/// What a look at a sibling's file shows.
enum Look {
    /// So many bytes may be read, and more may come.
    Visible(u64),
    /// All of it is there and right.
    Whole(u64),
    Broken(FillBroken),
}

impl Sibling {
    pub fn new(
        layout: Layout,
        id: ImageId,
        (file, table): (File, Option<Table>),
        size: Option<u64>,
    ) -> Self {
        Self {
            id,
            size,
            file: Arc::new(file),
            table: Mutex::new(table),
            layout,
            known: Known::default(),
        }
    }

    /// Waits until more than `position` bytes may be read, or all there are.
    pub async fn beyond(self: Arc<Self>, position: u64) -> Result<Seen, FillBroken> {
        let mut pause = LOOK;
        let mut since = Instant::now();
        let mut longest = 0;
        loop {
            let silent = since.elapsed() >= SILENCE;
            let sibling = Arc::clone(&self);
            let look = tokio::task::spawn_blocking(move || sibling.look(silent)).await;
            match look.map_err(|error| self.broken(&error.to_string(), true))? {
                Look::Whole(size) => {
                    return Ok(Seen {
                        visible: size,
                        whole: true,
                    });
                }
                Look::Broken(broken) => return Err(broken),
                Look::Visible(visible) if visible > position => {
                    return Ok(Seen {
                        visible,
                        whole: false,
                    });
                }
                Look::Visible(visible) if visible > longest || silent => {
                    longest = visible;
                    since = Instant::now();
                }
                Look::Visible(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_SELDOM);
        }
    }

    /// Looks how far the file has come, and where it is silent, whether anybody still writes it.
    fn look(&self, silent: bool) -> Look {
        let found = match self.file.metadata() {
            Ok(found) => found,
            Err(error) => return Look::Broken(self.broken(&error.to_string(), true)),
        };
        match Data::of(&found) {
            Data::Verified => return Look::Whole(found.len()),
            Data::Bad => return Look::Broken(self.broken("its data was not the image's", false)),
            Data::Growing => {}
        }
        if silent && !self.is_written() {
            return self.end();
        }
        let filled = match self.table(found.ino()).as_ref().map(Table::filled) {
            Some(Ok(Some(filled))) => filled,
            Some(Ok(None)) => return Look::Broken(self.broken("its writer gave up", true)),
            Some(Err(_)) | None => 0,
        };
        Look::Visible(match self.size {
            Some(size) => filled.min(size.saturating_sub(HELD_BACK)),
            None => filled.saturating_sub(HELD_BACK),
        })
    }

    /// The table, once there is one of this file.
    fn table(&self, inode: u64) -> MutexGuard<'_, Option<Table>> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.is_none() {
            let opened = Table::open(&self.layout, self.id).ok().flatten();
            *table = opened.filter(|table| table.inode == inode);
        }
        table
    }

    /// The checksum of a span that its writer has written; none where there is none to be had.
    pub async fn sum(self: Arc<Self>, span: u64) -> io::Result<Option<Sum>> {
        blocking(move || {
            let table = self.table(self.file.metadata()?.ino());
            table.as_ref().map_or(Ok(None), |table| table.sum_now(span))
        })
        .await
    }

    /// Whether a process holds the lock of the file.
    fn is_written(&self) -> bool {
        // Where the directory is gone nobody claims anything, and the question harms nobody.
        let _lock = SpaceLock::take(&self.layout);
        let free = fs2::FileExt::try_lock_shared(&*self.file).is_ok();
        if free {
            // Closing would do it as well, but this reader goes on.
            let _ = fs2::FileExt::unlock(&*self.file);
        }
        !free
    }

    /// What came of a fill that nobody goes on with.
    fn end(&self) -> Look {
        match self.file.metadata() {
            Ok(found) if Data::of(&found) == Data::Verified => Look::Whole(found.len()),
            Ok(found) if Data::of(&found) == Data::Bad => {
                Look::Broken(self.broken("its data was not the image's", false))
            }
            _ => Look::Broken(self.broken("its writer gave up or died", true)),
        }
    }

    fn broken(&self, reason: &str, resumable: bool) -> FillBroken {
        FillBroken {
            id: self.id,
            reason: reason.to_owned(),
            resumable,
            tail: None,
        }
    }
}
