//! What data is, whatever it is called.
//!
//! Data is looked at while it passes: its beginning, its last bytes, and for one format a table in between
//! are kept, and judged when the data has ended. How much is kept has a bound that no data can move. The formats are those that hypervisors would recognise,
//! because the danger is a hypervisor that takes an image for something else than its owner says, or that
//! follows a reference in it to a file of the host.

mod bytes;
mod disks;
mod gpt;
mod inspector;
mod iso;
mod qcow2;
mod vhdx;
mod vmdk;

use std::fmt;

pub use inspector::Inspector;
use inspector::Kept;

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
