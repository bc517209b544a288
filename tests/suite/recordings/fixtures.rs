//! Tiny disk images, byte for byte those that were recorded.

use serde::Deserialize;

/// The smallest thing that is taken for an image of its format. Without a size, it claims a mebibyte.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Fixture {
    Qcow2 {
        #[serde(rename = "virtual", default = "mebibyte")]
        claimed: u64,
        #[serde(default)]
        backing: String,
        #[serde(default)]
        incompatible: u64,
    },
    Qed,
    Vmdk {
        #[serde(rename = "virtual", default = "mebibyte")]
        claimed: u64,
        create_type: Option<String>,
        extent: Option<String>,
    },
    Vhd {
        #[serde(rename = "virtual", default = "mebibyte")]
        claimed: u64,
    },
    Vdi {
        #[serde(rename = "virtual", default = "mebibyte")]
        claimed: u64,
    },
    Iso {
        /// Of two kibibytes.
        blocks: Option<u32>,
    },
    Gpt {
        #[serde(rename = "virtual", default = "mebibyte")]
        claimed: u64,
        #[serde(default)]
        boot: u8,
    },
    Mbr {
        #[serde(rename = "virtual", default = "mebibyte")]
        claimed: u64,
        boot: Option<u8>,
    },
}

fn mebibyte() -> u64 {
    1 << 20
}

/// Bytes at their places, and zeros around them.
fn image(size: usize, parts: &[(usize, &[u8])]) -> Vec<u8> {
    let mut data = vec![0; size];
    for (at, bytes) in parts {
        data[*at..*at + bytes.len()].copy_from_slice(bytes);
    }
    data
}

/// What the headers of most formats are followed by.
const SMALL: usize = 65_536;
const SECTOR: u64 = 512;

impl Fixture {
    pub(super) fn data(&self) -> Vec<u8> {
        match self {
            Self::Qcow2 {
                claimed,
                backing,
                incompatible,
            } => qcow2(*claimed, backing, *incompatible),
            Self::Qed => image(
                SMALL,
                &[
                    (0, b"QED\0"),
                    (4, &65_536_u32.to_le_bytes()),
                    (8, &4_u32.to_le_bytes()),
                    (12, &1_u32.to_le_bytes()),
                    (40, &65_536_u64.to_le_bytes()),
                    (48, &mebibyte().to_le_bytes()),
                ],
            ),
            Self::Vmdk {
                claimed,
                create_type,
                extent,
            } => {
                let create_type = create_type.as_deref().unwrap_or("monolithicSparse");
                vmdk(
                    *claimed,
                    create_type,
                    extent.as_deref().unwrap_or("disk.vmdk"),
                )
            }
            Self::Vhd { claimed } => vhd(*claimed),
            Self::Vdi { claimed } => image(
                SMALL,
                &[
                    (0, b"<<< Oracle VM VirtualBox Disk Image >>>\n"),
                    (64, &0xbeda_107f_u32.to_le_bytes()),
                    (68, &0x0001_0001_u32.to_le_bytes()),
                    (0x170, &claimed.to_le_bytes()),
                ],
            ),
            Self::Iso { blocks } => iso(blocks.unwrap_or(30)),
            Self::Gpt { claimed, boot } => disk(
                *claimed,
                (*boot, 0xee),
                &[(512, b"EFI PART"), (520, &0x10000_u32.to_le_bytes())],
            ),
            Self::Mbr { claimed, boot } => disk(*claimed, (boot.unwrap_or(0x80), 0x83), &[]),
        }
    }
}

fn qcow2(claimed: u64, backing: &str, incompatible: u64) -> Vec<u8> {
    let backing_at: u64 = if backing.is_empty() { 0 } else { 104 };
    let length = u32::try_from(backing.len()).expect("a short name");
    image(
        SMALL,
        &[
            (0, b"QFI\xfb"),
            (4, &3_u32.to_be_bytes()),
            (8, &backing_at.to_be_bytes()),
            (16, &length.to_be_bytes()),
            (20, &16_u32.to_be_bytes()),
            (24, &claimed.to_be_bytes()),
            (36, &1_u32.to_be_bytes()),
            (40, &196_608_u64.to_be_bytes()),
            (48, &65_536_u64.to_be_bytes()),
            (56, &1_u32.to_be_bytes()),
            (72, &incompatible.to_be_bytes()),
            (96, &4_u32.to_be_bytes()),
            (100, &104_u32.to_be_bytes()),
            (104, backing.as_bytes()),
        ],
    )
}

fn vmdk(claimed: u64, create_type: &str, extent: &str) -> Vec<u8> {
    let sectors = claimed / SECTOR;
    let text = format!(
        "# Disk DescriptorFile\nversion=1\nCID=7b1c2d3e\nparentCID=ffffffff\n\
         createType=\"{create_type}\"\n\n# Extent description\nRW {sectors} SPARSE \"{extent}\"\n\n\
         # The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = \"4\"\n"
    );
    image(
        SMALL,
        &[
            (0, b"KDMV"),
            (4, &1_u32.to_le_bytes()),
            (8, &3_u32.to_le_bytes()),
            (12, &sectors.to_le_bytes()),
            (20, &128_u64.to_le_bytes()),
            (28, &1_u64.to_le_bytes()),
            (36, &20_u64.to_le_bytes()),
            (44, &512_u32.to_le_bytes()),
            (48, &21_u64.to_le_bytes()),
            (56, &26_u64.to_le_bytes()),
            (64, &128_u64.to_le_bytes()),
            (512, text.as_bytes()),
        ],
    )
}

fn vhd(claimed: u64) -> Vec<u8> {
    image(
        SMALL,
        &[
            (0, b"conectix"),
            (8, &2_u32.to_be_bytes()),
            (12, &0x10000_u32.to_be_bytes()),
            (16, &512_u64.to_be_bytes()),
            (28, b"qemu"),
            (32, &0x50003_u32.to_be_bytes()),
            (36, b"Wi2k"),
            (40, &claimed.to_be_bytes()),
            (48, &claimed.to_be_bytes()),
        ],
    )
}

fn iso(blocks: u32) -> Vec<u8> {
    let at = 32_768;
    image(
        blocks as usize * 2048,
        &[
            (at, b"\x01CD001\x01"),
            (at + 80, &blocks.to_le_bytes()),
            (at + 84, &blocks.to_be_bytes()),
            (at + 128, &2048_u16.to_le_bytes()),
            (at + 130, &2048_u16.to_be_bytes()),
        ],
    )
}

/// A disk with one partition over all of it.
fn disk(size: u64, (boot, system): (u8, u8), more: &[(usize, &[u8])]) -> Vec<u8> {
    let sectors = u32::try_from(size / SECTOR - 1).expect("a small disk");
    let table: [(usize, &[u8]); 4] = [
        (446, &[boot, 0, 2, 0, system, 0xff, 0xff, 0xff]),
        (454, &1_u32.to_le_bytes()),
        (458, &sectors.to_le_bytes()),
        (510, b"\x55\xaa"),
    ];
    image(
        usize::try_from(size).expect("a small disk"),
        &[&table[..], more].concat(),
    )
}
