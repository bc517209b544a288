//! QEMU's own format: a big-endian header at the start.

use super::bytes::{be32, be64};
use super::{Format, Found, Kept};

/// Incompatible features that may be set: dirty, corrupt, external data file, compression type. The third
/// is refused by name.
const KNOWN_FEATURES: u64 = 0b1111;
const EXTERNAL_DATA_FILE: u64 = 0b0100;

/// QEMU opens nothing beyond these; older ones tried, with all the memory it took.
const MOST_L1_ENTRIES: u32 = 32 * 1024 * 1024 / 8;
const MOST_SNAPSHOTS: u32 = 65_536;

pub(super) fn look(kept: &Kept<'_>) -> Option<Found> {
    let header = kept.head.get(..512)?;
    if !header.starts_with(b"QFI\xfb") {
        return None;
    }
    let version = be32(header, 4)?;
    let backing_file = be64(header, 8)?;
    let features = be64(header, 72)?;
    let mut found = Found::new(Format::Qcow2, be64(header, 24)?);
    if backing_file != 0 {
        found = found.but("backing_file");
    }
    if features & EXTERNAL_DATA_FILE != 0 {
        found = found.but("data_file");
    }
    // Version 2 has no features.
    if !(version == 2 || version == 3 && features & !KNOWN_FEATURES == 0) {
        found = found.but("unknown_features");
    }
    if be32(header, 36)? > MOST_L1_ENTRIES || be32(header, 60)? > MOST_SNAPSHOTS {
        found = found.but("tables");
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::super::inspector::tests::find_one;
    use super::*;

    fn image(version: u32, backing: u64, features: u64) -> Vec<u8> {
        let mut data = vec![0; 4096];
        data[..4].copy_from_slice(b"QFI\xfb");
        data[4..8].copy_from_slice(&version.to_be_bytes());
        data[8..16].copy_from_slice(&backing.to_be_bytes());
        data[24..32].copy_from_slice(&3_145_728u64.to_be_bytes());
        data[72..80].copy_from_slice(&features.to_be_bytes());
        data
    }

    #[test]
    fn the_size_is_in_the_header() {
        let found = find_one(&image(3, 0, 0));
        assert_eq!(found, Found::new(Format::Qcow2, 3_145_728));
        assert_eq!(find_one(&image(2, 0, 0)).dangers, [""; 0]);
    }

    #[test]
    fn references_to_other_files_are_dangers() {
        assert_eq!(find_one(&image(3, 512, 0)).dangers, ["backing_file"]);
        assert_eq!(find_one(&image(3, 0, 4)).dangers, ["data_file"]);
    }

    #[test]
    fn tables_that_nobody_could_read_are_a_danger() {
        for (at, most) in [(36, MOST_L1_ENTRIES), (60, MOST_SNAPSHOTS)] {
            let mut data = image(3, 0, 0);
            data[at..at + 4].copy_from_slice(&most.to_be_bytes());
            assert_eq!(find_one(&data).dangers, [""; 0]);
            data[at..at + 4].copy_from_slice(&(most + 1).to_be_bytes());
            assert_eq!(find_one(&data).dangers, ["tables"]);
        }
    }

    #[test]
    fn what_is_not_known_is_a_danger() {
        assert_eq!(find_one(&image(3, 0, 64)).dangers, ["unknown_features"]);
        assert_eq!(find_one(&image(3, 0, 16)).dangers, ["unknown_features"]);
        assert_eq!(find_one(&image(1, 0, 0)).dangers, ["unknown_features"]);
    }
}
