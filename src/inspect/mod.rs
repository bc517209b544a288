//! What data is, whatever it is called.
//!
//! Data is looked at while it passes: its beginning, its last bytes, and for one format a table in between
//! are kept, and judged when the data has ended. The formats are those that hypervisors would recognise,
//! because the danger is a hypervisor that takes an image for something else than its owner says, or that
//! follows a reference in it to a file of the host.

mod bytes;
mod disks;
mod gpt;
mod iso;
mod qcow2;
mod vhdx;
mod vmdk;

use std::fmt;

/// A format that can be told from its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    Qcow2,
    Vhd,
    Vhdx,
    Vmdk,
    Vdi,
    Qed,
    Iso,
    /// A disk with a partition table, GPT or the older MBR.
    Gpt,
    Luks,
    /// Nothing that is known.
    Raw,
}

impl Format {
    /// The name, as in `disk_format` where that has one for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Qcow2 => "qcow2",
            Format::Vhd => "vhd",
            Format::Vhdx => "vhdx",
            Format::Vmdk => "vmdk",
            Format::Vdi => "vdi",
            Format::Qed => "qed",
            Format::Iso => "iso",
            Format::Gpt => "gpt",
            Format::Luks => "luks",
            Format::Raw => "raw",
        }
    }

    /// Whether data of a format of this name would be recognised.
    #[must_use]
    pub fn is_known(name: &str) -> bool {
        [
            Format::Qcow2,
            Format::Vhd,
            Format::Vhdx,
            Format::Vmdk,
            Format::Vdi,
            Format::Qed,
            Format::Iso,
            Format::Gpt,
            Format::Luks,
            Format::Raw,
        ]
        .iter()
        .any(|format| format.as_str() == name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What data was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub format: Format,
    /// Bytes of the disk it describes; 0 where that cannot be told.
    pub virtual_size: u64,
    /// Why a hypervisor must not get to see it.
    pub dangers: Vec<&'static str>,
    /// It ends before all that was to be looked at: it cannot be told safe.
    pub truncated: bool,
}

impl Found {
    fn new(format: Format, virtual_size: u64) -> Self {
        Self {
            format,
            virtual_size,
            dangers: Vec::new(),
            truncated: false,
        }
    }

    fn but(mut self, danger: &'static str) -> Self {
        self.dangers.push(danger);
        self
    }
}

/// The kept parts of data that has ended.
struct Kept<'a> {
    /// The beginning, as much of it as the format that it announces may need.
    head: &'a [u8],
    /// The last bytes.
    tail: &'a [u8],
    /// What a header pointed at.
    window: &'a [u8],
    /// Bytes in all.
    total: u64,
}

/// Bytes of the end that are kept.
const TAIL: usize = 1536;

/// The header of every format but one is in here.
const HEAD: usize = 34 * 1024;

/// Looks at data as it passes.
#[derive(Debug, Default)]
pub struct Inspector {
    head: Vec<u8>,
    tail: Vec<u8>,
    window: Option<Window>,
    total: u64,
}

/// A part of the data further in.
#[derive(Debug)]
struct Window {
    start: u64,
    len: usize,
    data: Vec<u8>,
}

impl Inspector {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes in.
    pub fn eat(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        // The beginning says how much of it matters.
        while !rest.is_empty() {
            let wanted = wanted(&self.head).saturating_sub(self.head.len());
            if wanted == 0 || self.head.len() as u64 != self.total_before(bytes, rest) {
                break;
            }
            let (now, later) = rest.split_at(wanted.min(rest.len()));
            self.head.extend_from_slice(now);
            rest = later;
        }
        if self.window.is_none() {
            self.window = vhdx::window(&self.head).map(|(start, len)| Window {
                start,
                len,
                data: Vec::new(),
            });
        }
        if let Some(window) = &mut self.window {
            window.capture(bytes, self.total);
        }
        let from = bytes.len().saturating_sub(TAIL);
        self.tail.extend_from_slice(&bytes[from..]);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        self.total += bytes.len() as u64;
    }

    /// How much came before `rest`, which is the end of `bytes`.
    fn total_before(&self, bytes: &[u8], rest: &[u8]) -> u64 {
        self.total + (bytes.len() - rest.len()) as u64
    }

    /// Everything that the data, now complete, can be taken for; [`Format::Raw`] alone where that is nothing.
    #[must_use]
    pub fn finish(self) -> Vec<Found> {
        let kept = Kept {
            head: &self.head,
            tail: &self.tail,
            window: self.window.as_ref().map_or(&[], |window| &window.data),
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

impl Window {
    /// Takes what is its own of bytes that begin at a position.
    fn capture(&mut self, bytes: &[u8], position: u64) {
        let next = self.start + self.data.len() as u64;
        let Some(skip) = next.checked_sub(position) else {
            return;
        };
        if let Some(own) = usize::try_from(skip)
            .ok()
            .and_then(|skip| bytes.get(skip..))
        {
            let missing = self.len - self.data.len();
            self.data.extend_from_slice(&own[..own.len().min(missing)]);
        }
    }
}

/// How much of the beginning is to be kept, as far as it tells by itself.
fn wanted(head: &[u8]) -> usize {
    if head.len() < 512 {
        return 512;
    }
    HEAD.max(vmdk::wanted(head)).max(vhdx::wanted(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data in one piece, and in pieces of a few sizes: the same must be found.
    pub(super) fn find(data: &[u8]) -> Vec<Found> {
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
    pub(super) fn find_one(data: &[u8]) -> Found {
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
        let mut inspector = Inspector::new();
        let mut first = vec![0; 512];
        first[..4].copy_from_slice(b"KDMV");
        first[36..44].copy_from_slice(&u64::MAX.to_le_bytes());
        inspector.eat(&first);
        for _ in 0..64 {
            inspector.eat(&vec![b'x'; 65_536]);
        }
        assert!(inspector.head.len() <= 512 + (1 << 20));
        assert_eq!(inspector.tail.len(), TAIL);
    }
}
