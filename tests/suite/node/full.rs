//! Disks that are full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::http;
use super::site::Site;
use super::{MIB, eventually};

/// A small disk of its own. Dropped, it is gone.
pub(super) struct Disk(PathBuf);

impl Disk {
    /// Mounts one of `size` MiB at `path`; none where that is not allowed.
    pub(super) fn mount(path: PathBuf, size: usize) -> Option<Self> {
        fs::create_dir_all(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}m"), "tmpfs"]);
        let mounted = mount
            .arg(&path)
            .output()
            .is_ok_and(|done| done.status.success());
        if !mounted {
            eprintln!("skipped: a disk that can be filled takes the right to mount one");
        }
        mounted.then_some(Self(path))
    }

    /// Makes it read-only, or writable again.
    pub(super) fn remount(&self, how: &str) {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,{how}")]).arg(&self.0);
        assert!(mount.status().unwrap().success());
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let ballast = self.0.join(".ballast");
        // It fails for want of room, which is the point.
        let _ = fs::write(&ballast, vec![1; 64 * MIB]);
        ballast
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, for a process may be about to leave it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

#[test]
fn an_upload_to_a_full_store_is_refused_and_leaves_nothing() {
    let site = Site::new();
    let Some(_disk) = Disk::mount(site.path("images"), 2) else {
        return;
    };
    let node = site.start();
    let image = node.create();
    let data = vec![7; 3 * MIB];
    let declared = node.upload(&image, &data);
    let chunked = http::put_in_chunks(node.address, &image.file(), &data).unwrap();
    for refused in [declared, chunked] {
        assert_eq!(refused.status, 413, "{}", refused.text());
        let told = "Image storage media is full: There is not enough disk space on the image \
                    storage media.";
        assert!(refused.text().contains(told), "{}", refused.text());
        let shown = node.get(&format!("/v2/images/{}", image.id)).json();
        assert_eq!(shown["status"], "queued");
        assert!(is_empty(&site.path("images")));
    }
    // What fits is taken.
    assert_eq!(node.upload(&image, &data[..MIB]).status, 204);
    assert_eq!(node.download(&image).unwrap(), &data[..MIB]);
    node.stop();
}

#[test]
fn what_does_not_fit_on_the_disk_is_served_past_the_cache() {
    let site = Site::new();
    let Some(_disk) = Disk::mount(site.path("cache"), 5) else {
        return;
    };
    let node = site.start();
    let large = node.image(6 * MIB);
    node.serves(&large);
    node.serves(&large);
    let told = "images are served past the cache";
    assert_eq!(node.lines_with(&[told]), 1, "{}", node.log());
    assert_eq!(site.files("cache/incomplete"), [""; 0]);

    let small = [1, 2, 2].map(|mib| node.image(mib * MIB));
    for image in &small {
        node.serves(image);
        node.caches(image);
    }
    // The last has taken the place of the first.
    assert_eq!(node.listing().len(), 2);
    assert_eq!(node.lines_with(&["evicted image", &small[0].id]), 1);
    node.stop();
}

#[test]
fn a_disk_that_others_fill_up_costs_copies_and_neither_bytes_nor_hits() {
    let site = Site::new();
    let Some(disk) = Disk::mount(site.path("cache"), 8) else {
        return;
    };
    let node = site.start();
    let [old, new, next] = [3, 3, 2].map(|mib| node.image(mib * MIB));
    for image in [&old, &new] {
        node.serves(image);
        node.caches(image);
    }
    let ballast = disk.fill();
    for _ in 0..4 {
        node.serves(&new);
    }
    // What is not used makes room, though there is none to write down that it should.
    node.serves(&next);
    node.caches(&next);
    assert!(!node.listing().contains_key(&old.id));
    fs::remove_file(ballast).unwrap();
    eventually(|| (node.listing()[&new.id] == 4).then_some(()));
    node.stop();

    let node = site.start();
    assert_eq!(node.listing()[&new.id], 4);
    node.serves(&new);
    node.stop();
}
