//! Which copies leave first.
//!
//! Pure: no I/O, no clock, no lock. So `benches/eviction` runs the very code that the service runs, over traces.
//! An order turns nothing away: a download is always admitted, and the order says who leaves when there is no
//! room left.

mod lru;
mod s3_fifo;

pub use lru::Lru;
pub use s3_fifo::S3Fifo;

use std::fmt::Debug;
use std::hash::Hash;

/// A moment: anything that grows. Microseconds in the service, the number of the request in a simulation.
pub type Tick = i64;

/// Uses beyond this many do not count, so that what was popular once does not stay for ever.
pub const MOST_USES: u8 = 3;

/// Where a copy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It came, and has to prove itself.
    Trial,
    /// It was used again.
    Kept,
    /// It left not long ago: its name is remembered, and nothing else.
    Left,
}

/// What is remembered of a copy, across restarts and between processes. Every order keeps all of it, so that
/// another one can take over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub size: u64,
    pub place: Place,
    /// How often it was used since it was last judged, at most [`MOST_USES`].
    pub uses: u8,
    /// When it came to its place.
    pub since: Tick,
    /// When it was last used, or came.
    pub used: Tick,
}

impl Standing {
    /// A copy of which nobody knows more than these.
    pub fn derived(size: u64, hits: u64, used: Tick) -> Self {
        let place = if hits > u64::from(s3_fifo::PROVEN) {
            Place::Kept
        } else {
            Place::Trial
        };
        Self {
            size,
            place,
            uses: u8::try_from(hits).map_or(MOST_USES, |hits| hits.min(MOST_USES)),
            since: used,
            used,
        }
    }

    /// Where it stands when others have counted so many uses more of it, the last of them then.
    #[must_use]
    pub fn counted(self, more: u64, used: Tick) -> Self {
        let count = u64::from(self.uses).saturating_add(more);
        let proven = self.place == Place::Trial && count > u64::from(s3_fifo::PROVEN);
        Self {
            // A place of its own: others know it from the one before by the time.
            place: if proven { Place::Kept } else { self.place },
            since: if more > 0 { self.since + 1 } else { self.since },
            uses: u8::try_from(count).map_or(MOST_USES, |count| count.min(MOST_USES)),
            used: self.used.max(used),
            ..self
        }
    }

    fn touch(&mut self, at: Tick) {
        self.uses = (self.uses + 1).min(MOST_USES);
        self.used = self.used.max(at);
    }
}

/// What can name a copy.
pub trait Key: Copy + Eq + Hash + Ord + Debug + Send {}

impl<T: Copy + Eq + Hash + Ord + Debug + Send> Key for T {}

/// An order in which copies leave.
pub trait Order<K: Key>: Debug + Send {
    /// A copy came.
    fn came(&mut self, key: K, size: u64, at: Tick);

    /// A copy was used. One that is not known is not made known.
    fn used(&mut self, key: K, at: Tick);

    /// Puts a copy where it stood, in another process or before a restart.
    fn put(&mut self, key: K, standing: Standing);

    /// A copy is gone without having been asked to leave.
    fn forget(&mut self, key: K);

    /// The copy that leaves next, which is not known from then on.
    fn next(&mut self, at: Tick) -> Option<K>;

    /// Where a copy stands, or stood when it left.
    fn standing(&self, key: K) -> Option<Standing>;

    /// How many copies of its queue have their turn before it, and how many are in that queue.
    fn turn(&self, key: K) -> Option<(usize, usize)>;

    /// Bytes of the copies that could leave.
    fn bytes(&self) -> u64;

    /// Those whose standing changed in [`Order::next`] since this was last asked.
    fn moved(&mut self) -> Vec<K>;
}
