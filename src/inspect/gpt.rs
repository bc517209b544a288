//! Partitioned disks: the boot sector that GPT keeps for those who only know MBR, and MBR itself.

use super::bytes::{le16, le32};
use super::{Format, Found, Kept};

const SIGNATURE: u16 = 0xaa55;
const ENTRIES: usize = 446;

/// The type of the entry that stands for a whole disk with a GPT.
const PROTECTIVE: u8 = 0xee;

pub(super) fn look(kept: &Kept<'_>) -> Option<Found> {
    let sector = kept.head.get(..512)?;
    // A FAT file system begins with the same signature, and says how many tables it has on what medium.
    let fat = sector[0x10] == 2 && sector[0x15] == 0xf8;
    if le16(sector, 510)? != SIGNATURE || fat {
        return None;
    }
    let found = Found::new(Format::Gpt, kept.total);
    Some(if sound(sector) {
        found
    } else {
        found.but("mbr")
    })
}

/// Whether the table is one that firmware and hypervisors agree upon.
fn sound(sector: &[u8]) -> bool {
    let entries: Vec<&[u8]> = sector[ENTRIES..ENTRIES + 64].chunks(16).collect();
    let used = |entry: &&&[u8]| entry[4] != 0;
    let boot_flags = entries.iter().all(|entry| matches!(entry[0], 0 | 0x80));
    let protective = |entry: &&[u8]| entry[4] == PROTECTIVE;
    let well_placed = entries
        .iter()
        .filter(|entry| protective(entry))
        .all(|entry| entry[1..4] == [0, 2, 0] && le32(entry, 8) == Some(1));
    let alone = !entries.iter().any(protective)
        || entries[0][4] != 0 && entries.iter().filter(used).count() == 1;
    boot_flags && well_placed && alone && entries.iter().any(|entry| entry[4] != 0)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::inspector::tests::find_one;
    use super::*;

    /// Makes data a disk with a GPT, as far as its first sector says.
    pub(in super::super) fn partition(data: &mut [u8]) {
        data[510..512].copy_from_slice(&SIGNATURE.to_le_bytes());
        data[ENTRIES + 2] = 2;
        data[ENTRIES + 4] = PROTECTIVE;
        data[ENTRIES + 8] = 1;
    }

    fn disk(change: impl FnOnce(&mut [u8])) -> Found {
        let mut data = vec![0; 1_048_576];
        partition(&mut data);
        change(&mut data);
        find_one(&data)
    }

    #[test]
    fn a_disk_is_as_large_as_its_data() {
        assert_eq!(disk(|_| ()), Found::new(Format::Gpt, 1_048_576));
    }

    #[test]
    fn an_older_disk_may_have_several_partitions() {
        let older = disk(|data| {
            data[ENTRIES + 4] = 0x83;
            data[ENTRIES + 16 + 4] = 0x82;
        });
        assert_eq!(older.dangers, [""; 0]);
    }

    #[test]
    fn a_table_that_can_be_read_in_two_ways_is_a_danger() {
        let changes: [fn(&mut [u8]); 5] = [
            |data| data[ENTRIES] = 7,
            |data| data[ENTRIES + 2] = 3,
            |data| data[ENTRIES + 8] = 2,
            |data| data[ENTRIES + 16 + 4] = 0x83,
            |data| data[ENTRIES + 4] = 0,
        ];
        for (i, change) in changes.into_iter().enumerate() {
            assert_eq!(disk(change).dangers, ["mbr"], "change {i}");
        }
    }

    #[test]
    fn a_fat_file_system_is_no_partitioned_disk() {
        let fat = disk(|data| {
            data[0x10] = 2;
            data[0x15] = 0xf8;
        });
        assert_eq!(fat.format, Format::Raw);
    }
}
