//! `VMware`'s format: a sparse header and, in the file or as the file, a text that describes the disk.
//!
//! The text can name other files as the disk's extents, so every line of it must be one that is understood.
//! Only the two variants that keep a disk in a single file are taken.

use super::bytes::{le32, le64};
use super::{Format, Found, Kept};

const MAGIC: &[u8] = b"KDMV";
const SECTOR: u64 = 512;

/// Where the description begins, and how long it may be. QEMU insists on both.
const DESCRIPTION: usize = 512;
const LONGEST: u64 = (1 << 20) - 1;

/// In place of the position of the grain directory: a footer has it.
const AT_END: u64 = u64::MAX;

const FOOTER_MARKER: u32 = 3;

/// How much of the beginning is needed.
pub(super) fn wanted(head: &[u8]) -> usize {
    let length = description_length(head).unwrap_or(0);
    DESCRIPTION + usize::try_from(length).unwrap_or(0)
}

fn description_length(head: &[u8]) -> Option<u64> {
    if !head.starts_with(MAGIC) {
        return None;
    }
    Some(le64(head, 36)?.saturating_mul(SECTOR).min(LONGEST))
}

pub(super) fn look(kept: &Kept<'_>) -> Option<Found> {
    if !kept.head.starts_with(MAGIC) {
        return text_alone(kept.head).then(|| Found::new(Format::Vmdk, 0).but("descriptor"));
    }
    let sectors = le64(kept.head, 12).unwrap_or(0);
    let mut found = Found::new(Format::Vmdk, 0);
    found.truncated = kept.head.len() < wanted(kept.head);
    match description(kept.head) {
        Some(text) if is_single_file(&text) => {
            found.virtual_size = sectors.saturating_mul(SECTOR);
            if !is_understood(&text) {
                found = found.but("descriptor");
            }
        }
        _ => found = found.but("descriptor"),
    }
    if le64(kept.head, 56) == Some(AT_END) && !footer_agrees(kept) {
        found = found.but("footer");
    }
    Some(found)
}

/// The description without its padding, in lower case: it is ASCII in which case does not matter.
fn description(head: &[u8]) -> Option<String> {
    let version = le32(head, 4)?;
    if !(1..=3).contains(&version) || le64(head, 28)?.checked_mul(SECTOR)? != 512 {
        return None;
    }
    let end = wanted(head).min(head.len());
    let text = head.get(DESCRIPTION..end)?;
    let text = text.split(|byte| *byte == 0).next()?;
    ascii(text)
}

fn ascii(text: &[u8]) -> Option<String> {
    let text = text.is_ascii().then(|| String::from_utf8_lossy(text))?;
    Some(text.to_ascii_lowercase())
}

/// `createType`, where it is short enough to be one.
fn create_type(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("createtype=\"")?;
    let (kind, _) = rest.split_once('"')?;
    (kind.len() < 64).then_some(kind)
}

fn is_single_file(text: &str) -> bool {
    matches!(
        create_type(text),
        Some("monolithicsparse" | "streamoptimized")
    )
}

fn is_understood(text: &str) -> bool {
    let mut extents = 0;
    for line in text.lines().map(str::trim) {
        let first_word = line.split(' ').next().unwrap_or_default();
        if line.is_empty() || line.starts_with('#') || line.starts_with("ddb") {
            continue;
        }
        let is_field = line
            .split_once('=')
            .is_some_and(|(name, _)| !name.contains(' '));
        if is_field {
            continue;
        }
        if !matches!(first_word, "rw" | "rdonly" | "noaccess") || line.contains('/') {
            return false;
        }
        extents += 1;
    }
    extents > 0
}

/// A description by itself points at other files, or at none.
fn text_alone(head: &[u8]) -> bool {
    let start = &head[..head.len().min(512)];
    let is_text = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, 9..=13 | 28..=32);
    if start.len() < 64 || !start.iter().all(is_text) {
        return false;
    }
    let text = head.split(|byte| *byte == 0).next().unwrap_or_default();
    ascii(text).is_some_and(|text| create_type(&text).is_some())
}

