//! The pieces of a span, each of which can be checked by itself.
//!
//! BLAKE3 is a tree: the checksum of a span is made of those of its parts. So one reading of a span that has the
//! right checksum gives checksums of its pieces that are as good, and whoever keeps them can look at one piece at a
//! time, before its bytes leave. Two kilobytes do for a span of four mebibytes.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use blake3::hazmat::{self, HasherExt as _, Mode};
use tokio::sync::OnceCell;

use super::crowd::Crowd;
use super::node::blocking;
use super::sums::Sum;
use crate::stream::{ByteRange, CHUNK};

/// Bytes of a piece: what leaves at once.
const PIECE: u64 = CHUNK as u64;

/// Spans of one file whose pieces are kept, for those who come after.
const KEPT: usize = 32;

/// The checksums of the pieces of a span that was right.
#[derive(Debug)]
pub struct Pieces {
    span: ByteRange,
    sums: Box<[Sum]>,
}

impl Pieces {
    /// Reads a span. None where it has another checksum. Reads the disk.
    fn of(file: &File, span: ByteRange, sum: &Sum) -> io::Result<Option<Self>> {
        let mut pieces = Self {
            span,
            sums: Box::default(),
        };
        let mut sums = Vec::new();
        let mut buffer = vec![0; CHUNK];
        let mut at = span.start;
        while at < span.end {
            let piece = pieces.at(at);
            let wanted = usize::try_from(piece.len()).map_or(CHUNK, |len| len.min(CHUNK));
            file.read_exact_at(&mut buffer[..wanted], at)?;
            sums.push(pieces.sum_of(piece, &buffer[..wanted]));
            at = piece.end;
        }
        pieces.sums = sums.into();
        Ok((pieces.whole() == *sum).then_some(pieces))
    }

    /// The piece in which a byte of the span is.
    pub fn at(&self, position: u64) -> ByteRange {
        let start = position - (position - self.span.start) % PIECE;
        ByteRange {
            start,
            end: (start + PIECE).min(self.span.end),
        }
    }

    /// The checksum of a piece.
    pub fn sum(&self, piece: ByteRange) -> Option<Sum> {
        let number = usize::try_from((piece.start - self.span.start) / PIECE);
        self.sums.get(number.ok()?).copied()
    }

    /// Whether these are the bytes of a piece.
    pub fn has(&self, piece: ByteRange, bytes: &[u8]) -> bool {
        let is_whole = bytes.len() as u64 == piece.len();
        is_whole && self.sum(piece) == Some(self.sum_of(piece, bytes))
    }

    fn sum_of(&self, piece: ByteRange, bytes: &[u8]) -> Sum {
        // The root of a tree is hashed in another way than what is below it.
        if self.span.len() <= PIECE {
            return *blake3::hash(bytes).as_bytes();
        }
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(piece.start - self.span.start);
        hasher.update(bytes).finalize_non_root()
    }

    /// The checksum of the span, of those of its pieces.
    fn whole(&self) -> Sum {
        match &*self.sums {
            [] => *blake3::hash(&[]).as_bytes(),
            [only] => *only,
            sums => {
                let (left, right) = halves(sums, self.span.len());
                *hazmat::merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()
            }
        }
    }
}

/// The checksums of the two subtrees of so many bytes.
fn halves(sums: &[Sum], len: u64) -> (Sum, Sum) {
    // A power of two and more than half, so that it ends with a piece.
    let left = hazmat::left_subtree_len(len);
    let pieces = usize::try_from(left / PIECE).unwrap_or(usize::MAX);
    let (first, second) = sums.split_at(pieces);
    (below(first, left), below(second, len - left))
}

fn below(sums: &[Sum], len: u64) -> Sum {
    if let [only] = sums {
        return *only;
    }
    let (left, right) = halves(sums, len);
    hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash)
}

/// What is known of the spans of a file that were read last, for all who read it: many at once read it once.
#[derive(Debug, Default)]
pub struct Known {
    spans: Mutex<VecDeque<(ByteRange, Sum, Cell)>>,
    /// Those who read it now.
    pub crowd: Arc<Crowd>,
}

type Cell = Arc<OnceCell<Arc<Pieces>>>;

impl Known {
    /// The pieces of a span. None where it is not what the checksum says, or cannot be read.
    pub async fn pieces(&self, file: &Arc<File>, span: ByteRange, sum: Sum) -> Option<Arc<Pieces>> {
        let cell = self.cell(span, sum);
        let read = async || {
            let file = Arc::clone(file);
            let pieces = blocking(move || Pieces::of(&file, span, &sum)).await;
            pieces.ok().flatten().map(Arc::new).ok_or(())
        };
        cell.get_or_try_init(read).await.ok().cloned()
    }

    fn cell(&self, span: ByteRange, sum: Sum) -> Cell {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let known = spans.iter().find(|known| (known.0, known.1) == (span, sum));
        if let Some((_, _, cell)) = known {
            return Arc::clone(cell);
        }
        if spans.len() >= KEPT {
            spans.pop_front();
        }
        let cell = Cell::default();
        spans.push_back((span, sum, Arc::clone(&cell)));
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::super::sums::{SPAN, sum_of};
    use super::*;

    fn file(size: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        let size = usize::try_from(size).unwrap();
        let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
        file.write_all_at(&bytes, 0).unwrap();
        file
    }

    #[test]
    fn pieces_of_a_span_of_any_size_make_its_checksum() {
        for len in [
            0,
            1,
            1024,
            PIECE - 1,
            PIECE,
            PIECE + 1,
            3 * PIECE,
            5 * PIECE - 7,
            SPAN,
        ] {
            let span = ByteRange {
                start: SPAN,
                end: SPAN + len,
            };
            let file = file(span.end);
            let sum = sum_of(&file, span).unwrap();
            let pieces = Pieces::of(&file, span, &sum).unwrap().expect("the same");
            let mut at = span.start;
            while at < span.end {
                let piece = pieces.at(at);
                assert_eq!(pieces.at(piece.end - 1), piece);
                let mut bytes = vec![0; usize::try_from(piece.len()).unwrap()];
                file.read_exact_at(&mut bytes, piece.start).unwrap();
                assert!(pieces.has(piece, &bytes));
                bytes[0] ^= 1;
                assert!(!pieces.has(piece, &bytes));
                at = piece.end;
            }
            let other = [7; 32];
            assert!(Pieces::of(&file, span, &other).unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn a_span_is_read_once_for_all_and_a_bad_one_again() {
        let (file, known) = (Arc::new(file(3 * PIECE)), Known::default());
        let span = ByteRange {
            start: 0,
            end: 3 * PIECE,
        };
        let sum = sum_of(&file, span).unwrap();
        let first = known.pieces(&file, span, sum).await.unwrap();
        file.write_all_at(&[251], 5).unwrap();
        let second = known.pieces(&file, span, sum).await.unwrap();
        assert!(Arc::ptr_eq(&first, &second));

        let known = Known::default();
        assert!(known.pieces(&file, span, sum).await.is_none());
        file.write_all_at(&[5], 5).unwrap();
        assert!(known.pieces(&file, span, sum).await.is_some());
    }

    #[test]
    fn no_more_is_kept_than_so_many_spans() {
        let known = Known::default();
        for start in 0..2 * KEPT as u64 {
            let span = ByteRange {
                start,
                end: start + 1,
            };
            known.cell(span, [0; 32]);
        }
        assert_eq!(known.spans.lock().unwrap().len(), KEPT);
    }
}
