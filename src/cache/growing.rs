//! Reading along with a copy that is being made.
//!
//! Within this process the writer says how far one may read; to other processes its table of spans does. Either way the last bytes are held back until all of it is proven to be the image's
//! data: who read a wrong beginning never gets to a proper end.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::FillBroken;
use super::layout::Layout;
use super::partial::Data;
use super::space::SpaceLock;
use super::spans::Table;
use crate::domain::ImageId;
use crate::stream::{Blob, ByteRange, ByteStream, read_file};

/// Bytes that nobody gets before the proof.
pub const HELD_BACK: u64 = 64 * 1024;

/// Who wants bytes that are further ahead of the writer than this does not wait for them.
const NEAR: u64 = 32 * 1024 * 1024;

/// How often the file of another process is looked at: at first, and at most.
const LOOK: Duration = Duration::from_millis(5);
const LOOK_SELDOM: Duration = Duration::from_millis(50);
/// A file that does not grow for so long may have lost its writer.
const SILENCE: Duration = Duration::from_millis(250);

/// How far a fill has come.
#[derive(Debug, Clone)]
pub enum Progress {
    /// So many bytes may be read.
    Growing(u64),
    /// All of it, so many bytes, is there and right.
    Verified(u64),
    Broken(FillBroken),
}

/// A fill in this process, as its readers see it.
#[derive(Debug)]
pub struct Fill {
    pub id: ImageId,
    pub file: Arc<File>,
    pub progress: watch::Sender<Progress>,
}

impl Fill {
    pub fn new(id: ImageId, file: File) -> Self {
        Self {
            id,
            file: Arc::new(file),
            progress: watch::Sender::new(Progress::Growing(0)),
        }
    }

    /// Whether who wants the byte at `position` will not have to wait for long.
    pub fn is_near(&self, position: u64) -> bool {
        match &*self.progress.borrow() {
            Progress::Growing(visible) => position < visible.saturating_add(NEAR),
            Progress::Verified(_) | Progress::Broken(_) => true,
        }
    }

    /// Says that there will be no more, unless there is all.
    pub fn break_off(&self, reason: impl Into<String>, resumable: bool) {
        self.progress.send_if_modified(|progress| {
            let open = matches!(progress, Progress::Growing(_));
            if open {
                *progress = Progress::Broken(FillBroken {
                    id: self.id,
                    reason: reason.into(),
                    resumable,
                });
            }
            open
        });
    }
}

/// A copy that is being made.
#[derive(Debug, Clone)]
pub struct Growing {
    size: Option<u64>,
    writer: Writer,
}

/// Who makes it.
#[derive(Debug, Clone)]
enum Writer {
    /// This process. Holding the receiver is what counts as reading along.
    Here(Arc<Fill>, watch::Receiver<Progress>),
    Sibling(Arc<Sibling>),
}

/// A fill in another process.
#[derive(Debug)]
struct Sibling {
    id: ImageId,
    size: Option<u64>,
    file: Arc<File>,
    /// Where its writer says how far it has come, once it has begun.
    table: Mutex<Option<Table>>,
    layout: Layout,
}

impl Growing {
    pub(super) fn here(fill: Arc<Fill>, size: Option<u64>) -> Self {
        let progress = fill.progress.subscribe();
        Self {
            size,
            writer: Writer::Here(fill, progress),
        }
    }

    pub(super) fn of_sibling(
        layout: Layout,
        id: ImageId,
        (file, table): (File, Option<Table>),
        size: Option<u64>,
    ) -> Self {
        Self {
            size,
            writer: Writer::Sibling(Arc::new(Sibling {
                id,
                size,
                file: Arc::new(file),
                table: Mutex::new(table),
                layout,
            })),
        }
    }

    /// The bytes as they arrive. Ends with an error whose inner error is [`FillBroken`] where the fill did
    /// not come to its end: who has the first n bytes may look again and read on from there, if it says so.
    pub fn read(self, range: Option<ByteRange>) -> Blob {
        let end = range.map(|range| range.end).or(self.size);
        let start = range.map_or(0, |range| range.start);
        let reader = Reader {
            writer: self.writer,
            position: start,
            end,
        };
        Blob {
            size: end.map(|end| end - start),
            bytes: reader.stream(),
        }
    }
}

/// Somebody who reads along.
struct Reader {
    writer: Writer,
    position: u64,
    end: Option<u64>,
}

impl Reader {
    fn stream(self) -> ByteStream {
        let parts = stream::try_unfold(self, |mut reader| async move {
            let part = reader.next().await?;
            Ok::<_, io::Error>(part.map(|part| (part, reader)))
        });
        parts.try_flatten().boxed()
    }

    /// The next part that may be read; none at the end.
    async fn next(&mut self) -> io::Result<Option<ByteStream>> {
        if self.end.is_some_and(|end| self.position >= end) && self.position > 0 {
            return Ok(None);
        }
        let (file, visible) = match &mut self.writer {
            Writer::Here(fill, progress) => {
                let seen = beyond(fill.id, progress, self.position).await;
                (Arc::clone(&fill.file), seen)
            }
            Writer::Sibling(sibling) => {
                let seen = Arc::clone(sibling).beyond(self.position).await;
                (Arc::clone(&sibling.file), seen)
            }
        };
        let visible = visible.map_err(io::Error::other)?;
        let end = self.end.map_or(visible, |end| end.min(visible));
        if end <= self.position {
            return Ok(None);
        }
        let part = ByteRange {
            start: self.position,
            end,
        };
        self.position = end;
        Ok(Some(read_file(file, part)))
    }
}

/// Waits until more than `position` bytes may be read, or all there are.
pub async fn beyond(
    id: ImageId,
    progress: &mut watch::Receiver<Progress>,
    position: u64,
) -> Result<u64, FillBroken> {
    let seen = progress
        .wait_for(|progress| match progress {
            Progress::Growing(visible) => *visible > position,
            Progress::Verified(_) | Progress::Broken(_) => true,
        })
        .await;
    match seen.as_deref() {
        Ok(Progress::Growing(visible) | Progress::Verified(visible)) => Ok(*visible),
        Ok(Progress::Broken(broken)) => Err(broken.clone()),
        Err(_) => Err(FillBroken {
            id,
            reason: "its writer is gone".into(),
            resumable: true,
        }),
    }
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
    async fn beyond(self: Arc<Self>, position: u64) -> Result<u64, FillBroken> {
        let mut pause = LOOK;
        let mut since = Instant::now();
        let mut longest = 0;
        loop {
            let silent = since.elapsed() >= SILENCE;
            let sibling = Arc::clone(&self);
            let look = tokio::task::spawn_blocking(move || sibling.look(silent)).await;
            match look.map_err(|error| self.broken(&error.to_string(), true))? {
                Look::Whole(size) => return Ok(size),
                Look::Broken(broken) => return Err(broken),
                Look::Visible(visible) if visible > position => return Ok(visible),
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
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.is_none() {
            let opened = Table::open(&self.layout, self.id).ok().flatten();
            *table = opened.filter(|table| table.inode == found.ino());
        }
        let filled = match table.as_ref().map(Table::filled) {
            Some(Ok(Some(filled))) => filled,
            Some(Ok(None)) => return Look::Broken(self.broken("its writer gave up", true)),
            Some(Err(_)) | None => 0,
        };
        Look::Visible(match self.size {
            Some(size) => filled.min(size.saturating_sub(HELD_BACK)),
            None => filled.saturating_sub(HELD_BACK),
        })
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
        }
    }
}