/// The footer counts for those who read the file from its end: it must say the same as the header.
fn footer_agrees(kept: &Kept<'_>) -> bool {
    let (head, tail) = (kept.head, kept.tail);
    let Some([marker, footer, end]) = tail
        .get(..3 * 512)
        .map(|tail| [&tail[..512], &tail[512..1024], &tail[1024..]])
    else {
        return false;
    };
    let same = |from: usize, to: usize| head.get(from..to) == footer.get(from..to);
    let padded = |sector: &[u8]| sector[16..].iter().all(|byte| *byte == 0);
    same(0, 8)
        && same(28, 44)
        && le64(footer, 56) != Some(AT_END)
        && le32(marker, 8) == Some(0)
        && le32(marker, 12) == Some(FOOTER_MARKER)
        && padded(marker)
        && end.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::find_one;
    use super::*;

    const EXTENT: &str = "RW 4096 SPARSE \"disk.vmdk\"";

    fn text(kind: &str, extent: &str) -> String {
        format!(
            "# Disk DescriptorFile\nversion=1\nCID=fffffffe\ncreateType=\"{kind}\"\n\n\
             # Extent description\n{extent}\n\nddb.adapterType = \"ide\"\n"
        )
    }

    fn image(text: &str, directory: u64) -> Vec<u8> {
        let mut data = vec![0; 65_536];
        let mut put = |at: usize, bytes: &[u8]| data[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, MAGIC);
        put(4, &1u32.to_le_bytes());
        put(12, &4096u64.to_le_bytes());
        put(28, &1u64.to_le_bytes());
        put(36, &20u64.to_le_bytes());
        put(56, &directory.to_le_bytes());
        put(512, text.as_bytes());
        data
    }

    #[test]
    fn a_single_file_says_its_size() {
        for kind in ["monolithicSparse", "streamOptimized"] {
            let found = find_one(&image(&text(kind, EXTENT), 21));
            assert_eq!(found, Found::new(Format::Vmdk, 2_097_152));
        }
    }

    #[test]
    fn other_files_are_a_danger() {
        for text in [
            text("monolithicFlat", EXTENT),
            text("monolithicSparse", "RW 4096 FLAT \"/etc/passwd\" 0"),
            text("monolithicSparse", "what is this"),
            text("monolithicSparse", ""),
            "version=1\n".to_owned(),
        ] {
            assert_eq!(
                find_one(&image(&text, 21)).dangers,
                ["descriptor"],
                "{text}"
            );
        }
    }

    #[test]
    fn a_description_by_itself_is_a_danger() {
        let found = find_one(text("monolithicFlat", EXTENT).as_bytes());
        assert_eq!(found, Found::new(Format::Vmdk, 0).but("descriptor"));
    }

    #[test]
    fn text_that_describes_no_disk_is_raw() {
        let found = find_one(
            "a shopping list: milk, bread and butter\n"
                .repeat(9)
                .as_bytes(),
        );
        assert_eq!(found.format, Format::Raw);
    }

    #[test]
    fn a_footer_must_agree_with_the_header() {
        let streamed = |change: fn(&mut [u8])| {
            let mut data = image(&text("streamOptimized", EXTENT), AT_END);
            let mut footer = data[..512].to_vec();
            footer[56..64].copy_from_slice(&30u64.to_le_bytes());
            let mut marker = vec![0; 512];
            marker[12] = 3;
            change(&mut footer);
            for sector in [marker, footer, vec![0; 512]] {
                data.extend(sector);
            }
            find_one(&data).dangers
        };
        assert_eq!(streamed(|_| ()), [""; 0]);
        assert_eq!(streamed(|footer| footer[28] = 9), ["footer"]);
        assert_eq!(streamed(|footer| footer[56..64].fill(0xff)), ["footer"]);
    }

    #[test]
    fn a_description_that_is_cut_off_is_truncated() {
        assert!(find_one(&image(&text("monolithicSparse", EXTENT), 21)[..2048]).truncated);
    }
}
