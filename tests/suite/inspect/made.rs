//! Disk images as far as anybody looks at them: headers, and zeros behind.

/// Data with something at some positions.
fn data(len: usize, parts: &[(usize, &[u8])]) -> Vec<u8> {
    let mut data = vec![0; len];
    for (at, bytes) in parts {
        data[*at..*at + bytes.len()].copy_from_slice(bytes);
    }
    data
}

/// The fields of a qcow2 header that matter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Qcow2 {
    pub(crate) version: u32,
    pub(crate) backing: &'static str,
    pub(crate) incompatible: u64,
    /// The name of an external data file, as an extension has it.
    pub(crate) data_file: &'static str,
    pub(crate) l1_entries: u32,
    pub(crate) snapshots: u32,
}

impl Default for Qcow2 {
    fn default() -> Self {
        Self {
            version: 3,
            backing: "",
            incompatible: 0,
            data_file: "",
            l1_entries: 1,
            snapshots: 0,
        }
    }
}

impl Qcow2 {
    pub(crate) fn data(self) -> Vec<u8> {
        let backing_at = if self.backing.is_empty() { 0u64 } else { 512 };
        let backing_len = u32::try_from(self.backing.len()).expect("a short name");
        let data_file_len = u32::try_from(self.data_file.len()).expect("a short name");
        data(
            65_536,
            &[
                (0, b"QFI\xfb"),
                (4, &self.version.to_be_bytes()),
                (8, &backing_at.to_be_bytes()),
                (16, &backing_len.to_be_bytes()),
                (20, &16u32.to_be_bytes()),
                (24, &3_145_728u64.to_be_bytes()),
                (36, &self.l1_entries.to_be_bytes()),
                (60, &self.snapshots.to_be_bytes()),
                (72, &self.incompatible.to_be_bytes()),
                (100, &104u32.to_be_bytes()),
                (104, b"DATA"),
                (108, &data_file_len.to_be_bytes()),
                (112, self.data_file.as_bytes()),
                (512, self.backing.as_bytes()),
            ],
        )
    }
}

/// A VMDK's description of itself.
pub(crate) fn vmdk_text(create_type: &str, extent: &str) -> String {
    format!(
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n\
         createType=\"{create_type}\"\n\n# Extent description\n{extent}\n\n\
         # The Disk Data Base\nddb.adapterType = \"ide\"\n"
    )
}

/// The extent that a VMDK in a single file has.
pub(crate) const OWN_EXTENT: &str = "RW 4096 SPARSE \"disk.vmdk\"";

/// A VMDK with a sparse header and a description that takes so many sectors.
pub(crate) fn vmdk(text: &str, sectors: u64, directory: u64) -> Vec<u8> {
    data(
        65_536,
        &[
            (0, b"KDMV"),
            (4, &1u32.to_le_bytes()),
            (12, &4096u64.to_le_bytes()),
            (28, &1u64.to_le_bytes()),
            (36, &sectors.to_le_bytes()),
            (56, &directory.to_le_bytes()),
            (512, text.as_bytes()),
        ],
    )
}

/// A VMDK that is written front to back: what its header lacks is in a footer.
pub(crate) fn vmdk_stream() -> Vec<u8> {
    let text = vmdk_text("streamOptimized", OWN_EXTENT);
    let mut stream = vmdk(&text, 20, u64::MAX);
    let mut footer = stream[..512].to_vec();
    footer[56..64].copy_from_slice(&30u64.to_le_bytes());
    stream.extend(data(512, &[(12, &[3])]));
    stream.extend(footer);
    stream.extend([0; 512]);
    stream
}

pub(crate) fn vhdx() -> Vec<u8> {
    const REGIONS: usize = 192 * 1024;
    const METADATA: usize = 1024 * 1024;
    let region: [u8; 16] = [
        0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88,
        0x6e,
    ];
    let size: [u8; 16] = [
        0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4,
        0xb8,
    ];
    data(
        METADATA + 128 * 1024,
        &[
            (0, b"vhdxfile"),
            (REGIONS, b"regi"),
            (REGIONS + 8, &1u32.to_le_bytes()),
            (REGIONS + 16, &region),
            (REGIONS + 32, &(METADATA as u64).to_le_bytes()),
            (METADATA, b"metadata"),
            (METADATA + 10, &1u16.to_le_bytes()),
            (METADATA + 32, &size),
            (METADATA + 48, &65_544u32.to_le_bytes()),
            (METADATA + 52, &8u32.to_le_bytes()),
            (METADATA + 65_544, &8_388_608u64.to_le_bytes()),
        ],
    )
}

pub(crate) fn vhd() -> Vec<u8> {
    data(
        65_536,
        &[(0, b"conectix"), (40, &5_242_880u64.to_be_bytes())],
    )
}

pub(crate) fn vdi() -> Vec<u8> {
    data(
        65_536,
        &[
            (0x40, &0xbeda_107f_u32.to_le_bytes()),
            (0x170, &7_340_032u64.to_le_bytes()),
        ],
    )
}

pub(crate) fn qed() -> Vec<u8> {
    data(65_536, &[(0, b"QED\0")])
}

pub(crate) fn luks() -> Vec<u8> {
    data(
        65_536,
        &[
            (0, b"LUKS\xba\xbe"),
            (6, &[0, 1]),
            (104, &8u32.to_be_bytes()),
        ],
    )
}

pub(crate) fn iso() -> Vec<u8> {
    data(
        61_440,
        &[
            (32_768, b"\x01CD001\x01"),
            (32_848, &30u32.to_le_bytes()),
            (32_896, &2048u16.to_le_bytes()),
        ],
    )
}

/// A disk with a partition table, whose first entry has this boot flag.
pub(crate) fn gpt(boot: u8) -> Vec<u8> {
    data(
        1_048_576,
        &[
            (446, &[boot, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0]),
            (510, &[0x55, 0xaa]),
        ],
    )
}

/// An ISO that also boots from a disk.
pub(crate) fn hybrid() -> Vec<u8> {
    let mut hybrid = iso();
    hybrid[..512].copy_from_slice(&gpt(0)[..512]);
    hybrid
}

/// One of everything that is what it says, by the name of its format.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    let text = vmdk_text("monolithicSparse", OWN_EXTENT);
    vec![
        ("qcow2", Qcow2::default().data()),
        ("vmdk", vmdk(&text, 20, 21)),
        ("vmdk", vmdk_stream()),
        ("vmdk", vmdk_text("monolithicFlat", OWN_EXTENT).into_bytes()),
        ("vhd", vhd()),
        ("vhdx", vhdx()),
        ("vdi", vdi()),
        ("qed", qed()),
        ("luks", luks()),
        ("iso", iso()),
        ("gpt", gpt(0)),
        ("iso", hybrid()),
        ("raw", vec![7; 70_000]),
    ]
}
