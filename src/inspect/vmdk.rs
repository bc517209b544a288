//! `VMware`'s format: a sparse header and, in the file or as the file, a text that describes the disk.
//!
//! The text can name other files as the disk's extents, so every line of it must be one that is understood,
//! and in one way: QEMU splits words at tabs too, and takes the `createType` that is spelled so, not the first
//! in any case. Only the two variants that keep a disk in a single file are taken.

use super::bytes::{le32, le64};
use super::inspector::{FIRST, TAIL};
use super::{Format, Found, Kept};

const MAGIC: &[u8] = b"KDMV";
const SECTOR: u64 = 512;

/// Where the description begins, and how long it may be. QEMU insists on both.
const DESCRIPTION: usize = 512;
const LONGEST: u64 = (1 << 20) - 1;

/// A text that says so far in that it describes a disk describes none.
const TEXT: usize = 64 * 1024;

/// In place of the position of the grain directory: a footer has it.
const AT_END: u64 = u64::MAX;

const FOOTER_MARKER: u32 = 3;

/// A `createType` is shorter than this.
const LONGEST_TYPE: usize = 64;

const CREATE_TYPE: &str = "createtype=\"";

/// How much of the beginning is needed.
pub(super) fn wanted(head: &[u8]) -> usize {
    if let Some(length) = description_length(head) {
        DESCRIPTION + usize::try_from(length).unwrap_or(0)
    } else if is_text(head) {
        TEXT
    } else {
        0
    }
}

fn description_length(head: &[u8]) -> Option<u64> {
    if !has_header(head) {
        return None;
    }
    Some(le64(head, 36)?.saturating_mul(SECTOR).min(LONGEST))
}

/// Whether it begins with a sparse header that can be followed to a description.
fn has_header(head: &[u8]) -> bool {
    let version = le32(head, 4).unwrap_or(0);
    let place = le64(head, 28).unwrap_or(0);
    head.starts_with(MAGIC) && (1..=3).contains(&version) && place.checked_mul(SECTOR) == Some(512)
}

/// Whether the end of the data matters.
pub(super) fn has_footer(head: &[u8]) -> bool {
    head.starts_with(MAGIC) && le64(head, 56) == Some(AT_END)
}

pub(super) fn look(kept: &Kept<'_>) -> Option<Found> {
    if !kept.head.starts_with(MAGIC) {
        return text_alone(kept.head).then(|| Found::new(Format::Vmdk, 0).but("descriptor"));
    }
    if kept.head.len() < 64 {
        return Some(Found {
            truncated: true,
            ..Found::new(Format::Vmdk, 0).but("descriptor")
        });
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
    if has_footer(kept.head) && !footer_agrees(kept) {
        found.truncated |= kept.tail.len() < TAIL;
        found = found.but("footer");
    }
    Some(found)
}

/// The description without its padding, in lower case: it is ASCII in which case does not matter.
fn description(head: &[u8]) -> Option<String> {
    if !has_header(head) {
        return None;
    }
    let end = wanted(head).min(head.len());
    let text = before_padding(head.get(DESCRIPTION..end)?);
    text.is_ascii().then(|| lower_case(text))
}

fn before_padding(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn lower_case(text: &[u8]) -> String {
    String::from_utf8_lossy(text).to_ascii_lowercase()
}

/// `createType`, where there is one that is short enough.
fn create_type(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(CREATE_TYPE)?;
    let (kind, _) = rest.split_once('"')?;
    (kind.len() < LONGEST_TYPE).then_some(kind)
}

fn is_single_file(text: &str) -> bool {
    let kind = create_type(text);
    matches!(kind, Some("monolithicsparse" | "streamoptimized"))
        && text.matches("createtype").count() == 1
}

fn is_understood(text: &str) -> bool {
    let mut extents = 0;
    for line in text.split('\n').map(|line| line.trim_matches(is_blank)) {
        if line.is_empty() || line.starts_with('#') || line.starts_with("ddb") {
            continue;
        }
        let is_field = line
            .split_once('=')
            .is_some_and(|(name, _)| !name.contains(is_blank));
        if is_field {
            continue;
        }
        let first_word = line.split(' ').next().unwrap_or_default();
        if !matches!(first_word, "rw" | "rdonly" | "noaccess") || line.contains('/') {
            return false;
        }
        extents += 1;
    }
    extents > 0
}

fn is_blank(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\x1c'..=' ')
}

/// Whether it begins with text, as far as its first bytes say.
fn is_text(head: &[u8]) -> bool {
    let start = &head[..head.len().min(FIRST)];
    let readable = |byte: &u8| byte.is_ascii_graphic() || is_blank(char::from(*byte));
    start.len() >= 64 && start.iter().all(readable)
}

/// A description by itself points at other files, or at none. What comes behind may be anything: hypervisors
/// read no further than they must.
fn text_alone(head: &[u8]) -> bool {
    let text = before_padding(&head[..head.len().min(TEXT)]);
    let text = if is_text(head) {
        lower_case(text)
    } else {
        String::new()
    };
    let kind = text.split_once(CREATE_TYPE).map(|(_, rest)| rest);
    kind.is_some_and(|rest| rest.find('"').is_none_or(|length| length < LONGEST_TYPE))
}

/// The footer counts for those who read the file from its end: it must say the same as the header.
fn footer_agrees(kept: &Kept<'_>) -> bool {
    let (head, tail) = (kept.head, kept.tail);
    let Some([marker, footer, end]) = tail
        .get(..TAIL)
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
    use super::super::inspector::tests::find_one;
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
            text(
                "monolithicSparse",
                &format!("{EXTENT}\nrw\t4096\tflat\t\"/etc/passwd\"\t0 ="),
            ),
            text(
                "monolithicSparse",
                &format!("{EXTENT}\n CREATETYPE=\"monolithicFlat\""),
            ),
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
