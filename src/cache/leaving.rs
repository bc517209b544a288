//! A span on its way out of a file. Its bytes are hashed as they leave, and the last of them leave only where all
//! of it is what it was when it came: so no file is read twice to be sure of it, and whoever gets the end of a
//! span has right bytes, however slowly they were taken and whatever was done to the file meanwhile.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;

use super::node::blocking;
use super::sums::{Sum, hash_into};
use crate::stream::{ByteRange, ByteStream, read_file};

/// A part of a span that is being read.
pub struct Leaving {
    file: Arc<File>,
    /// All of the span.
    span: ByteRange,
    /// What of it is wanted and has not left.
    rest: ByteRange,
    sum: Sum,
    bytes: ByteStream,
    /// None until the bytes before those that are wanted have been read.
    hasher: Option<Box<blake3::Hasher>>,
    sent: bool,
}

/// What comes next of a span.
pub enum Next {
    Bytes(Bytes),
    /// It has left.
    End,
    /// It is not what it was, or cannot be read. Some of it may have left already.
    Bad {
        sent: bool,
    },
}

impl Leaving {
    /// Reads `part` of a span whose checksum is known.
    pub fn new(file: Arc<File>, span: ByteRange, part: ByteRange, sum: Sum) -> Self {
        Self {
            bytes: read_file(Arc::clone(&file), part),
            file,
            span,
            rest: part,
            sum,
            hasher: None,
            sent: false,
        }
    }

    pub async fn next(&mut self) -> Next {
        if self.rest.is_empty() {
            return Next::End;
        }
        let Some(bytes) = self.checked().await else {
            return Next::Bad { sent: self.sent };
        };
        self.sent = true;
        Next::Bytes(bytes)
    }

    async fn checked(&mut self) -> Option<Bytes> {
        let mut hasher = if let Some(hasher) = self.hasher.take() {
            hasher
        } else {
            let before = ByteRange {
                start: self.span.start,
                end: self.rest.start,
            };
            hash(Box::default(), &self.file, before).await?
        };
        let bytes = self.bytes.next().await?.ok()?;
        hasher.update(&bytes);
        self.rest.start += bytes.len() as u64;
        if self.rest.is_empty() {
            let after = ByteRange {
                start: self.rest.end,
                end: self.span.end,
            };
            hasher = hash(hasher, &self.file, after).await?;
            if *hasher.finalize().as_bytes() != self.sum {
                return None;
            }
        }
        self.hasher = Some(hasher);
        Some(bytes)
    }
}

/// Hashes bytes that nobody wants.
async fn hash(
    mut hasher: Box<blake3::Hasher>,
    file: &Arc<File>,
    range: ByteRange,
) -> Option<Box<blake3::Hasher>> {
    if range.is_empty() {
        return Some(hasher);
    }
    let file = Arc::clone(file);
    let work = move || hash_into(&mut hasher, &file, range).map(|()| hasher);
    blocking(work).await.ok()
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

    fn file() -> (Arc<File>, Sum) {
        let file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..=250).cycle().take(500_000).collect();
        file.write_all_at(&bytes, 0).unwrap();
        let sum = sum_of(&file, SPAN).unwrap();
        (Arc::new(file), sum)
    }

    /// How many bytes leave, and whether all do.
    async fn read(leaving: &mut Leaving) -> (u64, bool) {
        let mut seen = 0;
        loop {
            match leaving.next().await {
                Next::Bytes(bytes) => seen += bytes.len() as u64,
                Next::End => return (seen, true),
                Next::Bad { sent } => {
                    assert_eq!(sent, seen > 0);
                    return (seen, false);
                }
            }
        }
    }

    #[tokio::test]
    async fn any_part_of_a_right_span_leaves() {
        let (file, sum) = file();
        for (start, end) in [(100, 400_100), (100, 101), (300_000, 400_100), (5000, 5001)] {
            let part = ByteRange { start, end };
            let mut leaving = Leaving::new(Arc::clone(&file), SPAN, part, sum);
            assert_eq!(read(&mut leaving).await, (part.len(), true));
        }
    }

    #[tokio::test]
    async fn a_span_that_went_bad_anywhere_does_not_come_to_its_end() {
        for at in [100, 200_000, 400_099] {
            let (file, sum) = file();
            file.write_all_at(&[251], at).unwrap();
            for (start, end) in [(100, 400_100), (150_000, 150_001), (399_000, 400_100)] {
                let part = ByteRange { start, end };
                let mut leaving = Leaving::new(Arc::clone(&file), SPAN, part, sum);
                let (seen, whole) = read(&mut leaving).await;
                assert!(!whole && seen < part.len());
            }
        }
    }

    #[tokio::test]
    async fn a_change_while_it_leaves_is_seen_at_its_end() {
        let (file, sum) = file();
        let mut leaving = Leaving::new(Arc::clone(&file), SPAN, SPAN, sum);
        assert!(matches!(leaving.next().await, Next::Bytes(_)));
        file.write_all_at(&[251], 300_000).unwrap();
        assert!(!read_on(&mut leaving).await);
        let (file, sum) = self::file();
        let mut leaving = Leaving::new(Arc::clone(&file), SPAN, SPAN, sum);
        assert!(matches!(leaving.next().await, Next::Bytes(_)));
        file.set_len(1000).unwrap();
        assert!(!read_on(&mut leaving).await);
    }

    async fn read_on(leaving: &mut Leaving) -> bool {
        loop {
            match leaving.next().await {
                Next::Bytes(_) => {}
                Next::End => return true,
                Next::Bad { sent } => {
                    assert!(sent);
                    return false;
                }
            }
        }
    }
}
