//! The right to bring one image in.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::account::Account;
use super::fill;
use super::growing::{Fill, Growing, Progress};
use super::layout::InPlace;
use super::node::Node;
use super::partial::{Partial, Wanted};
use super::parts::Open;
use super::reach::Attempt;
use super::residents::Asker;
use super::source::Supply;
use super::space::{self, SpaceLock};
use super::spans::Table;
use super::sums::bytes_of;
use super::tally::Area;
use super::{Expected, FillBroken, Past, queue};
use crate::domain::ImageId;
use crate::stream::ByteRange;
use crate::telemetry::counters::Reason;

/// Room is taken in such steps where nobody knows how much there will be.
const STEP: u64 = 64 * 1024 * 1024;

/// The right to bring one image in: a partial file, the lock on it and the room reserved for it.
///
/// Dropped without a fill, it is free for the next to claim, and those who wait for it look again.
#[derive(Debug)]
pub struct Claim {
    // Dropped in this order: when the readers hear that nothing comes, only spans are left.
    pub(super) hold: Hold,
    pub(super) running: Running,
    pub(super) expected: Expected,
    pub(super) asker: Asker,
}

/// What a fill asks the store for first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: every span is here already.
    Nothing,
    All,
    Part(ByteRange),
}

/// The partial file while its image is brought in.
#[derive(Debug)]
pub(super) struct Hold {
    pub open: Arc<Open>,
}

impl Hold {
    fn begin(open: Arc<Open>, lock: &SpaceLock) -> io::Result<Self> {
        let hold = Self { open };
        hold.open.set_filling(true);
        hold.open.partial.begin_fill(lock)?;
        Ok(hold)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Err(error) = self.open.partial.end_fill() {
            let id = self.open.partial.id();
            tracing::warn!(image.id = %id, "the spans of image {id} could not be put aside: {error}");
        }
        self.open.set_filling(false);
    }
}

/// What reaching for an image came to.
#[derive(Debug)]
pub(super) enum Reached {
    Cached(File, u64),
    Claimed(Claim),
    /// Parts of it can be fetched.
    Part(Arc<Open>),
    /// Another process fills it.
    Growing(File, Option<Table>),
    /// It is not to be had, now.
    Not(Past),
}

/// Why a fill did not come to its commit.
#[derive(Debug)]
pub(super) enum Failure {
    /// The data is not the image's.
    Wrong(String),
    /// The data may be right, but it did not get here.
    Broken(String),
    /// The directory failed us.
    Disk(io::Error),
    /// It was dropped from the cache meanwhile.
    Dropped,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Wrong(reason) | Failure::Broken(reason) => f.write_str(reason),
            Failure::Disk(error) => error.fmt(f),
            Failure::Dropped => f.write_str("it was dropped from the cache meanwhile"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Disk(error)
    }
}

impl Claim {
    pub(super) fn open(&self) -> &Arc<Open> {
        &self.hold.open
    }

    /// What to ask the store for, to begin with.
    pub fn need(&self) -> Need {
        let Some(size) = self.expected.size else {
            return Need::All;
        };
        let table = self.open().partial.table();
        let (here, end) = table.run(0);
        let first = if here { end } else { 0 };
        let (_, end) = table.run(first);
        let range = bytes_of(first, end, size);
        match range {
            _ if size == 0 || range.len() == size => Need::All,
            _ if range.is_empty() => Need::Nothing,
            _ => Need::Part(range),
        }
    }

    /// Starts a fill from the store's data. It outlives everyone who reads along.
    pub fn fill_from(self, supply: impl Into<Supply>) -> Growing {
        let supply = supply.into();
        let announced = supply.first.as_ref().and_then(|blob| blob.size);
        let size = self.expected.size.or(announced);
        let running = &self.running;
        let growing = Growing::here(&running.node, Arc::clone(&running.fill), size);
        fill::start(self, supply);
        growing
    }

    /// Waits for the fill to end; the error says why nothing was committed.
    pub async fn fill_whole(self, supply: impl Into<Supply>) -> Result<(), FillBroken> {
        let id = self.running.fill.id;
        fill::start(self, supply.into()).await.unwrap_or_else(|_| {
            Err(FillBroken {
                id,
                reason: "its thread could not be started, or died".into(),
                resumable: true,
                tail: None,
            })
        })
    }

