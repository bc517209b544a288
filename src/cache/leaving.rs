//! A span on its way out of a file. Each of its pieces is looked at before it leaves: what leaves is right, however
//! slowly it is taken and whatever is done to the file meanwhile.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;

use super::crowd::Crowd;
use super::pieces::{Known, Pieces};
use super::sums::Sum;
use crate::stream::{ByteRange, read_at};

/// A part of a span that is being read.
pub struct Leaving {
    file: Arc<File>,
    pieces: Arc<Pieces>,
    crowd: Arc<Crowd>,
    /// What is wanted and has not left.
    rest: ByteRange,
}

/// What comes next of a span.
pub enum Next {
    Bytes(Bytes),
    /// It has left.
    End,
    /// It is not what it was, or cannot be read. What has left of it was right.
    Bad,
}

impl Leaving {
    /// Begins to read `part` of a span whose checksum is known. None where the span has another one, or cannot be
    /// read.
    pub async fn begin(
        file: Arc<File>,
        known: &Known,
        (span, sum): (ByteRange, Sum),
        part: ByteRange,
    ) -> Option<Self> {
        let pieces = known.pieces(&file, span, sum).await?;
        Some(Self {
            file,
            pieces,
            crowd: Arc::clone(&known.crowd),
            rest: part,
        })
    }

    pub async fn next(&mut self) -> Next {
        if self.rest.is_empty() {
            return Next::End;
        }
        let piece = self.pieces.at(self.rest.start);
        let Some(bytes) = self.read(piece).await else {
            return Next::Bad;
        };
        let end = piece.end.min(self.rest.end);
        // Both are within the piece.
        let within = |position: u64| usize::try_from(position - piece.start).unwrap_or(0);
        let wanted = bytes.slice(within(self.rest.start)..within(end));
        self.rest.start = end;
        Next::Bytes(wanted)
    }

    /// A piece, if it is right.
    async fn read(&self, piece: ByteRange) -> Option<Bytes> {
        let name = (piece.start, self.pieces.sum(piece)?);
        if let Some(bytes) = self.crowd.get(name) {
            return Some(bytes);
        }
        let bytes = read_at(&self.file, piece).await.ok()?;
        if !self.pieces.has(piece, &bytes) {
            return None;
        }
        self.crowd.put(name, &bytes);
        Some(bytes)
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.crowd.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::super::sums::sum_of;
    use super::*;

    const SPAN: ByteRange = ByteRange {
        start: 100,
        end: 400_100,
    };

    fn data() -> Vec<u8> {
        (0..=250).cycle().take(500_000).collect()
    }

    fn file() -> (Arc<File>, Sum) {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&data(), 0).unwrap();
        let sum = sum_of(&file, SPAN).unwrap();
        (Arc::new(file), sum)
    }

    async fn begin(file: &Arc<File>, sum: Sum, (start, end): (u64, u64)) -> Option<Leaving> {
        let part = ByteRange { start, end };
        Leaving::begin(Arc::clone(file), &Known::default(), (SPAN, sum), part).await
    }

    /// What leaves, and whether that is all.
    async fn rest(leaving: &mut Leaving) -> (Vec<u8>, bool) {
        let mut seen = Vec::new();
        loop {
            match leaving.next().await {
                Next::Bytes(bytes) => seen.extend_from_slice(&bytes),
                Next::End => return (seen, true),
                Next::Bad => return (seen, false),
            }
        }
    }

    #[tokio::test]
    async fn any_part_of_a_right_span_leaves() {
        let (file, sum) = file();
        for (start, end) in [(100, 400_100), (100, 101), (300_000, 400_100), (5000, 5001)] {
            let mut leaving = begin(&file, sum, (start, end)).await.unwrap();
            let (from, to) = (
                usize::try_from(start).unwrap(),
                usize::try_from(end).unwrap(),
            );
            assert_eq!(rest(&mut leaving).await, (data()[from..to].to_vec(), true));
        }
    }

    #[tokio::test]
    async fn nothing_leaves_of_a_span_that_went_bad_anywhere() {
        for at in [100, 200_000, 400_099] {
            let (file, sum) = file();
            file.write_all_at(&[251], at).unwrap();
            for part in [(100, 400_100), (150_000, 150_001), (399_000, 400_100)] {
                assert!(begin(&file, sum, part).await.is_none());
            }
        }
    }

    #[tokio::test]
    async fn what_changes_while_a_span_leaves_does_not_leave() {
        for (at, left) in [(300_000, 262_144), (65_636, 65_536), (100, 65_536)] {
            let (file, sum) = file();
            let mut leaving = begin(&file, sum, (100, 400_100)).await.unwrap();
            let Next::Bytes(first) = leaving.next().await else {
                panic!("the first piece is right")
            };
            file.write_all_at(&[251], at).unwrap();
            let (more, whole) = rest(&mut leaving).await;
            let seen = [&first[..], &more].concat();
            // What has left before it changed was right.
            assert_eq!(whole, at == 100);
            assert!(whole || seen.len() == left);
            assert!(seen == data()[100..100 + seen.len()]);
        }
        let (file, sum) = file();
        let mut leaving = begin(&file, sum, (100, 400_100)).await.unwrap();
        assert!(matches!(leaving.next().await, Next::Bytes(_)));
        file.set_len(1000).unwrap();
        assert_eq!(rest(&mut leaving).await, (Vec::new(), false));
    }
}
