//! Keeping what matters of data that passes.
//!
//! What is found must not depend on the pieces in which data happens to arrive, so whatever points further in
//! may only point behind the part that says so: no byte is asked for when it may have passed already.

use super::{Format, Found, disks, gpt, iso, qcow2, vhdx, vmdk};

/// The part of the beginning that says how much of it matters.
pub(super) const FIRST: usize = 512;

/// The beginning is this much where no format asks for more.
const HEAD: usize = 34 * 1024;

/// Bytes of the end that are kept.
pub(super) const TAIL: usize = 3 * 512;

/// The kept parts of data that has ended.
pub(super) struct Kept<'a> {
    /// The beginning, as much of it as the format that it announces may need.
    pub(super) head: &'a [u8],
    /// The last bytes, where the beginning says that they matter.
    pub(super) tail: &'a [u8],
    /// What a header pointed at.
    pub(super) trail: &'a vhdx::Trail,
    /// Bytes in all.
    pub(super) total: u64,
}

/// Looks at data as it passes.
#[derive(Debug, Default)]
pub struct Inspector {
    head: Vec<u8>,
    tail: Vec<u8>,
    trail: vhdx::Trail,
    total: u64,
}

impl Inspector {
    /// One that has seen nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes in.
    pub fn eat(&mut self, bytes: &[u8]) {
        let rest = self.begin(bytes, FIRST);
        if self.head.len() >= FIRST {
            self.begin(rest, wanted(&self.head));
        }
        self.trail.follow(&self.head, bytes, self.total);
        if self.head.len() < FIRST || vmdk::has_footer(&self.head) {
            let from = bytes.len().saturating_sub(TAIL);
            self.tail.extend_from_slice(&bytes[from..]);
            self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        }
        self.total += bytes.len() as u64;
    }

    /// Adds to the beginning until it is `len` bytes; what is left over comes back.
    fn begin<'b>(&mut self, bytes: &'b [u8], len: usize) -> &'b [u8] {
        let missing = len.saturating_sub(self.head.len());
        let (own, rest) = bytes.split_at(missing.min(bytes.len()));
        self.head.extend_from_slice(own);
        rest
    }

    /// How many bytes it keeps for now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.head.len() + self.tail.len() + self.trail.held()
    }

    /// Everything that the data, now complete, can be taken for; [`Format::Raw`] alone where that is nothing.
    #[must_use]
    pub fn finish(self) -> Vec<Found> {
        let kept = Kept {
            head: &self.head,
            tail: &self.tail,
            trail: &self.trail,
            total: self.total,
        };
        let looks: [fn(&Kept<'_>) -> Option<Found>; 9] = [
            qcow2::look,
            disks::vhd,
            vhdx::look,
            vmdk::look,
            disks::vdi,
            disks::qed,
            iso::look,
            gpt::look,
            disks::luks,
        ];
        let found: Vec<Found> = looks.iter().filter_map(|look| look(&kept)).collect();
        if found.is_empty() {
            vec![Found::new(Format::Raw, self.total)]
        } else {
            found
        }
    }
}

/// How much of the beginning is to be kept.
fn wanted(first: &[u8]) -> usize {
    HEAD.max(vmdk::wanted(first)).max(vhdx::wanted(first))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The data in one piece, and in pieces of a few sizes: the same must be found.
    pub(in super::super) fn find(data: &[u8]) -> Vec<Found> {
        let found = |size: usize| {
            let mut inspector = Inspector::new();
            data.chunks(size).for_each(|part| inspector.eat(part));
            inspector.finish()
        };
        let whole = found(data.len().max(1));
        for size in [7, 512, 1000, 65_536] {
            assert_eq!(found(size), whole, "in pieces of {size}");
        }
        whole
    }

    /// The only thing that it is found to be.
    pub(in super::super) fn find_one(data: &[u8]) -> Found {
        let found = find(data);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }

    #[test]
    fn what_is_not_known_is_raw_with_its_own_size() {
        for data in [&b""[..], b"abc", &vec![7; 100_000]] {
            assert_eq!(find_one(data), Found::new(Format::Raw, data.len() as u64));
        }
    }

    #[test]
    fn a_bootable_iso_is_an_iso_and_a_partitioned_disk() {
        let mut data = iso::tests::image(40);
        gpt::tests::partition(&mut data);
        let formats: Vec<Format> = find(&data).iter().map(|found| found.format).collect();
        assert_eq!(formats, [Format::Iso, Format::Gpt]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut first = vec![0; FIRST];
        first[..4].copy_from_slice(b"KDMV");
        first[4] = 1;
        first[28] = 1;
        first[36..44].copy_from_slice(&u64::MAX.to_le_bytes());
        first[56..64].copy_from_slice(&u64::MAX.to_le_bytes());
        let mut inspector = Inspector::new();
        inspector.eat(&first);
        for _ in 0..64 {
            inspector.eat(&vec![b'x'; 65_536]);
        }
        assert!(inspector.held() > 1 << 20, "{}", inspector.held());
        assert!(inspector.held() <= (1 << 20) + 4096, "{}", inspector.held());
    }

    #[test]
    fn of_data_that_announces_nothing_little_is_kept() {
        let mut inspector = Inspector::new();
        for _ in 0..64 {
            inspector.eat(&vec![7; 65_536]);
        }
        assert!(inspector.held() <= HEAD + TAIL);
    }
}
