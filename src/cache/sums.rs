//! Spans, and their checksums.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use crate::stream::ByteRange;

/// Bytes of a span. What a range needs is fetched in such pieces, and a crash costs at most one.
pub const SPAN: u64 = 4 * 1024 * 1024;

/// The BLAKE3 checksum of a span.
pub type Sum = [u8; 32];

/// How many spans an image of so many bytes has.
pub fn spans_of(size: u64) -> u64 {
    size.div_ceil(SPAN)
}

/// The span that a byte is in.
pub fn span_at(position: u64) -> u64 {
    position / SPAN
}

/// The bytes of some spans, of an image of this size.
pub fn bytes_of(first: u64, end: u64, size: u64) -> ByteRange {
    ByteRange {
        start: (first * SPAN).min(size),
        end: end.saturating_mul(SPAN).min(size),
    }
}

/// Bytes that are read at once to be hashed.
const PIECE: usize = 256 * 1024;

/// The checksum of what a file has there. Reads the disk.
pub fn sum_of(file: &File, range: ByteRange) -> io::Result<Sum> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; PIECE];
    let mut at = range.start;
    while at < range.end {
        let wanted = usize::try_from(range.end - at).map_or(PIECE, |rest| rest.min(PIECE));
        file.read_exact_at(&mut buffer[..wanted], at)?;
        hasher.update(&buffer[..wanted]);
        at += wanted as u64;
    }
    Ok(*hasher.finalize().as_bytes())
}

/// Checksums of spans whose bytes come in order.
#[derive(Debug, Default)]
pub struct Summing {
    hasher: blake3::Hasher,
    /// Bytes of the current span so far.
    seen: u64,
}

impl Summing {
    /// Takes bytes, and hands out the checksum of each span that they complete.
    pub fn update(&mut self, mut bytes: &[u8], mut complete: impl FnMut(Sum)) {
        while !bytes.is_empty() {
            let missing = usize::try_from(SPAN - self.seen).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(missing.min(bytes.len()));
            self.hasher.update(now);
            self.seen += now.len() as u64;
            bytes = later;
            if self.seen == SPAN {
                self.finish().into_iter().for_each(&mut complete);
            }
        }
    }

    /// The checksum of a last span that is shorter than others.
    pub fn finish(&mut self) -> Option<Sum> {
        let sum = (self.seen > 0).then(|| *self.hasher.finalize().as_bytes());
        self.hasher.reset();
        self.seen = 0;
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_come_in_any_pieces_have_the_checksums_of_the_file() {
        use std::io::Write as _;
        let size = usize::try_from(SPAN).unwrap() * 2 + 17;
        let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let whole: Vec<Sum> = (0..3)
            .map(|span| sum_of(&file, bytes_of(span, span + 1, size as u64)).unwrap())
            .collect();
        let mut summing = Summing::default();
        let mut sums = Vec::new();
        for piece in bytes.chunks(99_991) {
            summing.update(piece, |sum| sums.push(sum));
        }
        sums.extend(summing.finish());
        assert_eq!(sums, whole);
    }
}
