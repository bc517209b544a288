//! ISO 9660 and UDF: sixteen sectors for the system, then a volume descriptor.

use super::bytes::{le16, le32};
use super::{Format, Found, Kept};

const DESCRIPTOR: usize = 32 * 1024;
const SECTOR: usize = 2048;

/// The type of the descriptor that has the sizes.
const PRIMARY: u8 = 1;

pub(super) fn look(kept: &Kept<'_>) -> Option<Found> {
    let descriptor = kept.head.get(DESCRIPTOR..DESCRIPTOR + SECTOR)?;
    if !matches!(&descriptor[1..6], b"CD001" | b"NSR02" | b"NSR03") {
        return None;
    }
    let size = if descriptor[0] == PRIMARY {
        u64::from(le32(descriptor, 80)?) * u64::from(le16(descriptor, 128)?)
    } else {
        0
    };
    Some(Found::new(Format::Iso, size))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::inspector::tests::find_one;
    use super::*;

    pub(in super::super) fn image(blocks: u16) -> Vec<u8> {
        let mut data = vec![0; usize::from(blocks) * SECTOR];
        data[DESCRIPTOR] = PRIMARY;
        data[DESCRIPTOR + 1..DESCRIPTOR + 6].copy_from_slice(b"CD001");
        data[DESCRIPTOR + 80..DESCRIPTOR + 84].copy_from_slice(&u32::from(blocks).to_le_bytes());
        data[DESCRIPTOR + 128..DESCRIPTOR + 130].copy_from_slice(&2048u16.to_le_bytes());
        data
    }

    #[test]
    fn the_primary_descriptor_says_the_size() {
        assert_eq!(find_one(&image(40)), Found::new(Format::Iso, 81_920));
    }

    #[test]
    fn another_descriptor_says_none() {
        let mut data = image(40);
        data[DESCRIPTOR] = 0;
        assert_eq!(find_one(&data), Found::new(Format::Iso, 0));
    }
}
