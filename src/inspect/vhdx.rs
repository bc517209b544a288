//! Hyper-V's format: a table of regions, of which one is a table of metadata, of which one is the size.

use super::bytes::{array, le16, le32, le64};
use super::{Format, Found, Kept};

const REGIONS: usize = 192 * 1024;
const TABLE: usize = 64 * 1024;
const ENTRY: usize = 32;

/// Entries of either table, at most.
const ENTRIES: usize = 2047;

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
    if is_vhdx(head) { REGIONS + TABLE } else { 0 }
}

/// How far the pointers from table to table have been followed.
#[derive(Debug, Default)]
pub(super) enum Trail {
    /// The table of regions has not passed yet.
    #[default]
    Ahead,
    Metadata(Window),
    Size(Window),
    /// There is no next table, or no size in it.
    Cold,
    /// A pointer leads to where nothing may be.
    Astray,
}

impl Trail {
    /// Goes as far as possible with the beginning, and the bytes that come at a position.
    pub(super) fn follow(&mut self, head: &[u8], bytes: &[u8], position: u64) {
        if matches!(self, Trail::Ahead) && is_vhdx(head) && head.len() == wanted(head) {
            *self = to_metadata(&head[REGIONS..]);
        }
        if let Trail::Metadata(window) = self {
            window.capture(bytes, position);
            if window.is_full() {
                *self = to_size(window);
            }
        }
        if let Trail::Size(window) = self {
            window.capture(bytes, position);
        }
    }

    /// How many bytes it keeps.
    pub(super) fn held(&self) -> usize {
        match self {
            Trail::Metadata(window) | Trail::Size(window) => window.data.len(),
            Trail::Ahead | Trail::Cold | Trail::Astray => 0,
        }
    }
}

fn to_metadata(regions: &[u8]) -> Trail {
    let start = || {
        let count = le32(regions, 8).filter(|_| regions.starts_with(b"regi"))?;
        le64(find(regions, 16, count, METADATA)?, 16)
    };
    match start() {
        None => Trail::Cold,
        Some(start) if start < (REGIONS + TABLE) as u64 => Trail::Astray,
        Some(start) => Trail::Metadata(Window::new(start, TABLE)),
    }
}

fn to_size(metadata: &Window) -> Trail {
    let table = &metadata.data;
    if !table.starts_with(b"metadata") {
        return Trail::Astray;
    }
    let place = || {
        let entry = find(table, 32, le16(table, 10)?.into(), VIRTUAL_DISK_SIZE)?;
        Some((le32(entry, 16)?, le32(entry, 20)?))
    };
    match place() {
        None => Trail::Cold,
        Some((offset, 8)) if offset as usize >= TABLE => {
            Trail::Size(Window::new(metadata.start + u64::from(offset), 8))
        }
        Some(_) => Trail::Astray,
    }
}

pub(super) fn look(kept: &Kept<'_>) -> Option<Found> {
    if !is_vhdx(kept.head) {
        return None;
    }
    let (size, truncated) = match kept.trail {
        Trail::Ahead | Trail::Metadata(_) | Trail::Astray => (None, true),
        Trail::Size(window) => (le64(&window.data, 0), !window.is_full()),
        Trail::Cold => (None, false),
    };
    Some(Found {
        truncated,
        ..Found::new(Format::Vhdx, size.unwrap_or(0))
    })
}

/// The entry of a table that begins with a GUID.
fn find(table: &[u8], first: usize, count: u32, guid: [u8; 16]) -> Option<&[u8]> {
    let count = usize::try_from(count)
        .ok()
        .filter(|count| *count <= ENTRIES)?;
    let mut entries = table.get(first..)?.chunks_exact(ENTRY).take(count);
    entries.find(|entry| array(entry, 0) == Some(guid))
}

/// A part of the data further in.
#[derive(Debug)]
pub(super) struct Window {
    start: u64,
    len: usize,
    data: Vec<u8>,
}

impl Window {
    fn new(start: u64, len: usize) -> Self {
        Self {
            start,
            len,
            data: Vec::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.data.len() == self.len
    }

    /// Takes what is its own of bytes that begin at a position.
    fn capture(&mut self, bytes: &[u8], position: u64) {
        let next = self.start.saturating_add(self.data.len() as u64);
        let own = next
            .checked_sub(position)
            .and_then(|skip| usize::try_from(skip).ok())
            .and_then(|skip| bytes.get(skip..));
        if let Some(own) = own {
            let missing = self.len - self.data.len();
            self.data.extend_from_slice(&own[..own.len().min(missing)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::inspector::tests::find_one;
    use super::*;

    const METADATA_AT: usize = 2 * 1024 * 1024;
    const METADATA_POINTER: usize = REGIONS + 16 + ENTRY + 16;
    const SIZE_POINTER: usize = METADATA_AT + 32 + 16;

    fn image(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut data = vec![0; 4 * 1024 * 1024];
        let mut put = |at: usize, bytes: &[u8]| data[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"vhdxfile");
        put(REGIONS, b"regi");
        put(REGIONS + 8, &2u32.to_le_bytes());
        put(REGIONS + 16 + ENTRY, &METADATA);
        put(METADATA_POINTER, &(METADATA_AT as u64).to_le_bytes());
        put(METADATA_AT, b"metadata");
        put(METADATA_AT + 10, &1u16.to_le_bytes());
        put(METADATA_AT + 32, &VIRTUAL_DISK_SIZE);
        put(SIZE_POINTER, &65_544u32.to_le_bytes());
        put(SIZE_POINTER + 4, &8u32.to_le_bytes());
        put(METADATA_AT + 65_544, &10_737_418_240u64.to_le_bytes());
        change(&mut data);
        data
    }

    #[test]
    fn the_size_is_found_through_both_tables() {
        let found = find_one(&image(|_| ()));
        assert_eq!(found, Found::new(Format::Vhdx, 10_737_418_240));
    }

    #[test]
    fn data_that_ends_before_its_tables_is_truncated() {
        let whole = image(|_| ());
        for end in [100_000, 1_000_000, METADATA_AT + 100, METADATA_AT + 65_550] {
            assert!(find_one(&whole[..end]).truncated, "{end}");
        }
        assert!(!find_one(&whole[..METADATA_AT + 65_552]).truncated);
    }

    #[test]
    fn a_table_that_is_none_says_no_size() {
        for at in [REGIONS, REGIONS + 16 + ENTRY, METADATA_AT + 32] {
            let data = image(|data| data[at] = b'x');
            assert_eq!(find_one(&data), Found::new(Format::Vhdx, 0));
        }
    }

    #[test]
    fn pointers_backwards_and_to_nowhere_are_not_followed() {
        let changes: [fn(&mut [u8]); 5] = [
            |data| data[METADATA_AT] = b'x',
            |data| data[METADATA_POINTER..METADATA_POINTER + 8].fill(0),
            |data| data[METADATA_POINTER..METADATA_POINTER + 8].fill(0xff),
            |data| data[SIZE_POINTER..SIZE_POINTER + 4].fill(0),
            |data| data[SIZE_POINTER..SIZE_POINTER + 4].fill(0xff),
        ];
        for (i, change) in changes.into_iter().enumerate() {
            assert!(find_one(&image(change)).truncated, "change {i}");
        }
    }
}
