//! What a fill has just written, in memory: those who keep up with it read no file, and what the store sent is what
//! they get, whatever becomes of the file.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::growing::HELD_BACK;
use super::sums::{SPAN, Sum, span_at};
use crate::stream::{ByteRange, packed};

/// Bytes that are kept, at least: a reader that keeps up is not further behind.
const KEPT: u64 = 2 * 1024 * 1024;

/// Bytes that are kept when all is there: for who waits for the end.
const END: u64 = 4 * HELD_BACK;

/// The last bytes of a fill: those of the span that is not complete, and a few before them.
#[derive(Debug, Default)]
pub struct Recent {
    pieces: Mutex<VecDeque<(u64, Bytes)>>,
}

impl Recent {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, Bytes)>> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was written at `at`, and keeps `most` bytes, about.
    pub fn push(&self, mut at: u64, batch: &[Bytes], most: u64) {
        // A small piece of a large buffer would keep all of that for as long as somebody reads it.
        let packed = packed(batch);
        let mut pieces = self.lock();
        for piece in packed {
            let start = at;
            at += piece.len() as u64;
            pieces.push_back((start, piece));
        }
        let needed = (span_at(at) * SPAN).min(at.saturating_sub(KEPT));
        // Who wants what is not here any more waits until its span is complete.
        let needed = needed.max(at.saturating_sub(most));
        forget_before(&mut pieces, needed);
    }

    /// The byte at `position` and some that follow it, if they are here.
    pub fn at(&self, position: u64) -> Option<Bytes> {
        let pieces = self.lock();
        let after = pieces.partition_point(|(start, _)| *start <= position);
        let (start, piece) = pieces.get(after.checked_sub(1)?)?;
        let skip = usize::try_from(position - start).ok()?;
        (skip < piece.len()).then(|| piece.slice(skip..))
    }

    /// The checksum of what was written there; none where that is nothing, or not all of it is here.
    pub fn sum(&self, range: ByteRange) -> Option<Sum> {
        if range.is_empty() {
            return None;
        }
        let mut hasher = blake3::Hasher::new();
        let mut position = range.start;
        while position < range.end {
            let mut bytes = self.at(position)?;
            bytes.truncate(usize::try_from(range.end - position).unwrap_or(usize::MAX));
            hasher.update(&bytes);
            position += bytes.len() as u64;
        }
        Some(*hasher.finalize().as_bytes())
    }

    /// There will be no more: whoever is slow is not to keep much in memory.
    pub fn end(&self, size: u64) {
        forget_before(&mut self.lock(), size.saturating_sub(END));
    }
}

fn forget_before(pieces: &mut VecDeque<(u64, Bytes)>, needed: u64) {
    while let Some((start, piece)) = pieces.front()
        && start + piece.len() as u64 <= needed
    {
        pieces.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn bytes(at: u64) -> Bytes {
        vec![u8::try_from(at / MIB).unwrap(); 1 << 20].into()
    }

    #[test]
    fn the_span_that_grows_is_kept_and_what_came_just_before_it() {
        let recent = Recent::default();
        for at in (0..9).map(|at| at * MIB) {
            recent.push(at, &[bytes(at)], u64::MAX);
            let open = span_at(at + MIB) * SPAN;
            let kept = open.min((at + MIB).saturating_sub(KEPT));
            for position in 0..at + MIB {
                if position % 99_991 > 0 {
                    continue;
                }
                let found = recent.at(position);
                assert!(found.is_some() || position < kept, "{position} of {at}");
                assert!(found.is_none() || position + 65_536 >= kept);
                let right = |byte: &u8| u64::from(*byte) == position / MIB;
                assert!(found.is_none_or(|found| found.first().is_some_and(right)));
            }
            assert!(recent.at(at + MIB).is_none());
        }
        recent.end(9 * MIB);
        assert!(recent.at(9 * MIB - END).is_some());
        assert!(recent.at(9 * MIB - END - 65_536).is_none());
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let recent = Recent::default();
        for at in (0..3).map(|at| at * MIB) {
            recent.push(at, &[bytes(at)], MIB);
        }
        assert!(recent.at(2 * MIB).is_some());
        assert!(recent.at(2 * MIB - 65_537).is_none());
    }

    #[test]
    fn nothing_is_found_where_spans_were_here_before() {
        let recent = Recent::default();
        recent.push(0, &[Bytes::from_static(b"one")], u64::MAX);
        let batch = [Bytes::from_static(b"t"), Bytes::from_static(b"wo")];
        recent.push(SPAN, &batch, u64::MAX);
        assert_eq!(recent.at(3), None);
        assert_eq!(recent.at(SPAN - 1), None);
        assert_eq!(recent.at(SPAN + 1).unwrap(), "wo");
        let sum = |start, end| recent.sum(ByteRange { start, end });
        let two = *blake3::hash(b"two").as_bytes();
        assert_eq!(sum(SPAN, SPAN + 3), Some(two));
        assert_eq!(
            (sum(1, SPAN + 3), sum(SPAN, SPAN + 4), sum(1, 1)),
            (None, None, None)
        );
    }
}
