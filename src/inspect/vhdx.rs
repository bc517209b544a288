//! Hyper-V's format: a table of regions, of which one is a table of metadata, of which one is the size.

use super::bytes::{array, le16, le32, le64};
use super::{Format, Found, Kept};

const REGIONS: usize = 192 * 1024;
const REGION_TABLE: usize = 64 * 1024;
const ENTRY: usize = 32;

/// Entries of either table, at most.
const ENTRIES: usize = 2047;

/// The metadata table and some of what follows it: items are found within the first MiB.
const WINDOW: usize = 2 * 64 * 1024;

// GUIDs, in the byte order in which they are stored.
const METADATA: [u8; 16] = [
    0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e,
];
const VIRTUAL_DISK_SIZE: [u8; 16] = [
    0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8,
];

fn is_vhdx(head: &[u8]) -> bool {
    head.starts_with(b"vhdxfile")
}

/// How much of the beginning is needed.
pub(super) fn wanted(head: &[u8]) -> usize {
    if is_vhdx(head) {
        REGIONS + REGION_TABLE
    } else {
        0
    }
}

/// Where the metadata are, as soon as the beginning says so: start and length.
pub(super) fn window(head: &[u8]) -> Option<(u64, usize)> {
    if !is_vhdx(head) {
        return None;
    }
    let table = head.get(REGIONS..REGIONS + REGION_TABLE)?;
    if !table.starts_with(b"regi") {
        return None;
    }
    let entry = find(table, 16, le32(table, 8)?, METADATA)?;
    Some((le64(entry, 16)?, WINDOW))
}

pub(super) fn look(kept: &Kept<'_>) -> Option<Found> {
    if !is_vhdx(kept.head) {
        return None;
    }
    let size = virtual_size(kept.window);
    let mut found = Found::new(Format::Vhdx, size.unwrap_or(0));
    found.truncated = kept.head.len() < wanted(kept.head)
        || window(kept.head).is_some() && kept.window.is_empty();
    Some(found)
}

fn virtual_size(metadata: &[u8]) -> Option<u64> {
    if !metadata.starts_with(b"metadata") {
        return None;
    }
    let entry = find(
        metadata,
        32,
        u32::from(le16(metadata, 10)?),
        VIRTUAL_DISK_SIZE,
    )?;
    le64(metadata, usize::try_from(le32(entry, 16)?).ok()?)
}

/// The entry of a table that begins with a GUID.
fn find(table: &[u8], first: usize, count: u32, guid: [u8; 16]) -> Option<&[u8]> {
    let count = usize::try_from(count)
        .ok()
        .filter(|count| *count <= ENTRIES)?;
    let entries = table.get(first..)?.chunks_exact(ENTRY).take(count);
    entries
        .into_iter()
        .find(|entry| array(entry, 0) == Some(guid))
}

#[cfg(test)]
mod tests {
    use super::super::tests::find_one;
    use super::*;

    const METADATA_AT: usize = 2 * 1024 * 1024;

    fn image() -> Vec<u8> {
        let mut data = vec![0; 4 * 1024 * 1024];
        let mut put = |at: usize, bytes: &[u8]| data[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"vhdxfile");
        put(REGIONS, b"regi");
        put(REGIONS + 8, &2u32.to_le_bytes());
        put(REGIONS + 16 + ENTRY, &METADATA);
        put(
            REGIONS + 16 + ENTRY + 16,
            &(METADATA_AT as u64).to_le_bytes(),
        );
        put(METADATA_AT, b"metadata");
        put(METADATA_AT + 10, &1u16.to_le_bytes());
        put(METADATA_AT + 32, &VIRTUAL_DISK_SIZE);
        put(METADATA_AT + 32 + 16, &65_544u32.to_le_bytes());
        put(METADATA_AT + 65_544, &10_737_418_240u64.to_le_bytes());
        data
    }

    #[test]
    fn the_size_is_found_through_both_tables() {
        assert_eq!(find_one(&image()), Found::new(Format::Vhdx, 10_737_418_240));
    }

    #[test]
    fn data_that_ends_before_its_tables_is_truncated() {
        assert!(find_one(&image()[..100_000]).truncated);
        assert!(find_one(&image()[..1_000_000]).truncated);
    }

    #[test]
    fn a_table_that_is_none_says_no_size() {
        let mut data = image();
        data[REGIONS] = b'x';
        assert_eq!(find_one(&data), Found::new(Format::Vhdx, 0));
    }
}
