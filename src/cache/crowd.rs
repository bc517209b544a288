//! Pieces that were read and found right just now, for a crowd that reads the same file at about the same place: one
//! of them reads and hashes, the others take what it has.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::sums::Sum;

/// So many readers at once are a crowd.
const CROWD: usize = 4;

/// Pieces that are kept of one file, and of all together: 4 and 64 MiB.
const KEPT: usize = 64;
const KEPT_OF_ALL: usize = 1024;

static OF_ALL: AtomicUsize = AtomicUsize::new(0);

/// A piece: where it begins, and the checksum that it has.
pub type Name = (u64, Sum);

/// The pieces of one file that are kept; oldest first. Who reads the file holds it.
#[derive(Debug, Default)]
pub struct Crowd {
    pieces: Mutex<VecDeque<(Name, Bytes)>>,
}

impl Crowd {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(Name, Bytes)>> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece, where somebody has read it just now.
    pub fn get(&self, name: Name) -> Option<Bytes> {
        let pieces = self.lock();
        // The newest are wanted most.
        let found = pieces.iter().rev().find(|(known, _)| *known == name)?;
        Some(found.1.clone())
    }

    /// Keeps a piece for the others, where there are others.
    pub fn put(self: &Arc<Self>, name: Name, bytes: &Bytes) {
        if Arc::strong_count(self) <= CROWD {
            return;
        }
        let mut pieces = self.lock();
        let full = pieces.len() >= KEPT || OF_ALL.load(Ordering::Relaxed) >= KEPT_OF_ALL;
        if full && pieces.pop_front().is_none() {
            return;
        }
        if !full {
            OF_ALL.fetch_add(1, Ordering::Relaxed);
        }
        pieces.push_back((name, bytes.clone()));
    }

    /// One who read has done so. Where he was the last nothing is kept: the others, of other files, have the room.
    pub fn leave(self: &Arc<Self>) {
        // His own, and that of who knows the file.
        if Arc::strong_count(self) <= 2 {
            self.clear();
        }
    }

    fn clear(&self) {
        let mut pieces = self.lock();
        OF_ALL.fetch_sub(pieces.len(), Ordering::Relaxed);
        pieces.clear();
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_shares_what_was_read_last_and_one_alone_keeps_nothing() {
        let crowd = Arc::new(Crowd::default());
        let name = |start| (start, [7; 32]);
        let bytes = Bytes::from_static(b"right");
        crowd.put(name(0), &bytes);
        assert_eq!(crowd.get(name(0)), None);
        let others = [(); CROWD].map(|()| Arc::clone(&crowd));
        for start in 0..=KEPT as u64 {
            crowd.put(name(start), &bytes);
        }
        assert_eq!(crowd.get(name(0)), None);
        assert_eq!(others[0].get(name(1)), Some(bytes));
        assert_eq!(others[0].get((1, [8; 32])), None);
        assert_eq!(crowd.lock().len(), KEPT);
        crowd.leave();
        assert_eq!(crowd.lock().len(), KEPT);
        drop(others);
        crowd.leave();
        assert_eq!(crowd.lock().len(), 0);
    }
}
