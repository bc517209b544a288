//! Beside the files that QEMU's own tool writes, in every format that it can write here.

use std::path::{Path, PathBuf};
use std::process::Command;

use glance::inspect::{Format, Found};

use super::find;

const SIZE: u64 = 24 * 1024 * 1024;

/// Writes an image, or says that this QEMU cannot.
fn create(dir: &Path, format: &str, options: &str) -> Option<PathBuf> {
    let file = dir.join(format!("{format}-{options}"));
    let mut command = Command::new("qemu-img");
    command.args(["create", "-q", "-f", format]);
    if format == "luks" {
        let secret = "secret,id=key,data=secret";
        command.args(["--object", secret, "-o", "key-secret=key,iter-time=10"]);
    } else if !options.is_empty() {
        command.args(["-o", options]);
    }
    let made = command.arg(&file).arg(SIZE.to_string()).output().ok()?;
    if !made.status.success() {
        println!(
            "no {format} {options}: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        return None;
    }
    Some(file)
}

/// What a file is found to be, read as an upload would come.
fn found(file: &Path) -> Vec<Found> {
    let data = std::fs::read(file).expect("an image");
    find(data.chunks(65_536))
}

fn has_qemu() -> bool {
    let has = Command::new("qemu-img").arg("--version").output().is_ok();
    if !has {
        println!("skipped: qemu-img is not installed");
    }
    has
}

#[test]
fn what_qemu_writes_is_found_with_its_format_and_size() {
    if !has_qemu() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut compared = 0;
    for (format, options, expected) in [
        ("qcow2", "compat=0.10", Format::Qcow2),
        ("qcow2", "compat=1.1", Format::Qcow2),
        ("qcow2", "lazy_refcounts=on", Format::Qcow2),
        ("qcow2", "compression_type=zstd", Format::Qcow2),
        (
            "qcow2",
            "cluster_size=2M,preallocation=metadata",
            Format::Qcow2,
        ),
        ("vmdk", "subformat=monolithicSparse", Format::Vmdk),
        ("vmdk", "subformat=streamOptimized", Format::Vmdk),
        ("vdi", "", Format::Vdi),
        ("vdi", "static=on", Format::Vdi),
        ("vpc", "subformat=dynamic,force_size=on", Format::Vhd),
        ("vhdx", "subformat=dynamic", Format::Vhdx),
        ("vhdx", "subformat=fixed", Format::Vhdx),
        (
            "vhdx",
            "subformat=dynamic,block_size=1M,log_size=4M",
            Format::Vhdx,
        ),
        ("luks", "", Format::Luks),
        // It has its mark at the end only, and so nobody who reads along can know it.
        ("vpc", "subformat=fixed,force_size=on", Format::Raw),
        ("parallels", "", Format::Raw),
        ("raw", "", Format::Raw),
    ] {
        let Some(file) = create(dir.path(), format, options) else {
            continue;
        };
        let [found] = &found(&file)[..] else {
            panic!("{format} {options}: several formats");
        };
        assert_eq!(found.format, expected, "{format} {options}");
        assert_eq!(found.dangers, [""; 0], "{format} {options}");
        assert!(!found.truncated, "{format} {options}");
        if expected != Format::Raw {
            assert_eq!(found.virtual_size, SIZE, "{format} {options}");
        }
        compared += 1;
    }
    assert!(compared >= 10, "QEMU wrote {compared} images only");
}

#[test]
fn what_qemu_writes_with_references_to_other_files_is_a_danger() {
    if !has_qemu() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let base = create(dir.path(), "raw", "").expect("a raw image");
    let base = base.display();
    let data = dir.path().join("data");
    let data = format!("data_file={},data_file_raw=on", data.display());
    for (format, options, danger) in [
        (
            "qcow2",
            format!("backing_file={base},backing_fmt=raw"),
            "backing_file",
        ),
        ("qcow2", data, "data_file"),
        ("qcow2", "extended_l2=on".to_owned(), "unknown_features"),
        ("qed", String::new(), "banned"),
        ("vmdk", "subformat=monolithicFlat".to_owned(), "descriptor"),
        (
            "vmdk",
            "subformat=twoGbMaxExtentSparse".to_owned(),
            "descriptor",
        ),
    ] {
        let options_name = options.replace('/', "+");
        let file = dir.path().join(format!("{danger}-{format}"));
        let made = Command::new("qemu-img")
            .args(["create", "-q", "-f", format])
            .args(if options.is_empty() {
                vec![]
            } else {
                vec!["-o", &options]
            })
            .arg(&file)
            .arg(SIZE.to_string())
            .output()
            .expect("qemu-img");
        if !made.status.success() {
            println!("no {format} {options_name}");
            continue;
        }
        assert_eq!(found(&file)[0].dangers, [danger], "{format} {options_name}");
    }
}