    /// Reaches for an image. Blocks.
    pub(super) fn reach(
        node: &Arc<Node>,
        id: ImageId,
        expected: &Expected,
        asker: Asker,
    ) -> io::Result<Reached> {
        let now = node.clock.now();
        let layout = &node.layout;
        let wanted = Wanted::of(expected);
        let hold = {
            let lock = SpaceLock::take(layout)?;
            // Since it was not there, another fill may have ended.
            let found = layout.open_image(id, expected.size)?;
            match found {
                InPlace::Whole(file, size) => return Ok(Reached::Cached(file, size)),
                InPlace::Obstructed => return Ok(Reached::Not(Past::Obstructed)),
                InPlace::Nothing | InPlace::WrongSize(_) => {}
            }
            let known = node.parts.get(id, &wanted);
            let hold = match known.filter(|open| open.partial.is_parked()) {
                Some(open) => Hold::begin(open, &lock)?,
                None => match Partial::claim(layout, id, &wanted, now, &lock)? {
                    Attempt::Claimed(partial) => {
                        Hold::begin(Arc::new(Open::new(partial, &node.parts)), &lock)?
                    }
                    Attempt::Growing(file, table) => return Ok(Reached::Growing(file, table)),
                    Attempt::Obstructed => return Ok(Reached::Not(Past::Obstructed)),
                    Attempt::Stranger => return Ok(Reached::Not(Past::Stranger)),
                },
            };
            if let InPlace::WrongSize(got) = found {
                let size = expected.size.unwrap_or_default();
                tracing::warn!(
                    image.id = %id,
                    size = got,
                    reason = Reason::Bad.word(),
                    "the copy of image {id} has {got} bytes in place of {size}: moved to invalid/"
                );
                lock.put_aside(layout, id, &layout.image(id))?;
                lock.went(layout, Area::Copies, 1, got);
                node.left(id, got, Reason::Bad);
            }
            hold
        };
        node.parts.insert(&hold.open);
        let partial = &hold.open.partial;
        let reader = partial.reader()?;
        let step = node.limits().max_size.min(STEP);
        let first = match expected.size {
            Some(size) => promise(node, partial, size, asker)?.then_some(size),
            None if promise(node, partial, step, asker)? => Some(step),
            None => promise(node, partial, 1, asker)?.then_some(1),
        };
        let Some(promised) = first else {
            return Ok(Reached::Not(Past::NoRoom));
        };
        partial.set_promised(promised);
        partial.allocate(bytes_of(0, u64::MAX, expected.size.unwrap_or(0)))?;
        partial.prepare()?;
        Ok(Reached::Claimed(Self {
            running: Running::new(
                Arc::clone(node),
                Fill::new(id, reader, partial.shared_table()),
            ),
            hold,
            expected: expected.clone(),
            asker,
        }))
    }

    /// Makes sure of room for `bytes`, of `size` in all where that is known.
    pub(super) fn reserve(&self, bytes: u64, size: Option<u64>) -> Result<(), Failure> {
        let partial = &self.hold.open.partial;
        if bytes <= partial.promised() {
            return Ok(());
        }
        let node = &self.running.node;
        let generous = size.unwrap_or(bytes.saturating_add(STEP)).max(bytes);
        for wanted in [generous, bytes] {
            if promise(node, partial, wanted, self.asker)? {
                partial.set_promised(wanted);
                return Ok(());
            }
        }
        Err(Failure::Broken("no room can be made for it".into()))
    }
}

/// Promises `bytes` in all to a fill. False where there is no room, and none can be made.
fn promise(node: &Node, partial: &Partial, bytes: u64, asker: Asker) -> io::Result<bool> {
    let (limits, now) = (node.limits(), node.clock.now());
    let room = space::reserve(partial, limits, bytes, now, (&node.residents, asker))?;
    for image in &room.evicted {
        node.left(image.id, image.size, Reason::Room);
    }
    node.journal.moved();
    if !room.granted && !room.disk_full {
        node.tell_pins();
    }
    if room.disk_full {
        node.trouble.tell_disk_full();
    }
    Ok(room.granted)
}

/// A fill that lookups of this process know of, from the claim to its end.
#[derive(Debug)]
pub(super) struct Running {
    node: Arc<Node>,
    fill: Arc<Fill>,
}

impl Running {
    fn new(node: Arc<Node>, fill: Fill) -> Self {
        let fill = Arc::new(fill);
        node.fills.insert(&fill);
        Self { node, fill }
    }

    pub(super) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Keeps what was written at `at` for those who keep up.
    pub(super) fn keep(&self, at: u64, batch: &[Bytes]) {
        let most = self.node.fills.share();
        self.fill.recent.push(at, batch, most);
    }

    pub(super) fn show(&self, progress: Progress) {
        if let Progress::Verified(size) = progress {
            self.fill.recent.end(size);
        }
        self.fill.progress.send_replace(progress);
    }

    pub(super) fn has_no_readers(&self) -> bool {
        self.fill.progress.receiver_count() == 0
    }

    /// The copy is in its place.
    pub(super) fn committed(&self, account: &Account) {
        let id = self.fill.id;
        let now = self.node.clock.now();
        self.node.journal.committed(id, account.bytes, now);
        if let Err(error) = queue::remove(&self.node.layout, id) {
            tracing::warn!(image.id = %id, "image {id} stays in the queue: {error}");
        }
        account.cached(&self.node.counters);
    }

    /// Says in the log why nothing was committed, and tells those who read along that nothing more comes.
    pub(super) fn failed(self, failure: &Failure, account: &Account) -> FillBroken {
        if let Failure::Disk(error) = failure {
            self.node.trouble.begin(error);
        }
        account.failed(failure, &self.node.counters);
        let broken = FillBroken {
            id: self.fill.id,
            reason: failure.to_string(),
            resumable: !matches!(failure, Failure::Wrong(_)),
            tail: None,
        };
        self.node.fills.part(&self.fill);
        self.fill
            .break_off(broken.reason.as_str(), broken.resumable);
        broken
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.node.fills.remove(&self.fill);
        self.fill.break_off("nobody brings it in", true);
    }
}
