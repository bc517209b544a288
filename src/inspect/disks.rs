//! Formats that one look at a header is enough for.

use super::bytes::{be16, be32, be64, le32, le64};
use super::{Format, Found, Kept};

/// Virtual PC's format: a copy of its footer comes first.
pub(super) fn vhd(kept: &Kept<'_>) -> Option<Found> {
    if !kept.head.starts_with(b"conectix") {
        return None;
    }
    let truncated = kept.head.len() < 512;
    let size = if truncated { None } else { be64(kept.head, 40) };
    Some(Found {
        truncated,
        ..Found::new(Format::Vhd, size.unwrap_or(0))
    })
}

/// `VirtualBox`'s format.
pub(super) fn vdi(kept: &Kept<'_>) -> Option<Found> {
    let header = kept.head.get(..512)?;
    if le32(header, 0x40)? != 0xbeda_107f {
        return None;
    }
    Some(Found::new(Format::Vdi, le64(header, 0x170)?))
}

/// QEMU's abandoned format: recognised in order to be refused.
pub(super) fn qed(kept: &Kept<'_>) -> Option<Found> {
    let header = kept.head.get(..512)?;
    if !header.starts_with(b"QED\0") {
        return None;
    }
    Some(Found::new(Format::Qed, kept.total).but("banned"))
}

/// Linux disk encryption, whatever is inside. Only the first version is understood by hypervisors.
pub(super) fn luks(kept: &Kept<'_>) -> Option<Found> {
    if !kept.head.starts_with(b"LUKS\xba\xbe") {
        return None;
    }
    let payload = u64::from(be32(kept.head, 104).unwrap_or(0)) * 512;
    let mut found = Found::new(Format::Luks, kept.total.saturating_sub(payload));
    found.truncated = kept.head.len() < 592;
    if be16(kept.head, 6) != Some(1) {
        found = found.but("version");
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::super::inspector::tests::find_one;
    use super::*;

    fn image(parts: &[(usize, &[u8])]) -> Vec<u8> {
        let mut data = vec![0; 65_536];
        for (at, bytes) in parts {
            data[*at..*at + bytes.len()].copy_from_slice(bytes);
        }
        data
    }

    #[test]
    fn a_vhd_says_its_size() {
        let size = 5_242_880u64;
        let found = find_one(&image(&[(0, b"conectix"), (40, &size.to_be_bytes())]));
        assert_eq!(found, Found::new(Format::Vhd, size));
        assert!(find_one(b"conectix and no more").truncated);
    }

    #[test]
    fn a_vdi_says_its_size() {
        let magic = 0xbeda_107f_u32.to_le_bytes();
        let size = 7_340_032u64;
        let found = find_one(&image(&[(0x40, &magic), (0x170, &size.to_le_bytes())]));
        assert_eq!(found, Found::new(Format::Vdi, size));
    }

    #[test]
    fn qed_is_a_danger_as_such() {
        assert_eq!(find_one(&image(&[(0, b"QED\0")])).dangers, ["banned"]);
    }

    #[test]
    fn encrypted_data_is_as_large_as_what_follows_its_header() {
        let magic = b"LUKS\xba\xbe";
        let first = image(&[(0, magic), (6, &[0, 1]), (104, &8u32.to_be_bytes())]);
        assert_eq!(find_one(&first), Found::new(Format::Luks, 65_536 - 8 * 512));
        let second = image(&[(0, magic), (6, &[0, 2])]);
        assert_eq!(find_one(&second).dangers, ["version"]);
    }
}
