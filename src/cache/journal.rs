//! The index beside a running service: one thread owns it and writes in batches.
//!
//! Nobody waits for it but those who want to read it, and no download does. What other processes write is learned
//! on the side, within a second. What cannot be written now, because another process
//! holds the index or its disk is full, stays here and is tried again.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, oneshot};

use super::eviction::Standing;
use super::index::Index;
use super::layout::{Layout, Placed};
use super::residents::Residents;
use super::rows::{Change, Changes, Known, Life, Row, Rows};
use crate::domain::ImageId;

/// How long a change may stay unwritten.
const BATCH: Duration = Duration::from_millis(250);
/// How long to leave an index alone that could not be written.
const RETRY: Duration = Duration::from_secs(1);
/// How often to look whether other processes have written.
const LOOK: Duration = Duration::from_secs(1);
/// How often a last write is tried at the end.
const LAST_ATTEMPTS: u32 = 5;

#[derive(Debug)]
enum Message {
    Committed(ImageId, DateTime<Utc>, Option<Standing>, Option<Life>),
    Hit(ImageId, DateTime<Utc>, Option<Standing>),
    Gone(ImageId),
    Moved(Vec<(ImageId, Option<Standing>)>),
    Life(ImageId, Option<Duration>, Option<Standing>),
    Mend(Vec<Placed>, oneshot::Sender<Rows>),
    Row(ImageId, oneshot::Sender<Option<Row>>),
    Adopt(Vec<Known>, Vec<Placed>, oneshot::Sender<bool>),
    Close(oneshot::Sender<()>),
}

/// The way to the thread. Sending never blocks; after the end it goes nowhere.
#[derive(Debug)]
pub struct Journal {
    sender: Option<Sender<Message>>,
    residents: Arc<Residents>,
    thread: Option<JoinHandle<()>>,
    changed: Notify,
}

/// Whoever did not close it waits here until the thread has left the directory.
impl Drop for Journal {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told by the thread.
            let _ = thread.join();
        }
    }
}

impl Journal {
    pub fn start(layout: Layout, residents: &Arc<Residents>) -> Self {
        let (sender, inbox) = mpsc::channel();
        let writer = Writer {
            index: Index::new(layout.clone()),
            layout,
            residents: Arc::clone(residents),
            pending: Changes::new(),
            due: None,
            failing: false,
            learned: 0,
            version: None,
        };
        let thread = std::thread::Builder::new().name("cache-index".into());
        let thread = thread
            .spawn(move || writer.run(&inbox))
            .inspect_err(|error| tracing::error!("hits of cached images are not counted: {error}"))
            .ok();
        Self {
            sender: Some(sender),
            residents: Arc::clone(residents),
            thread,
            changed: Notify::new(),
        }
    }

    /// Waits for the next change, or for none where there was one since.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    pub fn committed(&self, id: ImageId, size: u64, at: DateTime<Utc>) {
        let standing = self.residents.came(id, size, at);
        // What was said of it before it was here is not written down yet.
        let life = self.residents.life(id).map(|life| Life(Some(life)));
        self.send(Message::Committed(id, at, standing, life));
        self.changed.notify_one();
    }

    /// A whole download from the copy.
    pub fn hit(&self, id: ImageId, at: DateTime<Utc>) {
        let standing = self.residents.used(id, at);
        self.send(Message::Hit(id, at, standing));
        self.changed.notify_one();
    }

    pub fn gone(&self, id: ImageId) {
        self.residents.gone(id);
        self.send(Message::Gone(id));
        self.changed.notify_one();
    }

    /// Others have left for somebody, and that changed where some stand.
    pub fn moved(&self) {
        let moved = self.residents.moved();
        if !moved.is_empty() {
            self.send(Message::Moved(moved));
        }
    }

    /// How long an image may stay unused, apart from what holds for all. True where that is new.
    pub fn live(&self, id: ImageId, life: Option<Duration>) -> bool {
        let new = self.residents.live(id, life);
        if new {
            self.send(Message::Life(id, life, self.residents.standing(id)));
        }
        new
    }

    /// Makes rows and files agree, and says what the rows are; none where the index cannot be had.
    pub async fn mend(&self, images: Vec<Placed>) -> Rows {
        let (reply, rows) = oneshot::channel();
        self.send(Message::Mend(images, reply));
        rows.await.unwrap_or_default()
    }

    /// What is known of the use of one image.
    pub async fn row(&self, id: ImageId) -> Option<Row> {
        let (reply, row) = oneshot::channel();
        self.send(Message::Row(id, reply));
        row.await.ok().flatten()
    }

    /// Takes over what others have counted of these copies. False where the index cannot be had.
    pub async fn adopt(&self, known: Vec<Known>, images: Vec<Placed>) -> bool {
        let (reply, adopted) = oneshot::channel();
        self.send(Message::Adopt(known, images, reply));
        adopted.await.unwrap_or(false)
    }

    /// Writes what is left and closes the index.
    pub async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        self.send(Message::Close(reply));
        // An error says that it was closed before.
        let _ = closed.await;
    }

    fn send(&self, message: Message) {
        if let Some(sender) = &self.sender {
            // Nobody listens after the end; then nothing is to be written either.
            let _ = sender.send(message);
        }
    }
}

struct Writer {
    index: Index,
    layout: Layout,
    residents: Arc<Residents>,
    pending: Changes,
    /// When what is pending will be written.
    due: Option<Instant>,
    /// The last write failed, and the log says so.
    failing: bool,
    /// The number of the last change of anybody that is known here.
    learned: i64,
    /// Of the index, when it was last looked at.
    version: Option<i64>,
}

