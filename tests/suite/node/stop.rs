//! SIGTERM, and what outlasts it; a store and a cache directory that come and go.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::Duration;

use super::site::Site;
use super::{MIB, eventually};
use crate::support::until;

/// More than sockets buffer, so that an answer is still under way while nobody reads it.
const LARGE: usize = 32 * MIB;
/// A user without rights.
const NOBODY: u32 = 65534;

#[test]
fn a_download_that_runs_when_the_end_is_asked_for_is_finished_first() {
    let site = Site::new();
    let mut node = site.start();
    let image = node.image(LARGE);
    // Cold at first, then from the copy.
    for hits in 0..2 {
        let mut opened = node.open(&image).unwrap();
        let mut body = opened.read(MIB).unwrap();
        node.end();
        node.says("ending");
        thread::sleep(Duration::from_millis(50));
        body.extend(opened.rest().unwrap());
        assert!(body == image.data);
        let status = node.ended();
        assert!(status.success(), "{status}");

        assert_eq!(site.files("cache/incomplete"), [""; 0]);
        let mut files = site.files("cache");
        files.sort_unstable();
        let mut expected = vec![image.id.clone(), "cache.db".to_owned()];
        expected.sort_unstable();
        assert_eq!(files, expected, "nothing lies beside the index");
        node = site.start();
        assert_eq!(node.listing()[&image.id], hits);
    }
    node.stop();
}

#[test]
fn the_hits_of_the_last_moment_are_not_lost() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(MIB);
    node.serves(&image);
    node.caches(&image);
    for _ in 0..5 {
        node.serves(&image);
    }
    node.stop();
    let node = site.start();
    assert_eq!(node.listing()[&image.id], 5);
}

#[test]
fn a_fill_that_nobody_reads_does_not_delay_the_end() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(LARGE);
    let mut opened = node.open(&image).unwrap();
    opened.read(1).unwrap();
    drop(opened);
    node.stop();
    assert_eq!(site.files("cache/incomplete"), [""; 0]);
    assert_eq!(site.files("cache/.glance/fills"), [""; 0]);
}

#[test]
fn what_is_cached_needs_no_store() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(MIB);
    node.serves(&image);
    node.caches(&image);
    fs::rename(site.path("images"), site.path("away")).unwrap();
    node.serves(&image);
    node.stop();
}

#[test]
fn a_cache_directory_that_vanishes_is_made_anew() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(MIB);
    node.serves(&image);
    node.caches(&image);
    // The service may just be writing into it.
    until("it is removed", || {
        let removed = fs::remove_dir_all(site.path("cache"));
        removed.is_ok() || !site.path("cache").exists()
    });
    node.serves(&image);
    node.caches(&image);
    node.stop();
}

/// Whether the directory keeps us out: it does not keep out root, who then is somebody else instead.
fn without_rights() -> Option<u32> {
    rustix::process::geteuid().is_root().then_some(NOBODY)
}

#[test]
fn a_cache_directory_that_cannot_be_used_is_served_past_and_told_once() {
    let site = Site::new();
    let user = without_rights();
    site.give_to(user);
    let node = site.start_as(user);
    let image = node.image(MIB);
    for closed in [0o555, 0o000] {
        // All below it, too: a fill needs the top only at its end.
        site.close_cache(closed);
        node.serves(&image);
        node.serves(&image);
        let told = "images are served past the cache";
        assert_eq!(node.lines_with(&[told]), 1, "{}", node.log());
    }
    site.close_cache(0o755);
    // It is tried again after a rest.
    eventually(|| {
        node.serves(&image);
        node.listing().contains_key(&image.id).then_some(())
    });
    node.says("can be used again");
    node.stop();
}

#[test]
fn a_node_starts_beside_a_cache_directory_that_it_may_not_enter() {
    let site = Site::new();
    let user = without_rights();
    site.give_to(user);
    fs::create_dir(site.path("cache")).unwrap();
    fs::set_permissions(site.path("cache"), Permissions::from_mode(0o500)).unwrap();
    if user.is_some() {
        // Of root, and closed to all others.
        fs::set_permissions(site.path("cache"), Permissions::from_mode(0o700)).unwrap();
    }
    let node = site.start_as(user);
    let image = node.image(MIB);
    node.serves(&image);
    node.serves(&image);
    assert_eq!(node.lines_with(&["images are served past the cache"]), 1);
    node.stop();
}

#[test]
fn copies_are_served_from_a_directory_that_cannot_be_written() {
    let site = Site::new();
    let user = without_rights();
    site.give_to(user);
    let node = site.start_as(user);
    let image = node.image(MIB);
    node.serves(&image);
    node.caches(&image);
    site.close_cache(0o555);
    fs::remove_file(site.stored(&image)).unwrap();
    node.serves(&image);
    node.stop();
}