impl Writer {
    fn run(mut self, inbox: &Receiver<Message>) {
        while let Some(message) = self.next(inbox) {
            match message {
                Message::Committed(id, at, standing, life) => {
                    // The hits of those who were quicker than this message are kept.
                    let change = self.change(id);
                    change.committed = Some(at);
                    change.standing = standing;
                    change.life = life.or(change.life);
                }
                Message::Hit(id, at, standing) => {
                    let change = self.change(id);
                    change.standing = standing.or(change.standing);
                    change.hits += 1;
                    change.last_accessed = change.last_accessed.max(Some(at));
                }
                Message::Gone(id) => *self.change(id) = Change::default(),
                Message::Moved(moved) => {
                    for (id, standing) in moved {
                        self.change(id).standing = standing;
                    }
                }
                Message::Life(id, life, standing) => {
                    let change = self.change(id);
                    change.life = Some(Life(life));
                    change.standing = standing.or(change.standing);
                }
                Message::Mend(images, reply) => {
                    self.write();
                    // Who asked may have left.
                    let _ = reply.send(self.mend(&images));
                }
                Message::Row(id, reply) => {
                    let row = self.index.row(id).ok().flatten();
                    let rows = row.into_iter().map(|row| (id, row)).collect();
                    let pending = self.pending.get(&id).map(|change| (id, *change));
                    let row = with_pending(rows, &pending.into_iter().collect()).remove(&id);
                    // Who asked may have left.
                    let _ = reply.send(row);
                }
                Message::Adopt(known, images, reply) => {
                    self.write();
                    // Who asked may have left.
                    let _ = reply.send(self.adopt(&known, &images));
                }
                Message::Close(reply) => {
                    self.finish();
                    let _ = reply.send(());
                    return;
                }
            }
        }
        self.finish();
    }

    /// The next message, with writing done in between; none at the end.
    fn next(&mut self, inbox: &Receiver<Message>) -> Option<Message> {
        loop {
            let now = Instant::now();
            let due = self.due.unwrap_or(now + LOOK);
            match inbox.recv_timeout(due.saturating_duration_since(now)) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Timeout) if self.due.is_some() => self.write(),
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn change(&mut self, id: ImageId) -> &mut Change {
        self.due.get_or_insert_with(|| Instant::now() + BATCH);
        self.pending.entry(id).or_default()
    }

    fn write(&mut self) {
        self.due = None;
        if self.pending.is_empty() {
            return;
        }
        match self.index.record(&self.pending) {
            Ok(()) => {
                self.pending.clear();
                self.renew();
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the cache index can be written again");
                }
            }
            Err(error) => {
                self.due = Some(Instant::now() + RETRY);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(
                        "the cache index cannot be written, hits are kept in memory: {error}"
                    );
                }
            }
        }
    }

    /// Learns what other processes have written, where they have.
    fn look(&mut self) {
        // An index that cannot be had now can be had later.
        let Ok(version) = self.index.version() else {
            return;
        };
        if version != std::mem::replace(&mut self.version, version) {
            self.learn();
        }
        self.renew();
    }

    /// Gives an index its rows back that was lost while this process runs.
    fn renew(&mut self) {
        if self.index.is_anew()
            && let Ok(contents) = self.layout.contents()
        {
            self.mend(&contents.images);
        }
    }

    fn mend(&mut self, images: &[Placed]) -> Rows {
        let rows = self.index.mend(images).or_else(|error| {
            tracing::debug!("the cache index could not be mended: {error}");
            self.index.rows()
        });
        let rows = with_pending(rows.unwrap_or_default(), &self.pending);
        self.learn();
        self.residents.agree(&self.layout, images, &rows);
        rows
    }

    /// Takes over what others have counted, in the rows and in the order. False where the index cannot be had.
    fn adopt(&mut self, known: &[Known], images: &[Placed]) -> bool {
        // Where the index could not be had before, copies may lack the rows that counts are kept in.
        let adopted = self.index.mend(images);
        let Ok(adopted) = adopted.and_then(|_| self.index.adopt(known)) else {
            return false;
        };
        for (known, more) in adopted {
            let standing = self.residents.counted(known.id, more, known.last_accessed);
            if standing.is_some() {
                self.change(known.id).standing = standing;
            }
        }
        true
    }

    fn learn(&mut self) {
        if let Ok((changed, last)) = self.index.standings(self.learned) {
            // Another index begins to count anew.
            self.learned = last;
            self.residents.learn(&changed);
        }
    }

    fn finish(&mut self) {
        for _ in 0..LAST_ATTEMPTS {
            self.write();
            if self.pending.is_empty() {
                break;
            }
        }
        if !self.pending.is_empty() {
            let images = self.pending.len();
            tracing::warn!("the last hits of {images} cached images could not be written");
        }
        self.index.close();
    }
}

/// The rows as they will be when what is pending is written.
fn with_pending(mut rows: Rows, pending: &Changes) -> Rows {
    for (id, change) in pending {
        let Some(at) = change.last_accessed.max(change.committed) else {
            continue;
        };
        let row = rows.entry(*id).or_insert(Row {
            number: 0,
            hits: 0,
            last_accessed: at,
            last_modified: at,
        });
        if let Some(committed) = change.committed {
            row.hits = 0;
            row.last_modified = committed;
        }
        row.hits += change.hits;
        row.last_accessed = row.last_accessed.max(at);
    }
    rows
}
